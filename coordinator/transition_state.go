package coordinator

import (
	"fmt"

	"github.com/disnix-go/disnix/coordinator/plan"
	"github.com/disnix-go/disnix/models"
)

// ServiceState is what is known about a service on a target.
type ServiceState string

// The states.
const (
	Active   ServiceState = "active"
	Inactive ServiceState = "not active"
	// Unknown: an activity failed, so that the service may be in any state.
	Unknown ServiceState = "in an unknown state"
)

// Displacement is a service in another state than it should be in.
type Displacement struct {
	Mapping models.ServiceMapping
	Service *models.Service
	State   ServiceState
	// Wanted is the state in which the old configuration has it.
	Wanted ServiceState
}

// String describes the displacement for a person.
func (d Displacement) String() string {
	return fmt.Sprintf("%s on target %s in container %s is %s, but should be %s",
		d.Service.Name, d.Mapping.Target, d.Mapping.Container, d.State, d.Wanted)
}

// whereabouts follows the state of everything that a plan changes.
type whereabouts struct {
	plan *plan.Plan
	// changed holds the states that are not those of the old configuration.
	changed map[models.ServiceMapping]ServiceState
}

func newWhereabouts(p *plan.Plan) whereabouts {
	return whereabouts{p, make(map[models.ServiceMapping]ServiceState)}
}

// record takes note of what steps have done.
func (w whereabouts) record(steps []*plan.Step, results []stepResult) {
	for i, s := range steps {
		switch r := results[i]; {
		case !r.Started:
		case r.Err != nil:
			w.changed[s.Mapping] = Unknown
		default:
			w.changed[s.Mapping] = stateAfter(s.Kind)
		}
	}
}

func stateAfter(kind plan.Kind) ServiceState {
	if kind == plan.Deactivate {
		return Inactive
	}
	return Active
}

// displaced returns what is not as the old configuration wants it, in the
// order of the plan.
func (w whereabouts) displaced() []Displacement {
	var displaced []Displacement
	old := make(map[models.ServiceMapping]bool)
	check := func(s *plan.Step, wanted ServiceState) {
		if state, ok := w.changed[s.Mapping]; ok && state != wanted {
			displaced = append(displaced, Displacement{s.Mapping, s.Service, state, wanted})
		}
	}
	for _, s := range w.plan.Deactivations() {
		old[s.Mapping] = true
		check(s, Active)
	}
	for _, s := range w.plan.Activations() {
		if !old[s.Mapping] {
			check(s, Inactive)
		}
	}
	return displaced
}
