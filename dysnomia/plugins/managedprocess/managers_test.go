package managedprocess

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/disnix-go/disnix/dysnomia"
	"github.com/disnix-go/disnix/dysnomia/plugins/bsdrcscript"
	"github.com/disnix-go/disnix/dysnomia/plugins/dockercontainer"
	"github.com/disnix-go/disnix/dysnomia/plugins/dockercontainer/enginetest"
	"github.com/disnix-go/disnix/dysnomia/plugins/sysvinitscript"
	"github.com/disnix-go/disnix/dysnomia/plugintest"
)

// TestSysVInit runs real processes through generated init scripts: a daemon,
// and one that is made a daemon.
func TestSysVInit(t *testing.T) {
	dir := t.TempDir()
	daemon := filepath.Join(dir, "daemon")
	if err := os.WriteFile(daemon, []byte("#!/bin/sh\nsleep 600 > /dev/null 2>&1 &\necho $! > \"$1\"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	for name, description := range map[string]func(state string) string{
		"foreground": func(string) string { return sleeper },
		"daemon": func(state string) string {
			return fmt.Sprintf(`{"instanceName": "sleeper", "daemon": %q, "args": [%q]}`, daemon, filepath.Join(state, "run/sleeper.pid"))
		},
	} {
		t.Run(name, func(t *testing.T) {
			plugintest.Run(t, plugintest.Config{
				Type:   "managed-process",
				Plugin: Plugin{Plugins: map[string]dysnomia.Plugin{"sysvinit-script": sysvinitscript.Plugin{}}},
				New: func(t *testing.T) plugintest.Component {
					c := component(t, "sysvinit", "")
					if err := os.WriteFile(filepath.Join(c.Path, "process.json"), []byte(description(c.Properties["stateDir"])), 0o644); err != nil {
						t.Fatal(err)
					}
					return c
				},
				Broken: func(t *testing.T) plugintest.Component {
					return component(t, "sysvinit", `{"instanceName": "sleeper", "daemon": "/bin/false"}`)
				},
				Running: func(t *testing.T, c plugintest.Component) bool { return pidOf(t, c) != 0 },
			})
		})
	}
}

// rcSubr does what rc.subr(8) does with the variables that a script sets.
const rcSubr = `
load_rc_config() { :; }
run_rc_command() {
    action=${1#one}
    case " start stop status reload " in *" $action "*) ;; *) echo "unknown directive $1" >&2; return 1 ;; esac
    eval "command=\$${action}_cmd"
    $command
}
`

// TestBSDRC runs a real process through a generated script, with a stand-in
// for rc.subr(8).
func TestBSDRC(t *testing.T) {
	dir := t.TempDir()
	subr, daemon := filepath.Join(dir, "rc.subr"), filepath.Join(dir, "daemon")
	if err := os.WriteFile(subr, []byte(rcSubr), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(daemon, []byte("#!/bin/sh\nsleep 600 > /dev/null 2>&1 &\necho $! > \"$PID_FILE\"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	plugintest.Run(t, plugintest.Config{
		Type:   "managed-process",
		Plugin: Plugin{Plugins: map[string]dysnomia.Plugin{"bsdrc-script": bsdrcscript.Plugin{}}},
		New: func(t *testing.T) plugintest.Component {
			c := component(t, "bsdrc", "")
			description := fmt.Sprintf(`{"name": "my-sleeper", "instanceName": "sleeper", "daemon": %q, "environment": {"PID_FILE": %q}, "overrides": {"bsdrc": {"rcSubr": %q}}}`,
				daemon, filepath.Join(c.Properties["stateDir"], "run/sleeper.pid"), subr)
			if err := os.WriteFile(filepath.Join(c.Path, "process.json"), []byte(description), 0o644); err != nil {
				t.Fatal(err)
			}
			return c
		},
		Running: func(t *testing.T, c plugintest.Component) bool { return pidOf(t, c) != 0 },
	})
}

// TestDocker loads the generated image into a stand-in for the engine, and
// keeps state until it is garbage.
func TestDocker(t *testing.T) {
	const description = `{"instanceName": "sleeper", "foregroundProcess": "/bin/sleep", "args": ["600"], "overrides": {"docker": {"container": %s}}}`
	e := enginetest.Start(t)
	config := plugintest.Config{
		Type:   "managed-process",
		Plugin: Plugin{Plugins: map[string]dysnomia.Plugin{"docker-container": dockercontainer.Plugin{}}},
		New: func(t *testing.T) plugintest.Component {
			c := component(t, "docker", fmt.Sprintf(description, "{}"))
			c.Properties["dockerHost"], c.Properties["dockerStartSeconds"] = e.Host(), "0"
			return c
		},
		Running: func(*testing.T, plugintest.Component) bool {
			c := e.Container("dysnomia-sleeper")
			return c != nil && c.State.Running
		},
	}
	plugintest.Run(t, config)

	c := component(t, "docker", fmt.Sprintf(description, `{"dockerStatelessDeployment": 0}`))
	c.Properties["dockerHost"], c.Properties["dockerStartSeconds"] = e.Host(), "0"
	f := plugintest.NewFixture(t, config, c)
	f.Do(dysnomia.Activate)
	f.Expect("active")
	if images := e.Images(); len(images) != 1 || !strings.HasPrefix(images[0], "sleeper:") {
		t.Errorf("images: %v", images)
	}
	if binds := e.Container("dysnomia-sleeper"); !strings.Contains(string(binds.Request), `"Binds":["/nix/store:/nix/store","/usr:/usr:ro",`) {
		t.Errorf("request: %s", binds.Request)
	}
	f.Do(dysnomia.Deactivate)
	f.Expect("garbage")
	f.Do(dysnomia.CollectGarbage)
	f.Expect("")
	if e.Container("dysnomia-sleeper") != nil || len(e.Images()) != 0 {
		t.Error("it is left")
	}
}
