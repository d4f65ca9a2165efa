package coordinator

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/disnix-go/disnix/coordinator/journal"
	"github.com/disnix-go/disnix/coordinator/plan"
)

// Resume completes an unfinished deployment, which the journal describes: the
// new configuration becomes active. Actions that are done are not repeated;
// those that failed, or are in doubt because the coordinator died while they
// were under way, are. What fails is not rolled back: Resume and Abort can be
// called again. The journal is closed.
//
// The error is a [*DeployError].
func (d *Deployment) Resume(ctx context.Context, j *journal.Journal) error {
	return d.recover(ctx, j, journal.Forward, func(d *Deployment, steps *plan.Plan) error {
		d.Reporter.Progress("", "Distributing intra-dependency closures...")
		if err := d.Distribute(ctx); err != nil {
			return &DeployError{Unfinished, err}
		}
		return d.underLocks(ctx, Unfinished, func() error {
			_, err := d.change(ctx, func() error { return d.recoverTransition(ctx, steps, (*transition).forward) })
			return err
		})
	})
}

// Abort undoes an unfinished deployment, which the journal describes: the old
// configuration becomes active again, and the profiles say so. It is the
// counterpart of [Deployment.Resume]. If obsolete state may have been deleted
// already, it refuses.
//
// Both refuse after the locks were lost, unless locks are to be forced: the
// configuration of whoever has taken them would be replaced.
func (d *Deployment) Abort(ctx context.Context, j *journal.Journal) error {
	return d.recover(ctx, j, journal.Back, func(d *Deployment, steps *plan.Plan) error {
		return d.underLocks(ctx, Unfinished, func() error {
			d.Reporter.Progress("", "Returning to the old configuration...")
			if err := d.recoverTransition(ctx, steps, (*transition).back); err != nil {
				return err
			}
			if err := d.resetProfiles(ctx); err != nil {
				return &DeployError{Unfinished, err}
			}
			return nil
		})
	})
}

func (d *Deployment) recover(ctx context.Context, j *journal.Journal, direction journal.Direction, do func(*Deployment, *plan.Plan) error) error {
	recovered := *d
	d = &recovered
	d.journal = j
	err := d.beginRecovery(ctx, direction, do)
	d.endJournal(err)
	if err == nil {
		d.adviseAboutForgotten()
	}
	if err != nil {
		d.Reporter.Problem("", err.Error())
		d.Reporter.Notice("The deployment is still unfinished.\n" + summary(j.State()) + d.recoveryAdvice(!deletedState(j.State()), j.State().LostLocks != "") +
			"If a target will never answer again, add --forget with its name.\n")
	}
	return err
}

func (d *Deployment) beginRecovery(ctx context.Context, direction journal.Direction, do func(*Deployment, *plan.Plan) error) error {
	state := d.journal.State()
	if direction == journal.Back && deletedState(state) {
		return &DeployError{Unfinished, errors.New("undo the deployment: obsolete state may have been deleted already, so that the deployment can only be completed")}
	}
	if state.LostLocks != "" && !d.Options.ForceLock {
		return &DeployError{Unfinished, fmt.Errorf("%s\nSince then, somebody else may have deployed another configuration, which this one would replace.\n"+
			"If that is what you want, add --force-lock; if theirs is to stay, remove the journal of this one", state.LostLocks)}
	}
	for _, run := range state.Runs {
		if run.Token != "" {
			d.formerTokens = append(d.formerTokens, run.Token)
		}
	}
	steps, err := plan.New(d.Previous, d.Manifest, plan.Options{NoUpgrade: d.Options.NoUpgrade})
	if err == nil {
		err = d.forget()
	}
	d.claimLocks()
	if err == nil {
		err = d.dropAbsent(ctx)
	}
	if err == nil {
		err = d.journal.Begin(d.newRun(direction), d.mostActions(len(steps.Execution())))
	}
	if err != nil {
		return &DeployError{Unfinished, err}
	}
	return do(d, steps)
}

// recoverTransition carries out the steps that are left of a transition.
func (d *Deployment) recoverTransition(ctx context.Context, steps *plan.Plan, lead func(t *transition, ctx context.Context) error) error {
	t := newTransition(d, steps)
	err := d.journal.Enter(journal.Transition)
	if err == nil {
		err = t.connect(ctx)
	}
	if err == nil {
		err = lead(t, ctx)
	}
	if err != nil {
		return &DeployError{Unfinished, err}
	}
	return nil
}

// forward deactivates what is left of the old configuration, and activates
// what is missing of the new one.
func (t *transition) forward(ctx context.Context) error {
	obsolete := plan.Subset(t.plan.Deactivations(), func(s *plan.Step) bool {
		return t.recorded(s, oldEdition, Active) != Inactive
	})
	missing := plan.Subset(t.plan.Activations(), func(s *plan.Step) bool {
		return t.recorded(s, newEdition, Inactive) != Active
	})
	t.Reporter.Progress("", "Executing deactivation of services:")
	if err := t.carryOn(ctx, obsolete, oldEdition, nil); err != nil {
		return err
	}
	t.Reporter.Progress("", "Executing activation of services:")
	return t.carryOn(ctx, missing, newEdition, nil)
}

// back deactivates what there is of the new configuration, and activates what
// is missing of the old one. What failed to be activated, and whose plugin
// refuses to stop it, counts as not active, as in a rollback.
func (t *transition) back(ctx context.Context) error {
	present := plan.Inverse(plan.Subset(t.plan.Activations(), func(s *plan.Step) bool {
		return t.recorded(s, newEdition, Inactive) != Inactive
	}))
	stopped := plan.Inverse(plan.Subset(t.plan.Deactivations(), func(s *plan.Step) bool {
		return t.recorded(s, oldEdition, Active) != Active
	}))
	failed := make(map[*plan.Step]bool)
	for _, s := range present {
		o := t.journal.Of(newEdition.action(s))
		failed[s] = o.Kind == journal.Activate && o.Result == journal.Failed ||
			o.Kind == journal.Deactivate && o.Before == journal.Failed
	}
	t.Reporter.Progress("", "Executing deactivation of services:")
	if err := t.carryOn(ctx, present, newEdition, func(s *plan.Step) bool { return failed[s] }); err != nil {
		return err
	}
	t.Reporter.Progress("", "Executing activation of services:")
	return t.carryOn(ctx, stopped, oldEdition, nil)
}

// recorded returns the state of a service as the journal knows it; initially
// is what it was before the deployment.
func (t *transition) recorded(s *plan.Step, e edition, initially ServiceState) ServiceState {
	switch o := t.journal.Of(e.action(s)); {
	case o.Result == "":
		return initially
	case o.Result != journal.Done:
		return Unknown
	default:
		return stateAfter(plan.Kind(o.Kind))
	}
}

// carryOn carries out steps without ever undoing any.
func (t *transition) carryOn(ctx context.Context, steps []*plan.Step, e edition, tolerate func(s *plan.Step) bool) error {
	t.Reporter.PlanReady(steps)
	results := t.executor(e, tolerate).execute(ctx, steps)
	var failures []error
	notBegun := 0
	for i, r := range results {
		switch {
		case r.Err == nil || tolerate != nil && tolerate(steps[i]):
		case r.Started && len(failures) < mostListed:
			failures = append(failures, r.Err)
		case !r.Started:
			notBegun++
		}
	}
	if notBegun > 0 {
		failures = append(failures, fmt.Errorf("steps that were not begun: %d", notBegun), context.Cause(ctx))
	}
	return errors.Join(failures...)
}

// deletedState reports whether obsolete state may have been deleted.
func deletedState(state *journal.State) bool {
	return slices.ContainsFunc(state.All(), func(o journal.Outcome) bool { return o.Kind == journal.DeleteState })
}

// summary tells how far a deployment has come.
func summary(state *journal.State) string {
	done := 0
	var unclear []string
	for _, o := range state.All() {
		switch {
		case o.Result == journal.Done:
			done++
		case o.Result == journal.Failed:
			unclear = append(unclear, "failed: "+o.String())
		default:
			unclear = append(unclear, "in doubt: "+o.String())
		}
	}
	if more := len(unclear) - mostListed; more > 0 {
		unclear = append(unclear[:mostListed], fmt.Sprintf("and %d more", more))
	}
	text := fmt.Sprintf("Actions that are done: %d", done)
	for _, line := range unclear {
		text += "\n  " + line
	}
	return text + "\n"
}

// recoveryAdvice names the commands that end an unfinished deployment. If it has
// lost its locks, they have to be forced.
func (d *Deployment) recoveryAdvice(canAbort, lostLocks bool) string {
	force := ""
	if lostLocks {
		force = " --force-lock"
	}
	text := "To complete it, run:\n\n$ " + d.recoveryCommand("--resume") + force + "\n\n"
	if canAbort {
		text += "To undo it, run:\n\n$ " + d.recoveryCommand("--abort") + force + "\n\n"
	}
	return text
}

func (d *Deployment) recoveryCommand(option string) string {
	return shellCommand("disnix-env", []string{option}, d.profileWords())
}
