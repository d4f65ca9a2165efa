package models

// profileManifest prints a profile manifest.
func (n *nixWriter) profileManifest(p *ProfileManifest) {
	n.set(func() { n.profileMembers(p) })
}

// profileMembers prints the parts of a profile manifest, or of a manifest; they
// are in the original's order.
func (n *nixWriter) profileMembers(p *ProfileManifest) {
	n.attribute("services", func() {
		n.set(func() {
			for _, key := range sorted(p.Services) {
				n.attribute(key, func() { n.service(p.Services[key]) })
			}
		})
	})
	n.attribute("serviceMappings", func() {
		n.list(func() {
			for _, m := range p.sortedMappings() {
				n.mapping(m, "")
			}
		})
	})
	n.attribute("snapshotMappings", func() {
		n.list(func() {
			for _, m := range p.sortedSnapshots() {
				n.mapping(m.ServiceMapping, m.Component)
			}
		})
	})
}

func (n *nixWriter) service(s *Service) {
	n.set(func() {
		n.text("name", nixString(s.Name))
		n.text("pkg", nixStorePath(s.Package))
		n.text("type", nixString(s.Type))
		n.attribute("dependsOn", func() { n.dependencies(s.DependsOn) })
		n.attribute("connectsTo", func() { n.dependencies(s.ConnectsTo) })
		n.attribute("providesContainers", func() {
			n.set(func() {
				for _, container := range sorted(s.ProvidesContainers) {
					n.attribute(container, func() { n.properties(s.ProvidesContainers[container]) })
				}
			})
		})
		if s.Readiness != nil {
			n.attribute("readiness", func() { n.properties(s.Readiness.Properties()) })
		}
	})
}

func (n *nixWriter) dependencies(dependencies []Dependency) {
	n.list(func() {
		for _, d := range sortedDependencies(dependencies) {
			n.mapping(ServiceMapping{Service: d.Service, Container: d.Container, Target: d.Target}, "")
		}
	})
}

// mapping prints a mapping; the component is that of a snapshot mapping, and
// otherwise empty.
func (n *nixWriter) mapping(m ServiceMapping, component string) {
	n.line()
	n.set(func() {
		n.text("service", nixString(m.Service))
		if component != "" {
			n.text("component", nixString(component))
		}
		n.text("container", nixString(m.Container))
		n.text("target", nixString(m.Target))
		if m.ContainerProvidedByService != "" {
			n.text("containerProvidedByService", nixString(m.ContainerProvidedByService))
		}
	})
}
