package managedprocess

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/disnix-go/disnix/dysnomia"
	"github.com/disnix-go/disnix/dysnomia/plugintest"
)

func script(t *testing.T, f *plugintest.Fixture) string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(generatedDirs(t, f)[0], "sleeper/etc/rc.d/init.d/sleeper"))
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

func TestRoughEdge_processmgmt1(t *testing.T) {
	t.Run("processmgmt 1: every directory can be given", func(t *testing.T) {
		f := plugintest.NewFixture(t, with(&recorder{}), component(t, "sysvinit", sleeper))
		f.Properties["runtimeDir"], f.Properties["logDir"] = "/r", "/l"
		f.Do(dysnomia.Activate)
		if s := script(t, f); !strings.Contains(s, "_pid_file=/r/sleeper.pid") || !strings.Contains(s, "/l/nixproc-sleeper.log") {
			t.Error(s)
		}
	})
	t.Run("processmgmt 1: cacheDir is not logDir", func(t *testing.T) {
		f := plugintest.NewFixture(t, with(&recorder{}), component(t, "sysvinit", sleeper))
		f.Properties["cacheDir"] = "/c"
		f.Do(dysnomia.Activate)
		if s := script(t, f); strings.Contains(s, "/c/") {
			t.Error(s)
		}
	})
	t.Run("processmgmt 1: documented variables count", func(t *testing.T) {
		t.Setenv("NIXPROC_RUNTIME_DIR", "/variable/run")
		f := plugintest.NewFixture(t, with(&recorder{}), component(t, "sysvinit", sleeper))
		f.Do(dysnomia.Activate)
		if s := script(t, f); !strings.Contains(s, "pid_file=/variable/run/sleeper.pid") {
			t.Error(s)
		}
	})
}

func TestRoughEdge_processmgmt2(t *testing.T) {
	t.Run("processmgmt 2: no directory takes the place of another", func(t *testing.T) {
		f := plugintest.NewFixture(t, with(&recorder{}), component(t, "sysvinit", sleeper))
		names := []string{"stateDir", "runtimeDir", "logDir", "tmpDir", "cacheDir", "spoolDir", "lockDir", "libDir"}
		for _, name := range names {
			f.Properties[name] = "/given/" + name
		}
		w, err := readSettings(&dysnomia.Request{Properties: f.Properties})
		if err != nil {
			t.Fatal(err)
		}
		d := w.Directories
		for i, dir := range []string{d.State, d.Runtime, d.Log, d.Tmp, d.Cache, d.Spool, d.Lock, d.Lib} {
			if dir != "/given/"+names[i] {
				t.Errorf("%s: %s", names[i], dir)
			}
		}
	})
}

func TestRoughEdge_processmgmt3(t *testing.T) {
	const data = `{"instanceName": "sleeper", "process": "/bin/sleep", "user": "games"}`
	t.Run("processmgmt 3: the property that users do not change reaches what is generated", func(t *testing.T) {
		f := plugintest.NewFixture(t, with(&recorder{}), component(t, "sysvinit", data))
		f.Properties["forceDisableUserChange"] = "1"
		f.Do(dysnomia.Activate)
		if s := script(t, f); strings.Contains(s, "games") {
			t.Error(s)
		}
	})
	t.Run("processmgmt 3: so does the variable", func(t *testing.T) {
		t.Setenv("NIXPROC_FORCE_DISABLE_USER_CHANGE", "1")
		f := plugintest.NewFixture(t, with(&recorder{}), component(t, "sysvinit", data))
		f.Do(dysnomia.Activate)
		if s := script(t, f); strings.Contains(s, "games") {
			t.Error(s)
		}
	})
	t.Run("processmgmt 3: otherwise they change", func(t *testing.T) {
		f := plugintest.NewFixture(t, with(&recorder{}), component(t, "sysvinit", data))
		f.Do(dysnomia.Activate)
		if s := script(t, f); !strings.Contains(s, "games") {
			t.Error(s)
		}
	})
}

func TestRoughEdge_processmgmt13(t *testing.T) {
	t.Run("processmgmt 13: no program of Nix is needed", func(t *testing.T) {
		bin := t.TempDir()
		for _, name := range []string{"nix-build", "nix-instantiate", "nixproc-generate-config"} {
			if err := os.WriteFile(filepath.Join(bin, name), []byte("#!/bin/sh\ntouch "+bin+"/used\n"), 0o755); err != nil {
				t.Fatal(err)
			}
		}
		t.Setenv("PATH", bin+":"+os.Getenv("PATH"))
		f := plugintest.NewFixture(t, withoutManager, component(t, "disnix", sleeper))
		f.Do(dysnomia.Activate, dysnomia.Deactivate)
		if _, err := os.Stat(filepath.Join(bin, "used")); err == nil {
			t.Error("it was used")
		}
	})
}

// BenchmarkActivate measures the translation and what is kept of it.
func BenchmarkActivate(b *testing.B) {
	for _, manager := range []string{"supervisord", "systemd"} {
		b.Run(manager, func(b *testing.B) { plugintest.Benchmark(b, with(&recorder{}), component(b, manager, sleeper)) })
	}
	b.Run("marker alone", func(b *testing.B) {
		plugintest.Benchmark(b, plugintest.Config{Type: "managed-process", Plugin: &recorder{}}, component(b, "systemd", sleeper))
	})
}
