package models

import "cmp"

// The orders of this file are the original's in memory and in its output
// (formats, section 3). What it leaves open is ordered, too, so that equal
// documents are always printed alike.

// compare orders dependencies by target, container and service.
func (d Dependency) compare(other Dependency) int {
	return cmp.Or(
		cmp.Compare(d.Target, other.Target),
		cmp.Compare(d.Container, other.Container),
		cmp.Compare(d.Service, other.Service))
}

// compare orders service mappings by target, container and service.
func (m ServiceMapping) compare(other ServiceMapping) int {
	return cmp.Or(
		m.Identity().compare(other.Identity()),
		cmp.Compare(m.ContainerProvidedByService, other.ContainerProvidedByService))
}

// compare orders snapshot mappings by target, container and component.
func (m SnapshotMapping) compare(other SnapshotMapping) int {
	return cmp.Or(
		cmp.Compare(m.Target, other.Target),
		cmp.Compare(m.Container, other.Container),
		cmp.Compare(m.Component, other.Component),
		m.ServiceMapping.compare(other.ServiceMapping))
}
