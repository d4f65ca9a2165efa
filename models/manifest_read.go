package models

import (
	"fmt"
	"io"
)

// ReadManifest reads a manifest, version 2. What every element must contain is
// checked; that references are right is not (see [Manifest.Validate]).
//
// The error is a [*ParseError] if the document is not well-formed, wraps
// [ErrManifestVersion] if it has another version, and otherwise is [Problems]
// with the place of each mistake.
func ReadManifest(r io.Reader) (*Manifest, error) {
	return readDocument(r, "", manifestKind, (*decoder).manifest)
}

// ReadManifestFile is [ReadManifest] for a file, which its errors name.
func ReadManifestFile(path string) (*Manifest, error) {
	return readFile(path, manifestKind, (*decoder).manifest)
}

func (d *decoder) manifest() *Manifest {
	if version, _ := d.Attribute("version"); string(version) != "2" {
		d.fatal = d.versionError(string(version))
		return nil
	}
	m := &Manifest{
		Profiles:       make(map[string]string),
		Services:       make(map[string]*Service),
		Infrastructure: make(Infrastructure),
	}
	for d.Child() {
		switch string(d.Name()) {
		case "profiles":
			for name, ok := d.named("profile"); ok; name, ok = d.named("profile") {
				m.Profiles[name] = d.text()
			}
		case "services":
			m.Services = d.services("")
		case "infrastructure":
			m.Infrastructure = d.infrastructure(TargetDefaults{})
		case "serviceMappings":
			m.ServiceMappings = d.serviceMappings("")
		case "snapshotMappings":
			m.SnapshotMappings = d.snapshotMappings("")
		default:
			d.Skip()
		}
	}
	return m
}

func (d *decoder) versionError(version string) error {
	found := "it states no version"
	if version != "" {
		found = fmt.Sprintf("it has version %q", version)
	}
	return d.at(d.Offset(), fmt.Errorf("%w (%s) A system that was deployed by an older release is converted by running disnix-convert", ErrManifestVersion, found))
}

// services reads services by key. Dependencies without a target get the
// default one.
func (d *decoder) services(defaultTarget string) map[string]*Service {
	services := make(map[string]*Service)
	for key, ok := d.named("service"); ok; key, ok = d.named("service") {
		offset := d.Offset()
		service := d.service(defaultTarget)
		d.problem(offset, service.problems(key)...)
		services[key] = service
	}
	return services
}

func (d *decoder) service(defaultTarget string) *Service {
	s := new(Service)
	for d.Child() {
		switch string(d.Name()) {
		case "name":
			s.Name = d.text()
		case "pkg":
			s.Package = d.text()
		case "type":
			s.Type = d.shared()
		case "dependsOn":
			s.DependsOn = d.dependencies(defaultTarget)
		case "connectsTo":
			s.ConnectsTo = d.dependencies(defaultTarget)
		case "providesContainers":
			s.ProvidesContainers = d.containers()
		case "readiness":
			s.Readiness = d.readiness()
		default:
			d.Skip()
		}
	}
	return s
}

func (d *decoder) readiness() *Readiness {
	offset := d.Offset()
	r, problems := NewReadiness(d.properties())
	for _, err := range problems {
		d.problem(offset, fmt.Errorf("readiness: %w", err))
	}
	return r
}

func (d *decoder) dependencies(defaultTarget string) []Dependency {
	d.scratch = d.scratch[:0]
	for d.child("mapping") {
		dependency := Dependency{Target: defaultTarget}
		for d.Child() {
			switch string(d.Name()) {
			case "service":
				dependency.Service = d.shared()
			case "container":
				dependency.Container = d.shared()
			case "target":
				dependency.Target = d.shared()
			default:
				d.Skip()
			}
		}
		d.scratch = append(d.scratch, dependency)
	}
	return append([]Dependency(nil), d.scratch...)
}

func (d *decoder) serviceMappings(defaultTarget string) []ServiceMapping {
	var mappings []ServiceMapping
	for d.child("mapping") {
		offset := d.Offset()
		m, _ := d.mapping(defaultTarget)
		d.problem(offset, m.problems(len(mappings))...)
		mappings = append(mappings, m)
	}
	return mappings
}

func (d *decoder) snapshotMappings(defaultTarget string) []SnapshotMapping {
	var mappings []SnapshotMapping
	for d.child("mapping") {
		offset := d.Offset()
		var m SnapshotMapping
		m.ServiceMapping, m.Component = d.mapping(defaultTarget)
		d.problem(offset, m.problems(len(mappings))...)
		mappings = append(mappings, m)
	}
	return mappings
}

func (d *decoder) mapping(defaultTarget string) (m ServiceMapping, component string) {
	m.Target = defaultTarget
	for d.Child() {
		switch string(d.Name()) {
		case "service":
			m.Service = d.shared()
		case "container":
			m.Container = d.shared()
		case "target":
			m.Target = d.shared()
		case "containerProvidedByService":
			m.ContainerProvidedByService = d.shared()
		case "component":
			component = d.text()
		default:
			d.Skip()
		}
	}
	return m, component
}
