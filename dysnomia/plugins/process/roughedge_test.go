package process

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/disnix-go/disnix/dysnomia"
	"github.com/disnix-go/disnix/dysnomia/plugintest"
)

func TestRoughEdge_modules29(t *testing.T) {
	t.Run("modules 29, item 14: the process is stopped although the component and the properties have changed", func(t *testing.T) {
		f, pidFile := fixture(t, map[string]string{"bin/daemon": daemon})
		f.Do(dysnomia.Activate)
		pid := pidIn(t, pidFile)
		f.Properties["runtimeDir"] = t.TempDir()
		if err := os.RemoveAll(filepath.Join(f.Path, "bin")); err != nil {
			t.Fatal(err)
		}
		f.Do(dysnomia.Deactivate)
		f.Expect("")
		if fields, err := stat(pid); err == nil && fields[0] != "Z" {
			t.Errorf("process %d still runs", pid)
		}
	})
	t.Run("modules 29, item 14: the process of another component is neither adopted nor stopped", func(t *testing.T) {
		f, pidFile := fixture(t, map[string]string{"bin/daemon": daemon})
		f.Do(dysnomia.Activate)
		pid := pidIn(t, pidFile)
		g, _ := fixture(t, map[string]string{"bin/daemon": daemon})
		renamed := filepath.Join(filepath.Dir(g.Path), "another")
		if err := os.Rename(g.Path, renamed); err != nil {
			t.Fatal(err)
		}
		g.Path, g.State, g.Properties = renamed, f.State, f.Properties
		err := g.Run(t.Context(), dysnomia.Activate)
		if err == nil || !strings.Contains(err.Error(), `component "component" in container "process"`) {
			t.Errorf("error: %v", err)
		}
		g.Do(dysnomia.Deactivate)
		f.Expect("active")
		if now := pidIn(t, pidFile); now != pid {
			t.Errorf("process %d was replaced by %d", pid, now)
		}
		f.Do(dysnomia.Deactivate)
		f.Expect("")
	})
	t.Run("modules 29, item 1: a port that is taken is a failure", func(t *testing.T) {
		f, _ := fixture(t, map[string]string{"bin/daemon": "#!/bin/sh\necho 'bind: Address already in use' >&2\nexit 98\n"})
		err := f.Run(t.Context(), dysnomia.Activate)
		if dysnomia.ExitStatus(err) != 98 || !strings.Contains(f.Stderr, "Address already in use") {
			t.Errorf("error: %v, output: %s", err, f.Stderr)
		}
		f.Expect("")
	})
	t.Run("modules 29, item 2: a missing directory of PID files is a failure", func(t *testing.T) {
		f, _ := fixture(t, map[string]string{"bin/daemon": "#!/bin/sh\nexit 0\n"})
		f.Properties["runtimeDir"], f.Properties["timeout"] = filepath.Join(t.TempDir(), "missing"), "0"
		if err := f.Run(t.Context(), dysnomia.Activate); err == nil || !strings.Contains(err.Error(), f.Properties["runtimeDir"]) {
			t.Errorf("error: %v", err)
		}
		f.Expect("")
	})
}

// BenchmarkActivate measures an activation with the daemon that it starts,
// which does not keep its output.
func BenchmarkActivate(b *testing.B) {
	runtimeDir := b.TempDir()
	c := plugintest.NewComponent(b, "process", map[string]string{"runtimeDir": runtimeDir}, map[string]string{
		"bin/daemon": "#!/bin/sh\nsleep 600 >/dev/null 2>&1 &\necho $! > \"$runtimeDir/daemon.pid\"\n",
	})
	plugintest.Benchmark(b, config, c)
}
