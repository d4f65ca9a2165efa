package evaluation

import (
	"context"
	"errors"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/disnix-go/disnix/models"
	"github.com/disnix-go/disnix/models/nix"
)

// TestRoughEdges has one test for each defect of the original in the models
// and their transformation; none may be repeated.
func TestRoughEdges(t *testing.T) {
	const say = `type = "process"; pkg = mine.say "x" "";`

	t.Run("models 1, observed 18: names are checked", func(t *testing.T) {
		newModels(t, systemOf(`a = { name = "b"; `+say+` }; c = { `+say+` };`, `a = [ node1 ]; c = [ node1 ];`)).wantProblems(
			`service "a": its attribute name is "b", but has to be the same as the name of the service`,
			`service "c": attribute name is missing`)
	})

	t.Run("models 2: declared and implicit order are joined", func(t *testing.T) {
		files := systemOf(`
		  server = { name = "server"; `+say+` providesContainer = "c"; };
		  first = { name = "first"; `+say+` };
		  app = { name = "app"; type = "c"; pkg = mine.say "app" ""; activatesAfter = { inherit first; other = first // { targets = [ { properties.hostname = "node2.lan"; } ]; }; }; };`,
			`server = [ node1 ]; first = [ node1 node2 ]; app = [ node1 ];`)
		m := newModels(t, files).evaluate().Manifest
		first, _ := named(t, m, "first")
		server, _ := named(t, m, "server")
		_, app := named(t, m, "app")
		want := []models.Dependency{
			{Service: first, Container: "process", Target: "node1"},
			{Service: first, Container: "process", Target: "node2"},
			{Service: first, Container: "process", Target: "node2"},
			{Service: server, Container: "process", Target: "node1"},
		}
		if !reflect.DeepEqual(app.DependsOn, want) {
			t.Errorf("app comes after %v, want %v", app.DependsOn, want)
		}
	})

	t.Run("models 2: a dependency on the provider elsewhere keeps the implicit order", func(t *testing.T) {
		files := systemOf(`
		  server = { name = "server"; `+say+` providesContainer = "c"; };
		  app = { name = "app"; type = "c"; pkg = mine.show "app" (p: p.name);
		    dependsOn.server = server // { targets = [ { properties.hostname = "node2.lan"; } ]; }; };`,
			`server = [ node1 node2 ]; app = [ node1 ];`)
		_, app := named(t, newModels(t, files).evaluate().Manifest, "app")
		var targets []string
		for _, d := range app.DependsOn {
			targets = append(targets, d.Target)
		}
		if want := []string{"node2", "node1"}; !slices.Equal(targets, want) {
			t.Errorf("app comes after server on %v, want %v", targets, want)
		}
	})

	t.Run("models 3: both notations of provided containers count", func(t *testing.T) {
		files := systemOf(`
		  server = { name = "server"; `+say+` providesContainer = "one"; port = 1; providesContainers = { two.port = 2; }; };
		  a = { name = "a"; type = "one"; pkg = mine.say "a" ""; };
		  b = { name = "b"; type = "two"; pkg = mine.say "b" ""; };`, `server = [ node1 ]; a = [ node1 ]; b = [ node1 ];`)
		m := newModels(t, files).evaluate().Manifest
		key, server := named(t, m, "server")
		want := map[string]models.Properties{"one": {"port": {Type: models.Int, Text: "1"}}, "two": {"port": {Type: models.Int, Text: "2"}}}
		if !reflect.DeepEqual(server.ProvidesContainers, want) {
			t.Errorf("server provides %v, want %v", server.ProvidesContainers, want)
		}
		for _, mapping := range m.ServiceMappings {
			if mapping.Container != "process" && mapping.ContainerProvidedByService != key {
				t.Errorf("container %s is not provided by server", mapping.Container)
			}
		}
	})

	t.Run("models 4: a service may provide a container of the name of its own", func(t *testing.T) {
		files := systemOf(`
		  manager = { name = "manager"; `+say+` providesContainer = "process"; port = 1; };
		  app = { name = "app"; type = "process"; pkg = mine.show "app" (p: p.target.container); dependsOn = { inherit manager; }; };
		  guest = { name = "guest"; type = "process"; pkg = mine.show "guest" (p: p.target.container); dependsOn = { inherit app; }; };`,
			`manager = [ node1 ]; app = [ node1 ]; guest = [ node2 ];`)
		files["infrastructure.nix"] = `{ node1 = { properties.hostname = "node1.lan"; containers.process.port = 0; }; node2.properties.hostname = "node2.lan"; }`
		_, m := newModels(t, files).build()
		manager, service := named(t, m, "manager")
		if len(service.DependsOn) != 0 {
			t.Errorf("manager depends on %v, want nothing", service.DependsOn)
		}
		want := []models.ServiceMapping{
			{Service: m.ServiceMappings[0].Service, Container: "process", Target: "node1", ContainerProvidedByService: manager},
			{Service: m.ServiceMappings[1].Service, Container: "process", Target: "node2"},
			{Service: manager, Container: "process", Target: "node1"},
		}
		if !reflect.DeepEqual(m.ServiceMappings, want) {
			t.Errorf("service mappings are %v, want %v", m.ServiceMappings, want)
		}
		wantJSON(t, "the container of manager", built(t, m, "app"), `{"manager":{"port":0}}`)
		wantJSON(t, "the container of app", built(t, m, "guest"), `{"app":{"port":1}}`)
	})

	t.Run("models 5: a change of provided properties is in the manifest", func(t *testing.T) {
		services := `server = { name = "server"; ` + say + ` providesContainer = "c"; port = 1; };`
		dir := newModels(t, systemOf(services, `server = [ node1 ];`))
		before := dir.evaluate().Manifest
		dir.write("services.nix", strings.Replace(systemOf(services, "")["services.nix"], "port = 1", "port = 2", 1))
		after := dir.evaluate().Manifest
		key, old := named(t, before, "server")
		if reflect.DeepEqual(old.ProvidesContainers, after.Services[key].ProvidesContainers) {
			t.Error("both manifests have the same properties under the same key")
		}
	})

	t.Run("models 6: a package has no state", func(t *testing.T) {
		tool := `tool = { name = "tool"; type = "package"; pkg = mine.say "tool" ""; deployState = true; };`
		newModels(t, systemOf(tool, `tool = [ node1 ];`)).wantProblems(`service "tool" has the type package, so it has no state`)
		in := newModels(t, systemOf(strings.Replace(tool, "deployState = true;", "", 1)+`a = { name = "a"; `+say+` };`, `tool = [ node1 ]; a = [ node1 ];`)).inputs()
		in.DeployState = true
		system, err := Evaluate(context.Background(), in)
		if err != nil {
			t.Fatal(err)
		}
		a, _ := named(t, system.Manifest, "a")
		if s := system.Manifest.SnapshotMappings; len(s) != 1 || s[0].Service != a || s[0].Component != "x" {
			t.Errorf("snapshot mappings are %v, want that of a", s)
		}
	})

	t.Run("models 7: the packages model follows the system of the target", func(t *testing.T) {
		files := systemOf("", "")
		files["infrastructure.nix"] = `{ node1 = { properties.hostname = "1"; system = "armv7l-linux"; }; node2 = { properties.hostname = "2"; system = "mips64el-linux"; }; }`
		files["packages.nix"] = `{ pkgs, system }: let tool = (import ./pkgs.nix { inherit system; }).say "tool-${system}" ""; in { node1 = [ tool ]; node2 = [ tool ]; }`
		_, document, err := BuildDistributedDerivation(context.Background(), newModels(t, files).inputs())
		if err != nil {
			t.Fatal(err)
		}
		for i, want := range []string{"-tool-armv7l-linux.drv", "-tool-mips64el-linux.drv"} {
			if got := document.Mappings[i].Derivation; !strings.HasSuffix(got, want) {
				t.Errorf("derivation %d is %s, want %s", i, got, want)
			}
		}
	})

	t.Run("models 8, observed 18: a provider without targets is named", func(t *testing.T) {
		services := `db = { name = "db"; ` + say + ` };
		  app = { name = "app"; type = "process"; pkg = mine.show "app" (p: p.target.properties.hostname); dependsOn = { inherit db; }; };`
		for _, distribution := range []string{`app = [ node1 ];`, `db = [ ]; app = [ node1 ];`} {
			newModels(t, systemOf(services, distribution)).wantProblems(`service "app" depends on service "db" (dependsOn.db), which is not deployed to any target`)
		}
		_, err := Evaluate(context.Background(), newModels(t, systemOf(strings.ReplaceAll(services, "dependsOn", "connectsTo"), `app = [ node1 ];`)).inputs())
		if err == nil || !strings.Contains(err.Error(), "service db is not deployed to any target") || !strings.Contains(err.Error(), "the package of service app") {
			t.Errorf("a target of a service without targets is used: got %v", err)
		}
	})

	t.Run("models 8: an empty list of targets in a dependency", func(t *testing.T) {
		newModels(t, systemOf(`
		  db = { name = "db"; `+say+` };
		  app = { name = "app"; type = "process"; pkg = mine.show "app" (p: p.name); dependsOn.db = db // { targets = [ ]; }; };`,
			`db = [ node1 ]; app = [ node1 ];`)).wantProblems(`service "app": dependsOn.db states an empty list of targets`)
	})

	t.Run("models 8: what is not deployed itself needs nothing", func(t *testing.T) {
		system := newModels(t, systemOf(`
		  db = { name = "db"; `+say+` };
		  app = { name = "app"; type = "process"; pkg = throw "not needed"; dependsOn = { inherit db; }; };
		  draft = { pkg = 5; type = throw "not decided"; dependsOn = [ ]; };
		  other = { name = "other"; type = "process"; pkg = mine.show "other" (p: p.targets); connectsTo = { inherit db; }; activatesAfter = { inherit app; }; };`,
			`other = [ node1 ];`)).evaluate()
		if len(system.Manifest.Services) != 1 {
			t.Errorf("the manifest has %d services, want only other", len(system.Manifest.Services))
		}
	})

	t.Run("models 9: packages of an unknown target", func(t *testing.T) {
		files := systemOf("", "")
		files["packages.nix"] = `{ pkgs, system }: { node3 = [ ]; }`
		newModels(t, files).wantProblems(`the packages model installs packages on target "node3", which is not in the infrastructure model`)
	})

	t.Run("models 10: address collisions", func(t *testing.T) {
		files := systemOf("", "")
		files["infrastructure.nix"] = `{ a.properties.hostname = "x"; b.properties.hostname = "x"; }`
		newModels(t, files).wantProblems(`targets "a" and "b" have the same address "x"`)
	})

	t.Run("models 11: a dependency on a target where the provider is not", func(t *testing.T) {
		files := systemOf(`
		  db = { name = "db"; `+say+` };
		  app = { name = "app"; type = "process"; pkg = mine.show "app" (p: p.name); dependsOn.db = db // { targets = [ { properties.hostname = "node2.lan"; } ]; };
		    connectsTo.other = db // { targets = { targets = [ { target.properties.hostname = "node1.lan"; container = "c"; } ]; }; };
		    activatesAfter.wrong = db // { targets = "node1"; }; };`,
			`db = [ node1 ]; app = [ node1 ];`)
		newModels(t, files).wantProblems(
			`service "app": dependsOn.db refers to service "db" in container "process" of target "node2", but it is not deployed there`,
			`service "app": connectsTo.other refers to service "db" in container "c" of target "node1", but it is not deployed there`,
			`service "app": the targets of activatesAfter.wrong must be a list`)
	})

	t.Run("models 12, observed 5: cycles are explained", func(t *testing.T) {
		newModels(t, systemOf(`
		  a = { name = "a"; type = "process"; pkg = mine.show "a" (p: "${p.pkgs.${system}}"); dependsOn.next = b; };
		  b = { name = "b"; type = "process"; pkg = mine.show "b" (p: "${p.pkgs.${system}}"); dependsOn.next = a; };`,
			`a = [ node1 ]; b = [ node1 ];`)).wantProblems(`"a" -> "b" (dependsOn.next) -> "a" (dependsOn.next)`)
	})

	t.Run("models 12: containers that provide each other", func(t *testing.T) {
		newModels(t, systemOf(`
		  a = { name = "a"; type = "two"; pkg = mine.say "a" ""; providesContainer = "one"; };
		  b = { name = "b"; type = "one"; pkg = mine.say "b" ""; providesContainer = "two"; };`,
			`a = [ node1 ]; b = [ node1 ];`)).wantProblems(`"a" -> "b" (container "two") -> "a" (container "one")`)
	})

	t.Run("models 13: the cost does not double with each layer", func(t *testing.T) {
		// 2^60 evaluations would not end.
		if got := len(newModels(t, diamond(60)).evaluate().Manifest.Services); got != 120 {
			t.Errorf("the manifest has %d services, want 120", got)
		}
	})

	t.Run("models 14: derivations as plain strings in a build model", func(t *testing.T) {
		dir := newModels(t, shop)
		_, document, err := BuildDistributedDerivation(context.Background(), dir.inputs())
		if err != nil {
			t.Fatal(err)
		}
		derivation := document.Mappings[0].Derivation
		in := Inputs{Build: dir.write("build.nix", `{
		  derivationMappings = [ { derivation = "`+derivation+`"; interface = "a"; } ];
		  interfaces.a = { targetAddress = "a"; clientInterface = "c"; }; }`)}
		_, got, err := BuildDistributedDerivation(context.Background(), in)
		if err != nil {
			t.Fatal(err)
		}
		if want := []models.DerivationMapping{{Derivation: derivation, Interface: "a"}}; !reflect.DeepEqual(got.Mappings, want) {
			t.Errorf("got %v, want %v", got.Mappings, want)
		}
	})

	t.Run("models 15: property types that a manifest can not hold", func(t *testing.T) {
		files := systemOf("", "")
		files["infrastructure.nix"] = `{ node1.properties = { hostname = "x"; a = null; b = ./x; c = derivation { name = "x"; system = "x"; builder = "x"; }; }; }`
		newModels(t, files).wantProblems(`properties.a is null`, `properties.b is a path`, `properties.c is a derivation`)
	})

	t.Run("observed 8: a build failure is an error of its own", func(t *testing.T) {
		_, _, err := BuildManifest(context.Background(), newModels(t, systemOf(`a = { name = "a"; type = "process"; pkg = mine.broken "a"; };`, `a = [ node1 ];`)).inputs())
		var failure *BuildError
		var program *nix.Error
		if !errors.As(err, &failure) || !errors.As(err, &program) {
			t.Errorf("got %v, want a *BuildError", err)
		}
	})

	t.Run("commands 8: blanks in the names of models and values", func(t *testing.T) {
		files := map[string]string{"my models/pkgs.nix": packagesNix}
		for name, content := range shop {
			files["my models/"+name] = content
		}
		dir := newModels(t, files)
		dir.path = filepath.Join(dir.path, "my models")
		in := dir.inputs()
		in.ClientInterface = "/opt/my client"
		system, err := Evaluate(context.Background(), in)
		if err != nil {
			t.Fatal(err)
		}
		if got := system.Manifest.Infrastructure["node1"].ClientInterface; got != "/opt/my client" {
			t.Errorf("the client interface is %q", got)
		}
	})

	t.Run("commands 13: an infrastructure that fails is reported", func(t *testing.T) {
		dir := newModels(t, map[string]string{"infrastructure.nix": `{ a = throw "no machine"; }`})
		if _, err := Infrastructure(context.Background(), dir.inputs()); err == nil || !strings.Contains(err.Error(), "no machine") {
			t.Errorf("got %v", err)
		}
	})
}
