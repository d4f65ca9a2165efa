package dysnomia

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// deploy deploys and returns what was printed about it.
func (m *machine) deploy(container string) (string, error) {
	var output bytes.Buffer
	err := m.Deploy(context.Background(), Batch{Container: container, Stdout: &output, Stderr: &output})
	return output.String(), err
}

func (m *machine) mustDeploy(container string) string {
	m.t.Helper()
	output, err := m.deploy(container)
	if err != nil {
		m.t.Fatal(err)
	}
	return output
}

func (m *machine) active() []string {
	m.t.Helper()
	markers, err := m.QueryActivatedComponents("")
	if err != nil {
		m.t.Fatal(err)
	}
	var names []string
	for _, marker := range markers {
		names = append(names, marker.String())
	}
	return names
}

func (m *machine) mark(container, component, path string) {
	m.t.Helper()
	if err := m.State().MarkActive(container, component, path); err != nil {
		m.t.Fatal(err)
	}
}

// tracing prints each operation with the component's path.
const tracing = `echo "$1 $2"` + "\n"

func TestDeploy(t *testing.T) {
	m := newMachine(t)
	m.module("trace", tracing)
	m.container("box", "type=trace\n")
	m.container("other", "type=trace\n")
	m.StoreDir = m.root
	b := filepath.Join(m.StoreDir, strings.Repeat("0", 32)+"-b-1") // the package is gone
	m.link("components", "box", "b", b)
	m.link("components", "box", "a", m.file("packages/a", "", 0o644))
	m.link("components", "other", "c", m.file("packages/c", "", 0o644))
	a := filepath.Join(m.root, "packages/a")

	m.mark("box", "old", "/packages/old")
	equal(t, "output", m.mustDeploy("none"), "")
	before, after, _ := strings.Cut(m.mustDeploy("box"), "Activating")
	if !strings.HasPrefix(before, "Deactivating component: old in container: box\n"+
		"Component: old in container: box is gone, its module is given the name only\ndeactivate /") || !strings.HasSuffix(before, "/old\n") {
		t.Errorf("output:\n%s", before)
	}
	equal(t, "output", "Activating"+after, "Activating component: a in container: box\nactivate "+a+"\n"+
		"Activating component: b-1 in container: box\nactivate "+b+"\n")
	equalSlices(t, "active", m.active(), []string{"box/a", "box/b-1"})

	equal(t, "the second deployment", m.mustDeploy("box"), "")
	equal(t, "output", m.mustDeploy(""), "Activating component: c in container: other\nactivate "+m.root+"/packages/c\n")

	if err := os.Remove(m.comps + "/box/a"); err != nil {
		t.Fatal(err)
	}
	equal(t, "output", m.mustDeploy(""), "Deactivating component: a in container: box\ndeactivate "+a+"\n")
	equalSlices(t, "active", m.active(), []string{"box/b-1", "other/c"})
}

func TestRoughEdge_Host08(t *testing.T) {
	m := newMachine(t)
	m.module("trace", `echo "$1 $2 $(basename "$2")"; if [ -f "$2" ]; then echo "file: $(cat "$2")"; fi; if [ -d "$2" ]; then ls -A "$2"; fi`)
	m.container("box", "type=trace\n")
	recorded := m.file("packages/recorded", "content", 0o644)
	m.mark("box", "recorded", recorded)
	m.mark("box", "listed", "")
	listed := m.component("box", "listed")
	m.mark("box", "unknown", "")

	var output bytes.Buffer
	if err := m.RunOperation(context.Background(), Snapshot, Batch{Stdout: &output}); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(output.String()), "\n")
	t.Run("host 8: the recorded component", func(t *testing.T) {
		equalSlices(t, "output", lines[2:4], []string{"snapshot " + recorded + " recorded", "file: content"})
	})
	t.Run("host 8: the available component", func(t *testing.T) {
		equalSlices(t, "output", lines[:2], []string{"snapshot " + listed + " listed", "file: listed"})
	})
	t.Run("host 8: never the marker", func(t *testing.T) {
		last := lines[4:]
		if len(last) != 1 || !strings.HasSuffix(last[0], "/unknown unknown") || strings.Contains(last[0], m.StateDir) {
			t.Errorf("the component of an empty marker is %q", last)
		}
		if _, err := os.Stat(strings.Fields(last[0])[1]); err == nil {
			t.Error("the stand-in is left behind")
		}
	})
	t.Run("host 8: garbage", func(t *testing.T) {
		for _, name := range []string{"recorded", "unknown"} {
			if err := m.State().MarkGarbage("box", name); err != nil {
				t.Fatal(err)
			}
		}
		output.Reset()
		if err := m.CollectGarbage(context.Background(), Batch{Container: "box", Stdout: &output, Stderr: &output}); err != nil {
			t.Fatal(err)
		}
		for _, text := range []string{
			"Collecting garbage for component: recorded in container: box\ncollect-garbage " + recorded + " recorded\nfile: content\n",
			"Collecting garbage for component: unknown in container: box\n", "collect-garbage /",
		} {
			if !strings.Contains(output.String(), text) {
				t.Errorf("the output lacks %q:\n%s", text, &output)
			}
		}
		if strings.Contains(output.String(), m.StateDir) {
			t.Errorf("a marker is taken for a component:\n%s", &output)
		}
	})
}

func TestRoughEdge_Host09(t *testing.T) {
	m := newMachine(t)
	m.module("trace", tracing)
	m.container("box", "type=trace\n")
	first, second := m.file("v1/web", "", 0o644), m.file("v2/web", "", 0o644)
	m.link("components", "box", "web", first)
	m.mustDeploy("")
	m.link("components", "box", "web", second)
	t.Run("host 9: a new version is noticed", func(t *testing.T) {
		equal(t, "output", m.mustDeploy(""), "Deactivating component: web in container: box\ndeactivate "+first+"\n"+
			"Activating component: web in container: box\nactivate "+second+"\n")
		equal(t, "output", m.mustDeploy(""), "")
	})
	t.Run("host 9: not while the old version cannot be stopped", func(t *testing.T) {
		m.module("trace", tracing+`[ "$1" != deactivate ]`)
		m.link("components", "box", "web", first)
		m.link("components", "box", "zoo", second+"-zoo")
		output, err := m.deploy("")
		equal(t, "exit status", ExitStatus(err), 1)
		equal(t, "output", output, "Deactivating component: web in container: box\ndeactivate "+second+"\n"+
			"Activating component: web-zoo in container: box\nactivate "+second+"-zoo\n")
	})
	t.Run("host 9: a marker of the original stands for any version", func(t *testing.T) {
		m.module("trace", tracing)
		for _, name := range []string{"web", "web-zoo"} {
			if err := m.State().UnmarkActive("box", name); err != nil {
				t.Fatal(err)
			}
			m.mark("box", name, "")
		}
		equal(t, "output", m.mustDeploy(""), "")
	})
}

func TestActivateComponentThatIsGone(t *testing.T) {
	m := newMachine(t)
	m.module("trace", tracing)
	m.container("box", "type=trace\n")
	m.mark("box", "lost", "/gone/lost")
	err := m.RunOperation(context.Background(), Activate, Batch{})
	wantError(t, err, `activate component "lost" in container "box": the component is gone`)
}

func TestDeployRefusesComponentsOfOneName(t *testing.T) {
	m := newMachine(t)
	m.container("box", "type=x\n")
	m.link("components", "box", "a", storePath("web"))
	m.link("components", "box", "b", "/elsewhere/../bin/web")
	_, err := m.deploy("")
	wantError(t, err, `box/a and box/b lead to components of the same name "web"`)
}

func TestDeployStopsWithTheContext(t *testing.T) {
	m := newMachine(t)
	m.module("trace", tracing)
	m.container("box", "type=trace\n")
	m.component("box", "a")
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := m.Deploy(ctx, Batch{}); !errors.Is(err, context.Canceled) {
		t.Errorf("error: %v", err)
	}
	equalSlices(t, "active", m.active(), nil)
	m.mark("box", "a", "")
	if err := m.RunOperation(ctx, Snapshot, Batch{}); !errors.Is(err, context.Canceled) {
		t.Errorf("error: %v", err)
	}
}

func TestRoughEdge_Observed21(t *testing.T) {
	m := newMachine(t)
	m.module("picky", tracing+`[ "$(basename "$2")" != bad ] || exit 9`)
	m.container("box", "type=picky\n")
	for _, name := range []string{"bad", "good"} {
		m.component("box", name)
		m.mark("box", name, "")
	}
	m.mark("gone", "lost", "")
	run := map[string]func(Batch) error{
		"snapshot": func(b Batch) error { return m.RunOperation(context.Background(), Snapshot, b) },
		"restore":  func(b Batch) error { return m.RunOperation(context.Background(), Restore, b) },
		"undeploy": func(b Batch) error {
			if err := os.RemoveAll(m.comps + "/box"); err != nil {
				return err
			}
			return m.Deploy(context.Background(), b)
		},
	}
	for _, name := range []string{"snapshot", "restore", "undeploy"} {
		t.Run("observed 21: "+name+" goes on after a failure", func(t *testing.T) {
			var output bytes.Buffer
			err := run[name](Batch{Stdout: &output})
			wantError(t, err, `component "bad" in container "box"`, `component "lost" in container "gone": No container configuration found for: gone`)
			equal(t, "exit status", ExitStatus(err), 9)
			if !strings.Contains(output.String(), "/good\n") {
				t.Errorf("the second component was not reached:\n%s", &output)
			}
		})
	}
	equalSlices(t, "active", m.active(), []string{"box/bad", "gone/lost"})
}

func TestRoughEdge_Observed22(t *testing.T) {
	m := newMachine(t)
	m.module("silent", tracing)
	m.Plugins["native"] = &recorder{}
	m.container("external", "type=silent\n")
	m.container("builtin", "type=native\n")
	path := m.component("external", "x")
	m.component("builtin", "y")
	m.mustDeploy("")
	t.Run("observed 22: activation is recorded for modules that do not", func(t *testing.T) {
		equalSlices(t, "active", m.active(), []string{"builtin/y", "external/x"})
		markers, _ := m.QueryActivatedComponents("external")
		equalSlices(t, "markers", markers, []Marker{{"external", "x", path}})
		equal(t, "the second deployment", m.mustDeploy(""), "")
	})
	t.Run("observed 22: deactivation, too", func(t *testing.T) {
		if err := os.RemoveAll(m.comps + "/external"); err != nil {
			t.Fatal(err)
		}
		m.mustDeploy("")
		equalSlices(t, "active", m.active(), []string{"builtin/y"})
	})
}

// A module that keeps state makes garbage of its marker, which must survive.
func TestDeployKeepsGarbageMarkers(t *testing.T) {
	m := newMachine(t)
	m.Plugins["stateful"] = stateful{}
	m.container("box", "type=stateful\n")
	path := m.component("box", "db")
	m.mustDeploy("")
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	m.mustDeploy("")
	garbage, err := m.State().Garbage("")
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(garbage, []Marker{{"box", "db", path}}) || len(m.active()) != 0 {
		t.Errorf("garbage: %v, active: %v", garbage, m.active())
	}
}

type stateful struct{}

func (stateful) Activate(_ context.Context, r *Request) error {
	return r.State.MarkActive(r.Container, r.ComponentName, r.Component)
}

func (stateful) Deactivate(_ context.Context, r *Request) error {
	return r.State.MarkGarbage(r.Container, r.ComponentName)
}
