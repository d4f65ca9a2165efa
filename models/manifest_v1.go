package models

import (
	"errors"
	"fmt"
	"strings"
)

// ErrNotManifestV1 says that a manifest has another version than 1.
var ErrNotManifestV1 = errors.New("Please provide a manifest file that uses the V1 structure!")

// ManifestV1 is a manifest in the structure of Disnix before 0.10, version 1. It
// names targets by their addresses, and has no infrastructure (formats,
// section 9).
type ManifestV1 struct {
	// Profiles maps an address to the store path of the target's profile.
	Profiles  map[string]string
	Mappings  []MappingV1
	Snapshots []SnapshotMappingV1
}

// MappingV1 is a service that is active in a container of a target.
type MappingV1 struct {
	Identity              Dependency // its target is an address
	Package, Name, Type   string
	DependsOn, ConnectsTo []Dependency // their targets are addresses
}

// SnapshotMappingV1 says that the state of a component is managed.
type SnapshotMappingV1 struct {
	Component, Container, Target string
	Package                      string // of the service
}

// ReadManifestV1File reads a manifest, version 1. The error is a [*ParseError]
// if the document is not well-formed, wraps [ErrNotManifestV1] if it has another
// version, and otherwise is [Problems] with the place of each mistake.
func ReadManifestV1File(path string) (*ManifestV1, error) {
	return readFile(path, manifestKind, (*decoder).manifestV1)
}

func (d *decoder) manifestV1() *ManifestV1 {
	if version, _ := d.Attribute("version"); string(version) != "1" {
		d.fatal = d.at(d.Offset(), fmt.Errorf("%w (it has version %q)", ErrNotManifestV1, version))
		return nil
	}
	m := &ManifestV1{Profiles: make(map[string]string)}
	for d.Child() {
		switch string(d.Name()) {
		case "distribution":
			d.distributionV1(m)
		case "activation":
			for d.child("mapping") {
				m.Mappings = append(m.Mappings, d.mappingV1())
			}
		case "snapshots":
			for d.child("mapping") {
				m.Snapshots = append(m.Snapshots, d.snapshotMappingV1())
			}
		default:
			d.Skip()
		}
	}
	return m
}

func (d *decoder) distributionV1(m *ManifestV1) {
	for d.child("mapping") {
		offset := d.Offset()
		var profile, target string
		d.members(map[string]*string{"profile": &profile, "target": &target})
		d.wantMembers(offset, "distribution mapping", "profile", profile, "target", target)
		if other, ok := m.Profiles[target]; ok && other != profile {
			d.problem(offset, fmt.Errorf("target %s has two profiles, %s and %s", target, other, profile))
		}
		m.Profiles[target] = profile
	}
}

func (d *decoder) mappingV1() MappingV1 {
	offset := d.Offset()
	var m MappingV1
	members := map[string]*string{
		"key": &m.Identity.Service, "container": &m.Identity.Container, "target": &m.Identity.Target,
		"service": &m.Package, "name": &m.Name, "type": &m.Type,
	}
	for d.Child() {
		switch name := string(d.Name()); {
		case name == "dependsOn":
			m.DependsOn = d.dependenciesV1()
		case name == "connectsTo":
			m.ConnectsTo = d.dependenciesV1()
		case members[name] != nil:
			*members[name] = d.shared()
		default:
			d.Skip()
		}
	}
	d.wantMembers(offset, "activation mapping", "key", m.Identity.Service, "service", m.Package, "name", m.Name,
		"type", m.Type, "target", m.Identity.Target, "container", m.Identity.Container)
	return m
}

func (d *decoder) dependenciesV1() []Dependency {
	var dependencies []Dependency
	for d.child("dependency") {
		offset := d.Offset()
		var dependency Dependency
		d.members(map[string]*string{"key": &dependency.Service, "container": &dependency.Container, "target": &dependency.Target})
		d.wantMembers(offset, "dependency", "key", dependency.Service, "target", dependency.Target, "container", dependency.Container)
		dependencies = append(dependencies, dependency)
	}
	return dependencies
}

func (d *decoder) snapshotMappingV1() SnapshotMappingV1 {
	offset := d.Offset()
	var m SnapshotMappingV1
	d.members(map[string]*string{"component": &m.Component, "container": &m.Container, "target": &m.Target, "service": &m.Package})
	d.wantMembers(offset, "snapshot mapping", "component", m.Component, "container", m.Container, "target", m.Target, "service", m.Package)
	return m
}

// members reads the text of child elements.
func (d *decoder) members(fields map[string]*string) {
	for d.Child() {
		if field := fields[string(d.Name())]; field != nil {
			*field = d.shared()
		} else {
			d.Skip()
		}
	}
}

// wantMembers reports members that are not set; names and values alternate.
func (d *decoder) wantMembers(offset int, what string, pairs ...string) {
	var unset []string
	for i := 0; i < len(pairs); i += 2 {
		if pairs[i+1] == "" {
			unset = append(unset, pairs[i])
		}
	}
	if len(unset) > 0 {
		d.problem(offset, fmt.Errorf("%s: not set: %s", what, strings.Join(unset, ", ")))
	}
}
