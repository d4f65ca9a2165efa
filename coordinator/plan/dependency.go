package plan

import (
	"cmp"
	"fmt"
	"slices"
)

// dependency is one dependency of a mapping, for the comparison of two
// editions of a service.
type dependency struct {
	place
	// changed says that the service there is not kept.
	changed bool
}

// dependencies returns what a mapping depends on, sorted by place, without the
// provider of its container.
func (s *side) dependencies(m *mapping) []dependency {
	dependencies := make([]dependency, 0, len(m.providers))
	for _, i := range m.providers {
		provider := &s.mappings[i]
		if provider.Service == m.ContainerProvidedByService && provider.Target == m.Target {
			continue
		}
		dependencies = append(dependencies, dependency{provider.place(), s.changed[i]})
	}
	slices.SortFunc(dependencies, func(a, b dependency) int {
		return cmp.Or(
			cmp.Compare(a.name, b.name),
			cmp.Compare(a.target, b.target),
			cmp.Compare(a.container, b.container))
	})
	return dependencies
}

// changedDependencies says which dependencies make two editions of a service
// different.
func (p *planner) changedDependencies(was, is *mapping) []string {
	before, after := p.from.dependencies(was), p.to.dependencies(is)
	var why []string
	changes := 0
	for len(before)+len(after) > 0 {
		name := firstName(before, after)
		var old, now []dependency
		old, before = splitName(before, name)
		now, after = splitName(after, name)
		reason := changeOf(name, old, now)
		if reason == "" {
			continue
		}
		if changes++; changes <= mostNamed {
			why = append(why, reason)
		}
	}
	if changes > mostNamed {
		why = append(why, fmt.Sprintf("%d more changes of dependencies", changes-mostNamed))
	}
	return why
}

// changeOf says what is new about the dependencies on one service, if
// anything.
func changeOf(name string, old, now []dependency) string {
	samePlaces := slices.EqualFunc(old, now, func(a, b dependency) bool { return a.place == b.place })
	switch {
	case len(now) == 0:
		return "no longer depends on " + name
	case len(old) == 0:
		return "now depends on " + name
	case !samePlaces:
		return fmt.Sprintf("depends on %s, which moved", name)
	case slices.ContainsFunc(now, func(d dependency) bool { return d.changed }):
		return fmt.Sprintf("depends on %s, which changed", name)
	default:
		return ""
	}
}

// firstName returns the first name in two lists that are sorted by name, of
// which one at least is not empty.
func firstName(a, b []dependency) string {
	if len(a) == 0 || len(b) > 0 && b[0].name < a[0].name {
		return b[0].name
	}
	return a[0].name
}

// splitName splits off the part of a sorted list with its first name, if it is
// that one.
func splitName(list []dependency, name string) (named, rest []dependency) {
	n := 0
	for n < len(list) && list[n].name == name {
		n++
	}
	return list[:n], list[n:]
}
