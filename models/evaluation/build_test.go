package evaluation

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/disnix-go/disnix/models"
)

// shop is a system of four services in which orders is embedded in a
// container that dbserver provides.
var shop = map[string]string{
	"infrastructure.nix": `{
	  node1 = { properties.hostname = "node1.lan"; containers.process = { }; };
	  node2 = { properties.hostname = "node2.lan"; containers.process.user = "www"; numOfCores = 4; };
	}`,
	"services.nix": `{ system, pkgs, distribution, invDistribution, prefix ? "acme" }:
	let
	  mine = import ./pkgs.nix { inherit system; };
	  address = p: { inherit (p) name; host = p.target.properties.hostname; inherit (p.target) container; };
	in rec {
	  dbserver = { name = "dbserver"; pkg = mine.say "dbserver" "db"; type = "process"; providesContainer = "pg-database"; pgPort = 5432; };
	  orders = { name = "orders"; pkg = mine.say "orders" prefix; type = "pg-database"; deployState = true; };
	  api = { name = "api"; pkg = mine.show "api" address; type = "process"; dependsOn = { inherit orders; }; connectsTo = { peer = web; }; };
	  web = { name = "web"; pkg = mine.show "web" address; type = "process"; dependsOn = { backend = api; }; };
	}`,
	"distribution.nix": `{ infrastructure }: {
	  dbserver = [ infrastructure.node1 ];
	  orders = [ infrastructure.node1 ];
	  api = [ infrastructure.node1 infrastructure.node2 ];
	  web = { targets = [ { target = infrastructure.node2; } ]; };
	}`,
}

func TestBuildManifest(t *testing.T) {
	path, manifest := newModels(t, shop).build()
	if !strings.HasSuffix(path, "-manifest.xml") {
		t.Errorf("the manifest is %s, want a store path ending in -manifest.xml", path)
	}
	stored, err := models.ReadManifestFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(stored, manifest) {
		t.Errorf("the store has %+v, want %+v", stored, manifest)
	}

	dbserver, _ := named(t, manifest, "dbserver")
	orders, ordersService := named(t, manifest, "orders")
	api, apiService := named(t, manifest, "api")
	web, webService := named(t, manifest, "web")
	wantMappings := []models.ServiceMapping{
		{Service: api, Container: "process", Target: "node1"},
		{Service: api, Container: "process", Target: "node2"},
		{Service: dbserver, Container: "process", Target: "node1"},
		{Service: orders, Container: "pg-database", Target: "node1", ContainerProvidedByService: dbserver},
		{Service: web, Container: "process", Target: "node2"},
	}
	if !reflect.DeepEqual(manifest.ServiceMappings, wantMappings) {
		t.Errorf("service mappings are %v, want %v", manifest.ServiceMappings, wantMappings)
	}
	wantSnapshots := []models.SnapshotMapping{{ServiceMapping: wantMappings[3], Component: "orders"}}
	if !reflect.DeepEqual(manifest.SnapshotMappings, wantSnapshots) {
		t.Errorf("snapshot mappings are %v, want %v", manifest.SnapshotMappings, wantSnapshots)
	}
	for _, check := range []struct {
		what      string
		got, want []models.Dependency
	}{
		{"order of orders after its container", ordersService.DependsOn, []models.Dependency{{Service: dbserver, Container: "process", Target: "node1"}}},
		{"dependsOn of api", apiService.DependsOn, []models.Dependency{{Service: orders, Container: "pg-database", Target: "node1"}}},
		{"connectsTo of api", apiService.ConnectsTo, []models.Dependency{{Service: web, Container: "process", Target: "node2"}}},
		{"dependsOn of web", webService.DependsOn, []models.Dependency{
			{Service: api, Container: "process", Target: "node1"},
			{Service: api, Container: "process", Target: "node2"},
		}},
	} {
		if !reflect.DeepEqual(check.got, check.want) {
			t.Errorf("%s is %v, want %v", check.what, check.got, check.want)
		}
	}
	wantProvided := map[string]models.Properties{"pg-database": {"pgPort": {Type: models.Int, Text: "5432"}}}
	if got := manifest.Services[dbserver].ProvidesContainers; !reflect.DeepEqual(got, wantProvided) {
		t.Errorf("dbserver provides %v, want %v", got, wantProvided)
	}
	parameters := read(t, filepath.Join(apiService.Package, "share/api"))
	want := `{"orders":{"container":{"pgPort":5432},"host":"node1.lan","name":"orders"},"peer":{"container":{"user":"www"},"host":"node2.lan","name":"web"}}`
	if parameters != want {
		t.Errorf("api was built with %s, want %s", parameters, want)
	}
}

func TestBuildProfiles(t *testing.T) {
	path, manifest := newModels(t, shop).build()
	for target, profile := range manifest.Profiles {
		if !strings.HasSuffix(profile, "-"+target) {
			t.Errorf("the profile of %s is %s", target, profile)
		}
		installed, err := models.ReadProfileManifestFile(filepath.Join(profile, "profilemanifest.xml"), target)
		if err != nil {
			t.Fatal(err)
		}
		if want := manifest.ProfileManifest(target); !reflect.DeepEqual(installed, want) {
			t.Errorf("the profile manifest of %s is %+v, want %+v", target, installed, want)
		}
		closure := output(t, "nix-store", "--query", "--requisites", profile)
		for _, mapping := range installed.ServiceMappings {
			s := manifest.Services[mapping.Service]
			if !strings.Contains(closure, s.Package) {
				t.Errorf("the closure of the profile of %s lacks service %s", target, s.Name)
			}
			if _, err := os.Stat(filepath.Join(profile, "share", s.Name)); err != nil {
				t.Errorf("the files of service %s are not in the profile of %s: %v", s.Name, target, err)
			}
		}
	}
	closure := output(t, "nix-store", "--query", "--requisites", path)
	for _, profile := range manifest.Profiles {
		if !strings.Contains(closure, profile) {
			t.Errorf("the closure of the manifest lacks profile %s", profile)
		}
	}
}

func TestBuildManifestTwiceGivesTheSame(t *testing.T) {
	dir := newModels(t, shop)
	first, _ := dir.build()
	if second, _ := dir.build(); second != first {
		t.Errorf("the second manifest is %s, the first %s", second, first)
	}
}
