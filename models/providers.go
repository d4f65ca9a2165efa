package models

// provider checks the service that provides the container of a mapping.
func (v *validation) provider(m ServiceMapping) {
	key := m.ContainerProvidedByService
	if key == "" {
		return
	}
	provider, ok := v.manifest.Services[key]
	if !ok {
		v.add("%s: containerProvidedByService: service %s is not in the manifest", m.Identity(), key)
		return
	}
	if _, ok := provider.ProvidesContainers[m.Container]; !ok {
		v.add("%s: containerProvidedByService: %s does not provide container %q", m.Identity(), provider.describe(key), m.Container)
		return
	}
	if key == m.Service {
		v.add("%s: containerProvidedByService: %s would have to be active before itself: give it another type or container", m.Identity(), provider.describe(key))
	}
}

// containerPlace is a container on a target.
type containerPlace struct{ target, container string }

// provision is a container on a target with a service that provides it.
type provision struct {
	containerPlace
	service string
}

// providers checks that each provided container has one provider, and that the
// mappings find theirs on the same target.
func (v *validation) providers() {
	first := make(map[containerPlace]string) // provider
	provisions := make(map[provision]bool)
	for _, m := range v.manifest.ServiceMappings {
		service := v.manifest.Services[m.Service]
		if service == nil {
			continue
		}
		for _, container := range sorted(service.ProvidesContainers) {
			place := containerPlace{m.Target, container}
			if other, taken := first[place]; !taken {
				first[place] = m.Service
			} else if !provisions[provision{place, m.Service}] {
				v.add("target %q: container %q is provided by two services, %s and %s: deploy only one of them to this target",
					m.Target, container, v.manifest.Services[other].describe(other), service.describe(m.Service))
			}
			provisions[provision{place, m.Service}] = true
		}
	}
	for _, m := range v.manifest.ServiceMappings {
		v.providerOnTarget(m, provisions)
	}
	for _, m := range v.manifest.SnapshotMappings {
		v.providerOnTarget(m.ServiceMapping, provisions)
	}
}

func (v *validation) providerOnTarget(m ServiceMapping, provisions map[provision]bool) {
	key := m.ContainerProvidedByService
	provider := v.manifest.Services[key]
	if provider == nil {
		return
	}
	if _, ok := provider.ProvidesContainers[m.Container]; !ok {
		return // reported already
	}
	if !provisions[provision{containerPlace{m.Target, m.Container}, key}] {
		v.add("%s: containerProvidedByService: %s is not mapped to target %q; it is mapped to %s",
			m.Identity(), provider.describe(key), m.Target, v.placesOf(key))
	}
}
