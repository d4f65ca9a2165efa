package coordinator

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/disnix-go/disnix/coordinator/plan"
	"github.com/disnix-go/disnix/service"
)

// Activate carries out the transition alone, as disnix-activate does: services
// of the previous configuration are deactivated and those of the manifest are
// activated. With dryRun it only reports what it would do, and contacts no
// target.
//
// The error is a [*TransitionError], or what is wrong with the manifests.
func (d *Deployment) Activate(ctx context.Context, dryRun bool) error {
	p, err := plan.New(d.Previous, d.Manifest, plan.Options{NoUpgrade: d.Options.NoUpgrade})
	if err != nil {
		return fmt.Errorf("plan the transition: %w", err)
	}
	if dryRun {
		d.rehearse(p)
		return nil
	}
	if err := d.dropAbsent(ctx); err != nil {
		return err
	}
	return d.Transition(ctx, p)
}

// Transition executes a plan (transition, section 5): all deactivations, then
// all activations. When one of them fails, what does not depend on it is still
// done; then, unless Options.NoRollback is set, everything is undone.
//
// When ctx is cancelled, no further step is started, those under way are
// completed, and everything is undone. The rollback itself cannot be cancelled.
//
// Before anything is touched, every target that has a part in the plan is
// connected to. Steps on targets that have been dropped are passed over.
//
// The error is a [*TransitionError].
func (d *Deployment) Transition(ctx context.Context, p *plan.Plan) error {
	t := newTransition(d, p)
	t.announce()
	err := t.connect(ctx)
	if err == nil {
		err = t.execute(ctx)
	}
	if err != nil {
		d.Reporter.Problem("", "ERROR: Transition phase execution failed!")
		t.advise(err)
		return err
	}
	d.Reporter.Problem("", "The new configuration has been successfully activated!")
	return nil
}

// transition is the execution of one plan.
type transition struct {
	*Deployment
	plan  *plan.Plan
	state whereabouts
}

func newTransition(d *Deployment, p *plan.Plan) *transition {
	return &transition{Deployment: d, plan: p, state: newWhereabouts(p)}
}

// connect opens the connections to all targets of the plan.
func (t *transition) connect(ctx context.Context) error {
	targets := make(map[string]bool)
	for _, s := range t.plan.Execution() {
		if t.Targets.Has(s.Mapping.Target) {
			targets[s.Mapping.Target] = true
		}
	}
	err := inParallel(ctx, slices.Sorted(maps.Keys(targets)), 0, func(target string) error {
		_, err := t.Targets.Get(ctx, target)
		return err
	})
	if err != nil {
		return &TransitionError{Result: TransitionFailed, Failures: []error{err}}
	}
	return nil
}

func (t *transition) execute(ctx context.Context) error {
	t.Reporter.PlanReady(t.plan.Execution())
	t.Reporter.Progress("", "Executing deactivation of services:")
	stopped := t.attempt(ctx, t.plan.Deactivations())
	if stopped.failed() {
		return t.undoDeactivation(ctx, stopped)
	}
	t.Reporter.Progress("", "Executing activation of services:")
	started := t.attempt(ctx, t.plan.Activations())
	if started.failed() {
		return t.undoActivation(ctx, started)
	}
	return nil
}

// attempt is the execution of all steps of one kind.
type attempt struct {
	steps       []*plan.Step
	results     []stepResult
	interrupted error // the cause of the cancellation, or nil
}

// attempt carries out steps, which are of one kind.
func (t *transition) attempt(ctx context.Context, steps []*plan.Step) attempt {
	results := t.executor(editionOf(steps), nil).execute(ctx, steps)
	t.state.record(steps, results)
	return attempt{steps, results, context.Cause(ctx)}
}

func (a attempt) failed() bool {
	return a.interrupted != nil || slices.ContainsFunc(a.results, func(r stepResult) bool { return r.Err != nil })
}

// begun returns the steps that were started, successfully or not: those that
// have to be undone.
func (a attempt) begun() []*plan.Step {
	var steps []*plan.Step
	for i, r := range a.results {
		if r.Started {
			steps = append(steps, a.steps[i])
		}
	}
	return steps
}

// executor returns what carries out steps on the services of an edition.
func (t *transition) executor(e edition, tolerate func(s *plan.Step) bool) executor {
	return executor{
		run: func(ctx context.Context, s *plan.Step) error {
			return t.run(ctx, s, e)
		},
		cores:    t.coresOf,
		limit:    t.Options.Concurrency,
		tolerate: tolerate,
		reporter: t.Reporter,
	}
}

func (t *transition) coresOf(target string) int {
	if machine := t.plan.Infrastructure[target]; machine != nil {
		return machine.NumOfCores
	}
	return 1
}

// run carries out one step on its target.
func (t *transition) run(ctx context.Context, s *plan.Step, e edition) error {
	target := s.Mapping.Target
	if !t.Targets.Has(target) {
		t.Reporter.Progress(target, fmt.Sprintf(
			"Skip service with key: %s deploying service: %s since machine is no longer present!",
			s.Mapping.Service, s.Service.Package))
		return nil
	}
	t.Reporter.Progress(target, describeActivity(s, false))
	err := t.journal.Do(e.action(s), func() error { return t.ask(ctx, s) })
	if err != nil {
		t.Reporter.Problem(target, fmt.Sprintf("%s failed of service: %s (%s: %v)",
			nounOf(s.Kind), s.Mapping.Service, s.Service.Name, err))
		return fmt.Errorf("%s service %q in container %q on target %q: %w",
			s.Kind, s.Service.Name, s.Mapping.Container, target, err)
	}
	return nil
}

// ask makes the target of a step do it.
func (t *transition) ask(ctx context.Context, s *plan.Step) error {
	target, err := t.Targets.Get(ctx, s.Mapping.Target)
	if err != nil {
		return err
	}
	activity := service.Activity{
		Component: s.Service.Package,
		Container: s.Mapping.Container,
		Type:      s.Type,
		Arguments: s.Arguments,
		Output:    t.Reporter.Output(s.Mapping.Target),
	}
	if s.Kind == plan.Deactivate {
		return target.Deactivate(ctx, activity)
	}
	if s.Service.Readiness != nil {
		// The arguments are shared by all services in the container.
		activity.Arguments = append(slices.Clone(s.Arguments), s.Service.Readiness.Argument())
	}
	return target.Activate(ctx, activity)
}
