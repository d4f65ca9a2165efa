package evaluation

import (
	"context"
	"errors"
	"maps"
	"testing"

	"github.com/disnix-go/disnix/models"
)

// twoTargets is an infrastructure of two targets.
const twoTargets = `{
  node1 = { properties.hostname = "node1.lan"; };
  node2 = { properties.hostname = "node2.lan"; };
}`

// system returns models with the services of the given text, which may use
// pkgs.nix as mine.
func systemOf(services, distribution string) map[string]string {
	return map[string]string{
		"infrastructure.nix": twoTargets,
		"services.nix":       "{ system, ... }: let mine = import ./pkgs.nix { inherit system; }; in rec {\n" + services + "\n}",
		"distribution.nix":   "{ infrastructure }: with infrastructure; {\n" + distribution + "\n}",
	}
}

func TestProblems(t *testing.T) {
	ok := `a = { name = "a"; type = "process"; pkg = mine.say "a" ""; };`
	for _, test := range []struct {
		name, services, distribution string
		want                         []string
	}{
		{
			"unknown service in the distribution", ok, `a = [ node1 ]; b = [ node1 ]; c = [ ];`,
			[]string{`the distribution model maps service "b", which is not in the services model`, `maps service "c"`},
		},
		{
			"type missing", `a = { name = "a"; pkg = mine.say "a" ""; };`, `a = [ node1 ];`,
			[]string{`service "a": attribute type is missing`},
		},
		{
			"type of another kind", `a = { name = "a"; type = [ ]; pkg = mine.say "a" ""; };`, `a = [ node1 ];`,
			[]string{`service "a": attribute type must be a string, not a list`},
		},
		{
			"deployState of another kind", `a = { name = "a"; type = "process"; deployState = "yes"; pkg = mine.say "a" ""; };`, `a = [ node1 ];`,
			[]string{`service "a": attribute deployState must be a boolean, not a string`},
		},
		{
			"dependsOn of another kind", `a = { name = "a"; type = "process"; dependsOn = [ a ]; activatesAfter.x = "a"; pkg = mine.say "a" ""; };`, `a = [ node1 ];`,
			[]string{`service "a": attribute dependsOn must be an attribute set of services, not a list`, `service "a": activatesAfter.x must be a service with a name, not a string`},
		},
		{
			"unknown target", ok, `a = [ (node1 // { properties.hostname = "node9.lan"; }) ];`,
			[]string{`service "a": entry 1 of its targets has the address "node9.lan", which no target of the infrastructure model has`},
		},
		{
			"something else than a target", ok, `a = [ node1 "node2" { target = node1; } ];`,
			[]string{`service "a": entry 2 of its targets is not a target of the infrastructure model, but a string`, `entry 3`},
		},
		{
			"targets of another kind", ok, `a = "node1";`,
			[]string{`service "a": its targets must be a list of targets or an attribute set`},
		},
		{
			"attribute set of targets without targets", ok, `a = { target = node1; };`,
			[]string{`service "a": its targets must be a list of targets or an attribute set`},
		},
		{
			"container of another kind", ok, `a.targets = [ { target = node1; container = 5; } ];`,
			[]string{`service "a": the container in entry 1 of its targets must be a string, not an integer`},
		},
		{
			"dependency on a package",
			`a = { name = "a"; type = "process"; pkg = mine.show "a" (p: p.name); dependsOn = { inherit tool; }; connectsTo.t = tool; activatesAfter.u = tool; };
			tool = { name = "tool"; type = "package"; pkg = mine.say "tool" ""; };`,
			`a = [ node1 ]; tool = [ node1 ];`,
			[]string{`service "a": dependsOn.tool refers to service "tool", which has the type package`, `connectsTo.t refers`, `activatesAfter.u refers`},
		},
		{
			"dependency on a service that does not exist",
			`a = { name = "a"; type = "process"; pkg = p: mine.say "a" ""; dependsOn.b = { name = "b"; type = "process"; }; };`, `a = [ node1 ];`,
			[]string{`service "a": dependsOn.b refers to service "b", which does not exist`},
		},
		{
			"cycle",
			`a = { name = "a"; type = "process"; pkg = mine.show "a" (p: p.name); dependsOn.next = b; };
			b = { name = "b"; type = "process"; pkg = mine.say "b" ""; activatesAfter = { inherit c; }; };
			c = { name = "c"; type = "process"; pkg = mine.show "c" (p: p.name); dependsOn = { inherit a; }; };
			d = { name = "d"; type = "process"; pkg = mine.show "d" (p: p.name); dependsOn = { inherit a; }; };`,
			`a = [ node1 ]; b = [ node1 ]; c = [ node2 ]; d = [ node1 ];`,
			[]string{`in a cycle, so that none can be activated first: "a" -> "b" (dependsOn.next) -> "c" (activatesAfter.c) -> "a" (dependsOn.a)`},
		},
		{
			"cycle of packages that Nix can not evaluate",
			`a = { name = "a"; type = "process"; pkg = mine.show "a" (p: "${p.pkgs.${system}}"); dependsOn = { inherit b; }; };
			b = { name = "b"; type = "process"; pkg = mine.show "b" (p: "${p.pkgs.${system}}"); dependsOn = { inherit a; }; };`,
			`a = [ node1 ]; b = [ node1 ];`,
			[]string{`"a" -> "b" (dependsOn.b) -> "a" (dependsOn.a)`},
		},
		{
			"service that depends on itself",
			`a = { name = "a"; type = "process"; pkg = mine.show "a" (p: p.name); dependsOn.self = a; };`, `a = [ node1 ];`,
			[]string{`"a" -> "a" (dependsOn.self)`},
		},
		{
			"container provided twice",
			`a = { name = "a"; type = "process"; pkg = mine.say "a" ""; providesContainer = "c"; };
			b = { name = "b"; type = "process"; pkg = mine.say "b" ""; providesContainers.c = { }; };`,
			`a = [ node1 node2 ]; b = [ node1 ];`,
			[]string{`container "c" on target "node1" is provided by more than one service: "a", "b"`},
		},
		{
			"property values without notation",
			`a = { name = "a"; type = "process"; pkg = mine.say "a" ""; providesContainer = "c"; one = null; two = ./pkgs.nix; three.four = [ 1 (x: x) ]; five = mine.say "x" ""; };`,
			`a = [ node1 ];`,
			[]string{
				`service "a": containers.c.one is null`, `c.two is a path`, `c.three.four[1] is a function`, `c.five is a derivation`,
			},
		},
		{
			"providesContainers of another kind",
			`a = { name = "a"; type = "process"; pkg = mine.say "a" ""; providesContainers = [ "c" ]; providesContainer = 5; };`, `a = [ node1 ];`,
			[]string{`attribute providesContainers must be an attribute set, not a list`, `attribute providesContainer must be a string, not an integer`},
		},
		{
			"package that is none",
			`a = { name = "a"; type = "process"; pkg = 5; }; b = { name = "b"; type = "process"; pkg = { db }: mine.say "b" ""; };`,
			`a = [ node1 ]; b = [ node1 ];`,
			[]string{
				`service "a": its pkg for system x86_64-linux must be a package, not an integer`,
				`service "b": its pkg for system x86_64-linux is a function, but the service has no inter-dependencies`,
			},
		},
		{
			"several mistakes at once",
			`a = { name = "b"; pkg = mine.say "a" ""; }; c = { type = "process"; pkg = mine.say "c" ""; };`, `a = [ node1 ]; c = [ node1 5 ]; d = [ ];`,
			[]string{`maps service "d"`, `its attribute name is "b"`, `"a": attribute type is missing`, `"c": attribute name is missing`, `"c": entry 2`},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			newModels(t, systemOf(test.services, test.distribution)).wantProblems(test.want...)
		})
	}
}

func TestInfrastructureProblems(t *testing.T) {
	for _, test := range []struct {
		name, infrastructure string
		want                 []string
	}{
		{"no address", `{ a = { properties = { }; }; b = { }; }`,
			[]string{`target "a": its properties do not have "hostname", which targetProperty names as the address`, `target "b": its properties`}},
		{"address of another kind", `{ a.properties.hostname = [ ]; b.properties.hostname = ""; }`,
			[]string{`target "a": property "hostname" is its address, so it must be a string`, `target "b": property "hostname" is its address, but it is empty`}},
		{"cores", `{ a = { properties.hostname = "a"; numOfCores = 0; }; b = { properties.hostname = "b"; numOfCores = "2"; }; }`,
			[]string{`target "a": numOfCores is 0, but must be at least 1`, `target "b": attribute numOfCores must be an integer, not a string`}},
		{"kinds", `{ a = { properties.hostname = "a"; containers = [ ]; system = null; clientInterface = { }; }; b = { properties = "b"; }; c = { properties.hostname = "c"; containers.process = null; }; }`,
			[]string{
				`target "a": attribute containers must be an attribute set, not a list`, `target "a": attribute system is missing`,
				`target "a": attribute clientInterface must be a string`, `target "b": attribute properties must be an attribute set, not a string`,
				`target "c": containers.process must be an attribute set of properties, not null`,
			}},
		{"same address", `{ a.properties.hostname = "x"; b.properties.hostname = "x"; c = { properties.ip = "x"; targetProperty = "ip"; }; }`,
			[]string{`targets "a" and "b" have the same address "x"`, `targets "a" and "c"`}},
		{"values without notation", `{ a = { properties = { hostname = "a"; n = null; }; containers.c.l = [ { f = x: x; } ]; }; }`,
			[]string{`target "a": properties.n is null, which is not a value that a manifest can hold`, `target "a": containers.c.l[0].f is a function`}},
	} {
		t.Run(test.name, func(t *testing.T) {
			dir := newModels(t, map[string]string{"infrastructure.nix": test.infrastructure})
			_, err := Infrastructure(context.Background(), dir.inputs())
			var problems models.Problems
			if !errors.As(err, &problems) {
				t.Fatalf("got %v, want problems", err)
			}
			files := maps.Clone(systemOf("", ""))
			files["infrastructure.nix"] = test.infrastructure
			newModels(t, files).wantProblems(test.want...)
		})
	}
}

func TestPackagesModelProblems(t *testing.T) {
	files := systemOf("", "")
	files["packages.nix"] = `{ pkgs, system }: { node9 = [ ]; node1 = "curl"; node2 = [ 5 ]; }`
	newModels(t, files).wantProblems(
		`the packages model installs packages on target "node9", which is not in the infrastructure model`,
		`packages of target "node1": must be a list of packages, not a string`,
		`packages of target "node2": element 1 must be a package, not an integer`,
	)
}
