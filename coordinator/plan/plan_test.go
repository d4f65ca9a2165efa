package plan_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/disnix-go/disnix/coordinator/plan"
	"github.com/disnix-go/disnix/models"
)

func TestNew(t *testing.T) {
	tests := []struct {
		name     string
		old, new *models.Manifest
		want     []string
	}{
		{
			name: "installation from scratch starts providers first",
			new: system(
				unit{name: "db", version: "1", on: "node2"},
				unit{name: "api", version: "1", dependsOn: []string{"db"}},
				unit{name: "web", version: "1", dependsOn: []string{"api", "db"}}),
			want: []string{
				"activate db@node2: new service",
				"activate api@node1: new service after [0]",
				"activate web@node1: new service after [0 1]",
			},
		},
		{
			name: "undeployment stops dependants first",
			old: system(
				unit{name: "db", version: "1"},
				unit{name: "web", version: "1", dependsOn: []string{"db"}}),
			new: &models.Manifest{Infrastructure: models.Infrastructure{"node1": newTarget("node1")}},
			want: []string{
				"deactivate web@node1: no longer in the manifest",
				"deactivate db@node1: no longer in the manifest after [0]",
			},
		},
		{
			name: "nothing changes",
			old:  system(unit{name: "db", version: "1"}),
			new:  system(unit{name: "db", version: "1"}),
			want: []string{"keep db@node1: unchanged"},
		},
		{
			name: "dependants of a changed package are redeployed, others are kept",
			old: system(
				unit{name: "db", version: "1"},
				unit{name: "api", version: "1", dependsOn: []string{"db"}},
				unit{name: "log", version: "1"}),
			new: system(
				unit{name: "db", version: "2"},
				unit{name: "api", version: "1", dependsOn: []string{"db"}},
				unit{name: "log", version: "1"}),
			want: []string{
				"deactivate api@node1: depends on db, which changed",
				"deactivate db@node1: package changed from /nix/store/1-db to /nix/store/2-db after [0]",
				"activate db@node1: package changed from /nix/store/1-db to /nix/store/2-db",
				"activate api@node1: depends on db, which changed after [2]",
				"keep log@node1: unchanged",
			},
		},
		{
			name: "a service moves",
			old: system(
				unit{name: "db", version: "1", on: "node1"},
				unit{name: "web", version: "1", on: "node2", dependsOn: []string{"db"}}),
			new: system(
				unit{name: "db", version: "1", on: "node2"},
				unit{name: "web", version: "1", on: "node2", dependsOn: []string{"db"}},
				unit{name: "log", version: "1", on: "node1"}),
			want: []string{
				"deactivate web@node2: depends on db, which moved",
				"deactivate db@node1: moved to node2 after [0]",
				"activate log@node1: new service",
				"activate db@node2: moved from node1",
				"activate web@node2: depends on db, which moved after [3]",
			},
		},
		{
			name: "a service gets another container",
			old:  system(unit{name: "db", version: "1", container: "process"}),
			new:  system(unit{name: "db", version: "1", container: "echo"}),
			want: []string{
				"deactivate db@node1: moved to container echo",
				"activate db@node1: moved from container process",
			},
		},
		{
			name: "an instance is added",
			old:  system(unit{name: "db", version: "1", on: "node1"}),
			new:  system(unit{name: "db", version: "1", on: "node1 node2"}),
			want: []string{
				"activate db@node2: additional instance, besides the one on node1",
				"keep db@node1: unchanged",
			},
		},
		{
			name: "dependencies come and go",
			old: system(
				unit{name: "a", version: "1"}, unit{name: "b", version: "1"},
				unit{name: "web", version: "1", dependsOn: []string{"a"}}),
			new: system(
				unit{name: "a", version: "1"}, unit{name: "b", version: "1"},
				unit{name: "web", version: "1", dependsOn: []string{"b"}}),
			want: []string{
				"deactivate web@node1: no longer depends on a; now depends on b",
				"activate web@node1: no longer depends on a; now depends on b",
				"keep a@node1: unchanged",
				"keep b@node1: unchanged",
			},
		},
		{
			name: "a container provider changes",
			old: system(
				unit{name: "pg", version: "1", provides: "pg-database"},
				unit{name: "orders", version: "1", container: "pg-database", in: "pg"}),
			new: system(
				unit{name: "pg", version: "2", provides: "pg-database"},
				unit{name: "orders", version: "1", container: "pg-database", in: "pg"}),
			want: []string{
				"deactivate orders@node1: container provider pg changed",
				"deactivate pg@node1: package changed from /nix/store/1-pg to /nix/store/2-pg after [0]",
				"activate pg@node1: package changed from /nix/store/1-pg to /nix/store/2-pg",
				"activate orders@node1: container provider pg changed after [2]",
			},
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			p := mustPlan(t, test.old, test.new)
			if got := show(p.Steps); !slices.Equal(got, test.want) {
				t.Errorf("steps\n  %s\nwant\n  %s", strings.Join(got, "\n  "), strings.Join(test.want, "\n  "))
			}
			checkPlan(t, test.old, test.new, p)
		})
	}
}

func TestReasonsListAFewChangesOnly(t *testing.T) {
	units := func(version string) []unit {
		var all []unit
		var names []string
		for _, name := range []string{"a", "b", "c", "d", "e"} {
			all = append(all, unit{name: name, version: version})
			names = append(names, name)
		}
		return append(all, unit{name: "web", version: "1", dependsOn: names})
	}
	p := mustPlan(t, system(units("1")...), system(units("2")...))
	const want = "depends on a, which changed; depends on b, which changed; depends on c, which changed; " +
		"2 more changes of dependencies"
	if got := p.Deactivations()[0].Reason; got != want {
		t.Errorf("reason %q, want %q", got, want)
	}

	p = mustPlan(t,
		system(unit{name: "db", version: "1", on: "a b c d e"}),
		system(unit{name: "db", version: "1", on: "f"}))
	if got, want := p.Activations()[0].Reason, "moved from a, b, c, 2 more"; got != want {
		t.Errorf("reason %q, want %q", got, want)
	}
}

func TestNoUpgrade(t *testing.T) {
	m := system(unit{name: "db", version: "1"})
	p, err := plan.New(m, m, plan.Options{NoUpgrade: true})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"activate db@node1: everything is activated, since no upgrade is wanted"}
	if got := show(p.Steps); !slices.Equal(got, want) || p.Upgrade {
		t.Errorf("steps %q, upgrade %v", got, p.Upgrade)
	}
}

func TestOldManifestNeedNotBePerfect(t *testing.T) {
	old := system(unit{name: "db", version: "1", on: "node1 node2"})
	old.Infrastructure["node2"].Properties = old.Infrastructure["node1"].Properties // one address for both
	old.Profiles = map[string]string{"node7": "/nix/store/1-node7"}
	new := system(unit{name: "db", version: "2", on: "node1 node2"})
	if _, err := plan.New(new, old, plan.Options{}); err == nil {
		t.Error("the new manifest may be as bad as the old one")
	}
	if n := len(mustPlan(t, old, new).Execution()); n != 4 {
		t.Errorf("%d steps, want 4", n)
	}
}

func TestErrorsInTheOldManifestHaveAWayOut(t *testing.T) {
	old, new := system(unit{name: "db", version: "1"}), system(unit{name: "db", version: "1"})
	clear(old.Services)
	_, err := plan.New(old, new, plan.Options{})
	if err == nil || !strings.Contains(err.Error(), "to ignore the old manifest, use --no-upgrade") {
		t.Errorf("error %v", err)
	}
	if _, err := plan.New(old, new, plan.Options{NoUpgrade: true}); err != nil {
		t.Errorf("the way out fails: %v", err)
	}
}

func TestTypeAndArguments(t *testing.T) {
	m := system(
		unit{name: "pg", version: "1", provides: "pg-database"},
		unit{name: "orders", version: "1", container: "pg-database", in: "pg"},
		unit{name: "stray", version: "1", container: "unknown"})
	m.Infrastructure["node1"].Containers["process"] = models.Properties{
		"yes":    {Type: models.Bool, Text: "true"},
		"no":     {Type: models.Bool, Text: "false"},
		"port":   {Type: models.Int, Text: "80"},
		"list":   {Type: models.List, List: []models.Value{{Type: models.String, Text: "a"}, {Type: models.Int, Text: "2"}}},
		"empty":  {Type: models.List},
		"nested": {Type: models.Attrs, Attrs: models.Properties{"b": {Type: models.Float, Text: "1.5"}, "a": {Type: models.List, List: []models.Value{{Type: models.Bool, Text: "true"}, {Type: models.String, Text: "x y"}}}}},
	}
	want := map[string]struct {
		module    string
		arguments []string
	}{
		"pg": {"process", []string{
			"empty=", "list=a 2",
			`nested={"a":[true,"x y"],"b":1.5}`, // formats, rough edge 6
			"no=", "port=80", "yes=1",
		}},
		"orders": {"/nix/store/1-pg", []string{"port=5432"}},
		"stray":  {"unknown", nil},
	}
	for _, s := range mustPlan(t, nil, m).Steps {
		w := want[s.Service.Name]
		if s.Type != w.module || !slices.Equal(s.Arguments, w.arguments) {
			t.Errorf("%s: type %s, arguments %q; want %s, %q", s.Service.Name, s.Type, s.Arguments, w.module, w.arguments)
		}
	}
}

func TestOldServicesUseTheNewInfrastructure(t *testing.T) {
	old := system(unit{name: "db", version: "1"}, unit{name: "log", version: "1", container: "echo"})
	old.Infrastructure["node1"].Containers["echo"] = models.Properties{"level": {Type: models.Int, Text: "1"}}
	new := system(unit{name: "db", version: "2"})
	new.Infrastructure["node1"].Containers["process"]["user"] = models.Value{Type: models.String, Text: "other"}

	arguments := make(map[string][]string)
	for _, s := range mustPlan(t, old, new).Deactivations() {
		arguments[s.Service.Name] = s.Arguments
	}
	if got, want := arguments["db"], []string{"user=other"}; !slices.Equal(got, want) {
		t.Errorf("arguments of db: %q, want %q", got, want)
	}
	// The container is not described any more, so the old description counts.
	if got, want := arguments["log"], []string{"level=1"}; !slices.Equal(got, want) {
		t.Errorf("arguments of log: %q, want %q", got, want)
	}
}

func TestRoughEdges(t *testing.T) {
	t.Run("observed 9: services on a target that left the infrastructure are deactivated", func(t *testing.T) {
		old := system(unit{name: "db", version: "1", on: "node1"}, unit{name: "log", version: "1", on: "node3"}, unit{name: "web", version: "1", on: "node3"})
		new := system(unit{name: "db", version: "1", on: "node1"}, unit{name: "web", version: "1", on: "node1"})
		p := mustPlan(t, old, new)
		want := []string{
			`deactivate log@node3: target "node3" is no longer in the infrastructure`,
			`deactivate web@node3: target "node3" is no longer in the infrastructure; moved to node1`,
			"activate web@node1: moved from node3",
			"keep db@node1: unchanged",
		}
		if got := show(p.Steps); !slices.Equal(got, want) {
			t.Errorf("steps %q, want %q", got, want)
		}
		if p.Infrastructure["node3"] != old.Infrastructure["node3"] {
			t.Error("the plan does not tell how the target is reached")
		}
		if got, want := p.Steps[0].Arguments, []string{"user=node3"}; !slices.Equal(got, want) {
			t.Errorf("arguments %q, want %q", got, want)
		}
	})
	t.Run("formats 5: another provider of the container is a change", func(t *testing.T) {
		units := []unit{
			{name: "pg", version: "1"},
			{name: "pg2", version: "1"},
			{name: "orders", version: "1", container: "pg-database", dependsOn: []string{"pg", "pg2"}},
			{name: "shop", version: "1", dependsOn: []string{"orders"}},
		}
		old, new := system(units...), system(units...)
		for i, m := range []*models.Manifest{old, new} {
			provider := m.ServiceMappings[i].Service
			m.Services[provider].ProvidesContainers = map[string]models.Properties{"pg-database": nil}
			m.ServiceMappings[2].ContainerProvidedByService = provider
		}
		p := mustPlan(t, old, new)
		want := []string{
			"deactivate shop@node1: depends on orders, which changed",
			"deactivate orders@node1: container provider changed from pg to pg2; now depends on pg; no longer depends on pg2 after [0]",
			"activate orders@node1: container provider changed from pg to pg2; now depends on pg; no longer depends on pg2",
			"activate shop@node1: depends on orders, which changed after [2]",
			"keep pg@node1: unchanged",
			"keep pg2@node1: unchanged",
		}
		if got := show(p.Steps); !slices.Equal(got, want) {
			t.Errorf("steps\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	})
	t.Run("transition 9, observed 5: dangling references are errors of the plan", func(t *testing.T) {
		m := system(unit{name: "db", version: "1"}, unit{name: "web", version: "1", dependsOn: []string{"db"}})
		db := m.ServiceMappings[0].Service
		m.ServiceMappings = append(m.ServiceMappings[1:],
			models.ServiceMapping{Service: "nobody", Container: "process", Target: "node1"},
			models.ServiceMapping{Service: db, Container: "process", Target: "node7"},
			models.ServiceMapping{Service: db, Container: "pg", Target: "node1", ContainerProvidedByService: "nobody"})
		checkProblems(t, m, []string{
			"no service with key nobody",
			`target "node7" is not in the infrastructure`,
			`"web" on target "node1" depends on "db"`,
			`container "pg" is provided by an unknown service with key nobody`,
		}, []string{
			"incorrect reference to service: nobody",
			"incorrect reference to target: node7",
			`service "web"`,
			"service nobody is not in the manifest",
		})
	})
	t.Run("transition 9, observed 5: cycles are errors with the whole path", func(t *testing.T) {
		m := system(unit{name: "a", version: "1"}, unit{name: "b", version: "1", on: "node2", dependsOn: []string{"a"}},
			unit{name: "c", version: "1", dependsOn: []string{"b"}}, unit{name: "self", version: "1"},
			unit{name: "innocent", version: "1", dependsOn: []string{"c"}})
		for i, on := range map[int]int{0: 2, 3: 3} { // a depends on c, self on itself
			service := m.Services[m.ServiceMappings[i].Service]
			service.DependsOn = append(service.DependsOn, m.ServiceMappings[on].Identity())
		}
		checkProblems(t, m, []string{
			`"a" on target "node1" -> "c" on target "node1" -> "b" on target "node2" -> "a" on target "node1"`,
			`"self" on target "node1" -> "self" on target "node1"`,
		}, []string{
			"services depend on each other in a cycle: b (",
			"services depend on each other in a cycle: self (",
		})
	})
	t.Run("transition 9: a cycle through the provider of a container is an error", func(t *testing.T) {
		m := system(unit{name: "db", version: "1"}, unit{name: "pg", version: "1", provides: "process", dependsOn: []string{"db"}})
		m.ServiceMappings[0].ContainerProvidedByService = m.ServiceMappings[1].Service
		const cycle = `cycle of dependencies: "db" on target "node1" -> "pg" on target "node1" -> "db" on target "node1"`
		checkProblems(t, m, []string{cycle}, []string{cycle})
	})
}

// checkProblems expects one problem with each text, for the old manifest and
// for the new one.
func checkProblems(t *testing.T, m *models.Manifest, old, new []string) {
	t.Helper()
	_, err := plan.New(m, m, plan.Options{})
	var problems models.Problems
	if !errors.As(err, &problems) {
		t.Fatalf("error %v, want problems", err)
	}
	for label, texts := range map[string][]string{"old manifest: ": old, "new manifest: ": new} {
		for _, text := range texts {
			if !slices.ContainsFunc(problems, func(err error) bool {
				return strings.HasPrefix(err.Error(), label) && strings.Contains(err.Error(), text)
			}) {
				t.Errorf("no problem with %q and %q in\n%v", label, text, err)
			}
		}
	}
	if len(problems) != len(old)+len(new) {
		t.Errorf("%d problems, want %d:\n%v", len(problems), len(old)+len(new), err)
	}
}

func TestWriteText(t *testing.T) {
	p := mustPlan(t,
		system(unit{name: "db", version: "1"}, unit{name: "log", version: "1"}, unit{name: "old", version: "1"}),
		system(unit{name: "db", version: "2"}, unit{name: "log", version: "1"}, unit{name: "web", version: "1", dependsOn: []string{"db"}}))
	const want = `Deactivate:
    1. db on node1 in container process: package changed from /nix/store/1-db to /nix/store/2-db
    2. old on node1 in container process: no longer in the manifest

Activate, after all deactivations:
    3. db on node1 in container process: package changed from /nix/store/1-db to /nix/store/2-db
    4. web on node1 in container process: new service (after 3)

Keep:
    5. log on node1 in container process: unchanged

2 to deactivate, 2 to activate, 1 to keep.
`
	var text bytes.Buffer
	if err := p.WriteText(&text); err != nil {
		t.Fatal(err)
	}
	if text.String() != want {
		t.Errorf("got\n%s\nwant\n%s", text.String(), want)
	}

	text.Reset()
	m := system(unit{name: "db", version: "1"})
	if err := mustPlan(t, m, m).WriteText(&text); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(text.String(), "Nothing changes: 0 to deactivate, 0 to activate, 1 to keep.") {
		t.Errorf("got\n%s", text.String())
	}
}

func TestWriteTextReportsAFullDisk(t *testing.T) {
	if err := mustPlan(t, nil, system(unit{name: "db", version: "1"})).WriteText(failingWriter{}); err == nil {
		t.Error("no error from a writer that fails")
	}
}

type failingWriter struct{}

func (failingWriter) Write([]byte) (int, error) { return 0, errors.New("no space left on device") }

func TestJSONHasNoArgumentValues(t *testing.T) {
	m := system(unit{name: "db", version: "1"}, unit{name: "web", version: "1", dependsOn: []string{"db"}})
	m.Infrastructure["node1"].Containers["process"]["password"] = models.Value{Type: models.String, Text: "s3cret"}
	text, err := json.Marshal(mustPlan(t, nil, m))
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(text, []byte("s3cret")) {
		t.Errorf("a secret value is printed: %s", text)
	}
	var document struct {
		Activate int
		Steps    []struct {
			ID        int
			Kind      string
			Name      string
			Arguments []string
			After     []int
		}
	}
	if err := json.Unmarshal(text, &document); err != nil {
		t.Fatal(err)
	}
	web := document.Steps[1]
	if document.Activate != 2 || web.ID != 2 || web.Kind != "activate" || web.Name != "web" ||
		!slices.Equal(web.Arguments, []string{"password", "user"}) || !slices.Equal(web.After, []int{1}) {
		t.Errorf("document %+v", document)
	}
}
