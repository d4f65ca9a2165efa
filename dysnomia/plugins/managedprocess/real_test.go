package managedprocess

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/disnix-go/disnix/dysnomia"
	"github.com/disnix-go/disnix/dysnomia/plugins/await"
	"github.com/disnix-go/disnix/dysnomia/plugins/process"
	"github.com/disnix-go/disnix/dysnomia/plugins/supervisordprogram"
	"github.com/disnix-go/disnix/dysnomia/plugintest"
)

// TestUserOfTheProcess runs real processes as another user.
func TestUserOfTheProcess(t *testing.T) {
	const description = `{"instanceName": "sleeper", "foregroundProcess": "/bin/sleep", "foregroundProcessArgs": ["600"], "user": "nobody", "nice": 3, "umask": "027",
		"initialize": "id -un > \"$OUT\"; umask >> \"$OUT\"", "environment": {"OUT": %q}}`
	for _, disabled := range []string{"", "1"} {
		c := component(t, "disnix", "")
		// Others than root can enter it, unlike a directory of the tests.
		state, err := os.MkdirTemp("", "managed.")
		if err == nil {
			err = os.Chmod(state, 0o755)
		}
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { os.RemoveAll(state) })
		c.Properties["stateDir"] = state
		out := filepath.Join(c.Properties["stateDir"], "initialized")
		if err := os.WriteFile(filepath.Join(c.Path, "process.json"), fmt.Appendf(nil, description, out), 0o644); err != nil {
			t.Fatal(err)
		}
		c.Properties["forceDisableUserChange"] = disabled
		c.Properties["runtimeDir"] = filepath.Join(c.Properties["stateDir"], "unused")
		f := plugintest.NewFixture(t, withoutManager, c)
		f.Do(dysnomia.Activate)
		pidFile := filepath.Join(c.Properties["stateDir"], "tmp", "sleeper.pid")
		pid, err := os.ReadFile(pidFile)
		if err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(filepath.Join("/proc", strings.TrimSpace(string(pid))))
		if err != nil {
			t.Fatal(err)
		}
		if uid := info.Sys().(*syscall.Stat_t).Uid; (uid == 0) != (disabled == "1") {
			t.Errorf("user change disabled: %q, the process belongs to user %d", disabled, uid)
		}
		nice, err := exec.Command("ps", "-o", "ni=", "-p", strings.TrimSpace(string(pid))).Output()
		if err != nil || strings.TrimSpace(string(nice)) != "3" {
			t.Errorf("niceness: %s, %v", nice, err)
		}
		if initialized, err := os.ReadFile(out); err != nil || string(initialized) != "root\n0027\n" {
			t.Errorf("initialized as %q, %v", initialized, err)
		}
		f.Do(dysnomia.Deactivate)
		status, err := os.ReadFile(filepath.Join("/proc", strings.TrimSpace(string(pid)), "status"))
		if err == nil && !strings.Contains(string(status), "\nState:\tZ") {
			t.Errorf("the process still runs: %s", status)
		}
	}
}

// TestSupervisord runs processes under a real supervisord: the conformance
// suite with one that needs a script, because its arguments do.
func TestSupervisord(t *testing.T) {
	dir, err := os.MkdirTemp("/tmp", "managed.") // the name of a socket must be short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	socket := startSupervisord(t, dir)
	program := filepath.Join(dir, "program")
	script := "#!/bin/sh\nprintf '%s\\n' \"$@\" \"$SETTING\" > \"$OUT\"\nexec sleep 600\n"
	if err := os.WriteFile(program, []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	description := func(out, program string) string {
		return fmt.Sprintf(`{"name": "prog", "foregroundProcess": %q, "args": ["a ;b %%(x)s", "c'\"#"], "environment": {"SETTING": "50%% ; $HOME", "OUT": %q}, "overrides": {"supervisord": {"startsecs": 0, "stopwaitsecs": 1}}}`, program, out)
	}
	supervised := func(t *testing.T, program string) plugintest.Component {
		t.Helper()
		out := filepath.Join(t.TempDir(), "out")
		c := component(t, "supervisord", description(out, program))
		c.Properties["supervisordTargetDir"] = filepath.Join(dir, "conf.d")
		c.Properties["supervisordServerUrl"] = "unix://" + socket
		c.Properties["out"] = out
		return c
	}
	config := plugintest.Config{
		Type: "managed-process",
		Plugin: Plugin{Plugins: map[string]dysnomia.Plugin{
			"supervisord-program": supervisordprogram.Plugin{}, "process": process.Plugin{}}},
		New: func(t *testing.T) plugintest.Component { return supervised(t, program) },
		Running: func(t *testing.T, _ plugintest.Component) bool {
			out, _ := exec.Command("supervisorctl", "-s", "unix://"+socket, "status", "prog").Output()
			return strings.Contains(string(out), "RUNNING")
		},
	}
	plugintest.Run(t, config)

	t.Run("every value arrives", func(t *testing.T) {
		c := supervised(t, program)
		f := plugintest.NewFixture(t, config, c)
		f.Do(dysnomia.Activate)
		want := "a ;b %(x)s\nc'\"#\n50% ; $HOME\n"
		err := await.Until(t.Context(), "the arguments", 2*time.Minute, func(context.Context) (bool, string, error) {
			got, err := os.ReadFile(c.Properties["out"])
			return err == nil && string(got) == want, string(got), nil
		})
		if err != nil {
			t.Error(err)
		}
		f.Do(dysnomia.Deactivate)
	})
}

func startSupervisord(t *testing.T, dir string) (socket string) {
	t.Helper()
	socket = filepath.Join(dir, "s.sock")
	conf := filepath.Join(dir, "supervisord.conf")
	content := fmt.Sprintf(`[unix_http_server]
file=%s
[supervisord]
logfile=%[2]s/log
pidfile=%[2]s/pid
childlogdir=%[2]s
nodaemon=true
[rpcinterface:supervisor]
supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface
[include]
files=%[2]s/conf.d/*.conf
`, socket, dir)
	if err := os.WriteFile(conf, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("supervisord", "-c", conf)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	if err := cmd.Start(); err != nil {
		t.Fatalf("%v: run `make setup-process-managers`", err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_ = cmd.Wait()
	})
	err := await.Until(t.Context(), "supervisord to listen", 5*time.Minute, func(context.Context) (bool, string, error) {
		conn, err := net.Dial("unix", socket)
		if err == nil {
			conn.Close()
		}
		return err == nil, fmt.Sprint(err), nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return socket
}
