package spool_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/iotest"

	"github.com/disnix-go/disnix/service/servicetest"
	"github.com/disnix-go/disnix/service/spool"
)

// temporary points TMPDIR at an empty directory, which must be empty again at
// the end of the test.
func temporary(t *testing.T) {
	t.Helper()
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	t.Cleanup(func() {
		if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
			t.Errorf("left behind: %v, %v", left, err)
		}
	})
}

// stream returns a closure of so many paths.
func stream(t *testing.T, n int) ([]string, []byte) {
	t.Helper()
	paths := make([]string, n)
	for i := range paths {
		paths[i] = "/nix/store/" + strings.Repeat("0", 32) + "-" + strings.Repeat("p", i%100+1)
	}
	var fake servicetest.Fake
	fake.AddValid(paths...)
	var stream bytes.Buffer
	if err := fake.ExportClosure(t.Context(), paths, &stream); err != nil {
		t.Fatal(err)
	}
	return paths, stream.Bytes()
}

func TestClosure(t *testing.T) {
	temporary(t)
	want, content := stream(t, 3)
	file, paths, err := spool.Closure(t.Context(), "", bytes.NewReader(content))
	if err != nil {
		t.Fatal(err)
	}
	if strings.Join(paths, " ") != strings.Join(want, " ") {
		t.Errorf("paths %q", paths)
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	var copied bytes.Buffer
	if err := spool.CopyFile(t.Context(), &copied, file); err != nil || !bytes.Equal(copied.Bytes(), content) {
		t.Errorf("%d bytes, %v", copied.Len(), err)
	}
	if err := os.Remove(file); err != nil {
		t.Error(err)
	}
}

func TestClosureThatCannotBeStored(t *testing.T) {
	temporary(t)
	_, content := stream(t, 3)
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	down := errors.New("link is down")
	for name, test := range map[string]struct {
		ctx    context.Context
		stream io.Reader
		want   error
	}{
		"text":        {t.Context(), strings.NewReader("this is no closure, whatever it may be"), nil},
		"cut off":     {t.Context(), bytes.NewReader(content[:len(content)/2]), nil},
		"a lost link": {t.Context(), io.MultiReader(bytes.NewReader(content[:100]), iotest.ErrReader(down)), down},
		"cancelled":   {cancelled, bytes.NewReader(content), context.Canceled},
	} {
		t.Run(name, func(t *testing.T) {
			file, paths, err := spool.Closure(test.ctx, "", test.stream)
			if err == nil || file != "" || paths != nil || test.want != nil && !errors.Is(err, test.want) {
				t.Errorf("file %q, paths %q, error %v", file, paths, err)
			}
		})
	}
}

func TestFullDisk(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=16k"); err != nil {
		t.Fatalf("mount a small file system: %v", err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(dir, 0) })
	t.Setenv("TMPDIR", dir)
	_, content := stream(t, 1000)
	if _, _, err := spool.Closure(t.Context(), "", bytes.NewReader(content)); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("error %v", err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestSnapshot(t *testing.T) {
	temporary(t)
	source := filepath.Join(t.TempDir(), "id")
	if err := os.MkdirAll(filepath.Join(source, "dir"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(source, "dir/file"), []byte("content"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Join(source, "dir"), 0o555); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = spool.RemoveTree(source) })
	var packed bytes.Buffer
	if err := spool.PackSnapshot(t.Context(), source, &packed); err != nil {
		t.Fatal(err)
	}
	archive := packed.Bytes()
	dir, snapshot, err := spool.UnpackSnapshot(t.Context(), "", "copy", bytes.NewReader(archive))
	if err != nil {
		t.Fatal(err)
	}
	if content, err := os.ReadFile(filepath.Join(snapshot, "dir/file")); err != nil || string(content) != "content" || filepath.Base(snapshot) != "copy" {
		t.Errorf("%s: %q, %v", snapshot, content, err)
	}
	if err := spool.RemoveTree(dir); err != nil {
		t.Error(err)
	}
	for _, id := range []string{"", ".", "..", "a/b", "/a"} {
		if _, _, err := spool.UnpackSnapshot(t.Context(), "", id, bytes.NewReader(archive)); err == nil {
			t.Errorf("%q was accepted as a name", id)
		}
	}
	if _, _, err := spool.UnpackSnapshot(t.Context(), "", "id", bytes.NewReader(archive[:len(archive)/2])); err == nil {
		t.Error("half an archive was accepted")
	}
	if err := spool.PackSnapshot(t.Context(), filepath.Join(source, "missing"), io.Discard); err == nil {
		t.Error("a missing snapshot was packed")
	}
}

// TestTakeFile looks for the file while it is copied.
func TestTakeFile(t *testing.T) {
	temporary(t)
	path := filepath.Join(os.TempDir(), "file")
	if err := os.WriteFile(path, []byte("content"), 0o600); err != nil {
		t.Fatal(err)
	}
	content := new(strings.Builder)
	err := spool.TakeFile(t.Context(), writerFunc(func(p []byte) (int, error) {
		if _, err := os.Stat(path); !os.IsNotExist(err) {
			t.Errorf("the file is still there: %v", err)
		}
		return content.Write(p)
	}), path)
	if err != nil || content.String() != "content" {
		t.Errorf("%q, %v", content, err)
	}
	if err := spool.TakeFile(t.Context(), content, path); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }
