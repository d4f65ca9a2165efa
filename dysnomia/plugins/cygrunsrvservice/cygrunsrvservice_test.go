package cygrunsrvservice

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/disnix-go/disnix/dysnomia"
	"github.com/disnix-go/disnix/dysnomia/plugintest"
)

// cygrunsrv stands in for the program of Cygwin: the service that it knows is a
// file. It records its calls, and fails when it is told to.
const cygrunsrv = `#!/bin/sh
for word; do printf '<%s>' "$word"; done >> "$world/log"
echo >> "$world/log"
[ ! -e "$world/fail$1" ] || { echo "cygrunsrv: Error $1: Win32 error 1053:" >&2; exit 1; }
missing() { echo "cygrunsrv: Error: OpenService:  Win32 error 1060:" >&2; exit 1; }
case "$1" in
    --install) [ ! -e "$world/service" ] || exit 1; echo Stopped > "$world/service" ;;
    --start) [ -e "$world/service" ] || missing; cat "$world/starts-as" > "$world/service" 2>/dev/null || echo Running > "$world/service" ;;
    --stop) cat "$world/stops-as" > "$world/service" 2>/dev/null || echo Stopped > "$world/service" ;;
    --remove) rm "$world/service" || missing ;;
    --query) [ -e "$world/service" ] || missing
        printf 'Service             : %s\nCurrent State       : %s\nCommand             : /bin/x\n' "$2" "$(cat "$world/service")" ;;
esac
`

func component(t testing.TB) plugintest.Component {
	t.Helper()
	world, path := t.TempDir(), filepath.Join(t.TempDir(), "component [1]")
	plugintest.WriteFile(t, filepath.Join(world, "cygrunsrv"), cygrunsrv)
	plugintest.WriteFile(t, filepath.Join(path, "nix-process-web-cygrunsrvparams"), "--path\n/bin/web\n--args\n-D 'a b' $HOME\n")
	return plugintest.Component{Path: path, Container: "cygrunsrv-service", Properties: map[string]string{
		"world": world, "cygrunsrv": filepath.Join(world, "cygrunsrv"), "timeout": "0", "stopTimeout": "0",
	}}
}

// in returns the content of a file of the stand-in, nothing if there is none.
func in(c plugintest.Component, name string) string {
	content, _ := os.ReadFile(filepath.Join(c.Properties["world"], name))
	return strings.TrimSpace(string(content))
}

var config = plugintest.Config{
	Type:   "cygrunsrv-service",
	Plugin: Plugin{},
	New:    func(t *testing.T) plugintest.Component { return component(t) },
	Broken: func(t *testing.T) plugintest.Component {
		c := component(t)
		plugintest.WriteFile(t, filepath.Join(c.Properties["world"], "starts-as"), "Stopped\n")
		return c
	},
	Running: func(_ *testing.T, c plugintest.Component) bool { return in(c, "service") == "Running" },
}

func TestConformance(t *testing.T) { plugintest.Run(t, config) }

func TestCalls(t *testing.T) {
	f := plugintest.NewFixture(t, config, component(t))
	f.Do(dysnomia.Activate, dysnomia.Deactivate)
	want := strings.Join([]string{
		"<--query><component [1]>", "<--install><component [1]><--path></bin/web><--args><-D 'a b' $HOME>", "<--start><component [1]>",
		"<--query><component [1]>", "<--query><component [1]>", "<--stop><component [1]>", "<--query><component [1]>", "<--remove><component [1]>",
	}, "\n")
	if got := in(f.Component, "log"); got != want {
		t.Errorf("calls:\n%s\nwant:\n%s", got, want)
	}
}

func TestRoughEdge_modules12(t *testing.T) {
	t.Run("modules 12: a service that is installed is started, not installed again", func(t *testing.T) {
		f := plugintest.NewFixture(t, config, component(t))
		plugintest.WriteFile(t, filepath.Join(f.Properties["world"], "service"), "Stopped\n")
		f.Do(dysnomia.Activate, dysnomia.Activate)
		f.Expect("active")
		if strings.Contains(in(f.Component, "log"), "--install") {
			t.Errorf("calls: %s", in(f.Component, "log"))
		}
	})
	t.Run("modules 12: a service that does not run is a failure and removed", func(t *testing.T) {
		f := plugintest.NewFixture(t, config, config.Broken(t))
		if err := f.Run(t.Context(), dysnomia.Activate); err == nil || !strings.Contains(err.Error(), "its state is Stopped") {
			t.Errorf("error: %v", err)
		}
		if got := in(f.Component, "service"); got != "" {
			t.Errorf("it is still installed: %s", got)
		}
	})
	for _, action := range []string{"--install", "--start", "--query"} {
		t.Run("modules 12: a failure of cygrunsrv "+action+" is one", func(t *testing.T) {
			f := plugintest.NewFixture(t, config, component(t))
			plugintest.WriteFile(t, filepath.Join(f.Properties["world"], "fail"+action), "")
			if err := f.Run(t.Context(), dysnomia.Activate); err == nil || !strings.Contains(err.Error(), "Win32 error 1053") {
				t.Errorf("error: %v", err)
			}
			f.Expect("")
		})
	}
	t.Run("modules 12: a service that does not stop stays active", func(t *testing.T) {
		f := plugintest.NewFixture(t, config, component(t))
		f.Do(dysnomia.Activate)
		plugintest.WriteFile(t, filepath.Join(f.Properties["world"], "stops-as"), "Stop Pending\n")
		if err := f.Run(t.Context(), dysnomia.Deactivate); err == nil || !strings.Contains(err.Error(), "Stop Pending") {
			t.Errorf("error: %v", err)
		}
		if active, _ := f.State.IsActive(f.Container, f.Name()); !active {
			t.Error("it is not marked as active any more")
		}
	})
}

func TestRoughEdge_processmgmt4(t *testing.T) {
	t.Run("processmgmt 4: the service is installed, not only printed", func(t *testing.T) {
		f := plugintest.NewFixture(t, config, component(t))
		f.Do(dysnomia.Activate)
		if !strings.Contains(in(f.Component, "log"), "<--install>") || strings.Contains(f.Stdout, "--install") {
			t.Errorf("calls: %s, output: %s", in(f.Component, "log"), f.Stdout)
		}
	})
}

func TestBadComponents(t *testing.T) {
	for name, change := range map[string]func(path string) error{
		"none": func(path string) error { return os.Remove(filepath.Join(path, "nix-process-web-cygrunsrvparams")) },
		"two": func(path string) error {
			return os.WriteFile(filepath.Join(path, "b-cygrunsrvparams"), []byte("x"), 0o644)
		},
		"empty": func(path string) error {
			return os.WriteFile(filepath.Join(path, "nix-process-web-cygrunsrvparams"), nil, 0o644)
		},
	} {
		f := plugintest.NewFixture(t, config, component(t))
		if err := change(f.Path); err != nil {
			t.Fatal(err)
		}
		if err := f.Run(t.Context(), dysnomia.Activate); err == nil || !strings.Contains(err.Error(), "cygrunsrvparams") {
			t.Errorf("%s: %v", name, err)
		}
		f.Expect("")
	}
}

func TestNameThatLooksLikeAnOption(t *testing.T) {
	c := component(t)
	path := filepath.Join(filepath.Dir(c.Path), "--remove")
	if err := os.Rename(c.Path, path); err != nil {
		t.Fatal(err)
	}
	c.Path = path
	f := plugintest.NewFixture(t, config, c)
	for _, op := range []dysnomia.Operation{dysnomia.Activate, dysnomia.Deactivate} {
		if err := f.Run(t.Context(), op); err == nil || !strings.Contains(err.Error(), `"--remove"`) {
			t.Errorf("%s: %v", op, err)
		}
	}
	if calls := in(c, "log"); calls != "" {
		t.Errorf("calls: %s", calls)
	}
}

func TestCancellation(t *testing.T) {
	f := plugintest.NewFixture(t, config, component(t))
	plugintest.WriteFile(t, filepath.Join(f.Properties["world"], "starts-as"), "Start Pending\n")
	f.Properties["timeout"] = "600"
	ctx, cancel := context.WithCancelCause(t.Context())
	stop := errors.New("stop")
	go func() {
		for ctx.Err() == nil {
			if in(f.Component, "service") == "Start Pending" {
				cancel(stop)
			}
			time.Sleep(time.Millisecond)
		}
	}()
	if err := f.Run(ctx, dysnomia.Activate); !errors.Is(err, stop) {
		t.Errorf("error: %v", err)
	}
	f.Expect("")
	if got := in(f.Component, "service"); got != "" {
		t.Errorf("it is still installed: %s", got)
	}
}

func TestShellHelp(t *testing.T) {
	f := plugintest.NewFixture(t, config, component(t))
	f.Do(dysnomia.Shell)
	if !strings.Contains(f.Stderr, "cygrunsrv --query component") {
		t.Errorf("help: %s", f.Stderr)
	}
}

// BenchmarkActivate measures an activation that starts four programs.
func BenchmarkActivate(b *testing.B) { plugintest.Benchmark(b, config, component(b)) }
