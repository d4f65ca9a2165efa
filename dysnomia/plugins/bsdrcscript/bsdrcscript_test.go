package bsdrcscript

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

// script stands in for one that uses rc.subr: it knows the actions with "one",
// and those without only if it is enabled. Its service is a file.
const script = `#!/bin/sh
# PROVIDE: NAME
# REQUIRE: NETWORKING AFTER
name=NAME
echo "$name $1" >> "$runDir/log"
case "$1" in
    one*) ;;
    *) grep -qx "${name}_enabled=YES" "$rcConf" || { echo "$name is not enabled" >&2; exit 0; } ;;
esac
case "${1#one}" in
    start) [ ! -e "$runDir/fail" ] || { echo 'the reason' >&2; exit 1; }; : > "$runDir/$name" ;;
    stop) rm "$runDir/$name" ;;
    status) [ -e "$runDir/$name" ] || { echo "$name is not running."; exit 1; } ;;
    *) echo "Usage: $0 [fast|force|one](start|stop|status)"; exit 1 ;;
esac
`

func component(t testing.TB, names ...string) plugintest.Component {
	t.Helper()
	path, runDir := filepath.Join(t.TempDir(), "component"), t.TempDir()
	for _, name := range names {
		name, after, _ := strings.Cut(name, " after ")
		file := filepath.Join(path, "etc/rc.d", name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(strings.NewReplacer("NAME", name, "AFTER", after).Replace(script)), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	conf := filepath.Join(runDir, "rc.conf")
	if err := os.WriteFile(conf, []byte("hostname=example\nother_enabled=YES"), 0o640); err != nil {
		t.Fatal(err)
	}
	return plugintest.Component{Path: path, Container: "bsdrc-script", Properties: map[string]string{
		"runDir": runDir, "rcDir": filepath.Join(runDir, "rc.d"), "rcConf": conf, "timeout": "0", "stopTimeout": "0",
	}}
}

func config(boot bool) plugintest.Config {
	with := func(c plugintest.Component) plugintest.Component {
		if boot {
			c.Properties["enableAtBoot"] = "1"
		}
		return c
	}
	return plugintest.Config{
		Type:   "bsdrc-script",
		Plugin: Plugin{},
		New:    func(t *testing.T) plugintest.Component { return with(component(t, "web")) },
		Broken: func(t *testing.T) plugintest.Component {
			c := component(t, "web")
			if err := os.WriteFile(filepath.Join(c.Properties["runDir"], "fail"), nil, 0o644); err != nil {
				t.Fatal(err)
			}
			return with(c)
		},
		Running: func(_ *testing.T, c plugintest.Component) bool {
			_, err := os.Stat(filepath.Join(c.Properties["runDir"], "web"))
			return err == nil
		},
	}
}

func TestConformance(t *testing.T)          { plugintest.Run(t, config(false)) }
func TestConformanceOfEnabled(t *testing.T) { plugintest.Run(t, config(true)) }
func content(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// actions are what the scripts were asked to do, except for their status.
func actions(t *testing.T, c plugintest.Component) string {
	t.Helper()
	var all []string
	for _, line := range strings.Split(strings.TrimSpace(content(t, filepath.Join(c.Properties["runDir"], "log"))), "\n") {
		if !strings.HasSuffix(line, "status") {
			all = append(all, line)
		}
	}
	return strings.Join(all, ", ")
}

func TestRoughEdge_modules10(t *testing.T) {
	t.Run("modules 10: scripts are linked where the system looks for them", func(t *testing.T) {
		f := plugintest.NewFixture(t, config(true), component(t, "web"))
		f.Properties["enableAtBoot"] = "1"
		f.Do(dysnomia.Activate)
		if target, err := os.Readlink(filepath.Join(f.Properties["rcDir"], "web")); target != filepath.Join(f.Path, "etc/rc.d/web") {
			t.Errorf("link: %s, %v", target, err)
		}
		f.Do(dysnomia.Deactivate)
		if _, err := os.Lstat(filepath.Join(f.Properties["rcDir"], "web")); err == nil {
			t.Error("the link is left")
		}
	})
	t.Run("modules 10: rc.conf has one line for each script, and keeps all others", func(t *testing.T) {
		f := plugintest.NewFixture(t, config(true), component(t, "web"))
		f.Properties["enableAtBoot"] = "1"
		conf := f.Properties["rcConf"]
		f.Do(dysnomia.Activate, dysnomia.Activate)
		if got, want := content(t, conf), "hostname=example\nother_enabled=YES\nweb_enabled=YES\n"; got != want {
			t.Errorf("%q, want %q", got, want)
		}
		if info, err := os.Stat(conf); err != nil || info.Mode().Perm() != 0o640 {
			t.Errorf("permissions: %v, %v", info.Mode(), err)
		}
		f.Do(dysnomia.Deactivate)
		if got, want := content(t, conf), "hostname=example\nother_enabled=YES\n"; got != want {
			t.Errorf("%q, want %q", got, want)
		}
	})
	t.Run("modules 10: a failure leaves nothing behind", func(t *testing.T) {
		c := config(true)
		f := plugintest.NewFixture(t, c, c.Broken(t))
		if err := f.Run(t.Context(), dysnomia.Activate); err == nil || !strings.Contains(f.Stderr, "the reason") {
			t.Errorf("error: %v, output: %s", err, f.Stderr)
		}
		if _, err := os.Lstat(filepath.Join(f.Properties["rcDir"], "web")); err == nil {
			t.Error("the link is left")
		}
		if strings.Contains(content(t, f.Properties["rcConf"]), "web") {
			t.Error("it is left enabled")
		}
	})
	t.Run("modules 10: scripts are started after those that they require", func(t *testing.T) {
		f := plugintest.NewFixture(t, config(false), component(t, "a after c", "b", "c after b"))
		f.Do(dysnomia.Activate, dysnomia.Deactivate)
		if got, want := actions(t, f.Component), "b onestart, c onestart, a onestart, a onestop, c onestop, b onestop"; got != want {
			t.Errorf("%s, want %s", got, want)
		}
	})
	t.Run("modules 10: a script that cannot be stopped is reported", func(t *testing.T) {
		f := plugintest.NewFixture(t, config(false), component(t, "web"))
		f.Do(dysnomia.Activate)
		file := filepath.Join(f.Path, "etc/rc.d/web")
		if err := os.WriteFile(file, []byte("#!/bin/sh\n[ $1 = onestatus ]\n"), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := f.Run(t.Context(), dysnomia.Deactivate); err == nil || !strings.Contains(err.Error(), file) {
			t.Errorf("error: %v", err)
		}
		f.Expect("active")
	})
}

// TestNamesInRcConf: rc.conf is run by a shell.
func TestNamesInRcConf(t *testing.T) {
	f := plugintest.NewFixture(t, config(true), component(t, "web; id"))
	f.Properties["enableAtBoot"] = "1"
	if err := f.Run(t.Context(), dysnomia.Activate); err == nil || !strings.Contains(err.Error(), `"web; id"`) {
		t.Errorf("error: %v", err)
	}
	f.Expect("")
	if got := content(t, f.Properties["rcConf"]); strings.Contains(got, "id") {
		t.Errorf("rc.conf: %s", got)
	}
}

func TestCycle(t *testing.T) {
	f := plugintest.NewFixture(t, config(false), component(t, "a after b", "b after a"))
	if err := f.Run(t.Context(), dysnomia.Activate); err == nil || !strings.Contains(err.Error(), "requires itself") {
		t.Errorf("error: %v", err)
	}
	f.Expect("")
}

func TestCancellation(t *testing.T) {
	f := plugintest.NewFixture(t, config(false), component(t, "web"))
	slow := "#!/bin/sh\ncase $1 in onestart) : > $runDir/begun; sleep 600 ;; *) echo usage; exit 1 ;; esac\n"
	if err := os.WriteFile(filepath.Join(f.Path, "etc/rc.d/web"), []byte(slow), 0o755); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	stop := errors.New("stop")
	go func() {
		for ctx.Err() == nil {
			if _, err := os.Stat(filepath.Join(f.Properties["runDir"], "begun")); err == nil {
				cancel(stop)
			}
			time.Sleep(time.Millisecond)
		}
	}()
	if err := f.Run(ctx, dysnomia.Activate); !errors.Is(err, stop) {
		t.Errorf("error: %v", err)
	}
	f.Expect("")
}

func TestShellHelp(t *testing.T) {
	f := plugintest.NewFixture(t, config(false), component(t, "web"))
	f.Do(dysnomia.Shell)
	if !strings.Contains(f.Stderr, "etc/rc.d/web onestatus\n") {
		t.Errorf("help: %s", f.Stderr)
	}
}

// BenchmarkActivate measures an activation that starts a shell three times.
func BenchmarkActivate(b *testing.B) {
	plugintest.Benchmark(b, config(false), component(b, "web"))
}
