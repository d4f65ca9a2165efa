package modelstest

import (
	"fmt"

	"pgregory.net/rapid"

	"github.com/disnix-go/disnix/models"
)

// Manifests generates valid manifests of up to 4 targets and 8 services, with
// everything that a manifest may have: ordered and unordered dependencies,
// services that provide containers, package services, managed state, values of
// every type and names of any characters.
func Manifests() *rapid.Generator[*models.Manifest] {
	return rapid.Custom(func(t *rapid.T) *models.Manifest {
		m := &models.Manifest{
			Profiles:       make(map[string]string),
			Services:       make(map[string]*models.Service),
			Infrastructure: make(models.Infrastructure),
		}
		targets := rapid.SliceOfNDistinct(Texts(), 1, 4, rapid.ID).Draw(t, "targets")
		for i, name := range targets {
			m.Infrastructure[name] = target(t, name, i)
			m.Profiles[name] = StorePath("profile", i)
		}
		for i, name := range rapid.SliceOfNDistinct(Texts(), 0, 8, rapid.ID).Draw(t, "services") {
			addService(t, m, targets, i, name)
		}
		return m
	})
}

// Texts generates non-empty strings of characters that XML can hold.
func Texts() *rapid.Generator[string] {
	return rapid.StringOfN(rapid.OneOf(
		rapid.RuneFrom([]rune("ab z0-&<>\"'$\\{}\t\n\r]=/.")),
		rapid.Rune().Filter(func(c rune) bool { return c >= 0x20 && c != 0xFFFE && c != 0xFFFF }),
	), 1, 8, -1)
}

// PropertySets generates sets of typed values.
func PropertySets() *rapid.Generator[models.Properties] {
	return rapid.Custom(func(t *rapid.T) models.Properties { return properties(t, 3) })
}

func properties(t *rapid.T, depth int) models.Properties {
	p := make(models.Properties)
	for _, name := range rapid.SliceOfNDistinct(Texts(), 0, 3, rapid.ID).Draw(t, "names") {
		p[name] = value(t, depth)
	}
	return p
}

func value(t *rapid.T, depth int) models.Value {
	types := []models.Type{models.String, models.Int, models.Float, models.Bool}
	if depth > 0 {
		types = append(types, models.List, models.Attrs)
	}
	v := models.Value{Type: rapid.SampledFrom(types).Draw(t, "type")}
	switch v.Type {
	case models.Int:
		v.Text = fmt.Sprint(rapid.Int32().Draw(t, "int"))
	case models.Float:
		v.Text = fmt.Sprintf("%g", rapid.Float32Range(-1e30, 1e30).Draw(t, "float"))
	case models.Bool:
		v.Text = fmt.Sprint(rapid.Bool().Draw(t, "bool"))
	case models.List:
		for range rapid.IntRange(0, 3).Draw(t, "length") {
			v.List = append(v.List, value(t, depth-1))
		}
	case models.Attrs:
		v.Attrs = properties(t, depth-1)
	default:
		v.Text = rapid.OneOf(rapid.Just(""), Texts()).Draw(t, "text")
	}
	return v
}

func target(t *rapid.T, name string, i int) *models.Target {
	target := &models.Target{
		Name:            name,
		Properties:      properties(t, 2),
		Containers:      map[string]models.Properties{"process": properties(t, 2)},
		System:          "x86_64-linux",
		NumOfCores:      rapid.IntRange(1, 8).Draw(t, "cores"),
		ClientInterface: Texts().Draw(t, "client"),
		TargetProperty:  Texts().Draw(t, "target property"),
	}
	target.Properties[target.TargetProperty] = models.Value{Type: models.String, Text: fmt.Sprintf("host%d", i)}
	return target
}

// addService adds a service that depends on some mappings that exist already,
// and maps it to some targets. Every service has containers of its own, so that
// no two provide the same one.
func addService(t *rapid.T, m *models.Manifest, targets []string, i int, name string) {
	s := &models.Service{Name: name, Type: "process", Package: StorePath("package", i)}
	s.DependsOn = someDependencies(t, m)
	s.ConnectsTo = someDependencies(t, m)
	if rapid.Bool().Draw(t, "provides") {
		s.ProvidesContainers = map[string]models.Properties{fmt.Sprintf("container%d", i): properties(t, 2)}
	}
	if rapid.IntRange(0, 3).Draw(t, "ready") == 0 {
		s.Readiness = &models.Readiness{TCP: "localhost:80", Exec: []string{Texts().Draw(t, "program") + "x", Texts().Draw(t, "argument")}, Timeout: i}
	}
	isPackage := rapid.IntRange(0, 7).Draw(t, "package") == 0
	if isPackage {
		s.Type = models.PackageType
	}
	key := models.ServiceKey(s.Name, s.Type, s.Package, s.DependsOn)
	m.Services[key] = s
	if isPackage {
		return
	}
	existing := m.ServiceMappings
	for _, target := range rapid.SliceOfNDistinct(rapid.SampledFrom(targets), 0, len(targets), rapid.ID).Draw(t, "mapped to") {
		mapping := models.ServiceMapping{Service: key, Container: "process", Target: target}
		if container, provider, ok := providedContainer(t, m, existing, target); ok {
			mapping.Container, mapping.ContainerProvidedByService = container, provider
		}
		m.ServiceMappings = append(m.ServiceMappings, mapping)
		if rapid.Bool().Draw(t, "state") {
			m.SnapshotMappings = append(m.SnapshotMappings, models.SnapshotMapping{ServiceMapping: mapping, Component: Texts().Draw(t, "component")})
		}
	}
}

func someDependencies(t *rapid.T, m *models.Manifest) []models.Dependency {
	if len(m.ServiceMappings) == 0 {
		return nil
	}
	var dependencies []models.Dependency
	for _, mapping := range rapid.SliceOfNDistinct(rapid.SampledFrom(m.ServiceMappings), 0, min(3, len(m.ServiceMappings)), rapid.ID).Draw(t, "dependencies") {
		dependencies = append(dependencies, mapping.Identity())
	}
	return dependencies
}

// providedContainer chooses, at times, a container that an existing mapping on
// the target provides.
func providedContainer(t *rapid.T, m *models.Manifest, existing []models.ServiceMapping, target string) (container, provider string, ok bool) {
	if !rapid.Bool().Draw(t, "in a provided container") {
		return "", "", false
	}
	for _, mapping := range existing {
		if mapping.Target != target {
			continue
		}
		for container := range m.Services[mapping.Service].ProvidesContainers {
			return container, mapping.Service, true
		}
	}
	return "", "", false
}
