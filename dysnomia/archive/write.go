// Package archive writes directory trees as tar archives that depend on
// nothing but their content, and unpacks archives without leaving the
// directory it is told to fill.
//
// Directories, regular files and symbolic links are kept, with their
// permissions. Owners are not: the same user has other numbers on other
// machines.
package archive

import (
	"archive/tar"
	"context"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"time"
)

// Writer writes trees to a tar archive, entries sorted by name within each
// directory.
type Writer struct {
	// Times says whether modification times are kept. Without them equal
	// content makes equal archives.
	Times bool
	// Skip, if not nil, is asked for every name; true leaves the file or the
	// whole directory out.
	Skip func(name string) bool
	// Special, if not nil, is told of each file that cannot be archived:
	// sockets, named pipes and devices. Otherwise they are errors.
	Special func(name string)

	tar *tar.Writer
}

// NewWriter returns a Writer that writes to w.
func NewWriter(w io.Writer) *Writer { return &Writer{tar: tar.NewWriter(w)} }

// Close ends the archive. It does not close the underlying writer.
func (w *Writer) Close() error { return w.tar.Close() }

// Add writes the file or tree called from below root, under the name as.
// Symbolic links are written as such and never followed.
func (w *Writer) Add(ctx context.Context, root *os.Root, from, as string) error {
	if err := ctx.Err(); err != nil {
		return context.Cause(ctx)
	}
	if w.Skip != nil && w.Skip(from) {
		return nil
	}
	info, err := root.Lstat(from)
	if err != nil {
		return err
	}
	switch info.Mode().Type() {
	case 0:
		return w.addFile(ctx, root, from, as, info)
	case fs.ModeSymlink:
		target, err := root.Readlink(from)
		if err != nil {
			return err
		}
		return w.writeHeader(info, as, target)
	case fs.ModeDir:
		return w.addDirectory(ctx, root, from, as, info)
	}
	if w.Special == nil {
		return fmt.Errorf("%s is neither a file, a directory nor a symbolic link", from)
	}
	w.Special(from)
	return nil
}

func (w *Writer) addDirectory(ctx context.Context, root *os.Root, from, as string, info fs.FileInfo) error {
	if err := w.writeHeader(info, as, ""); err != nil {
		return err
	}
	dir, err := root.Open(from)
	if err != nil {
		return err
	}
	names, err := dir.Readdirnames(-1)
	dir.Close()
	if err != nil {
		return err
	}
	slices.Sort(names)
	for _, name := range names {
		if err := w.Add(ctx, root, path.Join(from, name), path.Join(as, name)); err != nil {
			return err
		}
	}
	return nil
}

func (w *Writer) addFile(ctx context.Context, root *os.Root, from, as string, info fs.FileInfo) error {
	file, err := root.Open(from)
	if err != nil {
		return err
	}
	defer file.Close()
	if err := w.writeHeader(info, as, ""); err != nil {
		return err
	}
	// A file that grows is cut at the size in its header; one that shrinks
	// cannot be completed.
	n, err := copyContent(w.tar, io.LimitReader(contextReader{ctx, file}, info.Size()), info.Size())
	if err == nil && n < info.Size() {
		err = fmt.Errorf("%s has shrunk while it was read", from)
	}
	return err
}

func (w *Writer) writeHeader(info fs.FileInfo, as, link string) error {
	header, err := tar.FileInfoHeader(info, link)
	if err != nil {
		return err
	}
	header.Name = as
	if info.IsDir() && !strings.HasSuffix(as, "/") {
		header.Name += "/"
	}
	header.Uid, header.Gid, header.Uname, header.Gname = 0, 0, "", ""
	header.AccessTime, header.ChangeTime = time.Time{}, time.Time{}
	header.ModTime = time.Unix(0, 0)
	if w.Times {
		header.ModTime = info.ModTime().Truncate(time.Second)
	}
	if link != "" {
		header.Mode = 0o777 // what the file system says varies
	}
	return w.tar.WriteHeader(header)
}

// copyContent copies a file, a large one in large parts: whoever reads or
// writes the archive may be another process.
func copyContent(to io.Writer, from io.Reader, size int64) (int64, error) {
	const large = 256 << 10
	if size < large {
		return io.Copy(to, from)
	}
	return io.CopyBuffer(struct{ io.Writer }{to}, struct{ io.Reader }{from}, make([]byte, large))
}

// contextReader ends with the error of a context that was cancelled.
type contextReader struct {
	ctx context.Context
	io.Reader
}

func (r contextReader) Read(p []byte) (int, error) {
	if r.ctx.Err() != nil {
		return 0, context.Cause(r.ctx)
	}
	return r.Reader.Read(p)
}
