package evaluation

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/disnix-go/disnix/models"
)

func TestArchitectureModel(t *testing.T) {
	files := map[string]string{
		"architecture.nix": `{ pkgs, system, color }:
		let mine = import ./pkgs.nix { inherit system; }; in rec {
		  infrastructure = { node1 = { properties.hostname = "node1.lan"; }; };
		  services = rec {
		    a = { name = "a"; type = "process"; pkg = mine.say "a" color; targets = [ infrastructure.node1 ]; };
		    b = { name = "b"; type = "process"; pkg = mine.show "b" (p: p.target.properties.hostname); dependsOn = { inherit a; };
		      targets.targets = [ { target = infrastructure.node1; container = "c"; } ]; };
		    idle = { name = "idle"; type = "process"; pkg = throw "never evaluated"; };
		  };
		  targetPackages.node1 = [ (mine.say "tool" "") ];
		}`,
	}
	dir := newModels(t, files)
	in := dir.inputs()
	in.ExtraParams = `{ color = "red"; }`
	_, m, err := BuildManifest(context.Background(), in)
	if err != nil {
		t.Fatal(err)
	}
	a, service := named(t, m, "a")
	if got := read(t, filepath.Join(service.Package, "share/a")); got != "red" {
		t.Errorf("a was built with %q, want red", got)
	}
	_, b := named(t, m, "b")
	if want := []models.Dependency{{Service: a, Container: "process", Target: "node1"}}; !reflect.DeepEqual(b.DependsOn, want) {
		t.Errorf("b depends on %v, want %v", b.DependsOn, want)
	}
	if len(m.Services) != 2 {
		t.Errorf("the manifest has %d services, want 2: services without targets are ignored", len(m.Services))
	}
	if _, err := os.Stat(filepath.Join(m.Profiles["node1"], "share/tool")); err != nil {
		t.Error(err)
	}

	t.Run("all extra parameters have to be accepted", func(t *testing.T) {
		in.ExtraParams = `{ color = "red"; size = 1; }`
		_, err := Evaluate(context.Background(), in)
		var failure *Error
		if !errors.As(err, &failure) || !strings.Contains(failure.What, "architecture model") {
			t.Errorf("got %v, want an error in the architecture model", err)
		}
	})
	t.Run("dependency on a service without targets", func(t *testing.T) {
		dir.write("architecture.nix", `{ pkgs, system }: rec {
		  infrastructure.node1.properties.hostname = "node1.lan";
		  services = rec {
		    a = { name = "a"; type = "process"; pkg = p: derivation { name = "a"; inherit system; builder = "/bin/sh"; }; dependsOn.x = idle; targets = [ infrastructure.node1 ]; };
		    idle = { name = "idle"; type = "process"; };
		  };
		}`)
		dir.wantProblems(`service "a": dependsOn.x refers to service "idle", which has no targets`)
	})
	t.Run("incomplete", func(t *testing.T) {
		dir.write("architecture.nix", `{ pkgs, system }: { services = { }; }`)
		if _, err := Evaluate(context.Background(), dir.inputs()); err == nil || !strings.Contains(err.Error(), "must have the attributes services and infrastructure") {
			t.Errorf("got %v", err)
		}
	})
}

func TestPackagesModel(t *testing.T) {
	packages := `{ pkgs, system }: let mine = import ./pkgs.nix { inherit system; }; in { node1 = [ (mine.say "tool" "model") (mine.say "curl" "") ]; }`
	t.Run("alone", func(t *testing.T) {
		_, m := newModels(t, map[string]string{"infrastructure.nix": twoTargets, "packages.nix": packages}).build()
		if got := read(t, filepath.Join(m.Profiles["node1"], "share/tool")); got != "model" {
			t.Errorf("tool is %q", got)
		}
		if len(m.Services) != 0 || len(m.Profiles) != 2 {
			t.Errorf("the manifest has services %v and profiles %v", m.Services, m.Profiles)
		}
	})
	t.Run("besides services, which come after", func(t *testing.T) {
		files := systemOf(`tool = { name = "tool"; type = "package"; pkg = mine.say "tool" "service"; };`, `tool = [ node1 node2 ];`)
		files["packages.nix"] = packages
		_, m := newModels(t, files).build()
		for target, want := range map[string]string{"node1": "model", "node2": "service"} {
			if got := read(t, filepath.Join(m.Profiles[target], "share/tool")); got != want {
				t.Errorf("tool on %s is from the %q, want %q", target, got, want)
			}
		}
		if len(m.Services) != 1 || len(m.ServiceMappings) != 0 {
			t.Errorf("a package must be a service without mappings, got %v and %v", m.Services, m.ServiceMappings)
		}
	})
}

func TestUndeploy(t *testing.T) {
	dir := newModels(t, shop)
	in := dir.inputs()
	in.Undeploy = true
	_, m, err := BuildManifest(context.Background(), in)
	if err != nil {
		t.Fatal(err)
	}
	if len(m.Services)+len(m.ServiceMappings)+len(m.SnapshotMappings) != 0 || len(m.Profiles) != 2 || len(m.Infrastructure) != 2 {
		t.Errorf("got %+v, want two targets and empty profiles", m)
	}
	for target, profile := range m.Profiles {
		if got := read(t, filepath.Join(profile, "profilemanifest.xml")); !strings.Contains(got, "<services/><serviceMappings/><snapshotMappings/>") {
			t.Errorf("the profile manifest of %s is %s", target, got)
		}
	}
}

func TestNoTargets(t *testing.T) {
	_, m := newModels(t, map[string]string{"infrastructure.nix": "{ }", "packages.nix": "{ ... }: { }"}).build()
	if len(m.Profiles) != 0 || len(m.Infrastructure) != 0 {
		t.Errorf("got %+v, want an empty manifest", m)
	}
}

func TestDeploymentModel(t *testing.T) {
	dir := newModels(t, shop)
	_, m := dir.build()
	profile := m.Profiles["node1"]
	model := `{
	  profiles.node1 = builtins.storePath ` + profile + `;
	  profiles.node2 = "` + m.Profiles["node2"] + `";
	  services.k1 = { name = "a"; type = "process"; pkg = builtins.storePath ` + profile + `; providesContainers.c.port = 1.5; };
	  services.k2 = { name = "b"; type = "c"; pkg = "/nix/store/some"; dependsOn = [ { service = "k1"; target = "node1"; container = "process"; } ]; };
	  serviceMappings = [
	    { service = "k1"; target = "node1"; container = "process"; }
	    { service = "k2"; target = "node1"; container = "c"; containerProvidedByService = "k1"; }
	  ];
	  snapshotMappings = [ { service = "k2"; component = "b"; target = "node1"; container = "c"; containerProvidedByService = "k1"; } ];
	  infrastructure = {
	    node1 = { properties.hostname = "node1"; targetProperty = "hostname"; clientInterface = "c"; numOfCores = 3; system = "x86_64-linux"; };
	    node2 = { properties.hostname = "node2"; };
	  };
	}`
	in := Inputs{Deployment: dir.write("deployment.nix", model), TargetProperty: "hostname", ClientInterface: "d"}
	path, got, err := BuildManifest(context.Background(), in)
	if err != nil {
		t.Fatal(err)
	}
	onNode1 := func(service, container, provider string) models.ServiceMapping {
		return models.ServiceMapping{Service: service, Container: container, Target: "node1", ContainerProvidedByService: provider}
	}
	want := &models.Manifest{
		Profiles: m.Profiles,
		Services: map[string]*models.Service{
			"k1": {Name: "a", Type: "process", Package: profile, ProvidesContainers: map[string]models.Properties{"c": {"port": {Type: models.Float, Text: "1.5"}}}},
			"k2": {Name: "b", Type: "c", Package: "/nix/store/some", DependsOn: []models.Dependency{onNode1("k1", "process", "").Identity()}, ProvidesContainers: map[string]models.Properties{}},
		},
		ServiceMappings:  []models.ServiceMapping{onNode1("k1", "process", ""), onNode1("k2", "c", "k1")},
		SnapshotMappings: []models.SnapshotMapping{{ServiceMapping: onNode1("k2", "c", "k1"), Component: "b"}},
		Infrastructure: models.Infrastructure{
			"node1": {Name: "node1", Properties: models.Properties{"hostname": {Type: models.String, Text: "node1"}}, Containers: map[string]models.Properties{}, System: "x86_64-linux", NumOfCores: 3, ClientInterface: "c", TargetProperty: "hostname"},
			"node2": {Name: "node2", Properties: models.Properties{"hostname": {Type: models.String, Text: "node2"}}, Containers: map[string]models.Properties{}, System: "x86_64-linux", NumOfCores: 1, ClientInterface: "d", TargetProperty: "hostname"},
		},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
	references := output(t, "nix-store", "--query", "--references", path)
	for _, profile := range m.Profiles {
		if !strings.Contains(references, profile) {
			t.Errorf("the manifest does not keep %s", profile)
		}
	}

	t.Run("mistakes", func(t *testing.T) {
		in.Deployment = dir.write("deployment.nix", `{
		  services = { k1 = { name = 5; pkg = null; dependsOn = { }; }; k2 = 7; };
		  serviceMappings = [ { service = "k9"; container = [ ]; } "x" ];
		  infrastructure.node1 = { };
		}`)
		_, err := Evaluate(context.Background(), in)
		for _, part := range []string{
			"service k1: attribute name must be a string, not an integer", "service k1: attribute type is missing", "service k1: attribute store path is missing",
			"service k1: dependsOn must be a list, not an attribute set", "service k2 must be an attribute set, not an integer",
			"serviceMappings[0].container must be a string, not a list", "serviceMappings[1] must be an attribute set, not a string",
			`target "node1": its properties do not have "hostname"`,
		} {
			if err == nil || !strings.Contains(err.Error(), part) {
				t.Errorf("no problem says %q: %v", part, err)
			}
		}
	})
	t.Run("dangling references", func(t *testing.T) {
		in.Deployment = dir.write("deployment.nix", `{ serviceMappings = [ { service = "k9"; target = "n"; container = "c"; } ]; }`)
		if _, err := Evaluate(context.Background(), in); err == nil || !strings.Contains(err.Error(), "incorrect reference to service: k9") {
			t.Errorf("got %v", err)
		}
	})
	t.Run("profile that is not there", func(t *testing.T) {
		in.Deployment = dir.write("deployment.nix", `{
		  profiles.node1 = "`+filepath.Dir(profile)+`/00000000000000000000000000000000-node1"; infrastructure.node1.properties.hostname = "n"; }`)
		if _, _, err := BuildManifest(context.Background(), in); err == nil || !strings.Contains(err.Error(), "00000000000000000000000000000000-node1") {
			t.Errorf("got %v", err)
		}
	})
}

func TestDistributedDerivation(t *testing.T) {
	dir := newModels(t, shop)
	path, document, err := BuildDistributedDerivation(context.Background(), dir.inputs())
	if err != nil {
		t.Fatal(err)
	}
	stored, err := models.ReadDistributedDerivationFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(stored, document) {
		t.Errorf("the store has %v, want %v", stored, document)
	}
	var got []string
	for _, m := range document.Mappings {
		got = append(got, m.Interface+" "+strings.SplitN(filepath.Base(m.Derivation), "-", 2)[1])
	}
	want := []string{"node1 api.drv", "node1 dbserver.drv", "node1 orders.drv", "node2 api.drv", "node2 web.drv"}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("mappings are %v, want %v", got, want)
	}
	wantInterfaces := map[string]models.Interface{
		"node1": {TargetAddress: "node1.lan", ClientInterface: "disnix-run-activity", NumOfCores: 1},
		"node2": {TargetAddress: "node2.lan", ClientInterface: "disnix-run-activity", NumOfCores: 4},
	}
	if !reflect.DeepEqual(document.Interfaces, wantInterfaces) {
		t.Errorf("interfaces are %v, want %v", document.Interfaces, wantInterfaces)
	}
	references := output(t, "nix-store", "--query", "--references", path)
	for _, m := range document.Mappings {
		if !strings.Contains(references, m.Derivation) {
			t.Errorf("the document does not keep %s", m.Derivation)
		}
	}

	t.Run("deployment model", func(t *testing.T) {
		in := Inputs{Deployment: dir.write("deployment.nix", "{ }")}
		if _, _, err := BuildDistributedDerivation(context.Background(), in); !errors.Is(err, ErrUnknownCombination) {
			t.Errorf("got %v", err)
		}
	})
	t.Run("build model", func(t *testing.T) {
		derivation := document.Mappings[0].Derivation
		in := Inputs{ClientInterface: "c", Build: dir.write("build.nix", `{
		  derivationMappings = [
		    { derivation = `+derivation+`; interface = "a"; }
		    { derivation = (import ./pkgs.nix { system = "x86_64-linux"; }).say "x" ""; interface = "a"; }
		  ];
		  interfaces.a = { targetAddress = "a.lan"; clientInterface = "d"; numOfCores = 3; };
		}`)}
		_, got, err := BuildDistributedDerivation(context.Background(), in)
		if err != nil {
			t.Fatal(err)
		}
		if got.Mappings[0].Derivation != derivation || !strings.HasSuffix(got.Mappings[1].Derivation, "-x.drv") || got.Interfaces["a"] != (models.Interface{TargetAddress: "a.lan", ClientInterface: "d", NumOfCores: 3}) {
			t.Errorf("got %v", got)
		}
	})
	t.Run("mistakes in a build model", func(t *testing.T) {
		in := Inputs{Build: dir.write("build.nix", `{ derivationMappings = [ { derivation = 5; interface = [ ]; } ]; interfaces = [ ]; }`)}
		_, _, err := BuildDistributedDerivation(context.Background(), in)
		for _, part := range []string{"derivationMappings[0]: derivation must be a derivation", "derivationMappings[0]: interface must be a string", "interfaces must be an attribute set"} {
			if err == nil || !strings.Contains(err.Error(), part) {
				t.Errorf("no problem says %q: %v", part, err)
			}
		}
	})
	t.Run("package that is not a derivation", func(t *testing.T) {
		dir := newModels(t, systemOf(`a = { name = "a"; type = "process"; pkg = ./pkgs.nix; };`, `a = [ node1 ];`))
		if _, _, err := BuildDistributedDerivation(context.Background(), dir.inputs()); err == nil || !strings.Contains(err.Error(), `service "a": package`) {
			t.Errorf("got %v", err)
		}
	})
}

func TestRoundRobin(t *testing.T) {
	dir := newModels(t, map[string]string{
		"services.nix":       `{ distribution, invDistribution, system, pkgs, extra }: { c = 1; a = 2; "b d" = 3; ${extra} = 4; }`,
		"infrastructure.nix": twoTargets,
	})
	in := dir.inputs()
	in.ExtraParams = `{ extra = "or"; other = 1; }`
	path, err := RoundRobin(context.Background(), in)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasSuffix(path, "-distribution.nix") {
		t.Errorf("the distribution model is %s", path)
	}
	want := "{infrastructure}:\n\n{\n  a = [ infrastructure.node1 ];\n  \"b d\" = [ infrastructure.node2 ];\n  c = [ infrastructure.node1 ];\n  \"or\" = [ infrastructure.node2 ];\n}\n\n"
	if got := read(t, path); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	output(t, "nix-instantiate", "--parse", path)

	for _, test := range []struct {
		in   Inputs
		want error
	}{{Inputs{Infrastructure: "i"}, ErrNoServices}, {Inputs{Services: "s"}, ErrNoInfrastructure}} {
		if _, err := RoundRobin(context.Background(), test.in); !errors.Is(err, test.want) {
			t.Errorf("got %v, want %v", err, test.want)
		}
	}
	in.Infrastructure = dir.write("none.nix", "{ }")
	if _, err := RoundRobin(context.Background(), in); err == nil || !strings.Contains(err.Error(), "has no targets") {
		t.Errorf("got %v", err)
	}
}

func TestInfrastructure(t *testing.T) {
	dir := newModels(t, map[string]string{"infrastructure.nix": `{
	  a = { properties = { hostname = "a.lan"; list = [ 1 "two" 3.25 true { deep = "x"; } ]; big = 1.0e10; tab = "a\tb\n\"<&>'"; utf8 = "größe ☃"; }; containers.c.empty = ""; };
	  "b c" = { properties.url = "http://b/"; targetProperty = "url"; clientInterface = "soap"; system = "aarch64-linux"; numOfCores = 4; custom = x: x; };
	}`})
	got, err := Infrastructure(context.Background(), dir.inputs())
	if err != nil {
		t.Fatal(err)
	}
	text := func(s string) models.Value { return models.Value{Type: models.String, Text: s} }
	want := models.Infrastructure{
		"a": {Name: "a", Properties: models.Properties{
			"hostname": text("a.lan"),
			"list": {Type: models.List, List: []models.Value{
				{Type: models.Int, Text: "1"}, text("two"), {Type: models.Float, Text: "3.25"}, {Type: models.Bool, Text: "true"},
				{Type: models.Attrs, Attrs: models.Properties{"deep": text("x")}},
			}},
			"big": {Type: models.Float, Text: "1e+10"}, "tab": text("a\tb\n\"<&>'"), "utf8": text("größe ☃"),
		}, Containers: map[string]models.Properties{"c": {"empty": text("")}}, System: "x86_64-linux", NumOfCores: 1, ClientInterface: "disnix-run-activity", TargetProperty: "hostname"},
		"b c": {Name: "b c", Properties: models.Properties{"url": text("http://b/")}, Containers: map[string]models.Properties{},
			System: "aarch64-linux", NumOfCores: 4, ClientInterface: "soap", TargetProperty: "url"},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got["a"], want["a"])
	}

	raw, err := RawInfrastructure(context.Background(), dir.inputs())
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{"<?xml version='1.0' encoding='utf-8'?>", `name="numOfCores"`, `<int value="4" />`, `<string value="disnix-run-activity" />`, `name="custom"`} {
		if !strings.Contains(string(raw), part) {
			t.Errorf("the XML of Nix lacks %s: %s", part, raw)
		}
	}
	for name, in := range map[string]Inputs{
		"none":         {},
		"missing file": {Infrastructure: "/no/such.nix"},
		"function":     {Infrastructure: dir.write("function.nix", "{ }: { }")},
		"syntax":       {Infrastructure: dir.write("syntax.nix", "{ a = ")},
	} {
		if _, err := Infrastructure(context.Background(), in); err == nil {
			t.Errorf("%s: no error", name)
		}
		if _, err := RawInfrastructure(context.Background(), in); err == nil {
			t.Errorf("%s: no error for raw", name)
		}
	}
}
