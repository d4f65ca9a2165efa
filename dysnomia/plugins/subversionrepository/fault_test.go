package subversionrepository

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/disnix-go/disnix/dysnomia"
	"golang.org/x/sys/unix"
)

// TestProgramsThatFail: whatever happens to a program, the repository and its
// snapshots are as before.
func TestProgramsThatFail(t *testing.T) {
	for name, c := range map[string]struct {
		program, script string
		op              dysnomia.Operation
		want            string
	}{
		"the dump is killed":          {"svnadmin", `/usr/bin/svnadmin "$@" | head -n 3; kill -9 $$`, dysnomia.Snapshot, "killed"},
		"the dump is empty":           {"svnadmin", "exit 0", dysnomia.Snapshot, "printed nothing"},
		"the compression is killed":   {"xz", "kill -9 $$", dysnomia.Snapshot, "killed"},
		"the load is killed":          {"svnadmin", `[ "$1" = load ] || exec /usr/bin/svnadmin "$@"; kill -9 $$`, dysnomia.Restore, "killed"},
		"the load stops reading":      {"svnadmin", `[ "$1" = load ] || exec /usr/bin/svnadmin "$@"; exit 3`, dysnomia.Restore, "exit status 3"},
		"the decompression is killed": {"xz", "kill -9 $$", dysnomia.Restore, "killed"},
	} {
		t.Run(name, func(t *testing.T) {
			f := fixture(t, "failing", nil)
			f.Do(dysnomia.Activate)
			commit(t, place(f.Component), "one")
			f.Do(dysnomia.Snapshot)
			commit(t, place(f.Component), "two")
			dir := t.TempDir()
			if err := os.WriteFile(filepath.Join(dir, c.program), []byte("#!/bin/sh\n"+c.script+"\n"), 0o755); err != nil {
				t.Fatal(err)
			}
			f.Properties["PATH"] = dir + ":" + os.Getenv("PATH")
			fails(t, f, c.op, c.want)
			if got := content(t, place(f.Component)); got != "two" {
				t.Errorf("the content is %q", got)
			}
			if generations(t, f) != 1 {
				t.Errorf("%d generations", generations(t, f))
			}
			alone(t, f.Component, "failing")
		})
	}
}

// TestLockedRepository: somebody who is just about to commit hinders neither a
// snapshot nor a restore.
func TestLockedRepository(t *testing.T) {
	f := fixture(t, "locked", nil)
	f.Do(dysnomia.Activate)
	commit(t, place(f.Component), "one")
	lock, err := os.OpenFile(filepath.Join(place(f.Component), "db/write-lock"), os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Close()
	if err := unix.FcntlFlock(lock.Fd(), unix.F_SETLK, &unix.Flock_t{Type: unix.F_WRLCK}); err != nil {
		t.Fatal(err)
	}
	f.Do(dysnomia.Snapshot, dysnomia.Restore)
	commit(t, place(f.Component), "two") // the lock is that of the former repository
	f.Do(dysnomia.Restore)
	if got := content(t, place(f.Component)); got != "one" {
		t.Errorf("the content is %q", got)
	}
}
