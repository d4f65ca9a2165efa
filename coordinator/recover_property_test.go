package coordinator_test

import (
	"errors"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/disnix-go/disnix/coordinator/journal"
	"github.com/disnix-go/disnix/coordinator/plan"
	"github.com/disnix-go/disnix/models"
)

// TestACoordinatorMayDieAtAnyPoint draws upgrades and installations, and lets
// the coordinator die at any fault point: at writes of the journal, and
// before and after each operation of a target. The recovery may die, too, and
// may change its direction. In the end the system is in exactly the new or
// exactly the old configuration (G1), only actions in doubt were repeated
// (G2), nothing else was touched (G4), and the profiles agree with the services
// (G5).
func TestACoordinatorMayDieAtAnyPoint(t *testing.T) {
	deaths := 0
	rapid.Check(t, func(rt *rapid.T) {
		var old *models.Manifest
		if rapid.IntRange(0, 4).Draw(rt, "upgrade") > 0 {
			old = drawConfiguration(rt, "old")
		}
		m := newMortal(t, old, drawConfiguration(rt, "new"))
		var err error
		died := m.dyingAt(rapid.IntRange(1, 150).Draw(rt, "dies at"), func() { err = m.upgrade().Deploy(t.Context()) })
		if !died {
			if err != nil {
				rt.Fatalf("without a death: %v", err)
			}
			checkSite(rt, m, journal.Forward)
			return
		}
		deaths++
		for range 5 {
			direction := rapid.SampledFrom([]journal.Direction{journal.Forward, journal.Back}).Draw(rt, "direction")
			point := rapid.IntRange(0, 100).Draw(rt, "recovery dies at")
			m.forget()
			var before []journal.Outcome
			died := m.dyingAt(point, func() { before, err = m.recover(t.Context(), direction) })
			checkRepetitions(rt, m, before, direction)
			checkUntouched(rt, m)
			if errors.Is(err, journal.ErrNone) { // it died before or after everything
				if len(m.wrong(journal.Forward)) > 0 && len(m.wrong(journal.Back)) > 0 {
					rt.Fatalf("there is no journal, but the system is not in order: %s\nor: %s",
						list(m.wrong(journal.Forward)), list(m.wrong(journal.Back)))
				}
				return
			}
			if !died {
				if err != nil {
					rt.Fatalf("recovery %s: %v", direction, err)
				}
				checkSite(rt, m, direction)
				return
			}
		}
		if _, err := m.recover(t.Context(), journal.Forward); err != nil && !errors.Is(err, journal.ErrNone) {
			rt.Fatal(err)
		} else if err == nil {
			checkSite(rt, m, journal.Forward)
		}
	})
	t.Logf("deaths: %d", deaths)
}

// TestAJournalThatCannotBeWritten draws upgrades in the middle of which the
// disk of the coordinator is full. Nothing is done then that would not be
// known, and afterwards the deployment can be completed or undone.
func TestAJournalThatCannotBeWritten(t *testing.T) {
	unfinished := 0
	rapid.Check(t, func(rt *rapid.T) {
		m := newMortal(t, drawConfiguration(rt, "old"), drawConfiguration(rt, "new"))
		var err error
		full := m.failingFrom("journal/", rapid.IntRange(2, 80).Draw(rt, "full at"), func() { err = m.upgrade().Deploy(t.Context()) })
		if !full && err != nil {
			rt.Fatal(err)
		}
		direction := rapid.SampledFrom([]journal.Direction{journal.Forward, journal.Back}).Draw(rt, "direction")
		m.forget()
		before, err := m.recover(t.Context(), direction)
		switch {
		case err == nil:
			unfinished++
			checkRepetitions(rt, m, before, direction)
			checkUntouched(rt, m)
			checkSite(rt, m, direction)
		case !errors.Is(err, journal.ErrNone):
			rt.Fatal(err)
		case len(m.wrong(journal.Forward)) > 0:
			checkSite(rt, m, journal.Back)
		}
	})
	t.Logf("unfinished deployments: %d", unfinished)
}

func checkSite(t *rapid.T, m *mortal, direction journal.Direction) {
	t.Helper()
	if wrong := m.wrong(direction); len(wrong) > 0 {
		t.Fatalf("%s: %s", direction, list(wrong))
	}
}

// checkRepetitions fails if the recovery did something that was known to be
// done.
func checkRepetitions(t *rapid.T, m *mortal, before []journal.Outcome, direction journal.Direction) {
	t.Helper()
	for _, o := range before {
		wanted := journal.Activate
		if o.Old == (direction == journal.Forward) {
			wanted = journal.Deactivate
		}
		if o.Result == journal.Done && o.Kind == wanted && m.count(o.Target+" "+string(o.Kind)+" "+o.Name) > 0 {
			t.Fatalf("%v was done, but is repeated:%s", o, list(m.operations()))
		}
	}
}

// checkUntouched fails if something was touched that both configurations have.
func checkUntouched(t *rapid.T, m *mortal) {
	t.Helper()
	p, err := plan.New(m.old, m.new, plan.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range p.Kept() {
		for _, operation := range []string{"activate", "deactivate"} {
			if line := s.Mapping.Target + " " + operation + " " + s.Service.Name; slices.Contains(m.operations(), line) {
				t.Fatalf("%s, although it is kept", line)
			}
		}
	}
}
