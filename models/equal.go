package models

import (
	"maps"
	"slices"
)

// Equal says whether two manifests describe the same system. The order of
// mappings and dependencies does not count; everything else does.
func (m *Manifest) Equal(other *Manifest) bool {
	return maps.Equal(m.Profiles, other.Profiles) &&
		maps.EqualFunc(m.Services, other.Services, (*Service).equal) &&
		maps.EqualFunc(m.Infrastructure, other.Infrastructure, (*Target).equal) &&
		sameElements(m.ServiceMappings, other.ServiceMappings, ServiceMapping.compare) &&
		sameElements(m.SnapshotMappings, other.SnapshotMappings, SnapshotMapping.compare)
}

func (s *Service) equal(other *Service) bool {
	return s.Name == other.Name && s.Package == other.Package && s.Type == other.Type &&
		sameElements(s.DependsOn, other.DependsOn, Dependency.compare) &&
		sameElements(s.ConnectsTo, other.ConnectsTo, Dependency.compare) &&
		maps.EqualFunc(s.ProvidesContainers, other.ProvidesContainers, Properties.Equal) &&
		s.Readiness.equal(other.Readiness)
}

func (t *Target) equal(other *Target) bool {
	return t.Name == other.Name && t.System == other.System && t.NumOfCores == other.NumOfCores &&
		t.ClientInterface == other.ClientInterface && t.TargetProperty == other.TargetProperty &&
		t.Properties.Equal(other.Properties) &&
		maps.EqualFunc(t.Containers, other.Containers, Properties.Equal)
}

// Equal says whether both have the same values.
func (p Properties) Equal(other Properties) bool {
	return maps.EqualFunc(p, other, Value.Equal)
}

// Equal says whether both are the same value of the same type.
func (v Value) Equal(other Value) bool {
	return v.Type == other.Type && v.Text == other.Text &&
		slices.EqualFunc(v.List, other.List, Value.Equal) &&
		v.Attrs.Equal(other.Attrs)
}

// sameElements compares without regard to the order.
func sameElements[T comparable](a, b []T, compare func(x, y T) int) bool {
	if len(a) != len(b) {
		return false
	}
	if slices.Equal(a, b) {
		return true
	}
	return slices.Equal(slices.SortedFunc(slices.Values(a), compare), slices.SortedFunc(slices.Values(b), compare))
}
