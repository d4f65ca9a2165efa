package coordinator

import (
	"context"
	"fmt"
	"sync"

	"github.com/disnix-go/disnix/service"
)

// snapshotBreadthFirst takes all snapshots, and then retrieves all of them.
func (m *migration) snapshotBreadthFirst(ctx context.Context, states []state) error {
	if !m.Options.Migration.TransferOnly {
		err := m.onEachState(ctx, states, func(t service.Service, s state) error { return m.take(ctx, t, s) })
		if err != nil {
			return err
		}
	}
	m.Reporter.Progress("", "Retrieving snapshots...")
	return m.transfer(ctx, states, "Cannot retrieve snapshots!", func(t service.Service, s state) error {
		return m.retrieve(ctx, t, s)
	})
}

// restoreBreadthFirst sends all snapshots, and then restores all of them.
func (m *migration) restoreBreadthFirst(ctx context.Context, states []state) error {
	err := m.transfer(ctx, states, "Cannot send snapshots!", func(t service.Service, s state) error {
		return m.send(ctx, t, s)
	})
	if err != nil || m.Options.Migration.TransferOnly {
		return err
	}
	m.Reporter.Progress("", "Restoring state of services...")
	return m.onEachState(ctx, states, func(t service.Service, s state) error { return m.bringBack(ctx, t, s) })
}

// snapshotDepthFirst takes and retrieves the snapshots of one component after
// the other.
func (m *migration) snapshotDepthFirst(ctx context.Context, states []state) error {
	m.Reporter.Progress("", "Snapshotting, retrieving and cleaning snapshots...")
	return m.transfer(ctx, states, "Cannot take, send or clean snapshots!", func(t service.Service, s state) error {
		if err := m.take(ctx, t, s); err != nil {
			return err
		}
		if err := m.retrieve(ctx, t, s); err != nil {
			return err
		}
		return m.clean(ctx, t, s)
	})
}

// restoreDepthFirst sends and restores the snapshots of one component after
// the other.
func (m *migration) restoreDepthFirst(ctx context.Context, states []state) error {
	m.Reporter.Progress("", "Sending, restoring and cleaning snapshots...")
	return m.transfer(ctx, states, "Cannot send, restore or clean snapshots!", func(t service.Service, s state) error {
		if err := m.send(ctx, t, s); err != nil {
			return err
		}
		if err := m.bringBack(ctx, t, s); err != nil {
			return err
		}
		return m.clean(ctx, t, s)
	})
}

// transfer calls do for the states of several targets at once, one after the
// other on each target, where the first failure is the end (transition, 7.1).
func (m *migration) transfer(ctx context.Context, states []state, failure string, do func(service.Service, state) error) error {
	targets, groups := byTarget(states)
	return onEach(ctx, targets, m.transfers(), func(target string) error {
		t, err := m.Targets.Get(ctx, target)
		for _, s := range groups[target] {
			if err == nil {
				err = ctx.Err()
			}
			if err == nil {
				err = do(t, s)
			}
		}
		if err != nil {
			m.Reporter.Problem(target, failure)
		}
		return err
	})
}

func (m *migration) take(ctx context.Context, t service.Service, s state) error {
	m.Reporter.Progress(s.target, "Snapshotting state of service: "+s.component)
	if err := t.Snapshot(ctx, m.activityOf(s)); err != nil {
		m.Reporter.Problem(s.target, "Cannot snapshot state of service: "+s.component)
		return fmt.Errorf("snapshot state of %s: %w", s, err)
	}
	return nil
}

func (m *migration) retrieve(ctx context.Context, t service.Service, s state) error {
	m.Reporter.Progress(s.target, "Retrieving snapshots of "+s.deployedTo())
	station := m.stationOf(s)
	station.Lock()
	defer station.Unlock()
	copied, err := CopySnapshots(ctx, t, m.Snapshots, s.container, s.component, m.Options.Migration.All)
	if err != nil {
		return fmt.Errorf("retrieve snapshots of %s: %w", s, err)
	}
	if copied > 0 {
		m.note(m.retrieved, s)
	}
	return nil
}

func (m *migration) send(ctx context.Context, t service.Service, s state) error {
	m.Reporter.Progress(s.target, "Sending snapshots of "+s.deployedTo())
	copied, err := CopySnapshots(ctx, m.Snapshots, t, s.container, s.component, m.Options.Migration.All)
	if err != nil {
		return fmt.Errorf("send snapshots of %s: %w", s, err)
	}
	if copied > 0 {
		m.note(m.sent, s)
	}
	return nil
}

func (m *migration) bringBack(ctx context.Context, t service.Service, s state) error {
	ctx, cancel := outlast(ctx, stateGrace)
	defer cancel()
	m.Reporter.Progress(s.target, "Restoring state of service: "+s.component)
	if err := t.Restore(ctx, m.activityOf(s)); err != nil {
		m.Reporter.Problem(s.target, "Cannot restore state of service: "+s.component)
		return fmt.Errorf("restore state of %s: %w", s, err)
	}
	return nil
}

func (m *migration) clean(ctx context.Context, t service.Service, s state) error {
	m.Reporter.Progress(s.target, "Cleaning snapshots of "+s.deployedTo())
	if err := t.CleanSnapshots(ctx, m.Options.Migration.Keep, s.container, s.component); err != nil {
		return fmt.Errorf("clean snapshots of %s: %w", s, err)
	}
	return nil
}

// activityOf is the state's activity, with its output going to the user.
func (m *migration) activityOf(s state) service.Activity {
	a := s.activity
	a.Output = m.Reporter.Output(s.target)
	return a
}

func (m *migration) stationOf(s state) *sync.Mutex {
	m.mu.Lock()
	defer m.mu.Unlock()
	station, ok := m.station[s.kind()]
	if !ok {
		station = new(sync.Mutex)
		m.station[s.kind()] = station
	}
	return station
}
