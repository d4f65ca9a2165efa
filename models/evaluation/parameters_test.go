package evaluation

import (
	"context"
	"encoding/json"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/disnix-go/disnix/models"
)

// built returns the JSON document that the package of a service holds.
func built(t *testing.T, m *models.Manifest, name string) any {
	t.Helper()
	_, s := named(t, m, name)
	var document any
	if err := json.Unmarshal([]byte(read(t, filepath.Join(s.Package, "share", name))), &document); err != nil {
		t.Fatal(err)
	}
	return document
}

// wantJSON compares a decoded document with a text.
func wantJSON(t *testing.T, what string, got any, want string) {
	t.Helper()
	var document any
	if err := json.Unmarshal([]byte(want), &document); err != nil {
		t.Fatalf("%s: %v", what, err)
	}
	if !reflect.DeepEqual(got, document) {
		text, _ := json.Marshal(got)
		t.Errorf("%s is\n%s, want\n%s", what, text, want)
	}
}

func TestInterDependencyParameters(t *testing.T) {
	files := map[string]string{
		"infrastructure.nix": `{
		  node1 = { properties.hostname = "node1.lan"; containers.process.user = "www"; rack = 7; };
		  node2 = { properties = { hostname = "n2"; ip = "10.0.0.2"; }; targetProperty = "ip"; clientInterface = "c"; numOfCores = 2; containers.process = { }; };
		}`,
		"services.nix": `{ system, ... }:
		let
		  mine = import ./pkgs.nix { inherit system; };
		  # Everything but the packages, which are shown as what they are.
		  shape = p: builtins.removeAttrs p [ "pkg" "pkgs" "connectsTo" ] // {
		    pkg = builtins.typeOf p.pkg;
		    pkgs = builtins.mapAttrs (_: b: b.type) p.pkgs;
		  } // (if p ? connectsTo then { connectsTo = builtins.mapAttrs (_: shape) p.connectsTo; } else { });
		in rec {
		  store = { name = "store"; type = "process"; pkg = mine.say "store" ""; providesContainer = "db"; port = 5432; };
		  data = { name = "data"; type = "db"; pkg = mine.say "data" ""; deployState = true; schema = [ 1 ]; };
		  api = { name = "api"; type = "process"; pkg = mine.show "api" shape; dependsOn = { inherit data; }; };
		  web = { name = "web"; type = "process"; pkg = mine.show "web" shape;
		    connectsTo = { api = data; bare = store; }; dependsOn = { inherit api; }; activatesAfter = { inherit store; }; };
		}`,
		"distribution.nix": `{ infrastructure }: with infrastructure; {
		  store = [ node1 ]; data = [ node1 ]; api = [ node2 node1 ]; web = [ node1 ];
		}`,
	}
	dir := newModels(t, files)
	_, m := dir.build()
	node1 := func(container, properties string) string {
		return `{"properties":{"hostname":"node1.lan"},"system":"x86_64-linux","numOfCores":1,"clientInterface":"disnix-run-activity",
			"targetProperty":"hostname","rack":7,"selectedContainer":"` + container + `","container":` + properties + `}`
	}
	node2 := `{"properties":{"hostname":"n2","ip":"10.0.0.2"},"system":"x86_64-linux","numOfCores":2,"clientInterface":"c",
		"targetProperty":"ip","selectedContainer":"process","container":{}}`
	inDB := node1("db", `{"port":5432}`)
	inProcess := node1("process", `{"user":"www"}`)
	data := `{"name":"data","pkg":"set","pkgs":{"x86_64-linux":"derivation"},"type":"db","deployState":true,"schema":[1],
		"targets":[` + inDB + `],"target":` + inDB + `}`
	wantJSON(t, "parameter of api", built(t, m, "api"), `{"data":`+data+`}`)
	store := `{"name":"store","pkg":"set","pkgs":{"x86_64-linux":"derivation"},"type":"process","deployState":false,"port":5432,
		"providesContainer":"db","providesContainers":{"db":{"port":5432}},"targets":[` + inProcess + `],"target":` + inProcess + `}`
	api := `{"name":"api","pkg":"lambda","pkgs":{"x86_64-linux":"derivation"},"type":"process","deployState":false,
		"targets":[` + node2 + `,` + inProcess + `],"target":` + node2 + `,"connectsTo":{"data":` + data + `}}`
	wantJSON(t, "parameters of web, where dependsOn wins", built(t, m, "web"), `{"api":`+api+`,"bare":`+store+`}`)
}

func TestRefinedDependency(t *testing.T) {
	files := systemOf(`
	  db = { name = "db"; type = "process"; pkg = mine.say "db" ""; };
	  app = { name = "app"; type = "process"; pkg = mine.show "app" (p: map (t: t.properties.hostname) p.targets);
	    dependsOn.near = db // { targets = [ { properties.hostname = "node2.lan"; } ]; }; connectsTo.all = db; };`,
		`db = [ node1 node2 ]; app = [ node1 ];`)
	_, m := newModels(t, files).build()
	wantJSON(t, "parameters of app", built(t, m, "app"), `{"near":["node2.lan"],"all":["node1.lan","node2.lan"]}`)
	db, _ := named(t, m, "db")
	_, app := named(t, m, "app")
	on1 := models.Dependency{Service: db, Container: "process", Target: "node1"}
	on2 := models.Dependency{Service: db, Container: "process", Target: "node2"}
	if want := []models.Dependency{on2}; !reflect.DeepEqual(app.DependsOn, want) {
		t.Errorf("app depends on %v, want %v", app.DependsOn, want)
	}
	if want := []models.Dependency{on1, on2}; !reflect.DeepEqual(app.ConnectsTo, want) {
		t.Errorf("app connects to %v, want %v", app.ConnectsTo, want)
	}
}

// TestKeysAreThoseOfNix lets Nix compute the keys as the original does.
func TestKeysAreThoseOfNix(t *testing.T) {
	system := newModels(t, shop).evaluate()
	for key, s := range system.Manifest.Services {
		var dependsOn strings.Builder
		for _, d := range s.DependsOn {
			dependsOn.WriteString(`{ service = "` + d.Service + `"; target = "` + d.Target + `"; container = "` + d.Container + `"; } `)
		}
		expression := `builtins.hashString "sha256" (builtins.toXML { name = "` + s.Name + `"; type = "` + s.Type + `"; pkg = "` + s.Package + `"; dependsOn = [ ` + dependsOn.String() + ` ]; })`
		if got := strings.Trim(output(t, "nix-instantiate", "--eval", "--expr", expression), `"`); got != key {
			t.Errorf("the key of %s is %s, want %s", s.Name, key, got)
		}
	}
}

func TestExtraParams(t *testing.T) {
	files := systemOf("", "a = [ infrastructure.node1 ];")
	files["services.nix"] = `{ system, pkgs, distribution, invDistribution, prefix, missing ? "default" }:
	  let mine = import ./pkgs.nix { inherit system; };
	  in { a = { name = "a"; type = "process"; pkg = mine.say "a" (prefix + missing); }; }`
	files["distribution.nix"] = `{ infrastructure, node }: { a = [ infrastructure.${node} ]; }`
	dir := newModels(t, files)
	in := dir.inputs()
	in.ExtraParams = `{ prefix = "it's \"x\" "; node = "node2"; unused = throw "touched"; }`
	path, m, err := BuildManifest(context.Background(), in)
	if err != nil {
		t.Fatal(err)
	}
	_, a := named(t, m, "a")
	if got := read(t, filepath.Join(a.Package, "share/a")); got != `it's "x" default` {
		t.Errorf("a was built with %q in %s", got, path)
	}
	if got := m.ServiceMappings[0].Target; got != "node2" {
		t.Errorf("a is mapped to %s, want node2", got)
	}
}

func TestDistributionAndInverseArePassed(t *testing.T) {
	files := systemOf("", `a1 = [ node1 ]; a2 = { targets = [ { target = node2; container = "c"; } ]; };`)
	files["services.nix"] = `{ system, pkgs, distribution, invDistribution }:
	  let
	    mine = import ./pkgs.nix { inherit system; };
	    # One service for each target, as generators of services do.
	    generate = target: map (name: {
	      inherit name;
	      value = { inherit name; type = "process"; pkg = mine.say name "${target} ${toString (builtins.attrNames distribution)} ${invDistribution.${target}.properties.hostname}"; };
	    }) (builtins.attrNames invDistribution.${target}.services);
	  in builtins.listToAttrs (builtins.concatMap generate (builtins.attrNames invDistribution))
	    // { type = { name = "type"; type = invDistribution.node2.services.a2.type; pkg = mine.say "type" ""; }; }`
	_, m := newModels(t, files).build()
	_, a2 := named(t, m, "a2")
	if got, want := read(t, filepath.Join(a2.Package, "share/a2")), "node2 a1 a2 node2.lan"; got != want {
		t.Errorf("a2 was built with %q, want %q", got, want)
	}
	want := []models.ServiceMapping{
		{Service: m.ServiceMappings[0].Service, Container: "process", Target: "node1"},
		{Service: m.ServiceMappings[1].Service, Container: "c", Target: "node2"},
	}
	if !reflect.DeepEqual(m.ServiceMappings, want) {
		t.Errorf("service mappings are %v, want %v", m.ServiceMappings, want)
	}
}
