// Package idassign assigns unique numbers, such as ports and user ids, to the
// services that ask for them (process management page, section 8). Numbers
// that are assigned stay the same from run to run.
package idassign

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/disnix-go/disnix/models"
)

// Models are what ids are assigned by.
type Models struct {
	// Services are the resources that each service needs ids of.
	Services map[string][]string
	// Distribution are the targets of each service. Nil means that nothing is
	// known about it: then all services get ids, of resources with global
	// scope only.
	Distribution map[string][]string
	Resources    map[string]models.IDResource
	// Previous are the ids of the last run, or nil.
	Previous *models.IDs
}

// ErrDepleted says that a resource has no numbers left.
var ErrDepleted = errors.New("The amount of IDs is depleted!")

// Assign returns the ids of all services. Those of the last run are kept as
// far as they are valid; new ones follow the one that was assigned last, so
// that numbers are used again as late as possible. The error names every
// resource that it is about.
func (m Models) Assign() (*models.IDs, error) {
	if err := m.check(); err != nil {
		return nil, err
	}
	a := &assignment{Models: m, ids: m.valid()}
	var problems models.Problems
	for _, name := range slices.Sorted(maps.Keys(m.Resources)) {
		resource := normalized(m.Resources[name])
		var err error
		if resource.Scope == models.GlobalScope {
			err = a.assignGlobally(name, resource)
		} else {
			err = a.assignPerTarget(name, resource)
		}
		if err != nil {
			problems = append(problems, err)
		}
	}
	return a.ids, problems.Err()
}

// Warnings says what is valid, but probably not meant.
func (m Models) Warnings() []string {
	var warnings []string
	for _, service := range slices.Sorted(maps.Keys(m.Services)) {
		for _, resource := range m.Services[service] {
			if _, known := m.Resources[resource]; !known {
				warnings = append(warnings, fmt.Sprintf("service %q needs a unique id for %q, which is not in the ID resources", service, resource))
			}
		}
	}
	return warnings
}

func normalized(r models.IDResource) models.IDResource {
	if r.Scope == "" {
		r.Scope = models.GlobalScope
	}
	if r.Step == 0 {
		r.Step = 1
	}
	return r
}

func (m Models) check() error {
	var problems models.Problems
	for _, name := range slices.Sorted(maps.Keys(m.Resources)) {
		resource := normalized(m.Resources[name])
		switch {
		case resource.Scope != models.GlobalScope && resource.Scope != models.MachineScope:
			problems = append(problems, fmt.Errorf("resource %q: Unknown scope: %s", name, resource.Scope))
		case resource.Scope == models.MachineScope && m.Distribution == nil:
			problems = append(problems, fmt.Errorf("resource %q: Unknown scope: %s (it needs a distribution model: use --infrastructure and --distribution)", name, resource.Scope))
		}
		if resource.Min > resource.Max {
			problems = append(problems, fmt.Errorf("resource %q: min %d is larger than max %d", name, resource.Min, resource.Max))
		}
		if resource.Step < 1 {
			problems = append(problems, fmt.Errorf("resource %q: step %d is not positive", name, resource.Step))
		}
	}
	for _, service := range slices.Sorted(maps.Keys(m.Distribution)) {
		if _, known := m.Services[service]; !known {
			problems = append(problems, fmt.Errorf("the distribution model contains a mapping of service %q, which is not in the services model", service))
		}
	}
	return problems.Err()
}

// considered reports whether a service gets ids at all.
func (m Models) considered(service string) bool {
	return m.Distribution == nil || len(m.Distribution[service]) > 0
}

func (m Models) needs(service, resource string) bool {
	return slices.Contains(m.Services[service], resource)
}

// targets returns the targets that have services, with these, all sorted.
func (m Models) targets() (names []string, services map[string][]string) {
	services = map[string][]string{}
	for _, service := range slices.Sorted(maps.Keys(m.Distribution)) {
		for _, target := range m.Distribution[service] {
			if !slices.Contains(services[target], service) {
				services[target] = append(services[target], service)
			}
		}
	}
	return slices.Sorted(maps.Keys(services)), services
}

// assignment is the work on one set of ids.
type assignment struct {
	Models
	ids *models.IDs
}

func (a *assignment) assignGlobally(name string, resource models.IDResource) error {
	assigned := a.ids.Assigned[name]
	used := map[int]bool{}
	for _, id := range assigned {
		used[id] = true
	}
	for _, service := range slices.Sorted(maps.Keys(a.Services)) {
		if _, has := assigned[service]; has || !a.considered(service) || !a.needs(service, name) {
			continue
		}
		last, hasLast := a.ids.Last[name]
		id, ok := next(resource, last, hasLast, used)
		if !ok {
			return fmt.Errorf("resource %q, service %q: %w Its range is %d to %d: extend it, or let fewer services use it", name, service, ErrDepleted, resource.Min, resource.Max)
		}
		assigned[service], used[id], a.ids.Last[name] = id, true, id
	}
	return nil
}

func (a *assignment) assignPerTarget(name string, resource models.IDResource) error {
	assigned := a.ids.Assigned[name]
	targets, services := a.targets()
	for _, target := range targets {
		if a.ids.LastPerTarget[target] == nil {
			a.ids.LastPerTarget[target] = map[string]int{}
		}
	}
	for _, target := range targets {
		for _, service := range services[target] {
			if _, has := assigned[service]; has || !a.needs(service, name) {
				continue
			}
			last, hasLast := a.ids.LastPerTarget[target][name]
			id, ok := next(resource, last, hasLast, a.usedBeside(service, name, services))
			if !ok {
				return fmt.Errorf("resource %q, target %q, service %q: %w Its range is %d to %d: extend it, or let fewer services use it", name, target, service, ErrDepleted, resource.Min, resource.Max)
			}
			assigned[service], a.ids.LastPerTarget[target][name] = id, id
		}
	}
	return nil
}

// usedBeside returns the ids of all services on the targets of a service,
// which may be several: its id must be free on each.
func (a *assignment) usedBeside(service, resource string, services map[string][]string) map[int]bool {
	used := map[int]bool{}
	for _, target := range a.Distribution[service] {
		for _, other := range services[target] {
			if id, has := a.ids.Assigned[resource][other]; has {
				used[id] = true
			}
		}
	}
	return used
}

// next returns the id after the last one that is not used, from the beginning
// of the range again after its end. It reports false if there is none.
func next(resource models.IDResource, last int, hasLast bool, used map[int]bool) (int, bool) {
	candidate := resource.Min
	if hasLast && last <= resource.Max-resource.Step && last+resource.Step >= resource.Min {
		candidate = last + resource.Step
	}
	// Each way through the range meets the same numbers, but the first may
	// have begun beside them.
	for wraps := 0; wraps < 2; wraps++ {
		for ; ; candidate += resource.Step {
			if !used[candidate] {
				return candidate, true
			}
			if candidate > resource.Max-resource.Step {
				break
			}
		}
		candidate = resource.Min
	}
	return 0, false
}
