package systemdunit

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/disnix-go/disnix/dysnomia"
	"github.com/disnix-go/disnix/dysnomia/plugintest"
	"github.com/disnix-go/disnix/test/systemdtest"
)

// shared is the systemd of all tests.
var shared = sync.OnceValues(systemdtest.Start)

func TestMain(m *testing.M) {
	code := m.Run()
	if s, err := shared(); err == nil {
		s.Close()
	}
	os.Exit(code)
}

func realSystemd(t testing.TB) *systemdtest.Manager {
	t.Helper()
	s, err := shared()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

const (
	sleeper = "[Service]\nExecStart=/bin/sleep 600\n"
	failing = "[Service]\nType=oneshot\nExecStart=/bin/sh -c 'exit 3'\n"
)

var counter atomic.Int32

// component is a component whose units have a new name in place of NAME.
func component(t testing.TB, units map[string]string) plugintest.Component {
	t.Helper()
	s := realSystemd(t)
	name := fmt.Sprintf("unit%d", counter.Add(1))
	path := filepath.Join(t.TempDir(), "component")
	for file, content := range units {
		file = filepath.Join(path, "etc/systemd/system", strings.ReplaceAll(file, "NAME", name))
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(strings.ReplaceAll(content, "NAME", name)), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	c := plugintest.Component{Path: path, Container: "systemd-unit", Properties: map[string]string{
		"systemdTargetDir": s.UnitDir, "DBUS_SYSTEM_BUS_ADDRESS": s.BusAddress, "name": name,
	}}
	t.Cleanup(func() {
		s.Systemctl("stop", name+".socket", name+".timer", name+".path", name+".service")
		links, _ := filepath.Glob(filepath.Join(s.UnitDir, name+"*"))
		wants, _ := filepath.Glob(filepath.Join(s.UnitDir, "*.wants", name+"*"))
		for _, link := range append(links, wants...) {
			_ = os.Remove(link)
		}
	})
	return c
}

func service(t testing.TB, content string) plugintest.Component {
	return component(t, map[string]string{"NAME.service": content})
}

// state is the ActiveState of the unit of that kind.
func state(t testing.TB, c plugintest.Component, kind string) string {
	return strings.TrimPrefix(realSystemd(t).Systemctl("show", "-p", "ActiveState", c.Properties["name"]+kind), "ActiveState=")
}

var config = plugintest.Config{
	Type:    "systemd-unit",
	Plugin:  Plugin{},
	New:     func(t *testing.T) plugintest.Component { return service(t, sleeper) },
	Broken:  func(t *testing.T) plugintest.Component { return service(t, failing) },
	Running: func(t *testing.T, c plugintest.Component) bool { return state(t, c, ".service") == "active" },
}

func fixture(t *testing.T, c plugintest.Component, properties ...map[string]string) *plugintest.Fixture {
	t.Helper()
	for _, more := range properties {
		maps.Copy(c.Properties, more)
	}
	return plugintest.NewFixture(t, config, c)
}

// links lists the links to the component.
func links(t testing.TB, c plugintest.Component) []string {
	t.Helper()
	var found []string
	err := filepath.WalkDir(c.Properties["systemdTargetDir"], func(path string, _ os.DirEntry, err error) error {
		if target, _ := os.Readlink(path); strings.HasPrefix(target, c.Path+"/") {
			found = append(found, strings.TrimPrefix(path, c.Properties["systemdTargetDir"]+"/"))
		}
		return err
	})
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	return found
}

// fails checks that the activation fails, says all this, and leaves nothing.
func fails(t *testing.T, f *plugintest.Fixture, texts ...string) {
	t.Helper()
	err := f.Run(t.Context(), dysnomia.Activate)
	for _, text := range texts {
		if err == nil || !strings.Contains(err.Error(), text) {
			t.Errorf("error: %v, want %q in it", err, text)
		}
	}
	if active, err := f.State.IsActive(f.Container, f.Name()); active || err != nil {
		t.Errorf("it is marked as active: %t, %v", active, err)
	}
	if left := links(t, f.Component); len(left) > 0 {
		t.Errorf("links are left: %v", left)
	}
}

func TestConformance(t *testing.T) {
	config := config
	config.Remembers = true
	plugintest.Run(t, config)
}

func TestManagerOfTheUser(t *testing.T) {
	t.Setenv("HOME", t.TempDir())
	f := fixture(t, service(t, sleeper), map[string]string{
		"systemdUserServices": "1", "DBUS_SESSION_BUS_ADDRESS": realSystemd(t).BusAddress,
		"DBUS_SYSTEM_BUS_ADDRESS": "unix:path=/nonexistent",
	})
	f.Do(dysnomia.Activate)
	f.Expect("active")
	f.Do(dysnomia.Deactivate)
	f.Expect("")
}

func TestWithoutABus(t *testing.T) {
	t.Setenv("HOME", t.TempDir())
	s := realSystemd(t)
	f := fixture(t, service(t, sleeper), map[string]string{
		"systemdUserServices": "1", "DBUS_SESSION_BUS_ADDRESS": "unix:path=/nonexistent", "XDG_RUNTIME_DIR": s.Dir,
	})
	f.Do(dysnomia.Activate)
	f.Expect("active")
	f.Do(dysnomia.Deactivate)
	f.Expect("")
}

func TestSystemdIsNotRunning(t *testing.T) {
	f := fixture(t, service(t, sleeper))
	f.Do(dysnomia.Activate)
	address := f.Properties["DBUS_SYSTEM_BUS_ADDRESS"]
	f.Properties["DBUS_SYSTEM_BUS_ADDRESS"] = "unix:path=/nonexistent/bus"
	if err := f.Run(t.Context(), dysnomia.Deactivate); err == nil || !strings.Contains(err.Error(), "is it running") {
		t.Errorf("deactivation: %v", err)
	}
	f.Expect("active")
	f.Properties["DBUS_SYSTEM_BUS_ADDRESS"] = address
	f.Do(dysnomia.Deactivate)
	f.Properties["DBUS_SYSTEM_BUS_ADDRESS"] = "unix:path=/nonexistent/bus"
	fails(t, f, "connect to systemd", "/nonexistent/bus")
	f.Do(dysnomia.Deactivate) // there is nothing to stop
}

func TestLinks(t *testing.T) {
	f := fixture(t, component(t, map[string]string{
		"NAME.service":                    "[Unit]\nRequires=NAME-dep.service\nAfter=NAME-dep.service\n" + sleeper,
		"NAME-dep.service":                sleeper,
		"NAME.service.wants/NAME-x":       "",
		"NAME-template@.service":          sleeper,
		"NAME.service.d/environment.conf": "[Service]\nEnvironment=A=b\n",
	}))
	f.Do(dysnomia.Activate)
	name := f.Properties["name"]
	want := fmt.Sprintf("[dysnomia.target.wants/%[1]s-dep.service dysnomia.target.wants/%[1]s.service %[1]s-dep.service %[1]s-template@.service %[1]s.service %[1]s.service.d %[1]s.service.wants]", name)
	if got := fmt.Sprint(links(t, f.Component)); got != want {
		t.Errorf("links: %s, want %s", got, want)
	}
	s := realSystemd(t)
	if got := s.Systemctl("show", "-p", "Environment", name+".service"); got != "Environment=A=b" {
		t.Error(got)
	}
	s.Systemctl("start", name+"-template@one.service")
	f.Do(dysnomia.Deactivate)
	if left := links(t, f.Component); len(left) > 0 {
		t.Errorf("links are left: %v", left)
	}
	if out := s.Systemctl("list-units", "--all", "--plain", "--no-legend", name+"*"); out != "" {
		t.Errorf("units are left: %s", out)
	}
}

func TestFailures(t *testing.T) {
	s := realSystemd(t)
	taken := filepath.Join(s.Dir, "taken")
	for name, test := range map[string]struct {
		units map[string]string
		want  []string
	}{
		"a program that does not exist": {map[string]string{"NAME.service": "[Service]\nExecStart=/nonexistent/program\n"},
			[]string{"exit status 203", "the program cannot be executed", "journalctl -u unit"}},
		"a user that does not exist": {map[string]string{"NAME.service": "[Service]\nExecStart=/bin/sleep 600\nUser=dysnotest-none\n"},
			[]string{"exit status 217", "the user does not exist"}},
		"a service that is never ready": {map[string]string{"NAME.service": "[Service]\nType=notify\nTimeoutStartSec=0.1\nExecStart=/bin/sleep 600\n"},
			[]string{"start unit", "result timeout"}},
		"a service that is killed": {map[string]string{"NAME.service": "[Service]\nType=oneshot\nExecStart=/bin/sh -c 'kill -SEGV $$$$'\n"},
			[]string{"signal 11 (segmentation fault)"}},
		"a dependency that fails": {map[string]string{"NAME.service": "[Unit]\nRequires=NAME-dep.service\nAfter=NAME-dep.service\n" + sleeper, "NAME-dep.service": failing},
			[]string{"exit status 3"}},
		"a dependency that does not exist": {map[string]string{"NAME.service": "[Unit]\nRequires=dysnotest-none.service\n" + sleeper},
			[]string{"dysnotest-none.service"}},
		"a unit that is invalid": {map[string]string{"NAME.service": "[Service]\nType=simple\n"},
			[]string{"bad-setting"}},
		"a name that is taken": {map[string]string{"NAME.service": "[Service]\nType=forking\nExecStart=/bin/sh -c 'mkdir " + taken + "'\n"},
			[]string{"exit status 1"}},
	} {
		t.Run(name, func(t *testing.T) {
			_ = os.Mkdir(taken, 0o755)
			f := fixture(t, component(t, test.units))
			fails(t, f, test.want...)
			if out := s.Systemctl("list-units", "--all", "--plain", "--no-legend", f.Properties["name"]+"*"); out != "" {
				t.Errorf("units are left: %s", out)
			}
		})
	}
}

func TestLimits(t *testing.T) {
	f := fixture(t, service(t, "[Service]\nType=notify\nTimeoutStartSec=infinity\nExecStart=/bin/sleep 600\n"), map[string]string{"timeout": "3"})
	fails(t, f, "within 3s", "activating (start)")
	if got := state(t, f.Component, ".service"); got != "inactive" {
		t.Errorf("it is %s", got)
	}
	// The signal ends nothing.
	g := fixture(t, service(t, "[Service]\nKillSignal=SIGWINCH\nTimeoutStopSec=infinity\nExecStart=/bin/sleep 600\n"))
	g.Do(dysnomia.Activate)
	g.Properties["stopTimeout"] = "0"
	if err := g.Run(t.Context(), dysnomia.Deactivate); err == nil || !strings.Contains(err.Error(), "within 0s: it is ") {
		t.Errorf("error: %v", err)
	}
	if active, _ := g.State.IsActive(g.Container, g.Name()); !active {
		t.Error("it is not marked as active any more")
	}
	realSystemd(t).Systemctl("kill", "-s", "KILL", g.Properties["name"]+".service")
	g.Properties["stopTimeout"] = ""
	g.Do(dysnomia.Deactivate)
	g.Expect("")
}

func TestCancellation(t *testing.T) {
	f := fixture(t, service(t, "[Service]\nType=notify\nExecStart=/bin/sleep 600\n"))
	ctx, cancel := context.WithCancelCause(t.Context())
	stop := errors.New("stop")
	go func() {
		for ctx.Err() == nil {
			if state(t, f.Component, ".service") == "activating" {
				cancel(stop)
			}
		}
	}()
	if err := f.Run(ctx, dysnomia.Activate); !errors.Is(err, stop) {
		t.Errorf("error: %v", err)
	}
	f.Expect("")
	if left := links(t, f.Component); len(left) > 0 {
		t.Errorf("links are left: %v", left)
	}
}

func TestBadProperties(t *testing.T) {
	for name, value := range map[string]string{"systemdRootTarget": "../x", "systemdTargetDir": "relative", "timeout": "soon", "settleTime": "-1"} {
		f := fixture(t, service(t, sleeper), map[string]string{name: value})
		if err := f.Run(t.Context(), dysnomia.Activate); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
	empty := fixture(t, component(t, nil))
	if err := os.MkdirAll(empty.Path, 0o755); err != nil {
		t.Fatal(err)
	}
	fails(t, empty, "etc/systemd/system")
}

func TestShellHelp(t *testing.T) {
	t.Setenv("HOME", t.TempDir())
	f := fixture(t, service(t, sleeper), map[string]string{"systemdUserServices": "1"})
	f.Do(dysnomia.Shell)
	if !strings.Contains(f.Stderr, "systemctl --user status "+f.Properties["name"]+".service\n") {
		t.Errorf("help: %s", f.Stderr)
	}
}
