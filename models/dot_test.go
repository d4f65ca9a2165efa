package models_test

import (
	"strings"
	"testing"

	"github.com/disnix-go/disnix/models"
)

func drawable() *models.Manifest {
	properties := models.Properties{"hostname": {Type: models.String, Text: "node1.lan:22"}}
	db := models.Dependency{Service: "77ab", Container: "process", Target: "node1"}
	return &models.Manifest{
		Services: map[string]*models.Service{
			"77ab": {Name: "dbserver", Package: "/nix/store/cccc-dbserver", Type: "process", ProvidesContainers: map[string]models.Properties{"pg-database": {}}},
			"3f1c": {Name: "orders", Package: "/nix/store/bbbb-orders", Type: "pg-database", DependsOn: []models.Dependency{db}},
			"99ff": {Name: "front", Package: "/nix/store/dddd-front", Type: "process", ConnectsTo: []models.Dependency{db}},
		},
		Infrastructure: models.Infrastructure{"node1": {Name: "node1", Properties: properties, NumOfCores: 1, ClientInterface: "disnix-ssh-client", TargetProperty: "hostname",
			Containers: map[string]models.Properties{"process": {}}}},
		ServiceMappings: []models.ServiceMapping{
			{Service: "99ff", Container: "process", Target: "node1"},
			{Service: "3f1c", Container: "pg-database", Target: "node1", ContainerProvidedByService: "77ab"},
			{Service: "77ab", Container: "process", Target: "node1"},
		},
	}
}

func dot(t *testing.T, m *models.Manifest, withoutContainers bool) string {
	t.Helper()
	var out strings.Builder
	if err := m.WriteDot(&out, withoutContainers); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func TestWriteDot(t *testing.T) {
	want := `digraph G {
subgraph cluster_0 {
style=filled;
label="node1";
fillcolor=grey
subgraph cluster_0_0 {
style=filled;
label="pg-database";
fillcolor=grey40
node [style=filled,fillcolor=white,color=black];
"3f1c:node1:pg-database" [ label = "orders" ];
}
subgraph cluster_0_1 {
style=filled;
label="process";
fillcolor=grey40
node [style=filled,fillcolor=white,color=black];
"99ff:node1:process" [ label = "front" ];
"77ab:node1:process" [ label = "dbserver &#8594;\npg-database", peripheries=2 ];
}
}
"3f1c:node1:pg-database" -> "77ab:node1:process"
"99ff:node1:process" -> "77ab:node1:process" [style=dashed]
}
`
	if got := dot(t, drawable(), false); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestWriteDotWithoutContainers(t *testing.T) {
	got := dot(t, drawable(), true)
	if strings.Contains(got, "cluster_0_") || strings.Count(got, "node [") != 2 || strings.Count(got, "{") != strings.Count(got, "}") {
		t.Errorf("got\n%s", got)
	}
}

func TestRoughEdge_Visualize(t *testing.T) {
	t.Run("observed 16: targets are identified by name", func(t *testing.T) {
		if got := dot(t, drawable(), false); strings.Contains(got, "node1.lan") {
			t.Errorf("got\n%s", got)
		}
	})
	t.Run("commands section 9: names are escaped", func(t *testing.T) {
		m := drawable()
		m.Services["77ab"].ProvidesContainers = map[string]models.Properties{`p"g`: {}, `pg-database`: {}}
		m.Services["3f1c"].Name = `a"b\l&lt;`
		got := dot(t, m, false)
		for _, want := range []string{`label = "a\"b\\l&amp;lt;"`, `"dbserver\n &#8594; { p\"g\n, pg-database\n}"`} {
			if !strings.Contains(got, want) {
				t.Errorf("%s is not in\n%s", want, got)
			}
		}
	})
	t.Run("an invalid manifest is refused", func(t *testing.T) {
		m := drawable()
		delete(m.Services, "77ab")
		if err := m.WriteDot(new(strings.Builder), false); err == nil {
			t.Error("a manifest with dangling references was drawn")
		}
	})
}
