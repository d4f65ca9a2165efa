package sysvinitscript

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/disnix-go/disnix/dysnomia"
	"github.com/disnix-go/disnix/dysnomia/plugintest"
)

// script is an init script in the manner of Debian's, with start-stop-daemon.
// It logs what it is asked to do.
const script = `#!/bin/sh
PATH=/usr/sbin:/sbin:$PATH
name=$(basename "$0" | sed 's/^[SK][0-9]*//')
pidfile=$runDir/$name.pid
echo "$name $1" >> "$runDir/log"
case "$1" in
    start) start-stop-daemon --start --quiet --oknodo --background --make-pidfile --pidfile "$pidfile" --exec /bin/sleep -- 600 ;;
    stop) start-stop-daemon --stop --quiet --oknodo --remove-pidfile --pidfile "$pidfile" ;;
    status) start-stop-daemon --status --pidfile "$pidfile" ;;
    *) echo "Usage: $0 {start|stop|status}" >&2; exit 2 ;;
esac
`

// component makes a component with scripts by name in its runlevels.
func component(t testing.TB, scripts map[string]string) plugintest.Component {
	t.Helper()
	path, runDir := filepath.Join(t.TempDir(), "component"), t.TempDir()
	for name, content := range scripts {
		file := filepath.Join(path, "etc/rc.d", name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(content), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() {
		for _, pid := range pids(runDir) {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
	})
	return plugintest.Component{Path: path, Container: "sysvinit-script", Properties: map[string]string{"runDir": runDir, "timeout": "600", "stopTimeout": "600"}}
}

func pids(runDir string) []int {
	files, _ := filepath.Glob(filepath.Join(runDir, "*.pid"))
	var all []int
	for _, file := range files {
		content, _ := os.ReadFile(file)
		if pid, err := strconv.Atoi(strings.TrimSpace(string(content))); err == nil && pid > 1 {
			all = append(all, pid)
		}
	}
	return all
}

var config = plugintest.Config{
	Type:   "sysvinit-script",
	Plugin: Plugin{},
	New: func(t *testing.T) plugintest.Component {
		return component(t, map[string]string{"rc3.d/S01web": script})
	},
	Broken: func(t *testing.T) plugintest.Component {
		return component(t, map[string]string{"rc3.d/S01web": "#!/bin/sh\nexit 3\n"})
	},
	Running: func(_ *testing.T, c plugintest.Component) bool { return len(runningIn(c)) > 0 },
}

// runningIn returns the names of the services that run.
func runningIn(c plugintest.Component) []string {
	var names []string
	files, _ := filepath.Glob(filepath.Join(c.Properties["runDir"], "*.pid"))
	for _, file := range files {
		content, _ := os.ReadFile(file)
		pid, err := strconv.Atoi(strings.TrimSpace(string(content)))
		if err == nil && syscall.Kill(pid, 0) == nil {
			names = append(names, strings.TrimSuffix(filepath.Base(file), ".pid"))
		}
	}
	return names
}

// log returns what the scripts were asked to do, except for their status.
func log(t testing.TB, c plugintest.Component) string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(c.Properties["runDir"], "log"))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	var actions []string
	for _, line := range strings.Split(strings.TrimSpace(string(content)), "\n") {
		if !strings.HasSuffix(line, " status") {
			actions = append(actions, line)
		}
	}
	return strings.Join(actions, ", ")
}

func fixture(t *testing.T, scripts map[string]string) *plugintest.Fixture {
	t.Helper()
	return plugintest.NewFixture(t, config, component(t, scripts))
}

func fails(t *testing.T, f *plugintest.Fixture, op dysnomia.Operation, texts ...string) {
	t.Helper()
	err := f.Run(t.Context(), op)
	for _, text := range texts {
		if err == nil || !strings.Contains(err.Error(), text) {
			t.Errorf("error: %v, want %q in it", err, text)
		}
	}
}

func TestConformance(t *testing.T) { plugintest.Run(t, config) }

func TestOrder(t *testing.T) {
	f := fixture(t, map[string]string{"rc5.d/S10web": script, "rc5.d/S02database": script, "init.d/web": script, "rc3.d/S01other": script})
	f.Properties["runlevel"] = "5"
	f.Do(dysnomia.Activate, dysnomia.Deactivate)
	if got, want := log(t, f.Component), "database start, web start, web stop, database stop"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func TestRoughEdge_modules8(t *testing.T) {
	t.Run("modules 8: what is off in the runlevel is not started", func(t *testing.T) {
		f := fixture(t, map[string]string{"rc3.d/K99web": script, "rc3.d/README": ""})
		f.Do(dysnomia.Activate, dysnomia.Deactivate)
		if got := log(t, f.Component); got != "" {
			t.Errorf("actions: %s", got)
		}
	})
	t.Run("modules 8: a missing runlevel is an error", func(t *testing.T) {
		f := fixture(t, map[string]string{"rc3.d/S01web": script})
		f.Properties["runlevel"] = "4"
		fails(t, f, dysnomia.Activate, "rc4.d")
		f.Expect("")
		f.Properties["runlevel"] = "../3"
		fails(t, f, dysnomia.Activate, "is not a runlevel")
	})
	t.Run("modules 8: the first script that fails decides, and what was started is stopped", func(t *testing.T) {
		f := fixture(t, map[string]string{
			"rc3.d/S01first": script, "rc3.d/S02broken": "#!/bin/sh\n[ \"$1\" = start ] && { echo the reason >&2; exit 7; }\nexit 3\n", "rc3.d/S03last": script,
		})
		err := f.Run(t.Context(), dysnomia.Activate)
		var failed *dysnomia.ModuleError
		if !errors.As(err, &failed) || failed.ExitCode != 7 || !strings.Contains(err.Error(), "S02broken") || !strings.Contains(f.Stderr, "the reason") {
			t.Errorf("error: %v, output: %s", err, f.Stderr)
		}
		f.Expect("")
		if got := log(t, f.Component); got != "first start, first stop" {
			t.Errorf("actions: %s", got)
		}
	})
	t.Run("modules 8: all scripts are stopped although one cannot be", func(t *testing.T) {
		f := fixture(t, map[string]string{
			"rc3.d/S01first": script, "rc3.d/S02broken": "#!/bin/sh\n[ \"$1\" != stop ]\n",
		})
		f.Do(dysnomia.Activate)
		fails(t, f, dysnomia.Deactivate, "S02broken")
		if got := runningIn(f.Component); len(got) > 0 {
			t.Errorf("still running: %v", got)
		}
		if active, _ := f.State.IsActive(f.Container, f.Name()); !active {
			t.Error("it is not marked as active any more")
		}
	})
	t.Run("modules 8: a service that does not run after its script has ended is a failure", func(t *testing.T) {
		f := fixture(t, map[string]string{"rc3.d/S01web": strings.Replace(script, "status)", "status) exit 1 ;; unused)", 1)})
		f.Properties["timeout"] = "0"
		fails(t, f, dysnomia.Activate, "wait for the service to run")
		f.Expect("")
	})
	t.Run("modules 8: a service that does not stop is a failure", func(t *testing.T) {
		f := fixture(t, map[string]string{"rc3.d/S01web": strings.Replace(script, "stop) start-stop-daemon", "stop) : start-stop-daemon", 1)})
		f.Do(dysnomia.Activate)
		f.Properties["stopTimeout"] = "0"
		fails(t, f, dysnomia.Deactivate, "wait for the service to stop")
		f.Expect("active")
	})
	t.Run("modules 8: a script without an action status is believed", func(t *testing.T) {
		f := fixture(t, map[string]string{"rc3.d/S01web": strings.Replace(script, "status)", "other)", 1)})
		f.Do(dysnomia.Activate)
		f.Expect("active")
		f.Do(dysnomia.Deactivate)
		f.Expect("")
	})
	t.Run("modules 8: a changed runlevel does not hide what was started", func(t *testing.T) {
		f := fixture(t, map[string]string{"rc3.d/S01web": script, "rc4.d/K01web": script})
		f.Do(dysnomia.Activate)
		f.Properties["runlevel"] = "4"
		f.Do(dysnomia.Deactivate)
		f.Expect("")
	})
}

func TestPortTaken(t *testing.T) {
	f := fixture(t, map[string]string{"rc3.d/S01web": "#!/bin/sh\n[ $1 = start ] && { echo 'bind: Address already in use' >&2; exit 1; }\n[ $1 != status ] || exit 3\n"})
	fails(t, f, dysnomia.Activate, "exited with status 1")
	if !strings.Contains(f.Stderr, "Address already in use") {
		t.Errorf("output: %s", f.Stderr)
	}
	f.Expect("")
}

func TestCancellation(t *testing.T) {
	f := fixture(t, map[string]string{"rc3.d/S01first": script, "rc3.d/S02slow": "#!/bin/sh\n[ $1 = start ] || exit 3\ntouch $runDir/begun\nsleep 600\n"})
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

func TestUsers(t *testing.T) {
	name := "dysnotest-si" + strconv.Itoa(os.Getpid())
	t.Cleanup(func() { _ = exec.Command("userdel", name).Run() })
	f := fixture(t, map[string]string{"rc3.d/S01web": script, "../../dysnomia-support/users/" + name: "description=x\n"})
	f.Do(dysnomia.Activate)
	if _, err := user.Lookup(name); err != nil {
		t.Error(err)
	}
	f.Do(dysnomia.Deactivate)
	if _, err := user.Lookup(name); err == nil {
		t.Error("the user still exists")
	}
	bad := fixture(t, map[string]string{"rc3.d/S01web": script, "../../dysnomia-support/users/" + name: "group=dysnotest-none\n"})
	fails(t, bad, dysnomia.Activate, fmt.Sprintf("create user %q", name))
	if got := log(t, bad.Component); got != "" {
		t.Errorf("actions: %s", got)
	}
	bad.Expect("")
}

func TestShellHelp(t *testing.T) {
	f := fixture(t, map[string]string{"rc3.d/S01web": script})
	f.Do(dysnomia.Shell)
	if !strings.Contains(f.Stderr, "rc3.d/S01web status\n") {
		t.Errorf("help: %s", f.Stderr)
	}
}

// BenchmarkActivate measures an activation that starts a shell three times:
// for the status before, the start, and the status afterwards.
func BenchmarkActivate(b *testing.B) {
	started := "#!/bin/sh\ncase $1 in start) : > $runDir/up ;; stop) rm $runDir/up ;; status) [ -e $runDir/up ] || exit 3 ;; esac\n"
	plugintest.Benchmark(b, config, component(b, map[string]string{"rc3.d/S01web": started}))
}
