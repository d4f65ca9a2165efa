package plan

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/disnix-go/disnix/models"
)

// deployment is a manifest as a graph: its distinct service mappings, sorted
// by target, container, service name and key, and what each depends on.
type deployment struct {
	manifest *models.Manifest
	mappings []mapping
	index    map[models.Dependency]int // into mappings
	// dependants holds for each mapping those that depend on it, sorted.
	dependants [][]int
}

type mapping struct {
	models.ServiceMapping
	service *models.Service
	// providers are the mappings that must be active before this one, sorted.
	providers []int
}

// newDeployment makes the graph of a manifest. Problems begin with label.
func newDeployment(label string, m *models.Manifest) (*deployment, models.Problems) {
	d := &deployment{
		manifest: m,
		mappings: make([]mapping, 0, len(m.ServiceMappings)),
		index:    make(map[models.Dependency]int, len(m.ServiceMappings)),
	}
	var problems models.Problems
	report := func(format string, arguments ...any) {
		problems = append(problems, fmt.Errorf("%s: "+format, append([]any{label}, arguments...)...))
	}
	for _, sm := range m.ServiceMappings {
		if _, ok := d.index[sm.Identity()]; ok {
			continue
		}
		d.index[sm.Identity()] = -1
		service := m.Services[sm.Service]
		if service == nil {
			report("mapping to container %q of target %q: there is no service with key %s",
				sm.Container, sm.Target, sm.Service)
			continue
		}
		if m.Infrastructure[sm.Target] == nil {
			report("service %q: target %q is not in the infrastructure", service.Name, sm.Target)
		}
		d.mappings = append(d.mappings, mapping{ServiceMapping: sm, service: service})
	}
	slices.SortFunc(d.mappings, compareMappings)
	for i := range d.mappings {
		d.index[d.mappings[i].Identity()] = i
	}
	d.connect(report)
	for _, cycle := range d.cycles() {
		report("cycle of dependencies: %s", d.path(cycle))
	}
	return d, problems
}

func compareMappings(a, b mapping) int {
	return cmp.Or(
		cmp.Compare(a.Target, b.Target),
		cmp.Compare(a.Container, b.Container),
		cmp.Compare(a.service.Name, b.service.Name),
		cmp.Compare(a.Service, b.Service),
	)
}

// connect finds the providers and dependants of every mapping.
func (d *deployment) connect(report func(format string, arguments ...any)) {
	onTarget := d.containerProviders()
	edges := 0
	for i := range d.mappings {
		m := &d.mappings[i]
		m.providers = make([]int, 0, len(m.service.DependsOn))
		for _, dependency := range m.service.DependsOn {
			provider, ok := d.index[dependency]
			if !ok || provider < 0 {
				report("service %q on target %q depends on %s in container %q of target %q, which is not mapped there",
					m.service.Name, m.Target, d.nameOf(dependency.Service), dependency.Container, dependency.Target)
				continue
			}
			m.providers = append(m.providers, provider)
		}
		// A container is there before what it contains, even if the model does
		// not say so (transition, 5.5 "implicit").
		if key := m.ContainerProvidedByService; key != "" {
			providers := onTarget[serviceOn{key, m.Target}]
			if len(providers) == 0 {
				report("service %q on target %q: its container %q is provided by %s, which is not mapped to that target",
					m.service.Name, m.Target, m.Container, d.nameOf(key))
			}
			m.providers = append(m.providers, providers...)
		}
		slices.Sort(m.providers)
		m.providers = slices.Compact(m.providers)
		edges += len(m.providers)
	}
	d.dependants = reverse(d.mappings, edges)
}

type serviceOn struct{ service, target string }

// containerProviders returns the mappings of those services that provide
// containers.
func (d *deployment) containerProviders() map[serviceOn][]int {
	providers := make(map[serviceOn][]int)
	for _, m := range d.mappings {
		if m.ContainerProvidedByService != "" {
			providers[serviceOn{m.ContainerProvidedByService, m.Target}] = nil
		}
	}
	for i, m := range d.mappings {
		place := serviceOn{m.Service, m.Target}
		if _, ok := providers[place]; ok {
			providers[place] = append(providers[place], i)
		}
	}
	return providers
}

// nameOf names a service for a person, even if the manifest does not have it.
func (d *deployment) nameOf(key string) string {
	if service := d.manifest.Services[key]; service != nil {
		return fmt.Sprintf("%q", service.Name)
	}
	return fmt.Sprintf("an unknown service with key %s", key)
}

// reverse turns providers into dependants.
func reverse(mappings []mapping, edges int) [][]int {
	count := make([]int, len(mappings))
	for i := range mappings {
		for _, provider := range mappings[i].providers {
			count[provider]++
		}
	}
	dependants := make([][]int, len(mappings))
	room := make([]int, edges)
	for i, n := range count {
		dependants[i], room = room[:0:n], room[n:]
	}
	for i := range mappings {
		for _, provider := range mappings[i].providers {
			dependants[provider] = append(dependants[provider], i)
		}
	}
	return dependants
}
