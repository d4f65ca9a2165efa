package coordinator_test

import (
	"errors"
	"fmt"
	"os"
	"testing"

	"github.com/disnix-go/disnix/coordinator"
	"github.com/disnix-go/disnix/coordinator/journal"
	"github.com/disnix-go/disnix/service"
)

// movedDatabase is a system whose database moves from one target to another.
func movedDatabase(t *testing.T) *mortal {
	t.Helper()
	old := configuration("node1 node2", part{name: "db", version: 1, on: "node1", stateful: true}, part{name: "app", version: 1, on: "node2", dependsOn: []string{"db"}})
	new := configuration("node1 node2", part{name: "db", version: 1, on: "node2", stateful: true}, part{name: "app", version: 1, on: "node2", dependsOn: []string{"db"}})
	m := newMortal(t, old, new)
	m.setData("node1/process/db", "42")
	return m
}

// TestStateSurvivesTheDeathOfTheCoordinator lets the coordinator die at each
// point of a migration. What the new services have written since they got
// their state is not overwritten when the migration is completed.
func TestStateSurvivesTheDeathOfTheCoordinator(t *testing.T) {
	for point, died := 1, true; died; point++ {
		m := movedDatabase(t)
		died = m.dyingAt(point, func() { _ = m.upgrade().Deploy(t.Context()) })
		if !died {
			break
		}
		t.Run(fmt.Sprint("point ", point), func(t *testing.T) {
			j, err := journal.Open(m.place)
			if errors.Is(err, journal.ErrNone) {
				return
			}
			must(t, err)
			restored := j.IsDone(journal.Action{Kind: journal.Restore, Target: "node2", Container: "process", Subject: "db"})
			must(t, j.Leave())
			want := "42"
			if restored {
				want = "43"
				m.setData("node2/process/db", want)
			}
			_, err = m.recover(t.Context(), journal.Forward)
			must(t, err)
			if wrong := m.wrong(journal.Forward); len(wrong) > 0 {
				t.Error(list(wrong))
			}
			equal(t, "data at the new place", m.allData()["node2/process/db"], want)
			equal(t, "data at the old place", m.allData()["node1/process/db"], "42")
		})
	}
}

func TestAnAbortedMigrationLeavesStateWhereItWas(t *testing.T) {
	for point, died := 1, true; died; point++ {
		m := movedDatabase(t)
		died = m.dyingAt(point, func() { _ = m.upgrade().Deploy(t.Context()) })
		if died {
			t.Run(fmt.Sprint("point ", point), func(t *testing.T) {
				_, err := m.recover(t.Context(), journal.Back)
				if errors.Is(err, journal.ErrNone) {
					return
				}
				must(t, err)
				if wrong := m.wrong(journal.Back); len(wrong) > 0 {
					t.Error(list(wrong))
				}
				equal(t, "data at the old place", m.allData()["node1/process/db"], "42")
			})
		}
	}
}

// TestAMigrationIsRepeatedAfterTheOldServicesRanAgain completes a deployment
// that was being undone: the old database has changed in the meantime.
func TestAMigrationIsRepeatedAfterTheOldServicesRanAgain(t *testing.T) {
	m := movedDatabase(t)
	m.failOn("node2 set")
	if err := m.upgrade().Deploy(t.Context()); err == nil {
		t.Fatal("the deployment did not fail")
	}
	m.failOn("node2 activate app")
	if _, err := m.recover(t.Context(), journal.Back); err == nil {
		t.Fatal("the way back did not fail")
	}
	m.failOn()
	m.setData("node1/process/db", "43")
	_, err := m.recover(t.Context(), journal.Forward)
	must(t, err)
	equal(t, "data at the new place", m.allData()["node2/process/db"], "43")
}

func TestADeletionOfStateCanOnlyBeCompleted(t *testing.T) {
	m := movedDatabase(t)
	m.failOn("node1 delete-state")
	d := m.upgrade()
	d.Options.Migration.DeleteState = true
	var failed *coordinator.DeployError
	if err := d.Deploy(t.Context()); !errors.As(err, &failed) || failed.Outcome != coordinator.NotMigrated {
		t.Fatalf("error %v", err)
	}
	contains(t, m.report.notices, "disnix-env --resume")
	containsNot(t, m.report.notices, "--abort")
	m.failOn()
	_, err := m.recover(t.Context(), journal.Back)
	errorContains(t, err, "obsolete state may have been deleted already")
	_, err = m.recover(t.Context(), journal.Forward)
	must(t, err)
	equal(t, "data", m.allData(), map[string]string{"node2/process/db": "42"})
}

// TestAFailedDeploymentThatWasRolledBackIsFinished is about which failures
// leave the journal behind.
func TestWhichFailuresAreUnfinished(t *testing.T) {
	for _, c := range []struct {
		fails      []string
		unfinished bool
	}{
		{[]string{"node2 lock"}, false},
		{[]string{"node2 activate db"}, false},
		{[]string{"node2 activate app", "node1 activate db"}, true}, // the rollback fails, too
		{[]string{"node1 snapshot"}, true},
		{[]string{"node1 set"}, true},
		{[]string{"node1 unlock"}, false},
	} {
		t.Run(fmt.Sprint(c.fails), func(t *testing.T) {
			m := movedDatabase(t)
			m.failOn(c.fails...)
			err := m.upgrade().Deploy(t.Context())
			checked := coordinator.CheckUnfinished(m.place, coordinator.Options{})
			if (checked != nil) != c.unfinished {
				t.Fatalf("after %v the check says: %v", err, checked)
			}
			if !c.unfinished {
				return
			}
			errorContains(t, checked, "test, process", "$ disnix-env --resume", "$ disnix-env --abort", m.place.Path())
			contains(t, m.report.notices, "$ disnix-env --resume")
			if err := m.upgrade().Deploy(t.Context()); err == nil {
				t.Error("another deployment is possible")
			}
			m.failOn()
			_, err = m.recover(t.Context(), journal.Back)
			must(t, err)
			if wrong := m.wrong(journal.Back); len(wrong) > 0 {
				t.Error(list(wrong))
			}
		})
	}
}

func TestALockOfSomebodyElseIsNotTakenOver(t *testing.T) {
	m := movedDatabase(t)
	m.failOn("node1 set", "node1 unlock", "node2 unlock")
	if err := m.upgrade().Deploy(t.Context()); err == nil {
		t.Fatal("the deployment did not fail")
	}
	m.failOn()
	// An administrator releases the lock, and another coordinator gets it.
	must(t, m.target("node1").Unlock(t.Context(), "default"))
	theirs := service.Claim{Token: "theirs", Profile: "default", Owner: &service.LockOwner{User: "bob", Host: "elsewhere"}}
	must(t, service.Claimed(m.target("node1"), theirs).Lock(t.Context(), "default"))
	_, err := m.recover(t.Context(), journal.Forward)
	errorContains(t, err, `target "node1": profile "default" is locked by bob on elsewhere`)
	equal(t, "locked on node1", m.target("node1").Locked(), []string{"default"})
	equal(t, "locked on node2", m.target("node2").Locked(), nil)
}

func TestAManifestThatWasChangedIsRefused(t *testing.T) {
	m := movedDatabase(t)
	m.failOn("node1 set")
	if err := m.upgrade().Deploy(t.Context()); err == nil {
		t.Fatal("the deployment did not fail")
	}
	must(t, os.WriteFile(m.oldPath, []byte("<manifest/>"), 0o644))
	_, err := m.recover(t.Context(), journal.Back)
	errorContains(t, err, m.oldPath+" has been changed since the deployment was begun")
	must(t, os.Remove(m.newPath))
	_, err = m.recover(t.Context(), journal.Back)
	errorContains(t, err, "read the new manifest", "no such file")
}

// TestAnAbortedDeploymentStopsWhatItStarted tells a plugin that cannot stop
// what runs from one that cannot stop what it could not start.
func TestAnAbortedDeploymentStopsWhatItStarted(t *testing.T) {
	t.Run("what runs must be stopped", func(t *testing.T) {
		m := movedDatabase(t)
		m.failOn("node2 activate app", "node2 deactivate db")
		if err := m.upgrade().Deploy(t.Context()); err == nil {
			t.Fatal("the deployment did not fail")
		}
		m.failOn("node2 deactivate db")
		_, err := m.recover(t.Context(), journal.Back)
		errorContains(t, err, `deactivate service "db"`)
		m.failOn()
		_, err = m.recover(t.Context(), journal.Back)
		must(t, err)
		if wrong := m.wrong(journal.Back); len(wrong) > 0 {
			t.Error(list(wrong))
		}
	})
	t.Run("what never ran may refuse", func(t *testing.T) {
		m := movedDatabase(t)
		m.failOn("node2 activate db", "node2 deactivate db", "node1 activate db")
		if err := m.upgrade().Deploy(t.Context()); err == nil {
			t.Fatal("the deployment did not fail")
		}
		m.failOn("node2 deactivate db")
		_, err := m.recover(t.Context(), journal.Back)
		must(t, err)
		if wrong := m.wrong(journal.Back); len(wrong) > 0 {
			t.Error(list(wrong))
		}
	})
}

// TestALockThatWasLeftBehindIsTakenOver is also about targets that do not tell
// who holds their lock, and about locks that are refused for another reason.
func TestALockThatWasLeftBehindIsTakenOver(t *testing.T) {
	for _, silent := range []bool{false, true} {
		m := movedDatabase(t)
		m.silent = silent
		m.failOn("node1 set", "node1 unlock", "node2 unlock")
		if err := m.upgrade().Deploy(t.Context()); err == nil {
			t.Fatal("the deployment did not fail")
		}
		m.failOn("node1 lock", "node1 unlock")
		_, err := m.recover(t.Context(), journal.Forward)
		errorContains(t, err, `target "node1": lock profile "default": injected failure`)
		m.failOn()
		_, err = m.recover(t.Context(), journal.Forward)
		must(t, err)
		contains(t, m.report.progress, "node1: Taking over the lock that the interrupted deployment has left behind")
		if wrong := m.wrong(journal.Forward); len(wrong) > 0 {
			t.Error(list(wrong))
		}
	}
}
