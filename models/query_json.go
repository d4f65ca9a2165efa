package models

import (
	"encoding/json"
	"io"
)

// WriteJSON writes the profile manifests as one JSON object: target to
// profile, with the names and the nesting of [QueryResult.WriteNix]. What is
// empty is written as an empty list or object, so that every attribute is
// always there, except "containerProvidedByService" and "readiness".
func (q QueryResult) WriteJSON(w io.Writer) error {
	if err := q.check(); err != nil {
		return err
	}
	document := make(map[string]jsonTarget, len(q))
	for _, t := range q {
		document[t.Target] = jsonTarget{ProfileManifest: newJSONProfile(t.Manifest)}
	}
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	return encoder.Encode(document)
}

type jsonTarget struct {
	ProfileManifest jsonProfile `json:"profileManifest"`
}

type jsonProfile struct {
	Services         map[string]jsonService `json:"services"`
	ServiceMappings  []jsonMapping          `json:"serviceMappings"`
	SnapshotMappings []jsonMapping          `json:"snapshotMappings"`
}

type jsonService struct {
	Name               string                `json:"name"`
	Package            string                `json:"pkg"`
	Type               string                `json:"type"`
	DependsOn          []jsonMapping         `json:"dependsOn"`
	ConnectsTo         []jsonMapping         `json:"connectsTo"`
	ProvidesContainers map[string]Properties `json:"providesContainers"`
	Readiness          *Readiness            `json:"readiness,omitempty"`
}

// jsonMapping is a service mapping, a snapshot mapping or a dependency.
type jsonMapping struct {
	Service                    string `json:"service"`
	Component                  string `json:"component,omitempty"`
	Container                  string `json:"container"`
	Target                     string `json:"target"`
	ContainerProvidedByService string `json:"containerProvidedByService,omitempty"`
}

func newJSONProfile(p *ProfileManifest) jsonProfile {
	document := jsonProfile{
		Services:         make(map[string]jsonService, len(p.Services)),
		ServiceMappings:  make([]jsonMapping, 0, len(p.ServiceMappings)),
		SnapshotMappings: make([]jsonMapping, 0, len(p.SnapshotMappings)),
	}
	for key, s := range p.Services {
		document.Services[key] = jsonService{
			Name:               s.Name,
			Package:            s.Package,
			Type:               s.Type,
			DependsOn:          jsonDependencies(s.DependsOn),
			ConnectsTo:         jsonDependencies(s.ConnectsTo),
			ProvidesContainers: jsonContainers(s.ProvidesContainers),
			Readiness:          s.Readiness,
		}
	}
	for _, m := range p.sortedMappings() {
		document.ServiceMappings = append(document.ServiceMappings, newJSONMapping(m))
	}
	for _, m := range p.sortedSnapshots() {
		mapping := newJSONMapping(m.ServiceMapping)
		mapping.Component = m.Component
		document.SnapshotMappings = append(document.SnapshotMappings, mapping)
	}
	return document
}

func newJSONMapping(m ServiceMapping) jsonMapping {
	return jsonMapping{
		Service:                    m.Service,
		Container:                  m.Container,
		Target:                     m.Target,
		ContainerProvidedByService: m.ContainerProvidedByService,
	}
}

func jsonDependencies(dependencies []Dependency) []jsonMapping {
	document := make([]jsonMapping, 0, len(dependencies))
	for _, d := range sortedDependencies(dependencies) {
		document = append(document, jsonMapping{Service: d.Service, Container: d.Container, Target: d.Target})
	}
	return document
}

func jsonContainers(containers map[string]Properties) map[string]Properties {
	document := make(map[string]Properties, len(containers))
	for name, properties := range containers {
		if properties == nil {
			properties = Properties{}
		}
		document[name] = properties
	}
	return document
}
