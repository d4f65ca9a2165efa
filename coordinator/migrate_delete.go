package coordinator

import (
	"context"
	"fmt"
	"path"

	"github.com/disnix-go/disnix/coordinator/journal"
	"github.com/disnix-go/disnix/coordinator/plan"
	"github.com/disnix-go/disnix/service"
)

// deleteMoved deletes the obsolete state of the previous configuration, if
// that was asked for. State that was moved away is only deleted after it was
// restored at its new place, or, if it has none, after the coordinator has
// received a snapshot.
func (m *migration) deleteMoved(ctx context.Context) error {
	previous := m.upgradedFrom()
	if !m.Options.Migration.DeleteState || previous == nil {
		return nil
	}
	all, err := m.states(previous)
	if err != nil {
		return fmt.Errorf("previous manifest: %w", err)
	}
	moved, err := m.movedAway()
	if err != nil {
		return err
	}
	kept, err := m.onlyCopy(m.reachable(moved))
	if err != nil {
		return err
	}
	for _, s := range kept {
		m.Reporter.Problem(s.target, "Not deleting state of "+s.deployedTo()+", because it was not restored anywhere else")
	}
	return m.deleteState(ctx, without(all, kept))
}

// onlyCopy returns those of the moved states that must not be deleted. Of a
// component that was in several places, the coordinator sends what it received
// last: all others are kept unless they were equal.
func (m *migration) onlyCopy(moved []state) ([]state, error) {
	destinations, err := m.toRestore()
	if err != nil {
		return nil, err
	}
	wanted := make(map[string]bool)   // by component
	restored := make(map[string]bool) // by snapshot, in the container that it comes from
	for _, s := range destinations {
		wanted[s.component] = true
		if sent := m.sent[s.stateID]; sent != "" {
			restored[m.sources[s.stateID]+"/"+s.component+"/"+path.Base(sent)] = true
		}
	}
	if m.Options.Migration.TransferOnly && !m.Options.Migration.DepthFirst {
		clear(restored)
	}
	var kept []state
	for _, s := range moved {
		retrieved := m.retrieved[s.stateID]
		if retrieved == "" || wanted[s.component] && !restored[retrieved] {
			kept = append(kept, s)
		}
	}
	return kept, nil
}

func (m *migration) deleteState(ctx context.Context, states []state) error {
	return m.onEachState(ctx, plan.DeleteState, m.reachable(states), func(ctx context.Context, t service.Service, s state) error {
		m.Reporter.Progress(s.target, "Deleting obsolete state of service: "+s.component)
		err := m.once(journal.DeleteState, s, func() error { return t.DeleteState(ctx, m.activity(s)) })
		if err != nil {
			m.Reporter.Problem(s.target, "Cannot delete state of service: "+s.component)
			return err
		}
		m.note(m.deleted, s)
		return nil
	})
}
