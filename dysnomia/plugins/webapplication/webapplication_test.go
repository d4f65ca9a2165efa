package webapplication

import (
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/disnix-go/disnix/dysnomia"
	"github.com/disnix-go/disnix/dysnomia/plugintest"
)

func config(module string) plugintest.Config {
	return plugintest.Config{
		Type:   module,
		Plugin: Plugin{Module: module},
		New: func(t *testing.T) plugintest.Component {
			return component(t, map[string]string{"webapps/shop/index.html": "hello", "webapps/robots.txt": "no"})
		},
		Broken: func(t *testing.T) plugintest.Component {
			c := component(t, map[string]string{"webapps/a": "", "webapps/b": ""})
			plugintest.WriteFile(t, filepath.Join(c.Properties["documentRoot"], "b"), "by hand")
			return c
		},
		Running: func(_ *testing.T, c plugintest.Component) bool {
			_, err := os.Readlink(filepath.Join(c.Properties["documentRoot"], "shop"))
			return err == nil
		},
	}
}

const list = "mkdir uploads\nsymlink /etc/hostname\ntarget .\n"

func filesetConfig(module string) plugintest.Config {
	c := config(module)
	c.New = func(t *testing.T) plugintest.Component {
		return component(t, map[string]string{".dysnomia-fileset": list})
	}
	c.Broken = func(t *testing.T) plugintest.Component {
		return component(t, map[string]string{".dysnomia-fileset": "nonsense\n"})
	}
	c.Running = func(_ *testing.T, c plugintest.Component) bool {
		_, err := os.Readlink(filepath.Join(c.Properties["documentRoot"], "hostname"))
		return err == nil
	}
	c.Write = func(t *testing.T, c plugintest.Component, text string) { plugintest.WriteFile(t, upload(c), text) }
	c.Read = func(_ *testing.T, c plugintest.Component) string { return content(upload(c)) }
	return c
}

func upload(c plugintest.Component) string {
	return filepath.Join(c.Properties["documentRoot"], "uploads/file")
}

func content(path string) string {
	text, _ := os.ReadFile(path)
	return string(text)
}

func component(t *testing.T, files map[string]string) plugintest.Component {
	t.Helper()
	return plugintest.NewComponent(t, "www", map[string]string{"documentRoot": filepath.Join(t.TempDir(), "root")}, files)
}

func TestConformance(t *testing.T) {
	for _, module := range []string{"generic-webapplication", "apache-webapplication", "nginx-webapplication"} {
		t.Run(module, func(t *testing.T) {
			config := config(module)
			config.Remembers = true
			plugintest.Run(t, config)
		})
	}
}

func TestConformanceOfFilesets(t *testing.T) {
	plugintest.Run(t, filesetConfig("apache-webapplication"))
}

func TestComponents(t *testing.T) {
	for name, test := range map[string]struct {
		files map[string]string
		want  string
	}{
		"without pages":                {map[string]string{"webapps/.keep": ""}, ""},
		"without webapps":              {map[string]string{"other": ""}, "webapps"},
		"with a fileset that is wrong": {map[string]string{".dysnomia-fileset": "mkdir ../x\n"}, "../x"},
	} {
		t.Run(name, func(t *testing.T) {
			c := component(t, test.files)
			if err := os.RemoveAll(filepath.Join(c.Path, "webapps/.keep")); err != nil {
				t.Fatal(err)
			}
			f := plugintest.NewFixture(t, config("generic-webapplication"), c)
			err := f.Run(t.Context(), dysnomia.Activate)
			if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
				t.Errorf("error: %v", err)
			}
		})
	}
	t.Run("of a document root that is relative", func(t *testing.T) {
		f := plugintest.NewFixture(t, config("generic-webapplication"), component(t, nil))
		f.Properties = map[string]string{"documentRoot": "www"}
		if err := f.Run(t.Context(), dysnomia.Activate); err == nil || !strings.Contains(err.Error(), "documentRoot") {
			t.Errorf("error: %v", err)
		}
	})
}

// former makes a fixture in the container "primary" whose component was
// activated in the container of the module, as the original files it.
func former(t *testing.T) (f *plugintest.Fixture, module string) {
	t.Helper()
	module = "apache-webapplication"
	f = plugintest.NewFixture(t, filesetConfig(module), component(t, map[string]string{".dysnomia-fileset": list}))
	f.Container = module
	f.Do(dysnomia.Activate)
	plugintest.WriteFile(t, upload(f.Component), "of the original")
	f.Do(dysnomia.Snapshot)
	// Its markers are empty.
	if err := os.Truncate(filepath.Join(f.State.Dir, "activated", module, f.Name()), 0); err != nil {
		t.Fatal(err)
	}
	f.Container = "primary"
	return f, module
}

func TestRoughEdge_modules14(t *testing.T) {
	t.Run("modules 14: an application without pages is active", func(t *testing.T) {
		c := component(t, nil)
		if err := os.MkdirAll(filepath.Join(c.Path, "webapps"), 0o755); err != nil {
			t.Fatal(err)
		}
		f := plugintest.NewFixture(t, config("generic-webapplication"), c)
		f.Do(dysnomia.Activate)
		if active, err := f.State.IsActive(f.Container, f.Name()); err != nil || !active {
			t.Errorf("active: %t, %v", active, err)
		}
		f.Do(dysnomia.Deactivate)
	})
}

func TestRoughEdge_modules29(t *testing.T) {
	t.Run("modules 29, item 9: filesetOwner is used", func(t *testing.T) {
		f := plugintest.NewFixture(t, filesetConfig("apache-webapplication"), component(t, map[string]string{".dysnomia-fileset": list}))
		f.Properties = maps.Clone(f.Properties)
		f.Properties["filesetOwner"] = "no-such-user"
		if err := f.Run(t.Context(), dysnomia.Activate); err == nil || !strings.Contains(err.Error(), "no-such-user") {
			t.Errorf("error: %v", err)
		}
	})
	t.Run("modules 29, item 11: state is filed under the container", func(t *testing.T) {
		f := plugintest.NewFixture(t, filesetConfig("nginx-webapplication"), component(t, map[string]string{".dysnomia-fileset": list}))
		f.Container = "secondary"
		f.Do(dysnomia.Activate, dysnomia.Snapshot)
		f.Expect("active")
		for container, want := range map[string]int{"secondary": 1, "nginx-webapplication": 0} {
			if history, err := f.State.QueryAll(container, f.Name()); err != nil || len(history) != want {
				t.Errorf("%s: %v, %v", container, history, err)
			}
		}
	})
	t.Run("modules 29, item 11: what the original has activated is deactivated and collected", func(t *testing.T) {
		f, module := former(t)
		f.Do(dysnomia.Deactivate)
		if garbage, err := f.State.IsGarbage(module, f.Name()); err != nil || !garbage {
			t.Errorf("garbage: %t, %v", garbage, err)
		}
		f.Do(dysnomia.CollectGarbage)
		if got := content(upload(f.Component)); got != "" {
			t.Errorf("state: %q", got)
		}
	})
	t.Run("modules 29, item 11: its state is taken over by an activation, and not collected", func(t *testing.T) {
		f, module := former(t)
		f.Do(dysnomia.Deactivate, dysnomia.Activate, dysnomia.CollectGarbage)
		f.Expect("active")
		if got := content(upload(f.Component)); got != "of the original" {
			t.Errorf("state: %q", got)
		}
		if left, err := f.State.Garbage(module); err != nil || len(left) != 0 {
			t.Errorf("left: %v, %v", left, err)
		}
	})
	t.Run("modules 29, item 11: its snapshots are restored", func(t *testing.T) {
		f, _ := former(t)
		f.Do(dysnomia.Deactivate, dysnomia.Activate)
		plugintest.WriteFile(t, upload(f.Component), "lost")
		f.Do(dysnomia.Restore)
		if got := content(upload(f.Component)); got != "of the original" {
			t.Errorf("state: %q", got)
		}
		plugintest.WriteFile(t, upload(f.Component), "newer")
		f.Do(dysnomia.Snapshot)
		plugintest.WriteFile(t, upload(f.Component), "lost")
		f.Do(dysnomia.Restore)
		if got := content(upload(f.Component)); got != "newer" {
			t.Errorf("state: %q", got)
		}
	})
	t.Run("modules 29, item 11: a container with the name of a module keeps its state for itself", func(t *testing.T) {
		module := "apache-webapplication"
		first := plugintest.NewFixture(t, filesetConfig(module), component(t, map[string]string{".dysnomia-fileset": list}))
		first.Container = module
		first.Do(dysnomia.Activate)
		plugintest.WriteFile(t, upload(first.Component), "first")
		first.Do(dysnomia.Snapshot)
		second := plugintest.NewFixture(t, filesetConfig(module), component(t, map[string]string{".dysnomia-fileset": list}))
		second.State, second.Container = first.State, "secondary"
		second.Do(dysnomia.Deactivate, dysnomia.Activate, dysnomia.Restore)
		if got := content(upload(second.Component)); got != "" {
			t.Errorf("state: %q", got)
		}
		first.Expect("active")
	})
	t.Run("modules 29, item 14: another application's page is neither replaced nor removed", func(t *testing.T) {
		mine := plugintest.NewFixture(t, config("generic-webapplication"), component(t, map[string]string{"webapps/shop/index.html": "mine"}))
		theirs := plugintest.NewFixture(t, config("generic-webapplication"), component(t, map[string]string{"webapps/shop/index.html": "theirs"}))
		theirs.State, theirs.Properties = mine.State, mine.Properties
		other := filepath.Join(filepath.Dir(theirs.Path), "other")
		if err := os.Rename(theirs.Path, other); err != nil {
			t.Fatal(err)
		}
		theirs.Path = other
		mine.Do(dysnomia.Activate)
		if err := theirs.Run(t.Context(), dysnomia.Activate); err == nil || !strings.Contains(err.Error(), "shop") {
			t.Errorf("error: %v", err)
		}
		theirs.Do(dysnomia.Deactivate)
		if got := content(filepath.Join(mine.Properties["documentRoot"], "shop/index.html")); got != "mine" {
			t.Errorf("page: %q", got)
		}
	})
}

func BenchmarkActivation(b *testing.B) {
	component := filepath.Join(b.TempDir(), "shop")
	if err := os.MkdirAll(filepath.Join(component, "webapps/shop"), 0o755); err != nil {
		b.Fatal(err)
	}
	r := &dysnomia.Request{Component: component, ComponentName: "shop", Container: "box", State: &dysnomia.State{Dir: b.TempDir()},
		Properties: map[string]string{"documentRoot": b.TempDir()}}
	for b.Loop() {
		if err := (Plugin{}).Activate(b.Context(), r); err != nil {
			b.Fatal(err)
		}
		b.StopTimer()
		if err := (Plugin{}).Deactivate(b.Context(), r); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
	}
}
