package stafftracker

import (
	"strings"
	"testing"
)

// TestState moves real databases between machines, one scenario after the
// other.
func TestState(t *testing.T) {
	t.Parallel()
	s := newStateSite(t)
	t.Run("options", s.testOptions)
	t.Run("coordinator killed", s.testCoordinatorKilled)
	t.Run("failures", s.testFailures)
	t.Run("unrecorded", s.testUnrecorded)
	t.Run("repository", s.testRepository)
	t.Run("captured infrastructure", s.testCaptured)
}

const (
	moved = "first,kept"
	fresh = "first"
)

func (s *stateSite) testOptions(t *testing.T) {
	t.Run("the state follows, and the printed command deletes what is left", func(t *testing.T) {
		c := s.scenario(t, "plain", "plain2", "plain3")
		output := c.mustDeploy("right")
		c.requireRows(c.west, moved)
		c.requireRows(c.east, moved)
		c.runPrinted(output, "disnix-delete-state")
		c.requireRows(c.east, absent)
		c.requireRows(c.west, moved)
	})
	t.Run("delete-state", func(t *testing.T) {
		c := s.scenario(t, "deleted", "deleted2")
		c.mustDeploy("right", "--delete-state")
		c.requireRows(c.west, moved)
		c.requireRows(c.east, absent)
		c.write(c.west, "more")
		c.mustDeploy("left", "--delete-state")
		c.requireRows(c.east, moved+",more")
		c.requireRows(c.west, absent)
	})
	t.Run("no-migration", func(t *testing.T) {
		c := s.scenario(t, "unmoved")
		c.mustDeploy("right", "--no-migration", "--delete-state")
		c.requireRows(c.west, fresh)
		c.requireRows(c.east, moved)
		if n := c.snapshotsOn(c.east.Host); n != 0 {
			t.Errorf("%d snapshots were taken", n)
		}
	})
	t.Run("deploy-state", func(t *testing.T) {
		c := s.prepare(t, "undeclared")
		c.stateless = true
		c.mustDeploy("left")
		c.write(c.east, "kept")
		c.mustDeploy("right", "--delete-state")
		c.requireRows(c.west, fresh)
		c.requireRows(c.east, moved)
		c.mustDeploy("left", "--deploy-state", "--no-migration")
		c.mustDeploy("right", "--deploy-state")
		c.requireRows(c.west, moved)
	})
	t.Run("depth-first and keep", func(t *testing.T) {
		c := s.scenario(t, "deep", "deep2", "deep3")
		c.backUp("1", "2", "3")
		c.mustDeploy("right", "--depth-first", "--keep", "2", "--delete-state")
		c.requireRows(c.west, "1,2,3,"+moved)
		c.requireRows(c.east, absent)
		if n := c.snapshotsOn(c.east.Host); n != 2 {
			t.Errorf("%d snapshots were kept, not 2", n)
		}
	})
	t.Run("depth-first keeps nothing on the targets", func(t *testing.T) {
		c := s.scenario(t, "bare")
		c.mustDeploy("right", "--depth-first", "--keep", "0", "--delete-state")
		c.requireRows(c.west, moved)
		c.requireRows(c.east, absent)
		if n := c.snapshotsOn(c.east.Host) + c.snapshotsOn(c.west.Host); n != 0 {
			t.Errorf("%d snapshots were kept", n)
		}
	})
	t.Run("all", func(t *testing.T) {
		c := s.scenario(t, "generations")
		c.backUp("1", "2")
		c.write(c.east, "3")
		c.mustDeploy("right", "--all")
		c.requireRows(c.west, "1,2,3,"+moved)
		history := func(h machine) string {
			return h.Run(t, "dysnomia-snapshots", "--query-all", "--container", "mysql-database", "--component", "generations")
		}
		if got, want := history(c.west), history(c.east); got != want || strings.Count(got, "\n") != 3 {
			t.Errorf("generations:\n%s, want\n%s", got, want)
		}
	})
	t.Run("snapshots are copied and cleaned", func(t *testing.T) {
		c := s.scenario(t, "copied")
		c.backUp("1", "2", "3")
		c.coordinator.Run(t, "disnix-copy-snapshots", "--to", "-t", "west", "-c", "mysql-database", "-C", "copied", "--all")
		if n := c.snapshotsOn(c.west.Host); n != 3 {
			t.Errorf("%d snapshots were copied, not 3", n)
		}
		c.coordinator.Run(t, "disnix-clean-snapshots", "--keep", "1", "-c", "mysql-database", "-C", "copied", "/root/models/infrastructure.nix")
		for _, m := range []machine{c.east, c.west} {
			if n := c.snapshotsOn(m.Host); n != 1 {
				t.Errorf("%s has %d snapshots, not 1", m.Name(), n)
			}
		}
		// The one that is left is the newest.
		c.east.sql("primary", "copied", "DELETE FROM note")
		c.coordinator.Run(t, "disnix-restore", "--no-upgrade", "-p", c.profile)
		c.requireRows(c.east, "1,2,3,"+moved)
	})
	t.Run("transfer-only", func(t *testing.T) {
		c := s.scenario(t, "transferred")
		c.backUp("1")
		c.write(c.east, "2")
		c.mustDeploy("right", "--transfer-only", "--delete-state")
		c.requireRows(c.west, fresh)
		c.requireRows(c.east, "1,2,"+moved) // was not restored, so it is not deleted
		c.coordinator.Run(t, "disnix-restore", "--no-upgrade", "-p", c.profile)
		c.requireRows(c.west, "1,"+moved)
	})
}

// backUp writes a row, and takes a snapshot, for each text.
func (c *scenario) backUp(texts ...string) {
	c.t.Helper()
	for _, text := range texts {
		c.write(c.east, text)
		c.coordinator.Run(c.t, "disnix-snapshot", "-p", c.profile)
	}
}
