package writeback

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"
)

func TestWriter(t *testing.T) {
	file, err := os.Create(filepath.Join(t.TempDir(), "file"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	w := New(file)
	want := bytes.Repeat([]byte("some content\n"), 3*step/13+1)
	for rest := want; len(rest) > 0; {
		n, err := w.Write(rest[:min(len(rest), 300<<10)])
		if err != nil {
			t.Fatal(err)
		}
		rest = rest[n:]
	}
	if w.requested == 0 || w.requested > w.written || w.written-w.requested >= step || w.written != int64(len(want)) {
		t.Errorf("requested %d of %d", w.requested, w.written)
	}
	if got, err := os.ReadFile(file.Name()); err != nil || !bytes.Equal(got, want) {
		t.Errorf("the file has other content: %v", err)
	}
	file.Close()
	if _, err := w.Write(make([]byte, 2*step)); !errors.Is(err, os.ErrClosed) {
		t.Errorf("a closed file: %v", err)
	}
}

// TestPipe has a file that cannot be on a disk.
func TestPipe(t *testing.T) {
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer read.Close()
	w := New(write)
	w.requested = -step
	if n, err := w.Write([]byte("x")); n != 1 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
	write.Close()
}
