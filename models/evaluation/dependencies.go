package evaluation

import (
	"fmt"
	"slices"
	"strings"

	"github.com/disnix-go/disnix/models"
)

// checkDependencies resolves the three kinds of dependencies of a service and
// decides their order, which the service's key depends on.
func (c *checker) checkDependencies(u *unit, in service) {
	after := c.bonds(u, "activatesAfter", in.ActivatesAfter)
	on := c.bonds(u, "dependsOn", in.DependsOn)
	u.connected = c.bonds(u, "connectsTo", in.ConnectsTo)
	for _, b := range after {
		if !slices.ContainsFunc(on, func(o bond) bool { return o.parameter == b.parameter }) {
			on = append(on, b)
		}
	}
	for _, b := range c.implicit(u) {
		on = joinBond(on, b)
	}
	slices.SortStableFunc(on, func(a, b bond) int { return strings.Compare(a.parameter, b.parameter) })
	u.ordered = on
	c.checkDeployState(u)
	c.checkContainers(u)
}

// implicit returns the order after the services that provide the containers
// of a service. One place per provider is enough to name it; that each
// instance comes after the provider on its own target is in the mappings, as
// ContainerProvidedByService. (Models, section 8, rule 9.)
func (c *checker) implicit(u *unit) []bond {
	var bonds []bond
	for _, s := range u.places {
		provider, known := c.services[s.provider]
		if !known || slices.ContainsFunc(bonds, func(b bond) bool { return b.service == s.provider }) {
			continue
		}
		i := slices.IndexFunc(provider.places, func(p spot) bool { return p.target == s.target })
		if i < 0 {
			continue
		}
		bonds = append(bonds, bond{
			attribute: fmt.Sprintf("container %q", s.container),
			parameter: s.provider,
			service:   s.provider,
			spots:     provider.places[i : i+1],
		})
	}
	return bonds
}

// joinBond adds an implicit bond without taking anything from the declared
// ones (models, rough edge 2).
func joinBond(bonds []bond, implicit bond) []bond {
	i := slices.IndexFunc(bonds, func(b bond) bool {
		return b.parameter == implicit.parameter && b.service == implicit.service
	})
	if i < 0 {
		return append(bonds, implicit)
	}
	for _, s := range implicit.spots {
		if !slices.Contains(bonds[i].spots, s) {
			bonds[i].spots = append(slices.Clone(bonds[i].spots), s)
		}
	}
	return bonds
}

// bonds resolves one of the attributes dependsOn, connectsTo, activatesAfter.
func (c *checker) bonds(u *unit, attribute string, set field[pairs[field[dependency]]]) []bond {
	if set.invalid != "" {
		c.problem("service %q: attribute %s must be an attribute set of services, not %s", u.name, attribute, set.invalid)
		return nil
	}
	var bonds []bond
	for _, member := range set.value {
		name := attribute + "." + member.name
		if member.value.invalid != "" {
			c.problem("service %q: %s must be a service with a name, not %s", u.name, name, member.value.invalid)
			continue
		}
		if b, ok := c.bond(u, attribute, name, member.value.value); ok {
			b.parameter = member.name
			bonds = append(bonds, b)
		}
	}
	return bonds
}

func (c *checker) bond(u *unit, kind, attribute string, d dependency) (bond, bool) {
	provider, known := c.services[d.Service]
	switch {
	case !known && slices.Contains(c.in.Ignored, d.Service):
		c.problem("service %q: %s refers to service %q, which has no targets", u.name, attribute, d.Service)
		return bond{}, false
	case !known:
		c.problem("service %q: %s refers to service %q, which does not exist", u.name, attribute, d.Service)
		return bond{}, false
	case provider.typ == models.PackageType:
		c.problem("service %q: %s refers to service %q, which has the type package: it is installed but never activated, so nothing can depend on it", u.name, attribute, d.Service)
		return bond{}, false
	case d.Explicit && d.Targets == nil:
		c.problem("service %q: the targets of %s must be a list of targets or an attribute set { targets = [ { target = …; } … ]; }", u.name, attribute)
		return bond{}, false
	}
	b := bond{attribute: attribute, service: d.Service, spots: provider.places}
	if d.Explicit {
		b.spots = c.refined(u, attribute, provider, *d.Targets)
	}
	switch {
	case len(b.spots) > 0 || len(u.places) == 0 || kind != "dependsOn":
	case len(provider.places) == 0:
		c.problem("service %q depends on service %q (%s), which is not deployed to any target: map it to a target or remove the dependency", u.name, d.Service, attribute)
	case d.Explicit && len(*d.Targets) == 0:
		c.problem("service %q: %s states an empty list of targets, so there is nothing to depend on: name a target or remove the dependency", u.name, attribute)
	}
	return b, true
}

// refined resolves the targets that a reference states; the provider has to
// be deployed there.
func (c *checker) refined(u *unit, attribute string, provider *unit, targets []place) []spot {
	spots := c.places(fmt.Sprintf("service %q: %s", u.name, attribute), targets, true)
	for _, s := range spots {
		if !slices.ContainsFunc(provider.places, func(p spot) bool {
			return p.target == s.target && p.container == s.container
		}) {
			c.problem("service %q: %s refers to service %q in container %q of target %q, but it is not deployed there", u.name, attribute, provider.name, s.container, s.target)
		}
	}
	return spots
}

// checkDeployState rejects managed state of a service that is never active
// (models, rough edge 6).
func (c *checker) checkDeployState(u *unit) {
	if u.typ == models.PackageType && u.deployState && !c.defaultDeployState {
		c.problem("service %q has the type package, so it has no state: remove its deployState", u.name)
	}
}

// checkContainers warns of containers that nobody declares where the target
// declares others. They may be configured on the machine itself.
func (c *checker) checkContainers(u *unit) {
	if u.typ == models.PackageType {
		return
	}
	for _, s := range u.places {
		declared := c.infrastructure[s.target].Containers
		if _, ok := declared[s.container]; ok || s.provider != "" || len(declared) == 0 {
			continue
		}
		c.warn("service %q is mapped to container %q of target %q, which declares other containers but not this one, and no service provides it: it gets no container properties", u.name, s.container, s.target)
	}
}

// checkCycles reports services that would have to be activated before
// themselves, each cycle with its whole path.
func (c *checker) checkCycles() {
	const (
		unseen = iota
		open
		done
	)
	state := make(map[string]int, len(c.services))
	reported := make(map[string]bool)
	var path []bond // the bond that led to each open service but the first
	var visit func(name string)
	visit = func(name string) {
		state[name] = open
		for _, b := range c.services[name].ordered {
			if len(b.spots) == 0 {
				continue
			}
			path = append(path, b)
			switch state[b.service] {
			case unseen:
				visit(b.service)
			case open:
				c.reportCycle(path, reported)
			}
			path = path[:len(path)-1]
		}
		state[name] = done
	}
	for _, name := range c.names {
		if state[name] == unseen {
			visit(name)
		}
	}
}

// reportCycle describes the cycle that the last bond of a path closes, unless
// one of its services has been in a reported cycle.
func (c *checker) reportCycle(path []bond, reported map[string]bool) {
	last := path[len(path)-1]
	start := len(path) - 1
	for start > 0 && path[start-1].service != last.service {
		start--
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%q", last.service)
	known := false
	for _, step := range path[start:] {
		fmt.Fprintf(&b, " -> %q (%s)", step.service, step.attribute)
		known = known || reported[step.service]
		reported[step.service] = true
	}
	if !known {
		c.problem("services depend on each other in a cycle, so that none can be activated first: %s", b.String())
	}
}
