package tomcat

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"testing"

	"github.com/disnix-go/disnix/dysnomia"
	"github.com/disnix-go/disnix/test/tomcattest"
)

func TestRoughEdge_modules16(t *testing.T) {
	t.Parallel()
	t.Run("modules 16: what the original has linked is undeployed", func(t *testing.T) {
		s, name := server(t), unique("app")
		f := fixture(t, component(t, s, name, "linked"))
		if err := os.Symlink(filepath.Join(f.Path, "webapps", name+".war"), filepath.Join(s.Base, "webapps", name+".war")); err != nil {
			t.Fatal(err)
		}
		if err := f.State.MarkActive(f.Container, f.Name(), ""); err != nil {
			t.Fatal(err)
		}
		f.Do(dysnomia.Deactivate)
		f.Expect("")
		expectNothing(t, s, "/"+name+"/")
	})
	t.Run("modules 16: and replaced by the same application", func(t *testing.T) {
		s, name := server(t), unique("app")
		f := fixture(t, component(t, s, name, "linked"))
		if err := os.Symlink(filepath.Join(f.Path, "webapps", name+".war"), filepath.Join(s.Base, "webapps", name+".war")); err != nil {
			t.Fatal(err)
		}
		f.Do(dysnomia.Activate)
		expectPage(t, s, "/"+name+"/", "linked")
		f.Do(dysnomia.Deactivate)
		expectNothing(t, s, "/"+name+"/")
	})
}

func TestRoughEdge_modules29(t *testing.T) {
	t.Parallel()
	t.Run("modules 29, items 1 and 2: an application that does not start is a failure", func(t *testing.T) {
		f := fixture(t, broken(t, unique("broken"), missingListener))
		fail(t, f, "demo.Missing")
		f.Expect("")
	})
	t.Run("modules 29, item 2: an active application answers, and one that was deactivated does not", func(t *testing.T) {
		s, name := server(t), unique("app")
		f := fixture(t, component(t, s, name, "here"))
		f.Do(dysnomia.Activate)
		expectPage(t, s, "/"+name+"/", "here")
		f.Do(dysnomia.Deactivate)
		expectNothing(t, s, "/"+name+"/")
	})
	t.Run("modules 29, item 4: a server that is there needs no timeout", func(t *testing.T) {
		f := fixture(t, with(component(t, server(t), unique("app"), ""), map[string]string{"timeout": "0"}))
		f.Do(dysnomia.Activate, dysnomia.Deactivate)
	})
	t.Run("modules 29, item 4: a file is no directory", func(t *testing.T) {
		base := t.TempDir()
		if err := os.WriteFile(filepath.Join(base, "webapps"), nil, 0o644); err != nil {
			t.Fatal(err)
		}
		fail(t, fixture(t, with(component(t, server(t), "app", ""), map[string]string{"catalinaBaseDir": base})), "not a directory")
	})
	t.Run("modules 29, item 14: applications of the same name do not take each other's place", func(t *testing.T) {
		s, name := server(t), unique("app")
		mine, theirs := fixture(t, component(t, s, name, "mine")), fixture(t, component(t, s, name, "theirs"))
		theirs.State = mine.State
		mine.Container = "primary"
		mine.Do(dysnomia.Activate)
		fail(t, theirs, name+".war", "not made for this component")
		theirs.Do(dysnomia.Deactivate)
		expectPage(t, s, "/"+name+"/", "mine")
		mine.Do(dysnomia.Deactivate)
	})
	t.Run("modules 29, item 14: what was deployed is undeployed although the component is gone", func(t *testing.T) {
		s, name := server(t), unique("app")
		f := fixture(t, component(t, s, name, "here"))
		f.Do(dysnomia.Activate)
		if err := os.RemoveAll(filepath.Join(f.Path, "webapps")); err != nil {
			t.Fatal(err)
		}
		f.Do(dysnomia.Deactivate)
		expectNothing(t, s, "/"+name+"/")
	})
}

// BenchmarkActivation measures what the plugin adds to the time of a server:
// the server here deploys at once.
func BenchmarkActivation(b *testing.B) {
	s, err := tomcattest.Prepare(b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	war := filepath.Join(s.Base, "webapps/app.war")
	at := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, err := os.Stat(war); err != nil || r.URL.Path != "/app" {
			http.NotFound(w, r)
			return
		}
		http.Redirect(w, r, "/app/", http.StatusFound)
	}))
	defer at.Close()
	address, err := url.Parse(at.URL)
	if err != nil {
		b.Fatal(err)
	}
	component := b.TempDir()
	if err := os.Mkdir(filepath.Join(component, "webapps"), 0o755); err != nil {
		b.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(component, "webapps/app.war"), make([]byte, 1<<20), 0o644); err != nil {
		b.Fatal(err)
	}
	r := &dysnomia.Request{Component: component, ComponentName: "app", Container: "box", State: &dysnomia.State{Dir: b.TempDir()},
		Properties: map[string]string{"catalinaBaseDir": s.Base, "tomcatPort": address.Port()}}
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
