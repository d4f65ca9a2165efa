package ejabberddump

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/disnix-go/disnix/dysnomia"
)

func TestDiskIsFullDuringDump(t *testing.T) {
	f := fixture(t, nil)
	f.Do(dysnomia.Activate, dysnomia.Snapshot)
	path, err := f.State.LatestSnapshot(f.Container, f.Name())
	if err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(filepath.Join(path, dumpFile))
	if err != nil {
		t.Fatal(err)
	}
	large := fmt.Sprintf("%s{passwd,{<<\"large\">>,<<\"localhost\">>},<<\"%s\">>}.\n", content, strings.Repeat("x", 64<<10))
	fixture(t, map[string]string{"a": large}).Do(dysnomia.Activate)
	defer shared.control(t, "unregister", "large", "localhost")
	t.Run("that of the snapshots", func(t *testing.T) {
		f := fixture(t, nil)
		f.Do(dysnomia.Activate)
		if err := f.FullDisk(dysnomia.Snapshot, 32<<10); !errors.Is(err, syscall.ENOSPC) {
			t.Errorf("error: %v", err)
		}
	})
	t.Run("that of temporary files", func(t *testing.T) {
		f := fixture(t, nil)
		f.Do(dysnomia.Activate)
		dir, err := os.MkdirTemp("/tmp", "ejabberd-full-")
		if err != nil {
			t.Fatal(err)
		}
		defer os.Remove(dir)
		if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=32k,mode=1777"); err != nil {
			t.Fatal(err)
		}
		defer func() {
			if err := syscall.Unmount(dir, 0); err != nil {
				t.Error(err)
			}
		}()
		t.Setenv("TMPDIR", dir)
		if err := fails(t, f, dysnomia.Snapshot, "exception"); strings.Contains(err.Error(), "xx") {
			t.Errorf("a password is in a message: %v", err)
		}
		if generations(t, f) != 0 {
			t.Error("half a dump is registered")
		}
		if left, _ := os.ReadDir(dir); len(left) > 0 {
			t.Errorf("left over: %v", left)
		}
	})
}
