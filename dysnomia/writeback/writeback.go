// Package writeback lets the system write large files to the disk while they
// are still being made, so that flushing them at the end takes less time.
package writeback

import (
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// step is how much is written at once: little enough to begin early, and much
// enough for any disk.
const step = 4 << 20

// Writer writes to a file at its end. What it has written is in the file at
// once; that it will soon be on the disk is only a request. It is for one
// goroutine, and nobody else may write to the file.
type Writer struct {
	file *os.File
	// requested is up to where the system was asked to write to the disk, and
	// written up to where there is something to write.
	requested, written int64
}

// New returns a writer to an empty file.
func New(file *os.File) *Writer { return &Writer{file: file} }

var _ io.Writer = (*Writer)(nil)

// Write implements [io.Writer].
func (w *Writer) Write(p []byte) (int, error) {
	n, err := w.file.Write(p)
	w.written += int64(n)
	if w.written-w.requested >= step {
		w.request()
	}
	return n, err
}

// request does not wait for the disk. It does not matter if a file system
// cannot do that.
func (w *Writer) request() {
	if raw, err := w.file.SyscallConn(); err == nil {
		_ = raw.Control(func(fd uintptr) {
			_ = unix.SyncFileRange(int(fd), w.requested, w.written-w.requested, unix.SYNC_FILE_RANGE_WRITE)
		})
	}
	w.requested = w.written
}
