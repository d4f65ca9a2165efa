package models

import "github.com/disnix-go/disnix/models/internal/strictxml"

// writeQueryProfile writes a profile manifest as disnix-query does: other than
// in the profile manifest itself, the elements are in the order of the Nix
// format, and all mappings have a target.
func writeQueryProfile(x *strictxml.Writer, p *ProfileManifest) {
	x.Start("services")
	for _, key := range sorted(p.Services) {
		service := p.Services[key]
		x.Start("service", "name", key)
		x.Element("name", service.Name)
		x.Element("pkg", service.Package)
		x.Element("type", service.Type)
		writeQueryDependencies(x, "dependsOn", service.DependsOn)
		writeQueryDependencies(x, "connectsTo", service.ConnectsTo)
		x.Start("providesContainers")
		for _, container := range sorted(service.ProvidesContainers) {
			x.Start("container", "name", container)
			writeProperties(x, service.ProvidesContainers[container])
			x.End("container")
		}
		x.End("providesContainers")
		writeReadiness(x, service.Readiness)
		x.End("service")
	}
	x.End("services")
	x.Start("serviceMappings")
	for _, m := range p.sortedMappings() {
		writeQueryMapping(x, m, "")
	}
	x.End("serviceMappings")
	x.Start("snapshotMappings")
	for _, m := range p.sortedSnapshots() {
		writeQueryMapping(x, m.ServiceMapping, m.Component)
	}
	x.End("snapshotMappings")
}

func writeQueryDependencies(x *strictxml.Writer, element string, dependencies []Dependency) {
	x.Start(element)
	for _, d := range sortedDependencies(dependencies) {
		writeQueryMapping(x, ServiceMapping{Service: d.Service, Container: d.Container, Target: d.Target}, "")
	}
	x.End(element)
}

// writeQueryMapping writes a mapping; the component is that of a snapshot
// mapping, and otherwise empty.
func writeQueryMapping(x *strictxml.Writer, m ServiceMapping, component string) {
	x.Start("mapping")
	x.Element("service", m.Service)
	if component != "" {
		x.Element("component", component)
	}
	x.Element("container", m.Container)
	x.Element("target", m.Target)
	if m.ContainerProvidedByService != "" {
		x.Element("containerProvidedByService", m.ContainerProvidedByService)
	}
	x.End("mapping")
}
