package coordinator

import (
	"context"
	"fmt"
	"slices"
	"sync"
)

// MigrationOptions tune the migration of state (transition, section 7).
type MigrationOptions struct {
	// Container and Component select what is migrated; empty means all.
	Container, Component string
	// TransferOnly moves snapshots that were taken before, but neither takes
	// nor restores any.
	TransferOnly bool
	// DepthFirst completes one component after the other on each target,
	// which needs less space than the same step for all of them.
	DepthFirst bool
	// All moves every generation of snapshots instead of the latest one.
	All bool
	// Keep is the number of generations that DepthFirst leaves on the
	// targets; the commands' standard is 1.
	Keep int
	// DeleteState deletes the state that was moved away.
	DeleteState bool
}

// MigrationStep is a part of a migration.
type MigrationStep string

// The steps of a migration, in their order.
const (
	SnapshotStep    MigrationStep = "snapshot"
	RestoreStep     MigrationStep = "restore"
	DeleteStateStep MigrationStep = "delete"
)

// MigrationError says that state was not migrated completely.
type MigrationError struct {
	Step MigrationStep // the one that failed; the later ones did not begin
	Err  error
}

// Error says what failed and where the state is now.
func (e *MigrationError) Error() string {
	where := map[MigrationStep]string{
		SnapshotStep:    "nothing was restored or deleted: all state is still where it was",
		RestoreStep:     "nothing was deleted: all state is still where it was, and its snapshots are with the coordinator",
		DeleteStateStep: "all state was restored; obsolete state that is not deleted is still where it was",
	}[e.Step]
	return fmt.Sprintf("migrate state: %v\n%s", e.Err, where)
}

// Unwrap returns the reasons.
func (e *MigrationError) Unwrap() error { return e.Err }

// migration is one run of a migration.
type migration struct {
	*Deployment
	mu sync.Mutex
	// taken says of which state this run took snapshots.
	taken map[stateID]bool
	// retrieved is the newest snapshot that the coordinator received of each
	// state, and sent the one that was sent to each place.
	retrieved, sent map[stateID]string
	// deleted says which state is deleted.
	deleted map[stateID]bool
	// skipped is what was on machines that do not exist any more.
	skipped map[stateID]bool
	// alone: nothing but a restoration was asked for, so that what cannot be
	// restored is worth a word.
	alone bool
	// sources says from which container the state at a place comes.
	sources map[stateID]string
	// station serialises what is received per container and component, so
	// that generations of several targets do not mix.
	station map[containerComponent]*sync.Mutex
}

type containerComponent struct{ container, component string }

func (d *Deployment) newMigration() *migration {
	return &migration{
		Deployment: d,
		taken:      make(map[stateID]bool),
		retrieved:  make(map[stateID]string),
		sent:       make(map[stateID]string),
		deleted:    make(map[stateID]bool),
		skipped:    make(map[stateID]bool),
		station:    make(map[containerComponent]*sync.Mutex),
	}
}

// Migrate moves the state of components whose place has changed: snapshots
// are taken and retrieved, sent and restored; then, if that was asked for,
// the obsolete state is deleted. A step begins when the one before has
// succeeded completely. The error is a [*MigrationError].
//
// It reports whether state was moved by an upgrade, but is still at its
// former place, too.
func (d *Deployment) Migrate(ctx context.Context) (left bool, err error) {
	m := d.newMigration()
	if err := m.snapshot(ctx); err != nil {
		return false, &MigrationError{SnapshotStep, err}
	}
	if err := m.restore(ctx); err != nil {
		return false, &MigrationError{RestoreStep, err}
	}
	if err := m.deleteMoved(ctx); err != nil {
		return false, &MigrationError{DeleteStateStep, err}
	}
	if d.upgradedFrom() == nil {
		return false, nil
	}
	for id := range m.retrieved {
		left = left || !m.deleted[id]
	}
	return left, nil
}

// Snapshot takes and retrieves snapshots: of the state that an upgrade moves
// away, or with Options.NoUpgrade of all state in the manifest.
func (d *Deployment) Snapshot(ctx context.Context) error { return d.newMigration().snapshot(ctx) }

// Restore sends and restores snapshots: of the state that an upgrade moves
// here, or of all state in the manifest if it does not replace any other.
// What has no snapshot stays as it is, which is reported.
func (d *Deployment) Restore(ctx context.Context) error {
	m := d.newMigration()
	m.alone = true
	return m.restore(ctx)
}

// DeleteState deletes the obsolete state of everything in the manifest. What
// is active is protected by the plugins: they delete only what a deactivation
// has marked as garbage (transition, 7.4).
func (d *Deployment) DeleteState(ctx context.Context) error {
	states, err := d.states(d.Manifest)
	if err != nil {
		return err
	}
	d.Reporter.Progress("", "Deleting obsolete state of services...")
	return d.newMigration().deleteState(ctx, states)
}

func (m *migration) snapshot(ctx context.Context) error {
	states, err := m.toSnapshot()
	if err != nil {
		return err
	}
	switch {
	case m.Options.NoUpgrade:
		m.Reporter.Progress("", "Snapshotting state of all components...")
	case m.Previous == nil:
		m.Reporter.Progress("", "No snapshots are taken since an upgrade is requested and no previous deployment state is known")
		return nil
	default:
		m.Reporter.Progress("", "Snapshotting state of moved components...")
	}
	states = m.reachable(states)
	if m.Options.Migration.DepthFirst {
		return m.snapshotDepthFirst(ctx, states)
	}
	return m.snapshotBreadthFirst(ctx, states)
}

func (m *migration) restore(ctx context.Context) error {
	states, err := m.toRestore()
	if err != nil {
		return err
	}
	if m.sources, err = m.findSources(states); err != nil {
		return err
	}
	if m.upgradedFrom() == nil {
		m.Reporter.Progress("", "Sending snapshots of all components...")
	} else {
		m.Reporter.Progress("", "Sending snapshots of moved components...")
	}
	states = m.reachable(states)
	if m.Options.Migration.DepthFirst {
		return m.restoreDepthFirst(ctx, states)
	}
	return m.restoreBreadthFirst(ctx, states)
}

// toSnapshot returns the state that is captured.
func (m *migration) toSnapshot() ([]state, error) {
	if m.Options.NoUpgrade {
		return m.states(m.Manifest)
	}
	return m.movedAway()
}

// movedAway returns the state of the previous configuration that is not at
// the same place in the new one.
func (m *migration) movedAway() ([]state, error) {
	previous := m.upgradedFrom()
	if previous == nil {
		return nil, nil
	}
	old, err := m.states(previous)
	if err != nil {
		return nil, fmt.Errorf("previous manifest: %w", err)
	}
	states, err := m.states(m.Manifest)
	return without(old, states), err
}

// toRestore returns the state that is brought to its new place.
func (m *migration) toRestore() ([]state, error) {
	states, err := m.states(m.Manifest)
	previous := m.upgradedFrom()
	if err != nil || previous == nil {
		return states, err
	}
	old, err := m.states(previous)
	if err != nil {
		return nil, fmt.Errorf("previous manifest: %w", err)
	}
	return without(states, old), nil
}

func (m *migration) note(what map[stateID]bool, s state) {
	m.mu.Lock()
	defer m.mu.Unlock()
	what[s.stateID] = true
}

// noteNewest notes the last of the snapshots, if there are any.
func (m *migration) noteNewest(what map[stateID]string, s state, snapshots []string) {
	if len(snapshots) == 0 {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	what[s.stateID] = snapshots[len(snapshots)-1]
}

// reachable leaves out what was on machines that do not exist any more, which
// is said once.
func (m *migration) reachable(states []state) []state {
	return slices.DeleteFunc(slices.Clone(states), func(s state) bool {
		if m.Targets.Has(s.target) {
			return false
		}
		if !m.skipped[s.stateID] {
			m.skipped[s.stateID] = true
			m.Reporter.Progress(s.target, "Skip state of "+s.deployedTo()+" since machine is no longer present!")
		}
		return true
	})
}
