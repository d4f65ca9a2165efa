package fileset

import (
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/disnix-go/disnix/dysnomia"
	"github.com/disnix-go/disnix/dysnomia/plugintest"
)

func TestDiskIsFullDuringSnapshot(t *testing.T) {
	f, target := fixture(t, "mkdir files\n")
	f.Do(dysnomia.Activate)
	noise := make([]byte, 128<<10)
	_, err := rand.NewChaCha8([32]byte{}).Read(noise)
	must(t, err)
	must(t, os.WriteFile(filepath.Join(target, "files/noise"), noise, 0o644))
	if err := f.FullDisk(dysnomia.Snapshot, 64<<10); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("error: %v", err)
	}
}

// TestLockedDirectory: one that cannot be replaced, as it is a file system of
// its own, stays as it is, and so do the others.
func TestLockedDirectory(t *testing.T) {
	f, target := fixture(t, "mkdir a\nmkdir files\n")
	f.Do(dysnomia.Activate)
	files := filepath.Join(target, "files")
	must(t, syscall.Mount("tmpfs", files, "tmpfs", 0, ""))
	defer func() { must(t, syscall.Unmount(files, 0)) }()
	write := func(text string) {
		for _, name := range []string{"a/state", "files/state"} {
			plugintest.WriteFile(t, filepath.Join(target, name), text)
		}
	}
	write("snapshot")
	f.Do(dysnomia.Snapshot)
	write("kept")
	if err := f.Run(t.Context(), dysnomia.Restore); !errors.Is(err, syscall.EBUSY) || !strings.Contains(err.Error(), "files") {
		t.Errorf("error: %v", err)
	}
	for _, name := range []string{"a/state", "files/state"} {
		if content, err := os.ReadFile(filepath.Join(target, name)); string(content) != "kept" {
			t.Errorf("%s: %q, %v", name, content, err)
		}
	}
	if left, _ := filepath.Glob(filepath.Join(target, ".dysnomia-*")); len(left) > 0 {
		t.Errorf("left over: %v", left)
	}
}
