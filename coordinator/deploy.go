package coordinator

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/disnix-go/disnix/coordinator/journal"
	"github.com/disnix-go/disnix/coordinator/plan"
	"github.com/disnix-go/disnix/service"
)

// Outcome is the state in which a failed deployment has left the system.
type Outcome string

// The outcomes.
const (
	// OldStands: the previous configuration is active, as before.
	OldStands Outcome = "the old configuration stands"
	// NotMigrated: the new services are active, but their state was not
	// migrated completely, and the profiles are those of the previous
	// configuration.
	NotMigrated Outcome = "the new services are active, but their state is not migrated"
	// NotRolledBack: the transition failed, and so did the way back.
	NotRolledBack Outcome = "the rollback is incomplete"
	// LeftAsItIs: the transition failed, and was not rolled back because the
	// user did not want that.
	LeftAsItIs Outcome = "the failed transition is left as it is"
	// Unfinished: an interrupted deployment could be neither completed nor
	// undone completely.
	Unfinished Outcome = "the deployment is unfinished"
	// NotRecorded: the new configuration is active, but not all profiles say
	// so.
	NotRecorded Outcome = "profiles are not set"
)

// DeployError says that a deployment failed, and what it has left. Deploy has
// reported it already: the caller needs no more than the exit code.
type DeployError struct {
	Outcome Outcome
	Err     error
}

// Error gives the reason.
func (e *DeployError) Error() string { return e.Err.Error() }

// Unwrap returns the reason.
func (e *DeployError) Unwrap() error { return e.Err }

// ExitCode is what a command exits with: 1 if the deployment failed, 2 if
// state was not migrated, 3 if the system is neither in the old nor in the new
// configuration.
func (e *DeployError) ExitCode() int {
	switch e.Outcome {
	case NotMigrated:
		return 2
	case NotRolledBack, Unfinished:
		return 3
	default:
		return 1
	}
}

// profilesGrace is how long the profiles may still be set after an interrupt.
// Everything else is in place by then: to stop would leave a system that is
// neither the old nor the new one.
const profilesGrace = 2 * time.Minute

// Deploy carries out all phases (transition, section 1). The error is a
// [*DeployError].
//
// When ctx is cancelled, what is under way is completed or undone, and the
// locks are released: before the end of the transition the previous
// configuration is restored; while state is migrated, that stops; while the
// profiles are set, the deployment is completed.
//
// That locks could not be released is reported, but no failure, if everything
// else has succeeded.
func (d *Deployment) Deploy(ctx context.Context) error {
	left, err := d.deploy(ctx)
	if err != nil {
		d.Reporter.Problem("", err.Error())
		d.adviseAfterFailure(err)
		return err
	}
	if ctx.Err() != nil {
		d.Reporter.Problem("", "The interrupt came too late: the new configuration has been deployed completely.")
	}
	if left && !d.Options.Migration.DeleteState {
		d.adviseToDeleteState()
	}
	return nil
}

func (d *Deployment) deploy(ctx context.Context) (left bool, err error) {
	steps, err := d.prepare(ctx)
	if err != nil && ctx.Err() != nil {
		err = fmt.Errorf("interrupted (%v), nothing was changed: %w", context.Cause(ctx), err)
	}
	if err != nil {
		return false, &DeployError{OldStands, err}
	}
	d = d.withClaim()
	if d, err = d.beginJournal(len(steps.Execution())); err != nil {
		return false, &DeployError{OldStands, err}
	}
	err = d.underLocks(ctx, OldStands, func() error {
		if err := d.checkPrevious(); err != nil {
			return &DeployError{OldStands, err}
		}
		left, err = d.change(ctx, func() error { return d.transition(ctx, steps) })
		return err
	})
	d.endJournal(err)
	return left, err
}

// underLocks does something while it holds the locks. If it cannot get them,
// the outcome is that one.
func (d *Deployment) underLocks(ctx context.Context, otherwise Outcome, do func() error) error {
	locks, err := d.acquireLocks(ctx)
	if err != nil {
		return &DeployError{otherwise, err}
	}
	err = do()
	if unlockErr := d.releaseLocks(ctx, locks); unlockErr != nil {
		d.Reporter.Problem("", unlockErr.Error()+d.unlockAdvice(unlockErr))
	}
	return err
}

// prepare does everything that changes nothing but the stores of the targets.
func (d *Deployment) prepare(ctx context.Context) (*plan.Plan, error) {
	steps, err := plan.New(d.Previous, d.Manifest, plan.Options{NoUpgrade: d.Options.NoUpgrade})
	if err != nil {
		return nil, err
	}
	if err := d.checkGeneration(); err != nil {
		return nil, err
	}
	if err := d.dropAbsent(ctx); err != nil {
		return nil, err
	}
	if err := d.checkReaddressed(ctx); err != nil {
		return nil, err
	}
	if err := d.Check(); err != nil {
		return nil, err
	}
	d.Reporter.Progress("", "Distributing intra-dependency closures...")
	return steps, d.Distribute(ctx)
}

// checkGeneration finds out whether the deployment can be recorded, before
// anything is changed.
func (d *Deployment) checkGeneration() error {
	if d.Options.NoCoordinatorProfile {
		return nil
	}
	dir, err := d.coordinatorProfileDir()
	if err != nil {
		return err
	}
	return service.CheckGeneration(dir, d.profile(), d.ManifestPath)
}

func (d *Deployment) acquireLocks(ctx context.Context) (*Locks, error) {
	if d.Options.NoLock {
		d.Reporter.Progress("", "Not acquiring any locks...")
		return nil, nil
	}
	d.Reporter.Progress("", "Acquiring locks...")
	if err := d.journal.Enter(journal.Locking); err != nil {
		return nil, err
	}
	return d.Lock(ctx)
}

func (d *Deployment) releaseLocks(ctx context.Context, locks *Locks) error {
	if d.Options.NoLock {
		d.Reporter.Progress("", "Not releasing any locks...")
		return nil
	}
	d.Reporter.Progress("", "Releasing locks...")
	return locks.Release(ctx)
}

// checkPrevious finds out whether another deployment was completed before this
// one got the locks. Then the plan is about services that are not there any
// more, and would leave those alone that are.
func (d *Deployment) checkPrevious() error {
	if !d.PreviousIsLatest || d.Options.NoUpgrade {
		return nil
	}
	dir, err := d.coordinatorProfileDir()
	if err != nil {
		return err
	}
	newest, err := NewestGeneration(dir, d.profile())
	if err != nil {
		return err
	}
	for _, latest := range []string{newest, filepath.Join(dir, d.profile())} {
		if sameFile(latest, d.PreviousPath) {
			return nil
		}
	}
	return fmt.Errorf("the system was deployed by somebody else meanwhile, as %s: nothing has been changed, deploy again to upgrade from that", newest)
}

// sameFile reports whether two paths lead to the same file, or to none.
func sameFile(a, b string) bool {
	infoA, errA := os.Stat(a)
	infoB, errB := os.Stat(b)
	if errA != nil || errB != nil {
		return errA != nil && errB != nil && a == b
	}
	return os.SameFile(infoA, infoB)
}

// change carries out the phases that change the targets. It reports whether
// state was left at its former place.
func (d *Deployment) change(ctx context.Context, transition func() error) (left bool, err error) {
	d.Reporter.Progress("", "Activating new configuration...")
	if err := transition(); err != nil {
		return false, err
	}
	if !d.Options.NoMigration {
		d.Reporter.Progress("", "Migrating data...")
		if err = d.journal.Enter(journal.Migration); err == nil {
			left, err = d.Migrate(ctx)
		}
		if err != nil {
			return false, &DeployError{NotMigrated, err}
		}
	}
	d.Reporter.Progress("", "Setting profiles...")
	ctx, cancel := outlast(ctx, profilesGrace)
	defer cancel()
	if err = d.journal.Enter(journal.Profiles); err == nil {
		err = d.SetProfiles(ctx)
	}
	if err != nil {
		return false, &DeployError{NotRecorded, err}
	}
	return left, nil
}

// transition is [Deployment.Transition] as a phase of Deploy.
func (d *Deployment) transition(ctx context.Context, p *plan.Plan) error {
	if err := d.journal.Enter(journal.Transition); err != nil {
		return &DeployError{OldStands, err}
	}
	err := d.Transition(ctx, p)
	var failure *TransitionError
	if !errors.As(err, &failure) {
		return err
	}
	switch {
	case failure.Result != TransitionFailed:
		return &DeployError{NotRolledBack, err}
	case failure.NotUndone:
		return &DeployError{LeftAsItIs, err}
	default:
		return &DeployError{OldStands, err}
	}
}
