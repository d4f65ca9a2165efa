package archive_test

import (
	"archive/tar"
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
	"time"

	"github.com/disnix-go/disnix/service/archive"
)

func pack(t *testing.T, root string) []byte {
	t.Helper()
	var buffer bytes.Buffer
	if err := archive.Write(t.Context(), root, &buffer); err != nil {
		t.Fatal(err)
	}
	return buffer.Bytes()
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestTreeIsKept(t *testing.T) {
	root := filepath.Join(t.TempDir(), "snapshot")
	long := strings.Repeat("a long name", 20)
	must(t, os.MkdirAll(filepath.Join(root, "empty"), 0o755))
	must(t, os.MkdirAll(filepath.Join(root, "deep/er"), 0o755))
	must(t, os.WriteFile(filepath.Join(root, "deep/er/file with\nnewline"), bytes.Repeat([]byte{0}, 5000), 0o640))
	must(t, os.WriteFile(filepath.Join(root, "deep", long), []byte("content"), 0o400))
	must(t, os.Symlink("../outside", filepath.Join(root, "link")))
	then := time.Date(2001, 2, 3, 4, 5, 6, 0, time.UTC)
	must(t, os.Chtimes(filepath.Join(root, "deep", long), then, then))
	must(t, os.Chmod(filepath.Join(root, "deep"), 0o500))
	t.Cleanup(func() { _ = os.Chmod(filepath.Join(root, "deep"), 0o700) })

	copied := filepath.Join(t.TempDir(), "copy")
	must(t, archive.Extract(t.Context(), iotest.DataErrReader(bytes.NewReader(pack(t, root))), copied))
	t.Cleanup(func() { _ = os.Chmod(filepath.Join(copied, "deep"), 0o700) })

	if !bytes.Equal(pack(t, root), pack(t, copied)) {
		t.Error("the archive of the copy differs")
	}
	if target, _ := os.Readlink(filepath.Join(copied, "link")); target != "../outside" {
		t.Errorf("link to %q", target)
	}
	info, err := os.Stat(filepath.Join(copied, "deep", long))
	must(t, err)
	if info.Mode() != 0o400 || !info.ModTime().Equal(then) {
		t.Errorf("%v %v", info.Mode(), info.ModTime())
	}
	if info, _ := os.Stat(filepath.Join(copied, "deep")); info.Mode().Perm() != 0o500 {
		t.Errorf("directory %v", info.Mode())
	}
}

func TestSnapshotThatIsOneFile(t *testing.T) {
	root := filepath.Join(t.TempDir(), "dump.xz")
	must(t, os.WriteFile(root, []byte("content"), 0o600))
	copied := filepath.Join(t.TempDir(), "copy")
	must(t, archive.Extract(t.Context(), bytes.NewReader(pack(t, root)), copied))
	if content, err := os.ReadFile(copied); string(content) != "content" {
		t.Errorf("%q, %v", content, err)
	}
}

func TestSpecialFilesAreRefused(t *testing.T) {
	root := t.TempDir()
	must(t, syscall.Mkfifo(filepath.Join(root, "pipe"), 0o600))
	if err := archive.Write(t.Context(), root, io.Discard); err == nil || !strings.Contains(err.Error(), "pipe") {
		t.Errorf("error %v", err)
	}
	if err := archive.Write(t.Context(), filepath.Join(root, "missing"), io.Discard); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("error %v", err)
	}
}

func TestCutOffArchiveLeavesNothing(t *testing.T) {
	root := filepath.Join(t.TempDir(), "snapshot")
	must(t, os.MkdirAll(filepath.Join(root, "d"), 0o755))
	must(t, os.WriteFile(filepath.Join(root, "d/file"), make([]byte, 512), 0o600))
	whole := pack(t, root)
	for cut := 0; cut < len(whole); cut += 256 {
		copied := filepath.Join(t.TempDir(), "copy")
		if err := archive.Extract(t.Context(), bytes.NewReader(whole[:cut]), copied); err == nil {
			t.Errorf("%d of %d bytes are accepted", cut, len(whole))
		}
		if _, err := os.Lstat(copied); err == nil {
			t.Errorf("%d bytes: something is left", cut)
		}
	}
	broken := errors.New("broken")
	copied := filepath.Join(t.TempDir(), "copy")
	err := archive.Extract(t.Context(), io.MultiReader(bytes.NewReader(whole), iotest.ErrReader(broken)), copied)
	if !errors.Is(err, broken) {
		t.Errorf("a sender that failed at the end: %v", err)
	}
}

func TestHostileArchives(t *testing.T) {
	self := tar.Header{Name: ".", Typeflag: tar.TypeDir, Mode: 0o755}
	for name, entries := range map[string][]tar.Header{
		"parent":            {self, {Name: "../escaped", Typeflag: tar.TypeReg}},
		"absolute":          {self, {Name: "/tmp/escaped", Typeflag: tar.TypeReg}},
		"nested":            {self, {Name: "a/../../escaped", Typeflag: tar.TypeReg}},
		"through a link":    {self, {Name: "l", Typeflag: tar.TypeSymlink, Linkname: ".."}, {Name: "l/escaped", Typeflag: tar.TypeReg}},
		"over a link":       {self, {Name: "l", Typeflag: tar.TypeSymlink, Linkname: "../escaped"}, {Name: "l", Typeflag: tar.TypeReg}},
		"hard link":         {self, {Name: "l", Typeflag: tar.TypeLink, Linkname: "../secret"}},
		"device":            {self, {Name: "d", Typeflag: tar.TypeChar}},
		"device alone":      {{Name: ".", Typeflag: tar.TypeChar}},
		"link alone":        {{Name: ".", Typeflag: tar.TypeSymlink, Linkname: "../secret"}},
		"the same again":    {self, {Name: "f", Typeflag: tar.TypeReg}, {Name: "f", Typeflag: tar.TypeReg}},
		"no entry":          {},
		"first entry above": {{Name: "..", Typeflag: tar.TypeDir}},
	} {
		t.Run(name, func(t *testing.T) {
			var buffer bytes.Buffer
			w := tar.NewWriter(&buffer)
			for _, entry := range entries {
				must(t, w.WriteHeader(&entry))
			}
			must(t, w.Close())
			dir := t.TempDir()
			must(t, os.WriteFile(filepath.Join(dir, "secret"), nil, 0o600))
			if err := archive.Extract(t.Context(), &buffer, filepath.Join(dir, "root")); err == nil {
				t.Error("it is accepted")
			}
			left, err := os.ReadDir(dir)
			if err != nil || len(left) != 1 {
				t.Errorf("left: %v, %v", left, err)
			}
		})
	}
}

func TestArchiveWithoutAnEntryForItself(t *testing.T) {
	var buffer bytes.Buffer
	w := tar.NewWriter(&buffer)
	must(t, w.WriteHeader(&tar.Header{Name: "./a/b", Typeflag: tar.TypeReg, Mode: 0o644}))
	must(t, w.Close())
	root := filepath.Join(t.TempDir(), "root")
	must(t, archive.Extract(t.Context(), &buffer, root))
	if _, err := os.Stat(filepath.Join(root, "a/b")); err != nil {
		t.Error(err)
	}
}

func TestExistingFilesAreNotTouched(t *testing.T) {
	root := t.TempDir()
	must(t, os.WriteFile(filepath.Join(root, "f"), []byte("mine"), 0o600))
	if err := archive.Extract(t.Context(), bytes.NewReader(pack(t, root)), root); !errors.Is(err, os.ErrExist) {
		t.Errorf("error %v", err)
	}
	if content, _ := os.ReadFile(filepath.Join(root, "f")); string(content) != "mine" {
		t.Errorf("content %q", content)
	}
}

func TestCancelled(t *testing.T) {
	root := t.TempDir()
	whole := pack(t, root)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := archive.Write(ctx, root, io.Discard); !errors.Is(err, context.Canceled) {
		t.Errorf("write: %v", err)
	}
	copied := filepath.Join(t.TempDir(), "copy")
	if err := archive.Extract(ctx, bytes.NewReader(whole), copied); !errors.Is(err, context.Canceled) {
		t.Errorf("extract: %v", err)
	}
}
