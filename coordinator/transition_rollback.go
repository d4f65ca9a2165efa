package coordinator

import (
	"context"
	"fmt"
	"strings"

	"github.com/disnix-go/disnix/coordinator/plan"
)

// TransitionResult says where a failed transition has left the services. The
// numbers are the exit codes of disnix-activate (transition, 5.8).
type TransitionResult int

const (
	// TransitionFailed: the services of the old configuration are active, as
	// before; or everything is as it was when the failure occurred, if no
	// rollback is wanted.
	TransitionFailed TransitionResult = 1
	// OldNotRestored: not all services of the old configuration could be
	// activated again.
	OldNotRestored TransitionResult = 2
	// NewNotRemoved: not all services of the new configuration could be
	// deactivated again. Those of the old one have not been activated.
	NewNotRemoved TransitionResult = 3
)

// TransitionError says that the services of a new configuration could not be
// activated.
type TransitionError struct {
	Result TransitionResult
	// NotUndone says that there was no rollback, because the user did not
	// want one.
	NotUndone bool
	// Interrupted is why no further steps were begun: the cause of the
	// cancellation, or nil.
	Interrupted error
	// Failures are the errors of the steps that failed before the rollback.
	Failures []error
	// NotBegun is the number of steps that were not begun before the rollback.
	NotBegun int
	// Displaced lists all services that are not as the old configuration
	// wants them, in the order of the plan.
	Displaced []Displacement
}

// Error says what failed, and what has become of the services.
func (e *TransitionError) Error() string {
	var reasons []string
	if e.Interrupted != nil {
		reasons = append(reasons, fmt.Sprintf("interrupted (%v)", e.Interrupted))
	}
	for i, err := range e.Failures {
		if i == mostListed {
			reasons = append(reasons, fmt.Sprintf("%d more failures", len(e.Failures)-i))
			break
		}
		reasons = append(reasons, err.Error())
	}
	if e.NotBegun > 0 {
		reasons = append(reasons, fmt.Sprintf("steps that were not begun: %d", e.NotBegun))
	}
	return fmt.Sprintf("execute the transition: %s; %s", strings.Join(reasons, "; "), e.outcome())
}

func (e *TransitionError) outcome() string {
	switch {
	case e.Result == OldNotRestored:
		return "not all services of the old configuration could be activated again"
	case e.Result == NewNotRemoved:
		return "not all services of the new configuration could be deactivated again"
	case e.NotUndone:
		return "everything is left as it is, since no rollback is wanted"
	default:
		return "the old configuration stands"
	}
}

// Unwrap returns the reasons for the failure.
func (e *TransitionError) Unwrap() []error {
	if e.Interrupted == nil {
		return e.Failures
	}
	return append([]error{e.Interrupted}, e.Failures...)
}

// ExitCode returns the exit code of disnix-activate.
func (e *TransitionError) ExitCode() int { return int(e.Result) }

// undoDeactivation activates again what has been deactivated, or may have been.
func (t *transition) undoDeactivation(ctx context.Context, stopped attempt) error {
	if t.Options.NoRollback {
		t.Reporter.Problem("", "Deactivation failed, but not performing a rollback, since that is disabled!\n"+
			"Services that have been deactivated stay inactive.")
		return t.failure(stopped, TransitionFailed)
	}
	if stopped.interrupted != nil {
		t.Reporter.Problem("", "The deactivation phase has been interrupted, reactivating services again...")
	}
	t.Reporter.Problem("", "Deactivation failed! Doing a rollback...")
	if !t.undo(ctx, stopped) {
		t.Reporter.Problem("", "Obsolete mappings rollback failed!")
		t.Reporter.Notice("")
		return t.failure(stopped, OldNotRestored)
	}
	return t.failure(stopped, TransitionFailed)
}

// undoActivation deactivates what has been activated, or may have been, and
// activates the old services again.
func (t *transition) undoActivation(ctx context.Context, started attempt) error {
	if t.Options.NoRollback {
		t.Reporter.Problem("", "Activation failed, but not doing a rollback, since that is disabled!\n"+
			"Services that have been activated stay active, and those that have been deactivated stay inactive.")
		return t.failure(started, TransitionFailed)
	}
	if started.interrupted != nil {
		t.Reporter.Problem("", "The activation has been interrupted, reverting back to the old state...")
	}
	t.Reporter.Problem("", "Activation failed! Doing a rollback...")
	if !t.undo(ctx, started) {
		t.Reporter.Problem("", "New mappings rollback failed!")
		t.Reporter.Notice("")
		return t.failure(started, NewNotRemoved)
	}
	steps := t.plan.Deactivations()
	if !t.undo(ctx, attempt{steps: steps, results: succeeded(steps)}) {
		return t.failure(started, OldNotRestored)
	}
	return t.failure(started, TransitionFailed)
}

// succeeded returns the results of steps that have all succeeded.
func succeeded(steps []*plan.Step) []stepResult {
	results := make([]stepResult, len(steps))
	for i := range results {
		results[i].Started = true
	}
	return results
}

// undo carries out the inverse of every step that was begun, and reports
// whether all that was done is undone.
//
// A step that failed may have been done in part, so its inverse is tried, too.
// If that fails as well, as it does with a plugin that refuses to stop what it
// could not start, the step counts as one that has had no effect; the service
// is listed as displaced, since nobody knows.
func (t *transition) undo(ctx context.Context, a attempt) bool {
	begun := a.begun()
	inverse := plan.Inverse(begun)
	failedBefore := make(map[*plan.Step]bool)
	for i, s := range begun {
		if a.results[s.ID-a.steps[0].ID].Err != nil {
			failedBefore[inverse[len(begun)-1-i]] = true
		}
	}
	tolerate := func(s *plan.Step) bool { return failedBefore[s] }
	t.Reporter.PlanReady(inverse)
	results := t.executor(editionOf(a.steps), tolerate).execute(context.WithoutCancel(ctx), inverse)
	t.state.record(inverse, results)
	undone := true
	for i, r := range results {
		if r.Err != nil && !tolerate(inverse[i]) {
			undone = false
		}
	}
	return undone
}

// failure describes the failed attempt, after the rollback.
func (t *transition) failure(a attempt, result TransitionResult) error {
	e := &TransitionError{
		Result:      result,
		NotUndone:   t.Options.NoRollback,
		Interrupted: a.interrupted,
		Displaced:   t.state.displaced(),
	}
	for _, r := range a.results {
		switch {
		case r.Err == nil:
		case r.Started:
			e.Failures = append(e.Failures, r.Err)
		default:
			e.NotBegun++
		}
	}
	return e
}
