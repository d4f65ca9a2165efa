package coordinator

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"
)

// lockGrace is how long lock operations that are under way may go on after
// the deployment was interrupted, so that it is known which ones succeeded.
const lockGrace = 30 * time.Second

// unlockTimeout bounds the release of the locks, which an interrupt does not
// stop.
const unlockTimeout = 2 * time.Minute

// Locks are the profile locks that a deployment holds.
type Locks struct {
	deployment *Deployment
	held       []string // target names, sorted
}

// Lock acquires the lock of the profile on all targets at once: on those of
// the manifest, and on those from which an upgrade takes everything away
// (transition, section 3).
//
// If one of them fails, or ctx is cancelled, exactly the locks that were
// acquired are released again, and Lock fails. Operations that are under way
// when ctx is cancelled are not abandoned, since it would not be known
// whether they succeeded.
func (d *Deployment) Lock(ctx context.Context) (*Locks, error) {
	opCtx, cancel := outlast(ctx, lockGrace)
	defer cancel()
	locks := &Locks{deployment: d}
	var mu sync.Mutex
	err := onEach(ctx, d.lockedTargets(), 0, func(target string) error {
		if err := d.lock(opCtx, target); err != nil {
			return err
		}
		mu.Lock()
		defer mu.Unlock()
		locks.held = append(locks.held, target)
		return nil
	})
	slices.Sort(locks.held)
	if ctx.Err() != nil {
		d.Reporter.Problem("", "The lock phase has been interrupted, unlocking all targets again...")
	}
	if err = errors.Join(err, ctx.Err()); err != nil {
		return nil, errors.Join(fmt.Errorf("acquire locks: %w", err), locks.Release(ctx))
	}
	return locks, nil
}

func (d *Deployment) lock(ctx context.Context, target string) error {
	name, path := d.profileOn(target)
	d.Reporter.Progress(target, "Acquiring a lock on profile: "+path)
	t, err := d.Targets.Get(ctx, target)
	if err == nil {
		err = t.Lock(ctx, name)
	}
	if err == nil {
		return nil
	}
	d.Reporter.Problem(target, "Cannot lock profile: "+path)
	if ctx.Err() != nil {
		return fmt.Errorf("lock profile %q: the outcome is unknown: if it stays locked, run `%s`: %w", name, d.unlockCommand(), err)
	}
	return fmt.Errorf("lock profile %q: %w", name, err)
}

// Release releases the locks, on all targets at once, also if ctx is
// cancelled already. It may be called once.
func (l *Locks) Release(ctx context.Context) error {
	return l.deployment.unlockAll(ctx, l.held)
}

// Unlock releases the locks of all targets, whoever acquired them.
func (d *Deployment) Unlock(ctx context.Context) error {
	return d.unlockAll(ctx, d.lockedTargets())
}

func (d *Deployment) unlockAll(ctx context.Context, targets []string) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), unlockTimeout)
	defer cancel()
	err := onEach(ctx, targets, 0, func(target string) error { return d.unlock(ctx, target) })
	if err != nil {
		return fmt.Errorf("release locks: %w", err)
	}
	return nil
}

func (d *Deployment) unlock(ctx context.Context, target string) error {
	name, path := d.profileOn(target)
	d.Reporter.Progress(target, "Releasing a lock on profile: "+path)
	t, err := d.Targets.Get(ctx, target)
	if err == nil {
		err = t.Unlock(ctx, name)
	}
	if err != nil {
		d.Reporter.Problem(target, "Cannot unlock profile: "+path)
		return fmt.Errorf("unlock profile %q: %w", name, err)
	}
	return nil
}

// lockedTargets returns the targets of the manifest, and those of the
// configuration that it replaces if they are still there; sorted.
func (d *Deployment) lockedTargets() []string {
	names := make(map[string]bool)
	for name := range d.Manifest.Profiles {
		names[name] = true
	}
	if previous := d.upgradedFrom(); previous != nil {
		for name := range previous.Profiles {
			if d.Targets.Has(name) {
				names[name] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(names))
}
