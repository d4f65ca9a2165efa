package idassign

import (
	"maps"
	"slices"

	"github.com/disnix-go/disnix/models"
)

// valid returns what is still valid of the ids of the last run, with an entry
// for each resource.
func (m Models) valid() *models.IDs {
	previous := m.Previous
	if previous == nil {
		previous = &models.IDs{}
	}
	ids := &models.IDs{Assigned: map[string]map[string]int{}, Last: map[string]int{}, LastPerTarget: map[string]map[string]int{}}
	for name, resource := range m.Resources {
		resource = normalized(resource)
		ids.Assigned[name] = m.validOf(name, resource, previous.Assigned[name])
		if last, ok := previous.Last[name]; ok {
			ids.Last[name] = last
		}
	}
	targets, _ := m.targets()
	for _, target := range targets {
		last, ok := previous.LastPerTarget[target]
		if !ok {
			continue
		}
		ids.LastPerTarget[target] = map[string]int{}
		for name := range m.Resources {
			if id, ok := last[name]; ok {
				ids.LastPerTarget[target][name] = id
			}
		}
	}
	return ids
}

// validOf returns the valid ids of one resource. Of services that have the
// same id where it must be unique, the first by name keeps it.
func (m Models) validOf(name string, resource models.IDResource, previous map[string]int) map[string]int {
	valid := map[string]int{}
	taken := map[string]map[int]bool{}
	for _, service := range slices.Sorted(maps.Keys(previous)) {
		id := previous[service]
		if !m.considered(service) || !m.needs(service, name) || id < resource.Min || id > resource.Max {
			continue
		}
		places := []string{""}
		if resource.Scope == models.MachineScope {
			places = m.Distribution[service]
		}
		if slices.ContainsFunc(places, func(place string) bool { return taken[place][id] }) {
			continue
		}
		for _, place := range places {
			if taken[place] == nil {
				taken[place] = map[int]bool{}
			}
			taken[place][id] = true
		}
		valid[service] = id
	}
	return valid
}
