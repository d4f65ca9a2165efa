package models_test

import (
	"strings"
	"testing"

	"github.com/disnix-go/disnix/models"
)

func TestManifestWriteNix(t *testing.T) {
	m := &models.Manifest{
		Profiles: map[string]string{"node1": "/nix/store/aaaa-node1"},
		Services: map[string]*models.Service{"77ab": {Name: "api", Package: "/nix/store/bbbb-api", Type: "process"}},
		Infrastructure: models.Infrastructure{"node1": {
			Name: "node1", NumOfCores: 2, ClientInterface: "c", TargetProperty: "hostname",
			Properties: models.Properties{"hostname": {Type: models.String, Text: "${x}"}},
			Containers: map[string]models.Properties{"process": {"port": {Type: models.Int, Text: "80"}}},
		}},
		ServiceMappings: []models.ServiceMapping{{Service: "77ab", Container: "process", Target: "node1"}},
	}
	const want = `{
  "profiles" = {
    "node1" = builtins.storePath /nix/store/aaaa-node1;
  };
  "services" = {
    "77ab" = {
      "name" = "api";
      "pkg" = builtins.storePath /nix/store/bbbb-api;
      "type" = "process";
      "dependsOn" = [
      ];
      "connectsTo" = [
      ];
      "providesContainers" = {
      };
    };
  };
  "serviceMappings" = [
    {
      "service" = "77ab";
      "container" = "process";
      "target" = "node1";
    }
  ];
  "snapshotMappings" = [
  ];
  "infrastructure" = {
    "node1" = {
      "properties" = {
        "hostname" = "\${x}";
      };
      "containers" = {
        "process" = {
          "port" = 80;
        };
      };
      "clientInterface" = "c";
      "targetProperty" = "hostname";
      "numOfCores" = 2;
    };
  };
}`
	var got strings.Builder
	if err := m.WriteNix(&got); err != nil {
		t.Fatal(err)
	}
	if got.String() != want {
		t.Errorf("got\n%s\nwant\n%s", &got, want)
	}
	m.ServiceMappings[0].Target = "node9"
	if err := m.WriteNix(&got); err == nil || !strings.Contains(err.Error(), "node9") {
		t.Errorf("an invalid manifest: %v", err)
	}
}

func TestMerge(t *testing.T) {
	shared := &models.Service{Name: "first"}
	q := models.QueryResult{
		{Target: "b", Manifest: &models.ProfileManifest{
			Services:        map[string]*models.Service{"1": {Name: "second"}, "2": {Name: "other"}},
			ServiceMappings: []models.ServiceMapping{{Service: "1", Container: "c", Target: "b"}},
		}},
		{Target: "a", Manifest: &models.ProfileManifest{
			Services:         map[string]*models.Service{"1": shared},
			ServiceMappings:  []models.ServiceMapping{{Service: "1", Container: "c", Target: "a"}},
			SnapshotMappings: []models.SnapshotMapping{{Component: "x"}},
		}},
	}
	m := q.Merge(map[string]string{"a": "/a"}, models.Infrastructure{})
	if m.Services["1"] != shared || len(m.Services) != 2 || len(m.ServiceMappings) != 2 ||
		m.ServiceMappings[0].Target != "a" || len(m.SnapshotMappings) != 1 || m.Profiles["a"] != "/a" {
		t.Errorf("got %+v", m)
	}
}
