package coordinator

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/disnix-go/disnix/coordinator/plan"
	"github.com/disnix-go/disnix/models"
	"github.com/disnix-go/disnix/service"
)

// state is the managed state of one component, and how its plugin is asked
// for it: a step without a kind.
type state struct {
	stateID
	step plan.Step
}

// stateID identifies state. The service's key is not part of it, so that
// state survives an upgrade in place (transition, section 7).
type stateID struct{ target, container, component string }

func compareStates(a, b stateID) int {
	return cmp.Or(
		cmp.Compare(a.target, b.target),
		cmp.Compare(a.container, b.container),
		cmp.Compare(a.component, b.component))
}

// String names the state in errors that name the target themselves.
func (s stateID) String() string {
	return fmt.Sprintf("component %q in container %q", s.component, s.container)
}

func (s stateID) kind() containerComponent { return containerComponent{s.container, s.component} }

// deployedTo is how the original's messages name the place.
func (s stateID) deployedTo() string {
	return fmt.Sprintf("component: %s deployed to container: %s", s.component, s.container)
}

// states returns the managed state of a configuration, sorted; only that of
// the selected container and component, if the user selected one. Every
// mapping that refers to an unknown service is reported.
func (d *Deployment) states(m *models.Manifest) ([]state, error) {
	o := d.Options.Migration
	return d.selectedStates(m, func(sm models.SnapshotMapping) bool {
		return (o.Container == "" || o.Container == sm.Container) &&
			(o.Component == "" || o.Component == sm.Component)
	})
}

func (d *Deployment) selectedStates(m *models.Manifest, selected func(models.SnapshotMapping) bool) ([]state, error) {
	var states []state
	var problems models.Problems
	active := providersIn(d.Manifest)
	for i, sm := range m.SnapshotMappings {
		if !selected(sm) {
			continue
		}
		s := state{stateID: stateID{sm.Target, sm.Container, sm.Component}}
		var err error
		if s.step, err = d.stateStep(m, active, sm.ServiceMapping); err != nil {
			problems = append(problems, fmt.Errorf("snapshot mapping %d: %s on target %q: %w", i, s, s.target, err))
			continue
		}
		states = append(states, s)
	}
	slices.SortStableFunc(states, func(a, b state) int { return compareStates(a.stateID, b.stateID) })
	states = slices.CompactFunc(states, func(a, b state) bool { return a.stateID == b.stateID })
	return states, problems.Err()
}

// stateStep says how the plugin of a mapping of m is called. A container that
// is provided by a service is reached through the version of that service
// which is active after the transition.
func (d *Deployment) stateStep(m *models.Manifest, active providers, mapping models.ServiceMapping) (plan.Step, error) {
	s, ok := m.Services[mapping.Service]
	if !ok {
		return plan.Step{}, fmt.Errorf("there is no service with key %s", mapping.Service)
	}
	step := plan.Step{Mapping: mapping, Service: s, Type: s.Type}
	var properties models.Properties
	if key := mapping.ContainerProvidedByService; key == "" {
		properties = d.containersOf(mapping.Target)[mapping.Container]
	} else {
		provider := active.of(m, mapping)
		if provider == nil {
			provider = m.Services[key]
		}
		if provider == nil {
			return plan.Step{}, fmt.Errorf("its container is provided by an unknown service with key %s", key)
		}
		step.Type = provider.Package
		properties = provider.ProvidesContainers[mapping.Container]
	}
	step.Arguments = properties.Arguments()
	return step, nil
}

// activity is what the target of the state is asked for.
func (d *Deployment) activity(s state) service.Activity {
	return service.Activity{
		Component: s.step.Service.Package,
		Container: s.container,
		Type:      s.step.Type,
		Arguments: s.step.Arguments,
		Output:    d.Reporter.Output(s.target),
	}
}

func (d *Deployment) containersOf(target string) map[string]models.Properties {
	if t, ok := d.Manifest.Infrastructure[target]; ok {
		return t.Containers
	}
	if d.Previous != nil {
		if t, ok := d.Previous.Infrastructure[target]; ok {
			return t.Containers
		}
	}
	return nil
}

// cores returns the number of activities that may run on a target at once.
func (d *Deployment) cores(target string) int {
	t, ok := d.Manifest.Infrastructure[target]
	if !ok && d.Previous != nil {
		t, ok = d.Previous.Infrastructure[target]
	}
	if !ok {
		return 1
	}
	return t.NumOfCores
}

// without returns the states that are not among the others.
func without(states, others []state) []state {
	known := make(map[stateID]bool, len(others))
	for _, s := range others {
		known[s.stateID] = true
	}
	return slices.DeleteFunc(slices.Clone(states), func(s state) bool { return known[s.stateID] })
}

// byTarget groups sorted states; the targets keep their order.
func byTarget(states []state) (targets []string, groups map[string][]state) {
	groups = make(map[string][]state)
	for _, s := range states {
		if len(groups[s.target]) == 0 {
			targets = append(targets, s.target)
		}
		groups[s.target] = append(groups[s.target], s)
	}
	return targets, groups
}

// onEachState calls do for every state, within the limits of the targets'
// cores and of Options.Concurrency. A failure does not stop the others; after
// ctx has been cancelled no further call is started, and those under way are
// completed. The errors are in the order of the states.
func (d *Deployment) onEachState(ctx context.Context, kind plan.Kind, states []state, do operation) error {
	steps := make([]*plan.Step, len(states))
	for i, s := range states {
		step := s.step
		step.ID, step.Kind = i, kind
		steps[i] = &step
	}
	d.Reporter.PlanReady(steps)
	results := executor{
		run: func(ctx context.Context, step *plan.Step) error {
			t, err := d.Targets.Get(ctx, step.Mapping.Target)
			if err != nil {
				return err
			}
			return do(ctx, t, states[step.ID])
		},
		cores:    d.cores,
		limit:    d.Options.Concurrency,
		reporter: d.Reporter,
	}.execute(ctx, steps)
	errs := make([]error, 0, len(results))
	for i, r := range results {
		if r.Err != nil {
			errs = append(errs, fmt.Errorf("target %q: %s %s: %w", states[i].target, kind, states[i], r.Err))
		}
	}
	if len(errs) == 0 {
		return nil
	}
	return errors.Join(append(errs, ctx.Err())...)
}
