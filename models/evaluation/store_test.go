package evaluation

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/disnix-go/disnix/models"
)

func TestPropertiesThatReferToTheStore(t *testing.T) {
	files := systemOf(`
	  server = { name = "server"; type = "process"; pkg = mine.say "server" ""; providesContainers.c = { nested.plugins = [ "${(import ./pkgs.nix { system = "x86_64-linux"; }).say "plugin" ""}/share" ]; }; };
	  app = { name = "app"; type = "c"; pkg = mine.show "app" (p: p.target.container); dependsOn.app = peer; };
	  peer = { name = "peer"; type = "c"; pkg = mine.say "peer" ""; };`,
		`server = [ node2 node1 ]; app = [ node2 ]; peer = [ node2 ];`)
	files["infrastructure.nix"] = `let mine = import ./pkgs.nix { system = "x86_64-linux"; }; in {
	  node1 = { properties.hostname = "node1.lan"; containers.process.init = "${mine.say "init" ""}/share/init"; };
	  node2 = { properties.hostname = "node2.lan"; };
	  node3 = { properties = { hostname = "node3.lan"; source = "${./pkgs.nix}"; }; };
	}`
	path, m := newModels(t, files).build()
	_, server := named(t, m, "server")
	plugin := server.ProvidesContainers["c"]["nested"].Attrs["plugins"].List[0].Text
	initScript := m.Infrastructure["node1"].Containers["process"]["init"].Text
	source := m.Infrastructure["node3"].Properties["source"].Text
	for _, file := range []string{filepath.Join(plugin, "plugin"), initScript, source} {
		if _, err := os.Stat(file); err != nil {
			t.Errorf("a property refers to what has not been built: %v", err)
		}
	}
	closures := map[string]string{"manifest": output(t, "nix-store", "--query", "--requisites", path)}
	for target, profile := range m.Profiles {
		closures[target] = output(t, "nix-store", "--query", "--requisites", profile)
	}
	for _, check := range []struct {
		closure, path string
		want          bool
	}{
		{"manifest", plugin, true}, {"manifest", initScript, true}, {"manifest", source, true},
		{"node1", plugin, true}, {"node2", plugin, true}, {"node3", plugin, false}, {"node1", initScript, false},
	} {
		storePath := strings.TrimSuffix(strings.TrimSuffix(check.path, "/share/init"), "/share")
		if got := strings.Contains(closures[check.closure], storePath); got != check.want {
			t.Errorf("the closure of %s has %s: %v, want %v", check.closure, storePath, got, check.want)
		}
	}
}

func TestManifestSurvivesGarbageCollection(t *testing.T) {
	dir := newModels(t, shop)
	path, m := dir.build()
	link := filepath.Join(dir.path, "my result")
	for range 2 { // a link is replaced
		if err := Link(context.Background(), path, link); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := os.Readlink(link); err != nil || got != path {
		t.Errorf("the link leads to %q, want %s: %v", got, path, err)
	}
	output(t, "nix-store", "--gc")
	for _, s := range m.Services {
		if _, err := os.Stat(s.Package); err != nil {
			t.Error(err)
		}
	}
	for target, profile := range m.Profiles {
		if _, err := os.Stat(filepath.Join(profile, "profilemanifest.xml")); err != nil {
			t.Errorf("profile of %s: %v", target, err)
		}
	}
	file := dir.write("file", "mine")
	if err := Link(context.Background(), path, file); err == nil || read(t, file) != "mine" {
		t.Errorf("a file was replaced by a link, error %v", err)
	}
	if err := Link(context.Background(), filepath.Join(filepath.Dir(path), "00000000000000000000000000000000-x"), link); err == nil {
		t.Error("a link to something that is not there was created")
	}
}

func TestKindsOfPackages(t *testing.T) {
	files := systemOf(`
	  file = { name = "file"; type = "process"; pkg = ./pkgs.nix; };
	  text = { name = "text"; type = "process"; pkg = builtins.toFile "text" "hello"; };
	  path = { name = "path"; type = "process"; pkg = { outPath = mine.say "path" "p"; }; };
	  dev = { name = "dev"; type = "process"; pkg = (derivation {
	    name = "two"; inherit system; builder = "/bin/sh"; outputs = [ "out" "dev" ];
	    args = [ "-c" "echo main > $out; /bin/mkdir $dev; echo headers > $dev/dev.txt" ]; }).dev; };
	  call = { name = "call"; type = "process"; dependsOn = { inherit file; }; pkg = { __functor = self: p: mine.say "call" p.file.name; }; };`,
		`file = [ node1 ]; text = [ node1 ]; path = [ node1 ]; dev = [ node1 ]; call = [ node1 ];`)
	_, m := newModels(t, files).build()
	closure := output(t, "nix-store", "--query", "--requisites", m.Profiles["node1"])
	for _, s := range m.Services {
		if !strings.Contains(closure, s.Package) {
			t.Errorf("the profile does not keep %s of service %s", s.Package, s.Name)
		}
	}
	for file, want := range map[string]string{"share/path": "p", "share/call": "file", "dev.txt": "headers\n"} {
		if got := read(t, filepath.Join(m.Profiles["node1"], file)); got != want {
			t.Errorf("%s is %q, want %q", file, got, want)
		}
	}
}

func TestTargetNames(t *testing.T) {
	names := []string{"node.1", "a b", "größe", ".hidden", `quo"te`, "outPath", "__toString", "type", strings.Repeat("x", 250)}
	var infrastructure, targets strings.Builder
	for _, name := range names {
		text := attributeName(name)
		infrastructure.WriteString(text + ".properties.hostname = " + text2nix(name) + ";\n")
		targets.WriteString("infrastructure." + text + " ")
	}
	files := systemOf(`outPath = { name = "outPath"; type = "process"; pkg = mine.say "o" ""; }; __toString = outPath // { name = "__toString"; };`,
		`outPath = [ `+targets.String()+` ]; __toString = [ ];`)
	files["infrastructure.nix"] = "{ " + infrastructure.String() + " }"
	_, m := newModels(t, files).build()
	for _, name := range names {
		if _, err := models.ReadProfileManifestFile(filepath.Join(m.Profiles[name], "profilemanifest.xml"), name); err != nil {
			t.Errorf("target %q: %v", name, err)
		}
	}
	if !strings.HasSuffix(m.Profiles["node.1"], "-node.1") {
		t.Errorf("the profile of node.1 is %s", m.Profiles["node.1"])
	}
}

func text2nix(s string) string { return `"` + stringEscapes.Replace(s) + `"` }

func TestFirstPackageWins(t *testing.T) {
	files := systemOf(`
	  b = { name = "b"; type = "process"; pkg = mine.say "x" "from b"; };
	  a = { name = "a"; type = "process"; pkg = mine.say "x" "from a"; };`, `a = [ node1 ]; b = [ node1 ];`)
	_, m := newModels(t, files).build()
	if got := read(t, filepath.Join(m.Profiles["node1"], "share/x")); got != "from a" {
		t.Errorf("the profile has the file %q, want that of the first package", got)
	}
}

func TestTargetMentionedTwice(t *testing.T) {
	m := newModels(t, systemOf(`a = { name = "a"; type = "process"; pkg = mine.say "a" ""; deployState = true; };`,
		`a.targets = [ { target = node1; } { target = node1; } { target = node1; container = "c"; } ];`)).evaluate().Manifest
	if len(m.ServiceMappings) != 2 || len(m.SnapshotMappings) != 2 {
		t.Errorf("got mappings %v and %v, want two of each", m.ServiceMappings, m.SnapshotMappings)
	}
}

func TestTargetsOfAServiceWinOverTheDistribution(t *testing.T) {
	m := newModels(t, systemOf(`a = { name = "a"; type = "process"; pkg = mine.say "a" ""; targets = [ { properties.hostname = "node2.lan"; } ]; };`,
		`a = [ node1 ];`)).evaluate().Manifest
	if len(m.ServiceMappings) != 1 || m.ServiceMappings[0].Target != "node2" {
		t.Errorf("got %v, want a on node2", m.ServiceMappings)
	}
}

func TestWarnings(t *testing.T) {
	files := systemOf(`a = { name = "a"; type = "proces"; pkg = mine.say "a" ""; };`, `a = [ node1 node2 ];`)
	files["infrastructure.nix"] = `{ node1 = { properties.hostname = "1"; containers.process = { }; }; node2.properties.hostname = "2"; }`
	system := newModels(t, files).evaluate()
	if len(system.Warnings) != 1 || !strings.Contains(system.Warnings[0], `service "a" is mapped to container "proces" of target "node1"`) {
		t.Errorf("warnings are %q", system.Warnings)
	}
}

func TestNothingIsLeftBehind(t *testing.T) {
	dir := newModels(t, shop)
	dir.build()
	entries, err := os.ReadDir(os.Getenv("TMPDIR"))
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		t.Errorf("%s was left in the temporary directory", entry.Name())
	}
}

func TestNoRoomForTheEvaluation(t *testing.T) {
	in := newModels(t, shop).inputs()
	t.Setenv("TMPDIR", "/proc/self/no-such-directory")
	if _, err := Evaluate(context.Background(), in); err == nil || !strings.Contains(err.Error(), "create directory for the evaluation") {
		t.Errorf("got %v", err)
	}
}
