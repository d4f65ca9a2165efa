package coordinator_test

import (
	"testing"

	"github.com/disnix-go/disnix/coordinator"
	"github.com/disnix-go/disnix/coordinator/journal"
)

// TestRoughEdge_transition7 is about failures after the transition has
// succeeded: the services that are active and what is recorded differ, and this
// is known.
func TestRoughEdge_transition7(t *testing.T) {
	for _, fails := range []string{"node1 snapshot", "node2 restore", "node1 set", "node2 set"} {
		t.Run("transition 7: after the failure of "+fails+" the next run does not repeat the transition", func(t *testing.T) {
			m := movedDatabase(t)
			m.failOn(fails)
			if err := m.upgrade().Deploy(t.Context()); err == nil {
				t.Fatal("the deployment did not fail")
			}
			m.failOn()
			m.forget()
			errorContains(t, m.upgrade().Deploy(t.Context()), "a deployment is unfinished")
			_, err := m.recover(t.Context(), journal.Forward)
			must(t, err)
			equal(t, "activities that are repeated", m.operations("activate", "deactivate"), []string(nil))
			if wrong := m.wrong(journal.Forward); len(wrong) > 0 {
				t.Error(list(wrong))
			}
			equal(t, "data at the new place", m.allData()["node2/process/db"], "42")
		})
	}
	t.Run("transition 7: what would have to come back from deleted state is not undone", func(t *testing.T) {
		m := movedDatabase(t)
		m.failOn("node1 set")
		d := m.upgrade()
		d.Options.Migration.DeleteState = true
		if err := d.Deploy(t.Context()); err == nil {
			t.Fatal("the deployment did not fail")
		}
		m.failOn()
		_, err := m.recover(t.Context(), journal.Back)
		errorContains(t, err, "obsolete state may have been deleted already")
		equal(t, "active services", m.active(), expected(m.new))
		_, err = m.recover(t.Context(), journal.Forward)
		must(t, err)
		if err := coordinator.CheckUnfinished(m.place, coordinator.Options{}); err != nil {
			t.Error(err)
		}
	})
}
