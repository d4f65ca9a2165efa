package coordinator

import (
	"maps"
	"slices"

	"github.com/disnix-go/disnix/models"
)

// Equal reports whether two manifests describe the same configuration: the
// same profiles, services, infrastructure and mappings. The order of mappings
// and dependencies does not count.
func Equal(a, b *models.Manifest) bool {
	return maps.Equal(a.Profiles, b.Profiles) &&
		maps.EqualFunc(a.Services, b.Services, equalServices) &&
		maps.EqualFunc(a.Infrastructure, b.Infrastructure, equalTargets) &&
		equalSets(a.ServiceMappings, b.ServiceMappings) &&
		equalSets(a.SnapshotMappings, b.SnapshotMappings)
}

func equalServices(a, b *models.Service) bool {
	return a.Name == b.Name && a.Package == b.Package && a.Type == b.Type &&
		equalSets(a.DependsOn, b.DependsOn) &&
		equalSets(a.ConnectsTo, b.ConnectsTo) &&
		maps.EqualFunc(a.ProvidesContainers, b.ProvidesContainers, equalProperties)
}

func equalTargets(a, b *models.Target) bool {
	return a.Name == b.Name && a.System == b.System && a.NumOfCores == b.NumOfCores &&
		a.ClientInterface == b.ClientInterface && a.TargetProperty == b.TargetProperty &&
		equalProperties(a.Properties, b.Properties) &&
		maps.EqualFunc(a.Containers, b.Containers, equalProperties)
}

func equalProperties(a, b models.Properties) bool { return maps.EqualFunc(a, b, equalValues) }

func equalValues(a, b models.Value) bool {
	return a.Type == b.Type && a.Text == b.Text &&
		slices.EqualFunc(a.List, b.List, equalValues) &&
		equalProperties(a.Attrs, b.Attrs)
}

func equalSets[T comparable](a, b []T) bool {
	return maps.Equal(setOf(a), setOf(b))
}

func setOf[T comparable](elements []T) map[T]bool {
	set := make(map[T]bool, len(elements))
	for _, e := range elements {
		set[e] = true
	}
	return set
}
