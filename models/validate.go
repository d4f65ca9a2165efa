package models

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Validate reports every mistake in the manifest, as [Problems]: elements that
// are not set, references to services and targets that do not exist or do not
// fit, addresses and containers that two parties claim, and cycles of ordered
// dependencies. It takes time in proportion to the manifest.
func (m *Manifest) Validate() error {
	if problems := m.absent(); len(problems) > 0 {
		return problems // nothing else can be examined
	}
	v := &validation{manifest: m, mapped: make(map[Dependency]struct{}, len(m.ServiceMappings))}
	for _, mapping := range m.ServiceMappings {
		v.mapped[mapping.Identity()] = struct{}{}
	}
	v.profiles()
	v.services()
	v.infrastructure()
	v.serviceMappings()
	v.snapshotMappings()
	v.providers()
	v.cycles()
	return v.problems.Err()
}

// absent reports services and targets that are nil.
func (m *Manifest) absent() Problems {
	var problems Problems
	for _, key := range sorted(m.Services) {
		if m.Services[key] == nil {
			problems = append(problems, fmt.Errorf("service with key %s is not set", key))
		}
	}
	return append(problems, m.Infrastructure.absent()...)
}

type validation struct {
	manifest *Manifest
	mapped   map[Dependency]struct{} // identities of all service mappings
	problems Problems
	// places holds, once it is needed, where each service is mapped to.
	places map[string][]Dependency
}

func (v *validation) add(format string, args ...any) {
	v.problems = append(v.problems, fmt.Errorf(format, args...))
}

func (v *validation) profiles() {
	for _, target := range sorted(v.manifest.Profiles) {
		if v.manifest.Profiles[target] == "" {
			v.add("profile of target %q: profile is not set!", target)
		}
		if _, ok := v.manifest.Infrastructure[target]; !ok {
			v.add("profile %s: target %q is not in the infrastructure", v.manifest.Profiles[target], target)
		}
	}
}

func (v *validation) services() {
	for _, key := range sorted(v.manifest.Services) {
		service := v.manifest.Services[key]
		v.problems = append(v.problems, service.problems(key)...)
		v.dependencies(key, "dependsOn", service.DependsOn)
		v.dependencies(key, "connectsTo", service.ConnectsTo)
	}
}

// dependencies checks that a service refers to existing service mappings.
func (v *validation) dependencies(key, kind string, dependencies []Dependency) {
	for i, d := range dependencies {
		if _, ok := v.mapped[d]; ok || len(d.problems()) > 0 {
			continue
		}
		for _, err := range v.dangling(d) {
			v.add("%s: %s mapping %d: %w", v.manifest.Services[key].describe(key), kind, i, err)
		}
	}
}

// dangling says why there is no service mapping with this identity.
func (v *validation) dangling(d Dependency) []error {
	var reasons []error
	provider, ok := v.manifest.Services[d.Service]
	if !ok {
		reasons = append(reasons, fmt.Errorf("service %s is not in the manifest", d.Service))
	}
	if _, ok := v.manifest.Infrastructure[d.Target]; !ok {
		reasons = append(reasons, fmt.Errorf("target %q is not in the infrastructure", d.Target))
	}
	if len(reasons) == 0 {
		reasons = append(reasons, fmt.Errorf("%s is not mapped to container %q on target %q; it is mapped to %s",
			provider.describe(d.Service), d.Container, d.Target, v.placesOf(d.Service)))
	}
	return reasons
}

// placesOf says where a service is mapped to.
func (v *validation) placesOf(service string) string {
	if v.places == nil {
		v.places = make(map[string][]Dependency)
		for _, m := range v.manifest.ServiceMappings {
			v.places[m.Service] = append(v.places[m.Service], m.Identity())
		}
	}
	places := v.places[service]
	if len(places) == 0 {
		return "no target"
	}
	const shown = 3
	var texts []string
	for _, p := range places[:min(shown, len(places))] {
		texts = append(texts, fmt.Sprintf("container %q on target %q", p.Container, p.Target))
	}
	if len(places) > shown {
		texts = append(texts, fmt.Sprintf("%d more", len(places)-shown))
	}
	return strings.Join(texts, ", ")
}

func (v *validation) infrastructure() {
	var problems Problems
	if errors.As(v.manifest.Infrastructure.Validate(), &problems) {
		v.problems = append(v.problems, problems...)
	}
}

func (v *validation) serviceMappings() {
	rank := newRanking(v.manifest.ServiceMappings, ServiceMapping.compare)
	for i, m := range v.manifest.ServiceMappings {
		v.problems = append(v.problems, m.problems(i)...)
		v.references("Service mapping", m, i, rank)
		v.provider(m)
	}
}

func (v *validation) snapshotMappings() {
	rank := newRanking(v.manifest.SnapshotMappings, SnapshotMapping.compare)
	for i, m := range v.manifest.SnapshotMappings {
		v.problems = append(v.problems, m.problems(i)...)
		sound := v.references("Snapshot mapping", m.ServiceMapping, i, rank)
		v.provider(m.ServiceMapping)
		if _, ok := v.mapped[m.Identity()]; sound && !ok && v.manifest.Services[m.Service].Type != PackageType {
			v.add("snapshot mapping of component %q (%s): no service mapping has this service, container and target", m.Component, m.Identity())
		}
	}
}

// references checks that a mapping names an existing service and target, and
// says so in the original's words.
func (v *validation) references(kind string, m ServiceMapping, index int, rank interface{ of(index int) int }) bool {
	_, hasService := v.manifest.Services[m.Service]
	if !hasService && m.Service != "" {
		v.add("%s: %s: %d contains an incorrect reference to service: %s", m.Identity(), kind, rank.of(index), m.Service)
	}
	_, hasTarget := v.manifest.Infrastructure[m.Target]
	if !hasTarget && m.Target != "" {
		v.add("%s: %s: %d contains an incorrect reference to target: %s", m.Identity(), kind, rank.of(index), m.Target)
	}
	return hasService && hasTarget
}

// ranking tells the place that an element has when all are sorted. It sorts
// only when it is asked.
type ranking[T any] struct {
	elements []T
	compare  func(a, b T) int
	ranks    []int
}

func newRanking[T any](elements []T, compare func(a, b T) int) *ranking[T] {
	return &ranking[T]{elements: elements, compare: compare}
}

func (r *ranking[T]) of(index int) int {
	if r.ranks == nil {
		order := make([]int, len(r.elements))
		for i := range order {
			order[i] = i
		}
		slices.SortStableFunc(order, func(a, b int) int { return r.compare(r.elements[a], r.elements[b]) })
		r.ranks = make([]int, len(order))
		for rank, i := range order {
			r.ranks[i] = rank
		}
	}
	return r.ranks[index]
}
