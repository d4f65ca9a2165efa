package archive

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func check(t interface {
	Helper()
	Fatal(...any)
}, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func openRoot(t interface {
	Helper()
	Fatal(...any)
}, dir string) *os.Root {
	t.Helper()
	root, err := os.OpenRoot(dir)
	check(t, err)
	return root
}

// pack returns an archive of a directory as it is.
func pack(t *testing.T, dir string, configure func(*Writer)) []byte {
	t.Helper()
	root := openRoot(t, dir)
	defer root.Close()
	var buffer bytes.Buffer
	w := NewWriter(&buffer)
	configure(w)
	check(t, w.Add(t.Context(), root, ".", "."))
	check(t, w.Close())
	return buffer.Bytes()
}

func withTimes(w *Writer) { w.Times = true }
func without(*Writer)     {}

func TestRoundTrip(t *testing.T) {
	from, to := t.TempDir(), t.TempDir()
	check(t, os.MkdirAll(filepath.Join(from, "locked/a b"), 0o755))
	check(t, os.WriteFile(filepath.Join(from, "locked/a b/file"), []byte("content"), 0o640))
	check(t, os.WriteFile(filepath.Join(from, strings.Repeat("long", 60)), nil, 0o400))
	check(t, os.Symlink("../../nowhere", filepath.Join(from, "link")))
	check(t, os.Chmod(filepath.Join(from, "locked"), 0o550))
	past := time.Unix(1e9, 0)
	check(t, os.Chtimes(filepath.Join(from, "locked/a b/file"), past, past))
	check(t, os.Chtimes(filepath.Join(from, "locked"), past, past))

	first := pack(t, from, withTimes)
	root := openRoot(t, to)
	defer root.Close()
	check(t, Extract(t.Context(), root, "copy", bytes.NewReader(first)))
	if second := pack(t, filepath.Join(to, "copy"), withTimes); !bytes.Equal(first, second) {
		t.Error("the archive of the copy differs")
	}
	info, err := os.Stat(filepath.Join(to, "copy/locked"))
	check(t, err)
	if info.Mode().Perm() != 0o550 || !info.ModTime().Equal(past) {
		t.Errorf("directory: %v, %v", info.Mode(), info.ModTime())
	}
	if target, _ := os.Readlink(filepath.Join(to, "copy/link")); target != "../../nowhere" {
		t.Errorf("link points to %q", target)
	}
}

func TestEqualContentMakesEqualArchives(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		names := rapid.SliceOfNDistinct(rapid.StringMatching(`[a-c]{1,2}-[a-c]`), 1, 6, rapid.ID).Draw(r, "names")
		var archives [][]byte
		for i, order := range [][]string{names, rapid.Permutation(names).Draw(r, "order")} {
			dir, err := os.MkdirTemp("", "archive")
			check(t, err)
			defer os.RemoveAll(dir)
			for _, name := range order {
				file := filepath.Join(dir, strings.ReplaceAll(name, "-", "/"), "file")
				check(t, os.MkdirAll(filepath.Dir(file), 0o755))
				check(t, os.WriteFile(file, []byte(name), 0o644))
				check(t, os.Chtimes(file, time.Time{}, time.Unix(int64(i+1)*1000, 0)))
			}
			archives = append(archives, pack(t, dir, without))
		}
		if !bytes.Equal(archives[0], archives[1]) {
			r.Fatal("the archives differ")
		}
	})
}

func TestSkipAndSpecialFiles(t *testing.T) {
	dir := t.TempDir()
	check(t, os.WriteFile(filepath.Join(dir, "kept"), nil, 0o644))
	check(t, os.WriteFile(filepath.Join(dir, "skipped"), nil, 0o644))
	check(t, syscall.Mkfifo(filepath.Join(dir, "pipe"), 0o600))
	var special []string
	archive := pack(t, dir, func(w *Writer) {
		w.Skip = func(name string) bool { return name == "skipped" }
		w.Special = func(name string) { special = append(special, name) }
	})
	var names []string
	for r := tar.NewReader(bytes.NewReader(archive)); ; {
		header, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		check(t, err)
		names = append(names, header.Name)
	}
	if !slices.Equal(names, []string{"./", "kept"}) || !slices.Equal(special, []string{"pipe"}) {
		t.Errorf("names: %v, special: %v", names, special)
	}
	root := openRoot(t, dir)
	defer root.Close()
	if err := NewWriter(io.Discard).Add(t.Context(), root, "pipe", "pipe"); err == nil {
		t.Error("a pipe was archived")
	}
}

func TestExtractKeepsNoUserIDBit(t *testing.T) {
	var buffer bytes.Buffer
	w := tar.NewWriter(&buffer)
	check(t, w.WriteHeader(&tar.Header{Name: "program", Typeflag: tar.TypeReg, Mode: 0o6755}))
	check(t, w.Close())
	dir := t.TempDir()
	root := openRoot(t, dir)
	defer root.Close()
	check(t, Extract(t.Context(), root, ".", &buffer))
	info, err := os.Stat(filepath.Join(dir, "program"))
	check(t, err)
	if info.Mode()&(fs.ModeSetuid|fs.ModeSetgid) != 0 || info.Mode().Perm() != 0o755 {
		t.Errorf("mode %v", info.Mode())
	}
}

func TestExtractTouchesNothingThatExists(t *testing.T) {
	from := t.TempDir()
	check(t, os.WriteFile(filepath.Join(from, "file"), []byte("new"), 0o644))
	dir := t.TempDir()
	check(t, os.WriteFile(filepath.Join(dir, "file"), []byte("old"), 0o644))
	root := openRoot(t, dir)
	defer root.Close()
	if err := Extract(t.Context(), root, ".", bytes.NewReader(pack(t, from, without))); !errors.Is(err, fs.ErrExist) {
		t.Errorf("error: %v", err)
	}
	if content, _ := os.ReadFile(filepath.Join(dir, "file")); string(content) != "old" {
		t.Errorf("content: %q", content)
	}
}

func TestCancellation(t *testing.T) {
	stop := errors.New("stop")
	ctx, cancel := context.WithCancelCause(t.Context())
	dir := t.TempDir()
	check(t, os.WriteFile(filepath.Join(dir, "file"), make([]byte, 1<<20), 0o644))
	archive := pack(t, dir, without)
	cancel(stop)
	root := openRoot(t, t.TempDir())
	defer root.Close()
	if err := Extract(ctx, root, ".", bytes.NewReader(archive)); !errors.Is(err, stop) {
		t.Errorf("extract: %v", err)
	}
	if err := NewWriter(io.Discard).Add(ctx, root, ".", "."); !errors.Is(err, stop) {
		t.Errorf("write: %v", err)
	}
}

func FuzzExtract(f *testing.F) {
	var buffer bytes.Buffer
	w := tar.NewWriter(&buffer)
	for _, header := range []tar.Header{
		{Name: "d/", Typeflag: tar.TypeDir, Mode: 0o755},
		{Name: "d/f", Typeflag: tar.TypeReg, Mode: 0o600},
		{Name: "l", Linkname: "../outside", Typeflag: tar.TypeSymlink},
		{Name: "h", Linkname: "d/f", Typeflag: tar.TypeLink},
	} {
		check(f, w.WriteHeader(&header))
	}
	check(f, w.Close())
	f.Add(buffer.Bytes())
	f.Fuzz(func(t *testing.T, data []byte) {
		around := t.TempDir()
		check(t, os.Mkdir(filepath.Join(around, "inside"), 0o755))
		root := openRoot(t, filepath.Join(around, "inside"))
		defer root.Close()
		_ = Extract(t.Context(), root, ".", bytes.NewReader(data))
		entries, err := os.ReadDir(around)
		check(t, err)
		if len(entries) != 1 {
			t.Errorf("outside: %v", entries)
		}
	})
}
