package coordinator_test

import (
	"slices"
	"testing"

	"github.com/disnix-go/disnix/coordinator"
	"github.com/disnix-go/disnix/models"
)

func rich() *models.Manifest {
	return configuration("a b",
		part{name: "server", on: "a", provides: "db"},
		part{name: "cache", on: "b"},
		part{name: "data", on: "a", container: "db", in: "server", stateful: true},
		part{name: "web", on: "a b", dependsOn: []string{"data", "cache"}, stateful: true})
}

func TestEqual(t *testing.T) {
	a, b := rich(), rich()
	slices.Reverse(b.ServiceMappings)
	slices.Reverse(b.SnapshotMappings)
	for _, s := range b.Services {
		slices.Reverse(s.DependsOn)
		if len(s.ConnectsTo) == 0 {
			s.ConnectsTo = []models.Dependency{}
		}
	}
	if !coordinator.Equal(a, b) || !coordinator.Equal(b, a) {
		t.Error("the order of mappings and dependencies makes a difference")
	}
	if !coordinator.Equal(&models.Manifest{}, &models.Manifest{Profiles: map[string]string{}}) {
		t.Error("an empty section differs from a missing one")
	}
}

func TestNotEqual(t *testing.T) {
	service := func(m *models.Manifest, name string) *models.Service {
		for _, s := range m.Services {
			if s.Name == name {
				return s
			}
		}
		t.Fatalf("there is no service %q", name)
		return nil
	}
	for name, change := range map[string]func(m *models.Manifest){
		"profile":          func(m *models.Manifest) { m.Profiles["a"] += "2" },
		"missing profile":  func(m *models.Manifest) { delete(m.Profiles, "a") },
		"package":          func(m *models.Manifest) { service(m, "web").Package += "2" },
		"type":             func(m *models.Manifest) { service(m, "web").Type = "wrapper" },
		"dependency":       func(m *models.Manifest) { s := service(m, "web"); s.DependsOn = s.DependsOn[1:] },
		"connection":       func(m *models.Manifest) { s := service(m, "web"); s.ConnectsTo = s.DependsOn },
		"container":        func(m *models.Manifest) { service(m, "server").ProvidesContainers["x"] = nil },
		"service":          func(m *models.Manifest) { m.Services["x"] = &models.Service{} },
		"mapping":          func(m *models.Manifest) { m.ServiceMappings = m.ServiceMappings[1:] },
		"provider":         func(m *models.Manifest) { m.ServiceMappings[0].ContainerProvidedByService = "x" },
		"snapshot mapping": func(m *models.Manifest) { m.SnapshotMappings[0].Component = "x" },
		"target":           func(m *models.Manifest) { delete(m.Infrastructure, "b") },
		"cores":            func(m *models.Manifest) { m.Infrastructure["b"].NumOfCores++ },
		"client":           func(m *models.Manifest) { m.Infrastructure["b"].ClientInterface = "x" },
		"system":           func(m *models.Manifest) { m.Infrastructure["b"].System = "x" },
		"property": func(m *models.Manifest) {
			m.Infrastructure["b"].Properties["hostname"] = models.Value{Type: models.String, Text: "x"}
		},
		"type of a property": func(m *models.Manifest) {
			m.Infrastructure["b"].Containers["process"]["place"] = models.Value{Type: models.Path, Text: "b"}
		},
		"list": func(m *models.Manifest) {
			m.Infrastructure["b"].Containers["process"]["place"] = models.Value{Type: models.List}
		},
	} {
		t.Run(name, func(t *testing.T) {
			a, b := rich(), rich()
			change(b)
			if coordinator.Equal(a, b) || coordinator.Equal(b, a) {
				t.Error("the difference is not seen")
			}
		})
	}
}
