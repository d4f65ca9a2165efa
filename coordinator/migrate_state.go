package coordinator

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/disnix-go/disnix/coordinator/plan"
	"github.com/disnix-go/disnix/models"
	"github.com/disnix-go/disnix/service"
)

// state is the managed state of one component, and how its plugin is asked
// for it.
type state struct {
	stateID
	activity service.Activity
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
	var states []state
	var problems models.Problems
	o := d.Options.Migration
	active := providersIn(d.Manifest)
	for i, sm := range m.SnapshotMappings {
		selected := (o.Container == "" || o.Container == sm.Container) &&
			(o.Component == "" || o.Component == sm.Component)
		if !selected {
			continue
		}
		s := state{stateID: stateID{sm.Target, sm.Container, sm.Component}}
		var err error
		if s.activity, err = d.stateActivity(m, active, sm.ServiceMapping); err != nil {
			problems = append(problems, fmt.Errorf("snapshot mapping %d: %s on target %q: %w", i, s, s.target, err))
			continue
		}
		states = append(states, s)
	}
	slices.SortStableFunc(states, func(a, b state) int { return compareStates(a.stateID, b.stateID) })
	states = slices.CompactFunc(states, func(a, b state) bool { return a.stateID == b.stateID })
	return states, problems.Err()
}

// stateActivity says how the plugin of a mapping of m is called. A container
// that is provided by a service is reached through the version of that
// service which is active after the transition.
func (d *Deployment) stateActivity(m *models.Manifest, active providers, mapping models.ServiceMapping) (service.Activity, error) {
	s, ok := m.Services[mapping.Service]
	if !ok {
		return service.Activity{}, fmt.Errorf("there is no service with key %s", mapping.Service)
	}
	activity := service.Activity{Component: s.Package, Container: mapping.Container, Type: s.Type}
	var properties models.Properties
	if key := mapping.ContainerProvidedByService; key == "" {
		properties = d.containersOf(mapping.Target)[mapping.Container]
	} else {
		provider := active.of(m, mapping)
		if provider == nil {
			provider = m.Services[key]
		}
		if provider == nil {
			return service.Activity{}, fmt.Errorf("its container is provided by an unknown service with key %s", key)
		}
		activity.Type = provider.Package
		properties = provider.ProvidesContainers[mapping.Container]
	}
	activity.Arguments = plan.Arguments(properties)
	return activity, nil
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
	return max(1, t.NumOfCores)
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

// onEachState calls do for every state, with the number of cores of a target
// as the limit there and Options.Concurrency as the limit of all together. A
// failure does not stop the others; after ctx has been cancelled no further
// call is started. The errors are in the order of the states.
func (d *Deployment) onEachState(ctx context.Context, states []state, do func(service.Service, state) error) error {
	targets, groups := byTarget(states)
	limit := d.Options.Concurrency
	if limit < 1 {
		limit = len(states)
	}
	free := make(chan struct{}, limit)
	return onEach(ctx, targets, 0, func(target string) error {
		t, err := d.Targets.Get(ctx, target)
		if err != nil {
			return err
		}
		return inParallel(ctx, groups[target], d.cores(target), func(s state) error {
			if err := acquire(ctx, free); err != nil {
				return fmt.Errorf("not attempted: %w", err)
			}
			defer func() { <-free }()
			return do(t, s)
		})
	})
}
