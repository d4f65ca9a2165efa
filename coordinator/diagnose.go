package coordinator

import (
	"context"
	"fmt"
	"slices"

	"github.com/disnix-go/disnix/models"
	"github.com/disnix-go/disnix/service"
)

// ServicesNamed returns the mappings of the services with that name. An empty
// container or target stands for all of them. They are sorted by target,
// container and key.
func ServicesNamed(m *models.Manifest, name, container, target string) []models.ServiceMapping {
	var found []models.ServiceMapping
	for _, mapping := range m.ServiceMappings {
		s := m.Services[mapping.Service]
		if s != nil && s.Name == name &&
			(container == "" || mapping.Container == container) && (target == "" || mapping.Target == target) {
			found = append(found, mapping)
		}
	}
	return slices.SortedStableFunc(slices.Values(found), func(a, b models.ServiceMapping) int {
		return compareStates(stateID{a.Target, a.Container, a.Service}, stateID{b.Target, b.Container, b.Service})
	})
}

// Diagnose opens a shell for a mapped service of the manifest on its target,
// with the container properties that it was activated with.
func (d *Deployment) Diagnose(ctx context.Context, mapping models.ServiceMapping, shell service.ShellSession) error {
	step, err := d.stateStep(d.Manifest, providersIn(d.Manifest), mapping)
	if err != nil {
		return fmt.Errorf("target %q: %w", mapping.Target, err)
	}
	t, err := d.Targets.Get(ctx, mapping.Target)
	if err != nil {
		return err // it names the target
	}
	d.Reporter.Problem(mapping.Target, fmt.Sprintf("Connecting to service: %s deployed to container: %s", step.Service.Package, mapping.Container))
	err = t.Shell(ctx, service.Activity{
		Component: step.Service.Package,
		Container: mapping.Container,
		Type:      step.Type,
		Arguments: step.Arguments,
	}, shell)
	if err != nil {
		return fmt.Errorf("target %q: shell for service %s: %w", mapping.Target, step.Service.Package, err)
	}
	return nil
}
