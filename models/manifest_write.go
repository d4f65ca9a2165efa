package models

import (
	"fmt"
	"io"
	"maps"
	"slices"

	"github.com/disnix-go/disnix/models/internal/strictxml"
)

// WriteXML writes the manifest, version 2. Equal manifests give equal bytes:
// names are in byte order, mappings in the order of the model.
func (m *Manifest) WriteXML(w io.Writer) error {
	return writeDocument(w, manifestKind, func(x *strictxml.Writer) {
		x.Start("profiles")
		for _, target := range sorted(m.Profiles) {
			x.Element("profile", m.Profiles[target], "name", target)
		}
		x.End("profiles")
		writeServices(x, m.Services, "")
		x.Start("infrastructure")
		writeTargets(x, m.Infrastructure)
		x.End("infrastructure")
		writeMappings(x, m.ServiceMappings, m.SnapshotMappings, "")
	})
}

// writeDocument writes the root element around a content, framed as the
// original does (formats, section 1).
func writeDocument(w io.Writer, kind documentKind, content func(*strictxml.Writer)) error {
	x := strictxml.NewWriter(w, strictxml.Compact)
	x.Raw("<?xml version=\"1.0\"?>\n\n  ")
	x.Start(kind.root, "version", "2")
	content(x)
	x.End(kind.root)
	x.Raw("\n\n")
	if err := x.Flush(); err != nil {
		return fmt.Errorf("write %s: %w", kind.phrase, err)
	}
	return nil
}

func writeServices(x *strictxml.Writer, services map[string]*Service, ownTarget string) {
	x.Start("services")
	for _, key := range sorted(services) {
		service := services[key]
		x.Start("service", "name", key)
		x.Element("name", service.Name)
		x.Element("pkg", service.Package)
		x.Element("type", service.Type)
		writeDependencies(x, "dependsOn", service.DependsOn, ownTarget)
		writeDependencies(x, "connectsTo", service.ConnectsTo, ownTarget)
		writeContainers(x, "providesContainers", service.ProvidesContainers)
		writeReadiness(x, service.Readiness)
		x.End("service")
	}
	x.End("services")
}

// writeReadiness writes what only we read: others pass over elements that they
// do not know (formats, section 2).
func writeReadiness(x *strictxml.Writer, r *Readiness) {
	if r != nil {
		x.Start("readiness")
		writeProperties(x, r.Properties())
		x.End("readiness")
	}
}

func writeDependencies(x *strictxml.Writer, element string, dependencies []Dependency, ownTarget string) {
	x.Start(element)
	for _, d := range dependencies {
		x.Start("mapping")
		x.Element("container", d.Container)
		x.Element("service", d.Service)
		writeForeignTarget(x, d.Target, ownTarget)
		x.End("mapping")
	}
	x.End(element)
}

// writeForeignTarget writes the target of a mapping, unless it is the one that
// the document is about.
func writeForeignTarget(x *strictxml.Writer, target, ownTarget string) {
	if ownTarget == "" || target != ownTarget {
		x.Element("target", target)
	}
}

func writeContainers(x *strictxml.Writer, element string, containers map[string]Properties) {
	x.Start(element)
	for _, name := range sorted(containers) {
		x.Start("container", "name", name, "type", "attrs")
		writeProperties(x, containers[name])
		x.End("container")
	}
	x.End(element)
}

func writeMappings(x *strictxml.Writer, services []ServiceMapping, snapshots []SnapshotMapping, ownTarget string) {
	x.Start("serviceMappings")
	for _, m := range services {
		x.Start("mapping")
		writeMapping(x, m, ownTarget)
		x.End("mapping")
	}
	x.End("serviceMappings")
	x.Start("snapshotMappings")
	for _, m := range snapshots {
		x.Start("mapping")
		x.Element("component", m.Component)
		writeMapping(x, m.ServiceMapping, ownTarget)
		x.End("mapping")
	}
	x.End("snapshotMappings")
}

func writeMapping(x *strictxml.Writer, m ServiceMapping, ownTarget string) {
	x.Element("container", m.Container)
	if m.ContainerProvidedByService != "" {
		x.Element("containerProvidedByService", m.ContainerProvidedByService)
	}
	x.Element("service", m.Service)
	writeForeignTarget(x, m.Target, ownTarget)
}

// sorted returns the keys of a map in byte order.
func sorted[V any](m map[string]V) []string {
	if len(m) == 0 {
		return nil
	}
	return slices.Sorted(maps.Keys(m))
}
