package dysnomia

import (
	"os"
	"strings"
	"testing"
)

// TestLockIsForItsOwner: everybody who can open the lock file could hold the
// lock, and stop all deployments.
func TestLockIsForItsOwner(t *testing.T) {
	for name, mark := range map[string]func(*State) error{
		"ours": func(s *State) error { return s.MarkActive("c", "k", "/k") },
		"the library for shells": func(s *State) error {
			if mask := mustBash(t, s, "/k", "c", "umask 027; markComponentAsActive; umask"); strings.TrimSpace(mask) != "0027" {
				t.Errorf("the umask has become %s", mask)
			}
			return nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newState(t)
			check(t, mark(s))
			info, err := os.Stat(s.path(lockFile))
			check(t, err)
			if info.Mode().Perm() != 0o600 {
				t.Errorf("mode %v", info.Mode())
			}
		})
	}
}
