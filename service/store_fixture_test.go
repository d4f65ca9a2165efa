package service_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/disnix-go/disnix/test/nixtest"
)

// addFile adds a file to the Nix store of the test and returns its path.
func addFile(t testing.TB, name, content string) string {
	t.Helper()
	return addPath(t, nixtest.File(t, t.TempDir(), name, content))
}

// nixStoreDir returns the directory of the Nix store of the test.
func nixStoreDir() string { return os.Getenv("NIX_STORE_DIR") }

// addPath adds a file or directory to the Nix store of the test.
func addPath(t testing.TB, path string) string {
	t.Helper()
	out, err := exec.Command("nix-store", "--add", path).CombinedOutput()
	if err != nil {
		t.Fatalf("nix-store --add %s: %v\n%s", path, err, out)
	}
	return strings.TrimSpace(string(out))
}

// fullDirectory returns a directory in which only so many more files can be
// created: a small file system of its own.
func fullDirectory(t *testing.T, files string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "small")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=64k,mode=0755,nr_inodes="+files); err != nil {
		t.Fatalf("mount a small file system (needs root): %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return dir
}
