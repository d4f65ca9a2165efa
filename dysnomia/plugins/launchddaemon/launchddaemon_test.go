package launchddaemon

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

// launchctl stands in for the program of macOS: what it knows about services
// are files in a directory. It records its calls, and fails when it is told to.
const launchctl = `#!/bin/sh
echo "$*" >> "$world/log"
[ ! -e "$world/fail-$1" ] || { echo "$1 failed: 5: Input/output error" >&2; exit 5; }
name=${2#system/}
case "$1" in
    enable) ;;
    bootstrap)
        name=$(basename "$3" .plist)
        [ ! -e "$world/$name" ] || { echo "Bootstrap failed: 5: Input/output error" >&2; exit 5; }
        echo waiting > "$world/$name" ;;
    kickstart) [ -e "$world/$name" ] || exit 113; cat "$world/starts-as" > "$world/$name" 2>/dev/null || echo running > "$world/$name" ;;
    bootout) [ ! -e "$world/stays" ] || { echo "Boot-out failed: 36: Operation now in progress" >&2; exit 36; }; rm "$world/$name" ;;
    print)
        [ -e "$world/$name" ] || { echo "Could not find service \"$name\" in domain for system" >&2; exit 113; }
        printf 'system/%s = {\n\tactive count = 1\n\tspawn role = (null)\n' "$name"
        read -r state code < "$world/$name"
        printf '\tstate = %s\n\tsub = {\n\t\tstate = active\n\t}\n\tlast exit code = %s\n}\n' "$state" "${code:-(never exited)}" ;;
esac
`

const list = `<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
<plist version="1.0"><dict>
<key>Label</key><string>org.nixos.web</string>
<key>ProgramArguments</key><array><string>/bin/sleep</string><string>600</string></array>
<key>KeepAlive</key><KEEP/>
</dict></plist>
`

func component(t testing.TB) plugintest.Component {
	t.Helper()
	world, path := t.TempDir(), filepath.Join(t.TempDir(), "component")
	plugintest.WriteFile(t, filepath.Join(world, "launchctl"), launchctl)
	plugintest.WriteFile(t, filepath.Join(path, "Library/LaunchDaemons/org.nixos.web.plist"), strings.Replace(list, "KEEP", "true", 1))
	return plugintest.Component{Path: path, Container: "launchd-daemon", Properties: map[string]string{
		"world": world, "launchctl": filepath.Join(world, "launchctl"), "launchdTargetDir": filepath.Join(world, "LaunchDaemons"), "timeout": "0", "stopTimeout": "0",
	}}
}

// in returns the content of a file of the stand-in, nothing if there is none.
func in(c plugintest.Component, name string) string {
	content, _ := os.ReadFile(filepath.Join(c.Properties["world"], name))
	return strings.TrimSpace(string(content))
}

var config = plugintest.Config{
	Type:   "launchd-daemon",
	Plugin: Plugin{},
	New:    func(t *testing.T) plugintest.Component { return component(t) },
	Broken: func(t *testing.T) plugintest.Component {
		c := component(t)
		plugintest.WriteFile(t, filepath.Join(c.Properties["world"], "starts-as"), "waiting 78: EX_CONFIG\n")
		return c
	},
	Running: func(_ *testing.T, c plugintest.Component) bool { return in(c, "org.nixos.web") == "running" },
}

func fails(t *testing.T, f *plugintest.Fixture, texts ...string) {
	t.Helper()
	err := f.Run(t.Context(), dysnomia.Activate)
	for _, text := range texts {
		if err == nil || !strings.Contains(err.Error(), text) {
			t.Errorf("error: %v, want %q in it", err, text)
		}
	}
	if active, _ := f.State.IsActive(f.Container, f.Name()); active {
		t.Error("it is marked as active")
	}
	if left, _ := filepath.Glob(filepath.Join(f.Properties["launchdTargetDir"], "*")); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}

func TestConformance(t *testing.T) {
	config := config
	config.Remembers = true
	plugintest.Run(t, config)
}

func TestCalls(t *testing.T) {
	f := plugintest.NewFixture(t, config, component(t))
	f.Do(dysnomia.Activate)
	copied := filepath.Join(f.Properties["launchdTargetDir"], "org.nixos.web.plist")
	if info, err := os.Lstat(copied); err != nil || info.Mode() != 0o644 {
		t.Errorf("the property list: %v, %v", info.Mode(), err)
	}
	f.Do(dysnomia.Deactivate)
	want := "print system/org.nixos.web, enable system/org.nixos.web, bootstrap system " + copied +
		", kickstart system/org.nixos.web, print system/org.nixos.web, print system/org.nixos.web, bootout system/org.nixos.web, print system/org.nixos.web"
	if got := strings.ReplaceAll(in(f.Component, "log"), "\n", ", "); got != want {
		t.Errorf("calls: %s, want %s", got, want)
	}
	if _, err := os.Lstat(copied); err == nil {
		t.Error("the property list is left")
	}
}

func TestRoughEdge_modules11(t *testing.T) {
	t.Run("modules 11: a daemon that ends at once is a failure", func(t *testing.T) {
		f := plugintest.NewFixture(t, config, config.Broken(t))
		fails(t, f, "daemon org.nixos.web", "exit code 78")
		if got := in(f.Component, "org.nixos.web"); got != "" {
			t.Errorf("it is still loaded: %s", got)
		}
	})
	t.Run("modules 11: a daemon that never runs is a failure", func(t *testing.T) {
		f := plugintest.NewFixture(t, config, component(t))
		plugintest.WriteFile(t, filepath.Join(f.Properties["world"], "starts-as"), "waiting\n")
		fails(t, f, "within 0s: it is waiting")
	})
	for _, call := range []string{"enable", "bootstrap", "kickstart", "print"} {
		t.Run("modules 11: a failure of launchctl "+call+" is one", func(t *testing.T) {
			f := plugintest.NewFixture(t, config, component(t))
			plugintest.WriteFile(t, filepath.Join(f.Properties["world"], "fail-"+call), "")
			fails(t, f, call+" failed: 5: Input/output error")
		})
	}
	t.Run("modules 11: a daemon that is not unloaded stays active", func(t *testing.T) {
		f := plugintest.NewFixture(t, config, component(t))
		f.Do(dysnomia.Activate)
		plugintest.WriteFile(t, filepath.Join(f.Properties["world"], "stays"), "")
		if err := f.Run(t.Context(), dysnomia.Deactivate); err == nil || !strings.Contains(err.Error(), "Boot-out failed") {
			t.Errorf("error: %v", err)
		}
		f.Expect("active")
	})
	t.Run("modules 11: a daemon that need not stay alive may end", func(t *testing.T) {
		f := plugintest.NewFixture(t, config, component(t))
		plugintest.WriteFile(t, filepath.Join(f.Path, "Library/LaunchDaemons/org.nixos.web.plist"), strings.Replace(list, "KEEP", "false", 1))
		plugintest.WriteFile(t, filepath.Join(f.Properties["world"], "starts-as"), "waiting 0\n")
		f.Do(dysnomia.Activate)
	})
	t.Run("modules 11: the file of another component is not touched", func(t *testing.T) {
		f := plugintest.NewFixture(t, config, component(t))
		theirs := filepath.Join(f.Properties["launchdTargetDir"], "org.nixos.web.plist")
		plugintest.WriteFile(t, theirs, "theirs")
		if err := f.Run(t.Context(), dysnomia.Activate); err == nil || !strings.Contains(err.Error(), theirs) {
			t.Errorf("error: %v", err)
		}
		f.Do(dysnomia.Deactivate)
		if content, err := os.ReadFile(theirs); string(content) != "theirs" {
			t.Errorf("it is %q, %v", content, err)
		}
	})
}

func TestBadComponents(t *testing.T) {
	for content, want := range map[string]string{
		"no list": "org.nixos.web.plist",
		strings.NewReplacer("org.nixos.web", "a/b", "KEEP", "true").Replace(list): `"a/b" is not a name`,
	} {
		f := plugintest.NewFixture(t, config, component(t))
		plugintest.WriteFile(t, filepath.Join(f.Path, "Library/LaunchDaemons/org.nixos.web.plist"), content)
		fails(t, f, want)
	}
	f := plugintest.NewFixture(t, config, component(t))
	f.Properties["launchctl"] = "/nonexistent/launchctl"
	fails(t, f, "/nonexistent/launchctl")
}

func TestCancellation(t *testing.T) {
	f := plugintest.NewFixture(t, config, component(t))
	plugintest.WriteFile(t, filepath.Join(f.Properties["world"], "starts-as"), "waiting\n")
	f.Properties["timeout"] = "600"
	ctx, cancel := context.WithCancelCause(t.Context())
	stop := errors.New("stop")
	go func() {
		for ctx.Err() == nil {
			if strings.Contains(in(f.Component, "log"), "kickstart") {
				cancel(stop)
			}
			time.Sleep(time.Millisecond)
		}
	}()
	if err := f.Run(ctx, dysnomia.Activate); !errors.Is(err, stop) {
		t.Errorf("error: %v", err)
	}
	f.Expect("")
	if got := in(f.Component, "org.nixos.web"); got != "" {
		t.Errorf("it is still loaded: %s", got)
	}
}

func TestShellHelp(t *testing.T) {
	f := plugintest.NewFixture(t, config, component(t))
	f.Do(dysnomia.Shell)
	if !strings.Contains(f.Stderr, "print system/org.nixos.web\n") {
		t.Errorf("help: %s", f.Stderr)
	}
}

// BenchmarkActivate measures an activation that starts five programs.
func BenchmarkActivate(b *testing.B) { plugintest.Benchmark(b, config, component(b)) }
