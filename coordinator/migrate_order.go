package coordinator

import (
	"context"
	"fmt"
	"sync"

	"github.com/disnix-go/disnix/coordinator/journal"
	"github.com/disnix-go/disnix/coordinator/plan"
	"github.com/disnix-go/disnix/service"
)

// snapshotBreadthFirst takes all snapshots, and then retrieves all of them.
func (m *migration) snapshotBreadthFirst(ctx context.Context, states []state) error {
	if !m.Options.Migration.TransferOnly {
		if err := m.onEachState(ctx, plan.Snapshot, states, m.take); err != nil {
			return err
		}
	}
	m.Reporter.Progress("", "Retrieving snapshots...")
	return m.transfer(ctx, states, "Cannot retrieve snapshots!", m.retrieve)
}

// restoreBreadthFirst sends all snapshots, and then restores all of them.
func (m *migration) restoreBreadthFirst(ctx context.Context, states []state) error {
	err := m.transfer(ctx, states, "Cannot send snapshots!", m.send)
	if err != nil || m.Options.Migration.TransferOnly {
		return err
	}
	m.Reporter.Progress("", "Restoring state of services...")
	return m.onEachState(ctx, plan.Restore, states, m.bringBack)
}

// snapshotDepthFirst takes and retrieves the snapshots of one component after
// the other.
func (m *migration) snapshotDepthFirst(ctx context.Context, states []state) error {
	m.Reporter.Progress("", "Snapshotting, retrieving and cleaning snapshots...")
	return m.transfer(ctx, states, "Cannot take, send or clean snapshots!", inOrder(m.take, m.retrieve, m.clean))
}

// restoreDepthFirst sends and restores the snapshots of one component after
// the other.
func (m *migration) restoreDepthFirst(ctx context.Context, states []state) error {
	m.Reporter.Progress("", "Sending, restoring and cleaning snapshots...")
	return m.transfer(ctx, states, "Cannot send, restore or clean snapshots!", inOrder(m.send, m.bringBack, m.clean))
}

// operation does something with state on its target.
type operation func(ctx context.Context, t service.Service, s state) error

// inOrder is one operation after the other, as long as they succeed.
func inOrder(operations ...operation) operation {
	return func(ctx context.Context, t service.Service, s state) error {
		for _, do := range operations {
			if err := ctx.Err(); err != nil {
				return err
			}
			if err := do(ctx, t, s); err != nil {
				return err
			}
		}
		return nil
	}
}

// transfer works on several targets at once, on each of them with one state
// after the other, where the first failure is the end (transition, 7.1).
func (m *migration) transfer(ctx context.Context, states []state, failure string, do operation) error {
	targets, groups := byTarget(states)
	return onEach(ctx, targets, m.transfers(), func(target string) error {
		err := m.transferOn(ctx, target, groups[target], do)
		if err != nil {
			m.Reporter.Problem(target, failure)
		}
		return err
	})
}

func (m *migration) transferOn(ctx context.Context, target string, states []state, do operation) error {
	t, err := m.Targets.Get(ctx, target)
	if err != nil {
		return err
	}
	for _, s := range states {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := do(ctx, t, s); err != nil {
			return fmt.Errorf("%s: %w", s, err)
		}
	}
	return nil
}

// take, like bringBack, is completed even if ctx is cancelled: a plugin that is
// stopped may leave anything behind.
func (m *migration) take(ctx context.Context, t service.Service, s state) error {
	m.Reporter.Progress(s.target, "Snapshotting state of service: "+s.component)
	err := m.once(journal.Snapshot, s, func() error {
		m.note(m.taken, s)
		return m.snapshotNow(ctx, t, s)
	})
	if err != nil {
		m.Reporter.Problem(s.target, "Cannot snapshot state of service: "+s.component)
		return fmt.Errorf("take a snapshot: %w", err)
	}
	return nil
}

func (m *migration) snapshotNow(ctx context.Context, t service.Service, s state) error {
	return t.Snapshot(context.WithoutCancel(ctx), m.activity(s))
}

func (m *migration) retrieve(ctx context.Context, t service.Service, s state) error {
	m.Reporter.Progress(s.target, "Retrieving snapshots of "+s.deployedTo())
	station := m.stationOf(s)
	station.Lock()
	defer station.Unlock()
	receive := func() ([]string, error) {
		return copySnapshots(ctx, t, m.Snapshots, s.kind(), s.container, m.Options.Migration.All)
	}
	copied, err := receive()
	if err == nil && len(copied) == 0 && m.Options.Migration.DepthFirst && !m.hasTaken(s) {
		// An interrupted run has cleaned the snapshot that it took.
		if err = m.snapshotNow(ctx, t, s); err == nil {
			copied, err = receive()
		}
	}
	if err != nil {
		return fmt.Errorf("retrieve snapshots: %w", err)
	}
	m.noteNewest(m.retrieved, s, copied)
	return nil
}

func (m *migration) hasTaken(s state) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.taken[s.stateID]
}

func (m *migration) send(ctx context.Context, t service.Service, s state) error {
	m.Reporter.Progress(s.target, "Sending snapshots of "+s.deployedTo())
	source := containerComponent{m.sources[s.stateID], s.component}
	copied, err := copySnapshots(ctx, m.Snapshots, t, source, s.container, m.Options.Migration.All)
	if err != nil {
		return fmt.Errorf("send snapshots: %w", err)
	}
	m.noteNewest(m.sent, s, copied)
	if len(copied) == 0 && m.alone {
		m.Reporter.Problem(s.target, "No snapshots of "+s.deployedTo()+": its state stays as it is")
	}
	return nil
}

func (m *migration) bringBack(ctx context.Context, t service.Service, s state) error {
	m.Reporter.Progress(s.target, "Restoring state of service: "+s.component)
	err := m.once(journal.Restore, s, func() error {
		if err := m.requireSent(ctx, t, s); err != nil {
			return err
		}
		return t.Restore(context.WithoutCancel(ctx), m.activity(s))
	})
	if err != nil {
		m.Reporter.Problem(s.target, "Cannot restore state of service: "+s.component)
		return fmt.Errorf("restore the latest snapshot: %w", err)
	}
	return nil
}

// requireSent makes sure that the snapshot that was sent is what a plugin will
// restore. One that finds none succeeds, and one that finds another one brings
// back the past: both would let the only copy be deleted elsewhere.
func (m *migration) requireSent(ctx context.Context, t service.Service, s state) error {
	m.mu.Lock()
	sent := m.sent[s.stateID]
	m.mu.Unlock()
	if sent == "" {
		return nil
	}
	latest, err := t.QueryLatestSnapshot(ctx, s.container, s.component)
	if err != nil {
		return fmt.Errorf("query which snapshot would be restored: %w", err)
	}
	if len(latest) != 1 || latest[0] != sent {
		return fmt.Errorf("the target has %q as its latest snapshot, not %s, which it was sent: is its snapshot repository shared or cleaned meanwhile?", latest, sent)
	}
	return nil
}

func (m *migration) clean(ctx context.Context, t service.Service, s state) error {
	m.Reporter.Progress(s.target, "Cleaning snapshots of "+s.deployedTo())
	if err := t.CleanSnapshots(ctx, m.Options.Migration.Keep, s.container, s.component); err != nil {
		return fmt.Errorf("clean snapshots: %w", err)
	}
	return nil
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
