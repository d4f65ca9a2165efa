package models

import (
	"fmt"
	"slices"
	"strings"
)

// Convert returns the same system as a manifest of version 2. Its targets are
// those of the infrastructure, which are recognised by their addresses; the
// keys of the services stay. All mistakes are reported, as [Problems].
func (v *ManifestV1) Convert(infrastructure Infrastructure) (*Manifest, error) {
	if err := infrastructure.Validate(); err != nil {
		return nil, err
	}
	c := &conversion{names: make(map[string][]string), m: &Manifest{
		Profiles:       make(map[string]string),
		Services:       make(map[string]*Service),
		Infrastructure: infrastructure,
	}}
	for _, name := range sorted(infrastructure) {
		if address, err := infrastructure[name].Address(); err == nil {
			c.names[address] = append(c.names[address], name)
		}
	}
	for _, address := range sorted(v.Profiles) {
		c.m.Profiles[c.target(address)] = v.Profiles[address]
	}
	for _, mapping := range v.Mappings {
		c.mapping(mapping)
	}
	for _, mapping := range v.Snapshots {
		c.snapshot(mapping)
	}
	if err := c.problems.Err(); err != nil {
		return nil, err
	}
	return c.m, c.m.Validate()
}

// conversion is a manifest that is being converted.
type conversion struct {
	m        *Manifest
	names    map[string][]string // of the targets with an address
	unknown  []string            // addresses that were reported
	problems Problems
}

// target returns the name of the target with an address.
func (c *conversion) target(address string) string {
	names := c.names[address]
	if len(names) == 1 {
		return names[0]
	}
	if !slices.Contains(c.unknown, address) {
		c.unknown = append(c.unknown, address)
		err := fmt.Errorf("I don't know how to map target: %s to any machine in the infrastructure model!", address)
		if len(names) > 1 {
			err = fmt.Errorf("%w Several have this address: %s", err, strings.Join(names, ", "))
		}
		c.problems = append(c.problems, err)
	}
	return address
}

// dependency translates the target of a reference.
func (c *conversion) dependency(d Dependency) Dependency {
	d.Target = c.target(d.Target)
	return d
}

func (c *conversion) dependencies(list []Dependency) []Dependency {
	var converted []Dependency
	for _, d := range list {
		converted = append(converted, c.dependency(d))
	}
	return converted
}

func (c *conversion) mapping(v MappingV1) {
	place := c.dependency(v.Identity)
	c.m.ServiceMappings = append(c.m.ServiceMappings, ServiceMapping{Service: place.Service, Container: place.Container, Target: place.Target})
	service := &Service{
		Name: v.Name, Package: v.Package, Type: v.Type,
		DependsOn: c.dependencies(v.DependsOn), ConnectsTo: c.dependencies(v.ConnectsTo),
	}
	known, ok := c.m.Services[place.Service]
	if ok && !known.equal(service) {
		c.problems = append(c.problems, fmt.Errorf("key %s stands for two services: %s and %s", place.Service, known.Package, service.Package))
	}
	c.m.Services[place.Service] = service
}

// snapshot translates a snapshot mapping, which names the package of the
// service: the service with that package that is active at the same place.
func (c *conversion) snapshot(v SnapshotMappingV1) {
	target := c.target(v.Target)
	for _, mapping := range c.m.ServiceMappings {
		if mapping.Target == target && mapping.Container == v.Container && c.m.Services[mapping.Service].Package == v.Package {
			c.m.SnapshotMappings = append(c.m.SnapshotMappings, SnapshotMapping{ServiceMapping: mapping, Component: v.Component})
			return
		}
	}
	c.problems = append(c.problems, fmt.Errorf("snapshot mapping of component %q: no service with package %s is mapped to container %q on target %q", v.Component, v.Package, v.Container, target))
}
