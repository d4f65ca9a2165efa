package coordinator

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/disnix-go/disnix/service"
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
	held       []deployedProfile
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
	if d.claim.Token == "" {
		d = d.withClaim()
	}
	locks := &Locks{deployment: d}
	var mu sync.Mutex
	err := inParallel(ctx, d.locked(), 0, func(p deployedProfile) error {
		if err := d.lock(opCtx, p); err != nil {
			return err
		}
		mu.Lock()
		defer mu.Unlock()
		locks.held = append(locks.held, p)
		return nil
	})
	if ctx.Err() != nil {
		d.Reporter.Problem("", "The lock phase has been interrupted, unlocking all targets again...")
	}
	if err = errors.Join(err, ctx.Err()); err != nil {
		return nil, errors.Join(fmt.Errorf("acquire locks: %w", err), locks.Release(ctx))
	}
	return locks, nil
}

// withClaim returns the deployment with a claim to its locks, which from now on
// is made with every change of a target.
func (d *Deployment) withClaim() *Deployment {
	claiming := *d
	claiming.claimLocks()
	return &claiming
}

// claimLocks makes a new claim, with a token that no earlier run has used: what
// those may still have asked for is refused when this one has their locks.
func (d *Deployment) claimLocks() {
	d.claim = service.NewClaim(d.Purpose, d.KeepLocks)
	if d.Options.NoLock {
		return
	}
	profiles := slices.Concat(d.profiles(), d.departedProfiles())
	for i := len(profiles) - 1; i >= 0; i-- { // what is set decides, not what is left
		claim, owner := d.claim, *d.claim.Owner
		owner.Target = profiles[i].target
		claim.Profile, claim.Owner = profiles[i].name, &owner
		d.Targets.Claim(profiles[i].target, claim)
	}
}

func (d *Deployment) lock(ctx context.Context, p deployedProfile) error {
	d.Reporter.Progress(p.target, "Acquiring a lock on profile: "+p.path)
	t, err := d.Targets.Get(ctx, p.target)
	if err == nil {
		err = d.acquireLock(ctx, t, p)
	}
	if err == nil {
		return nil
	}
	d.Reporter.Problem(p.target, "Cannot lock profile: "+p.path)
	if ctx.Err() != nil {
		err = fmt.Errorf("the outcome is unknown: if it stays locked, run `%s`: %w", d.unlockCommand(), err)
	}
	return p.wrap("lock", err)
}

// Release releases the locks, on all targets at once, also if ctx is
// cancelled already. It may be called once.
func (l *Locks) Release(ctx context.Context) error {
	defer l.deployment.Targets.Unclaim()
	return l.deployment.unlockAll(ctx, l.held)
}

// Unlock releases the locks of all targets, whoever acquired them.
func (d *Deployment) Unlock(ctx context.Context) error {
	d.Targets.Unclaim()
	return d.unlockAll(ctx, d.locked())
}

func (d *Deployment) unlockAll(ctx context.Context, profiles []deployedProfile) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), unlockTimeout)
	defer cancel()
	err := inParallel(ctx, profiles, 0, func(p deployedProfile) error { return d.unlock(ctx, p) })
	if err != nil {
		return fmt.Errorf("release locks: %w", err)
	}
	return nil
}

func (d *Deployment) unlock(ctx context.Context, p deployedProfile) error {
	d.Reporter.Progress(p.target, "Releasing a lock on profile: "+p.path)
	t, err := d.Targets.Get(ctx, p.target)
	if err == nil {
		err = d.releaseLock(ctx, t, p)
	}
	if err != nil {
		d.Reporter.Problem(p.target, "Cannot unlock profile: "+p.path)
		return p.wrap("unlock", err)
	}
	return nil
}

// locked returns the profiles that a deployment locks: those that it sets, and
// those that it leaves.
func (d *Deployment) locked() []deployedProfile {
	return slices.Concat(d.profiles(), d.formerProfiles())
}
