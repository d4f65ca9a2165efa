package supervisordprogram

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/disnix-go/disnix/dysnomia"
	"github.com/disnix-go/disnix/dysnomia/plugintest"
)

// Programs of the tests. supervisord shall not wait before it calls one
// running, nor try again, unless a test is about that.
const (
	sleeper = "command=sleep 600\nstartsecs=0\nstopsignal=KILL\n"
	failing = "command=sh -c 'echo the reason >&2; exit 3'\nstartretries=0\nstartsecs=600\n"
)

var counter atomic.Int32

// component is a component with one program of a new name, at the server.
func component(t testing.TB, s *server, program string) plugintest.Component {
	t.Helper()
	name := fmt.Sprintf("program%d", counter.Add(1))
	return componentOf(t, s, map[string]string{name + ".conf": "[program:" + name + "]\n" + program})
}

func componentOf(t testing.TB, s *server, confs map[string]string) plugintest.Component {
	t.Helper()
	path := filepath.Join(t.TempDir(), "component")
	if err := os.MkdirAll(filepath.Join(path, "conf.d"), 0o755); err != nil {
		t.Fatal(err)
	}
	for name, content := range confs {
		if err := os.WriteFile(filepath.Join(path, "conf.d", name), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return plugintest.Component{Path: path, Container: "supervisord-program", Properties: map[string]string{
		"supervisordTargetDir":  s.targetDir(),
		"supervisordConfigFile": s.conf(),
	}}
}

// programOf is the name of the component's only program.
func programOf(c plugintest.Component) string {
	entries, err := os.ReadDir(filepath.Join(c.Path, "conf.d"))
	if err != nil || len(entries) != 1 {
		panic(fmt.Sprint(entries, err))
	}
	return strings.TrimSuffix(entries[0].Name(), ".conf")
}

func config(s *server, properties map[string]string) plugintest.Config {
	with := func(c plugintest.Component) plugintest.Component {
		maps.Copy(c.Properties, properties)
		return c
	}
	return plugintest.Config{
		Type:   "supervisord-program",
		Plugin: Plugin{},
		New:    func(t *testing.T) plugintest.Component { return with(component(t, s, sleeper)) },
		Broken: func(t *testing.T) plugintest.Component { return with(component(t, s, failing)) },
		Running: func(t *testing.T, c plugintest.Component) bool {
			return s.status(t, programOf(c)) == "RUNNING"
		},
	}
}

func TestConformance(t *testing.T) {
	s := sharedServer(t)
	plugintest.Run(t, config(s, nil))
}

// TestSupervisorctl: what cannot be asked by XML-RPC goes through the program,
// which takes half a second each time.
func TestSupervisorctl(t *testing.T) {
	s := sharedServer(t)
	f := fixture(t, s, component(t, s, sleeper))
	f.Properties["supervisorctl"] = "supervisorctl"
	f.Do(dysnomia.Activate)
	f.Expect("active")
	f.Do(dysnomia.Deactivate)
	f.Expect("")
	f.Properties["supervisorctl"] = ""
	broken := fixture(t, s, component(t, s, failing))
	broken.Properties["supervisorctl"] = "supervisorctl"
	fails(t, broken, "FATAL", "the reason")
	broken.Properties["supervisorctl"] = "/nonexistent/supervisorctl"
	fails(t, broken, "/nonexistent/supervisorctl")
}

func fixture(t *testing.T, s *server, c plugintest.Component) *plugintest.Fixture {
	t.Helper()
	f := plugintest.NewFixture(t, config(s, nil), c)
	t.Cleanup(func() { _ = f.Run(context.WithoutCancel(t.Context()), dysnomia.Deactivate) })
	return f
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
	left, err := filepath.Glob(filepath.Join(f.Properties["supervisordTargetDir"], "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range left {
		if target, _ := os.Readlink(path); strings.HasPrefix(target, f.Path+"/") {
			t.Errorf("the link %s is left", path)
		}
	}
}

func TestEndpoints(t *testing.T) {
	s := sharedServer(t)
	for name, properties := range map[string]map[string]string{
		"unix socket": {"supervisordServerUrl": "unix://" + s.socket()},
		"port":        {"supervisordServerUrl": "http://" + s.port},
	} {
		t.Run(name, func(t *testing.T) {
			f := fixture(t, s, component(t, s, sleeper))
			f.Properties["supervisordConfigFile"] = ""
			maps.Copy(f.Properties, properties)
			fails(t, f, "refuses the user name or password")
			f.Properties["supervisordUsername"], f.Properties["supervisordPassword"] = "operator", "wrong"
			fails(t, f, "refuses the user name or password")
			f.Properties["supervisordPassword"] = "secret"
			f.Do(dysnomia.Activate)
			f.Expect("active")
			f.Do(dysnomia.Deactivate)
			f.Expect("")
		})
	}
}

func TestServerIsDown(t *testing.T) {
	s := own(t)
	f := fixture(t, s, component(t, s, sleeper))
	f.Do(dysnomia.Activate)
	s.stop()
	if err := f.Run(t.Context(), dysnomia.Deactivate); err == nil || !strings.Contains(err.Error(), "is supervisord running?") {
		t.Errorf("deactivation: %v", err)
	}
	other := fixture(t, s, component(t, s, sleeper))
	fails(t, other, "is supervisord running?", s.socket())
	other.Do(dysnomia.Deactivate) // there is nothing to stop
	if err := s.start(); err != nil {
		t.Fatal(err)
	}
	f.Do(dysnomia.Deactivate)
	f.Expect("")
}

// TestServerDoesNotAnswer: somebody accepts the connection and says nothing.
func TestServerDoesNotAnswer(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			conn.Close()
		}
	}()
	f := fixture(t, sharedServer(t), component(t, sharedServer(t), sleeper))
	f.Properties["supervisordServerUrl"] = "http://" + listener.Addr().String()
	fails(t, f, "ask supervisord at tcp:"+listener.Addr().String()+": it does not answer")
}

func TestProgramThatNeverRuns(t *testing.T) {
	s := sharedServer(t)
	t.Run("one that ends again and again is given up in time", func(t *testing.T) {
		f := fixture(t, s, component(t, s, "command=sh -c 'echo the reason >&2; exit 3'\nstartretries=1000\nstartsecs=600\n"))
		f.Properties["timeout"] = "3"
		fails(t, f, "within 3s", "the reason")
		if state := s.status(t, programOf(f.Component)); state != "" {
			t.Errorf("it is still %s", state)
		}
	})
	t.Run("a port that is taken", func(t *testing.T) {
		f := fixture(t, s, component(t, s, fmt.Sprintf("command=perl -MIO::Socket::INET -e 'IO::Socket::INET->new(Listen => 1, LocalAddr => \"%s\") or die \"bind: $!\"; sleep 600'\nstartretries=0\nstartsecs=600\n", s.port)))
		fails(t, f, "FATAL", "Address already in use")
	})
}

func TestIsReady(t *testing.T) {
	for _, test := range []struct {
		p      process
		manual map[string]bool
		want   bool
	}{
		{p: process{state: "RUNNING"}, want: true},
		{p: process{state: "STARTING"}},
		{p: process{state: "BACKOFF"}},
		{p: process{state: "FATAL"}},
		{p: process{state: "EXITED"}, want: true},
		{p: process{state: "EXITED", exitStatus: 3}},
		{p: process{group: "p", name: "p", state: "STOPPED"}, manual: map[string]bool{}},
		{p: process{group: "p", name: "p", state: "STOPPED"}, manual: map[string]bool{"p": true}, want: true},
		{p: process{state: "STOPPED", description: "Not started"}, want: true},
		{p: process{state: "STOPPED", description: "Nov 21 01:55 PM"}},
	} {
		if got := isReady(test.p, test.manual); got != test.want {
			t.Errorf("%s: %t, want %t", test.p, got, test.want)
		}
	}
}

func TestProgramThatDoesItsWorkAndEnds(t *testing.T) {
	s := sharedServer(t)
	f := fixture(t, s, component(t, s, "command=true\nstartsecs=0\nautorestart=unexpected\n"))
	f.Do(dysnomia.Activate, dysnomia.Deactivate)
	if state := s.status(t, programOf(f.Component)); state != "" {
		t.Errorf("it is still %s", state)
	}
}

func TestProgramThatIsStartedByHand(t *testing.T) {
	s := sharedServer(t)
	f := fixture(t, s, component(t, s, sleeper+"autostart=false\n"))
	f.Do(dysnomia.Activate)
	if state := s.status(t, programOf(f.Component)); state != "STOPPED" {
		t.Errorf("it is %s", state)
	}
	f.Do(dysnomia.Deactivate)
}

func TestSeveralProcesses(t *testing.T) {
	s := sharedServer(t)
	f := fixture(t, s, component(t, s, sleeper+"numprocs=3\nprocess_name=%(program_name)s_%(process_num)d\n"))
	name := programOf(f.Component)
	f.Do(dysnomia.Activate)
	for i := range 3 {
		if state := s.status(t, fmt.Sprintf("%s:%s_%d", name, name, i)); state != "RUNNING" {
			t.Errorf("process %d is %s", i, state)
		}
	}
	f.Do(dysnomia.Deactivate)
	if out := s.ctl(t, "status"); strings.Contains(out, name) {
		t.Errorf("after deactivation: %s", out)
	}
}

func TestActivationAgainStartsWhatWasStopped(t *testing.T) {
	s := sharedServer(t)
	f := fixture(t, s, component(t, s, sleeper))
	f.Do(dysnomia.Activate)
	s.ctl(t, "stop", programOf(f.Component))
	f.Do(dysnomia.Activate)
	f.Expect("active")
}

func TestAnotherVersionReplacesTheProgram(t *testing.T) {
	s := sharedServer(t)
	f := fixture(t, s, component(t, s, sleeper))
	f.Do(dysnomia.Activate)
	name := programOf(f.Component)
	next := componentOf(t, s, map[string]string{name + ".conf": "[program:" + name + "]\n" + sleeper + "environment=NEW=1\n"})
	pid := s.ctl(t, "pid", name)
	g := fixture(t, s, next)
	g.State = f.State
	g.Do(dysnomia.Activate)
	g.Expect("active")
	if again := s.ctl(t, "pid", name); again == pid {
		t.Errorf("process %s still runs", pid)
	}
}

func TestCancellation(t *testing.T) {
	s := sharedServer(t)
	f := fixture(t, s, component(t, s, "command=sleep 600\nstartsecs=600\nstopsignal=KILL\n"))
	ctx, cancel := context.WithCancelCause(t.Context())
	stop := errors.New("stop")
	go func() {
		for ctx.Err() == nil {
			if s.status(t, programOf(f.Component)) == "STARTING" {
				cancel(stop)
			}
		}
	}()
	if err := f.Run(ctx, dysnomia.Activate); !errors.Is(err, stop) {
		t.Errorf("error: %v", err)
	}
	f.Expect("")
	if state := s.status(t, programOf(f.Component)); state != "" {
		t.Errorf("it is still %s", state)
	}
}

func TestProgramThatDoesNotStop(t *testing.T) {
	s := own(t)
	stubborn := filepath.Join(t.TempDir(), "stubborn")
	f := fixture(t, s, component(t, s, "command=sh -c 'trap \"\" TERM; : > "+stubborn+"; while :; do sleep 1; done'\nstartsecs=0\nstopwaitsecs=600\n"))
	f.Do(dysnomia.Activate)
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		if _, err := os.Stat(stubborn); err == nil {
			break
		} else if time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
	f.Properties["stopTimeout"] = "0"
	if err := f.Run(t.Context(), dysnomia.Deactivate); err == nil || !strings.Contains(err.Error(), "STOPPING") {
		t.Errorf("error: %v", err)
	}
	if active, _ := f.State.IsActive(f.Container, f.Name()); !active {
		t.Error("it is not marked as active any more")
	}
	s.ctl(t, "signal", "KILL", programOf(f.Component))
	f.Properties["stopTimeout"] = ""
	f.Do(dysnomia.Deactivate)
	f.Expect("")
}

func TestBadComponents(t *testing.T) {
	s := sharedServer(t)
	for name, test := range map[string]struct {
		confs map[string]string
		want  string
	}{
		"nothing in conf.d":  {nil, "conf.d"},
		"no .conf":           {map[string]string{"readme": ""}, "no file *.conf"},
		"no program":         {map[string]string{"x.conf": "[supervisord]\n"}, "no section [program:…]"},
		"an invalid program": {map[string]string{"bad.conf": "[program:bad]\n"}, "command"},
	} {
		t.Run(name, func(t *testing.T) { fails(t, fixture(t, s, componentOf(t, s, test.confs)), test.want) })
	}
	t.Run("a target directory that cannot be made", func(t *testing.T) {
		f := fixture(t, s, component(t, s, sleeper))
		f.Properties["supervisordTargetDir"] = "/dev/null/conf.d"
		fails(t, f, "/dev/null")
	})
	t.Run("a target directory that is not included", func(t *testing.T) {
		f := fixture(t, s, component(t, s, sleeper))
		f.Properties["supervisordTargetDir"] = filepath.Join(t.TempDir(), "new")
		fails(t, f, "does it include the files")
	})
}

func TestShellHelp(t *testing.T) {
	s := sharedServer(t)
	f := fixture(t, s, component(t, s, sleeper))
	f.Properties["supervisordPassword"] = "hidden"
	f.Do(dysnomia.Shell)
	if !strings.Contains(f.Stderr, "status "+programOf(f.Component)+"\n") || strings.Contains(f.Stderr, "hidden") {
		t.Errorf("help: %s", f.Stderr)
	}
}
