package archive_test

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"testing"
	"testing/iotest"

	"github.com/disnix-go/disnix/dysnomia/archive"
)

// TestArchiveOfZerosThatIsCutOff cuts an archive between its entries, where
// what is left ends with zeros as a complete archive does.
func TestArchiveOfZerosThatIsCutOff(t *testing.T) {
	dir := t.TempDir()
	for name, content := range map[string][]byte{"a": make([]byte, 1024), "b": []byte("lost")} {
		path := filepath.Join(dir, "tree", name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, content, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	var whole bytes.Buffer
	w := archive.NewWriter(&whole)
	if err := w.Add(t.Context(), root, "tree", "."); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	extract := func(r io.Reader) error {
		root, err := os.OpenRoot(t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		defer root.Close()
		return archive.Extract(t.Context(), root, "tree", r)
	}
	for size := 0; size < whole.Len(); size += 256 {
		if err := extract(bytes.NewReader(whole.Bytes()[:size])); err == nil {
			t.Errorf("%d of %d bytes are accepted", size, whole.Len())
		}
	}
	if err := extract(iotest.DataErrReader(bytes.NewReader(whole.Bytes()))); err != nil {
		t.Errorf("the whole archive: %v", err)
	}
}
