package dysnomia

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestSnapshotsAreNotForEverybody: what a plugin has restricted can be read by
// its owner and by the group of the directory of snapshots, also after a
// transfer.
func TestSnapshotsAreNotForEverybody(t *testing.T) {
	s := &State{Dir: t.TempDir()}
	check(t, os.Mkdir(s.path(snapshotsDir), 0o755))
	const group = 12345
	check(t, os.Chown(s.path(snapshotsDir), -1, group))
	n, err := s.NewSnapshot("db", "k")
	check(t, err)
	check(t, os.Mkdir(filepath.Join(n.Path, "dir"), 0o755))
	for name, mode := range map[string]fs.FileMode{"open": 0o666, "dir/private": 0o600, "program": 0o755} {
		check(t, os.WriteFile(filepath.Join(n.Path, name), []byte("rows"), mode))
	}
	check(t, os.Symlink("/etc/hostname", filepath.Join(n.Path, "link")))
	check(t, n.Restrict())
	check(t, n.Commit("1"))
	check(t, n.Discard())

	var archive strings.Builder
	check(t, s.Export(t.Context(), "db/k/1", &archive))
	check(t, s.ImportArchive(t.Context(), "db", "imported", "1", strings.NewReader(archive.String())))
	for _, component := range []string{"k", "imported"} {
		for name, want := range map[string]fs.FileMode{".": 0o750, "dir": 0o750, "open": 0o640, "dir/private": 0o640, "program": 0o750, "link": 0o777} {
			info, err := os.Lstat(s.path(snapshotsDir, "db", component, "1", name))
			check(t, err)
			if gid := info.Sys().(*syscall.Stat_t).Gid; info.Mode().Perm() != want || gid != group {
				t.Errorf("%s/%s: mode %v, group %d", component, name, info.Mode(), gid)
			}
		}
	}
}

func TestShareSnapshots(t *testing.T) {
	s := &State{Dir: filepath.Join(t.TempDir(), "state")}
	groupOf := func(elements ...string) int {
		info, err := os.Lstat(s.path(append([]string{snapshotsDir}, elements...)...))
		check(t, err)
		return int(info.Sys().(*syscall.Stat_t).Gid)
	}
	const group, another = 12345, 54321
	store(t, s, "db", "k", "1")
	check(t, s.ShareSnapshots(group))
	store(t, s, "db", "k", "2")
	history, err := s.QueryAll("db", "k")
	check(t, err)
	for _, g := range history {
		if got := groupOf("db", "k", g.ID); got != group {
			t.Errorf("snapshot %d: group %d", g.Number, got)
		}
	}
	check(t, s.ShareSnapshots(another))
	if got := groupOf(); got != group {
		t.Errorf("the choice of the administrator has become %d", got)
	}
}
