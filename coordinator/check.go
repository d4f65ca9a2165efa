package coordinator

import (
	"errors"
	"fmt"
	"slices"

	"github.com/disnix-go/disnix/models"
)

// Check refuses a deployment that would make state unreachable before it is
// captured: state in a container that a service provides, if that service is
// no longer on the target afterwards. An upgrade of the providing service is
// no reason to refuse (transition, section 1). The error wraps a
// [models.Problems].
//
// A provider that only moves is gone, too: state is captured after the
// transition.
//
// It also refuses a deployment that moves the state of several containers to
// one place.
func (d *Deployment) Check() error {
	previous := d.upgradedFrom()
	if previous == nil || d.Options.NoMigration {
		return nil
	}
	if err := d.checkSources(); err != nil {
		return err
	}
	providers := providersIn(d.Manifest)
	var problems models.Problems
	for _, m := range previous.SnapshotMappings {
		key := m.ContainerProvidedByService
		if key == "" || !d.Targets.Has(m.Target) || providers.of(previous, m.ServiceMapping) != nil {
			continue
		}
		problems = append(problems, fmt.Errorf(
			"Service: %s is mapped to container: %s, provided by service: %s, but target %q will not have that service any more",
			m.Service, m.Container, key, m.Target))
	}
	if err := problems.Err(); err != nil {
		return fmt.Errorf("%w\n%s", err, checkAdvice)
	}
	return nil
}

// checkSources refuses state whose source is ambiguous. Other mistakes are
// left to the migration.
func (d *Deployment) checkSources() error {
	destinations, err := d.newMigration().toRestore()
	if err != nil {
		return nil
	}
	_, err = d.findSources(destinations)
	var problems models.Problems
	if errors.As(err, &problems) {
		return fmt.Errorf("%w\n%s", err, sourcesAdvice)
	}
	return nil
}

const sourcesAdvice = `
It cannot be known which of them is meant. Move one component at a time, or give up
the state with --no-migration.`

// checkAdvice is what a user can do about an error from Check.
const checkAdvice = `
The state in these containers could not be captured: the services that provide
them would be deactivated before. Deploy in two steps: first a configuration
without the services that have this state, then one without the services that
provide their containers. Or give up the state with --no-migration.`

// providers are the services of a configuration that provide containers.
type providers struct {
	services map[string]*models.Service
	// keys holds, for each container on each target, who provides it.
	keys map[containerOn][]string
}

type containerOn struct{ target, container string }

func providersIn(m *models.Manifest) providers {
	p := providers{services: m.Services, keys: make(map[containerOn][]string)}
	for _, mapping := range m.ServiceMappings {
		s, ok := m.Services[mapping.Service]
		if !ok {
			continue
		}
		for container := range s.ProvidesContainers {
			place := containerOn{mapping.Target, container}
			p.keys[place] = append(p.keys[place], mapping.Service)
		}
	}
	return p
}

// of returns the service that provides the container of a mapping of the
// previous configuration: the same service, or another version of it, on the
// same target. It returns nil if there is none.
func (p providers) of(previous *models.Manifest, mapping models.ServiceMapping) *models.Service {
	keys := p.keys[containerOn{mapping.Target, mapping.Container}]
	if slices.Contains(keys, mapping.ContainerProvidedByService) {
		return p.services[mapping.ContainerProvidedByService]
	}
	former, ok := previous.Services[mapping.ContainerProvidedByService]
	if !ok {
		return nil
	}
	for _, key := range keys {
		if p.services[key].Name == former.Name {
			return p.services[key]
		}
	}
	return nil
}
