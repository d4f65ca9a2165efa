package evaluation

import (
	"context"
	"strings"
	"testing"

	"github.com/disnix-go/disnix/models"
)

// TestCapturedManifest evaluates what [models.Manifest.WriteNix] writes: it is
// the same manifest, whatever its values are.
func TestCapturedManifest(t *testing.T) {
	dir := newModels(t, map[string]string{})
	path := strings.TrimSpace(output(t, "nix-store", "--add", dir.write("content", "x")))
	text := func(s string) models.Value { return models.Value{Type: models.String, Text: s} }
	hostile := models.Properties{
		"hostname":         text("node1.lan"),
		`${x}"\`:           text("${x} \" \\ ''\n\ttab $${y} ü"),
		"or":               {Type: models.Bool, Text: "true"},
		"negative":         {Type: models.Int, Text: "-5"},
		"float":            {Type: models.Float, Text: "1.5"},
		"list":             {Type: models.List, List: []models.Value{text("a b"), {Type: models.Int, Text: "-1"}, {Type: models.List}}},
		"attrs":            {Type: models.Attrs, Attrs: models.Properties{"in ner": text("")}},
		"let":              text("builtins.abort \"no\""),
		"with.dot and /*x": text("*/"),
	}
	mapping := models.ServiceMapping{Service: "key", Container: "box ${x}", Target: "node 1"}
	provider := models.ServiceMapping{Service: "provider", Container: "process", Target: "node 1"}
	mapping.ContainerProvidedByService = provider.Service
	want := &models.Manifest{
		Profiles: map[string]string{"node 1": path},
		Services: map[string]*models.Service{
			"provider": {Name: "provider", Package: path, Type: "process", ProvidesContainers: map[string]models.Properties{mapping.Container: hostile}},
			"key": {Name: `a"b`, Package: path, Type: "box", DependsOn: []models.Dependency{provider.Identity()},
				ConnectsTo: []models.Dependency{mapping.Identity()}},
		},
		Infrastructure: models.Infrastructure{"node 1": {
			Name: "node 1", Properties: hostile, Containers: map[string]models.Properties{"process": hostile},
			System: "x86_64-linux", NumOfCores: 3, ClientInterface: "/a client", TargetProperty: "hostname",
		}},
		ServiceMappings:  []models.ServiceMapping{provider, mapping},
		SnapshotMappings: []models.SnapshotMapping{{ServiceMapping: mapping, Component: "content"}},
	}
	var model strings.Builder
	if err := want.WriteNix(&model); err != nil {
		t.Fatal(err)
	}
	stored, got, err := BuildManifest(context.Background(), Inputs{Deployment: dir.write("deployment.nix", model.String())})
	if err != nil {
		t.Fatalf("%v\n%s", err, &model)
	}
	if !got.Equal(want) {
		t.Errorf("evaluated to %+v\n%s", got, &model)
	}
	read, err := models.ReadManifestFile(stored)
	if err != nil {
		t.Fatal(err)
	}
	if !read.Equal(want) {
		t.Errorf("the store has %+v", read)
	}
}
