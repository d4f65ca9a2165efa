package coordinator_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/disnix-go/disnix/coordinator/journal"
	"github.com/disnix-go/disnix/models"
	"github.com/disnix-go/disnix/test/nixtest"
)

// fakeNixEnv puts a program into PATH that sets profiles as nix-env does, to any
// file, and in no time.
func fakeNixEnv(t *testing.T) {
	t.Helper()
	dir := t.TempDir()
	program := nixtest.File(t, dir, "nix-env", `#!/bin/sh
n=1
while [ -L "$2-$n-link" ]; do n=$((n + 1)); done
ln -s "$4" "$2-$n-link" && ln -sfn "$(basename "$2")-$n-link" "$2"
`)
	must(t, os.Chmod(program, 0o755))
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
}

// TestForgottenTargetComesBack lets the coordinator die at each point of an
// upgrade, and ends that without one of its targets. The new generation knows
// what is there: when the target is back, the next deployment makes it what it
// should be.
func TestForgottenTargetComesBack(t *testing.T) {
	fakeNixEnv(t)
	old := configuration("node1 node2 node3",
		part{name: "db", version: 1, on: "node3"},
		part{name: "app", version: 1, on: "node1", dependsOn: []string{"db"}},
		part{name: "gone", version: 1, on: "node3"},
		part{name: "stays", version: 1, on: "node3"})
	next := configuration("node1 node2 node3",
		part{name: "db", version: 2, on: "node3"},
		part{name: "app", version: 1, on: "node1", dependsOn: []string{"db"}},
		part{name: "web", version: 1, on: "node2", dependsOn: []string{"app"}},
		part{name: "stays", version: 1, on: "node3"})
	for direction, goal := range map[journal.Direction]*models.Manifest{journal.Forward: next, journal.Back: old} {
		for point, died := 1, true; died; point++ {
			m := newMortal(t, old, next)
			died = m.dyingAt(point, func() { _ = m.upgrade().Deploy(t.Context()) })
			j, err := journal.Open(m.place)
			if errors.Is(err, journal.ErrNone) {
				continue
			}
			must(t, err)
			t.Run(fmt.Sprint(direction, " from point ", point), func(t *testing.T) {
				recorded := m.endWithout(t, "node3", j, direction)
				later := m.deployment(goal, recorded)
				later.Options.ForceLock = true
				must(t, later.Deploy(t.Context()))
				if wrong := m.wrong(direction); len(wrong) > 0 {
					t.Errorf("%s\nafter the recorded mappings %v", list(wrong), recorded.ServiceMappings)
				}
			})
		}
	}
}

// endWithout ends an unfinished deployment without a target, and returns what it
// records as deployed.
func (m *mortal) endWithout(t *testing.T, target string, j *journal.Journal, direction journal.Direction) *models.Manifest {
	t.Helper()
	dir := t.TempDir()
	d := m.upgrade()
	d.Forget = []string{target}
	d.Options.NoCoordinatorProfile = false
	d.Options.CoordinatorProfileDir = dir
	d.AddManifest = func(_ context.Context, actual *models.Manifest) (string, error) {
		must(t, actual.Validate())
		return writeManifest(t, dir, "actual.xml", actual), nil
	}
	m.forget()
	end, unchanged := d.Resume, m.newPath
	if direction == journal.Back {
		end, unchanged = d.Abort, m.oldPath
	}
	must(t, end(t.Context(), j))
	equal(t, "operations on "+target, m.asked(target), 0)
	path, err := filepath.EvalSymlinks(filepath.Join(dir, "default"))
	if direction == journal.Back && errors.Is(err, os.ErrNotExist) {
		path, err = unchanged, nil // the generation is still that of the old configuration
	}
	must(t, err)
	recorded, err := models.ReadManifestFile(path)
	must(t, err)
	return recorded
}

// asked returns how many operations a target was asked for.
func (m *mortal) asked(target string) int {
	count := 0
	for _, line := range m.operations() {
		if strings.HasPrefix(line, target+" ") {
			count++
		}
	}
	return count
}
