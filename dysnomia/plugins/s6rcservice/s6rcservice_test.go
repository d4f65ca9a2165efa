package s6rcservice

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/disnix-go/disnix/dysnomia"
	"github.com/disnix-go/disnix/dysnomia/plugins/await"
	"github.com/disnix-go/disnix/dysnomia/plugintest"
)

// server is a real s6-svscan. Debian has no s6-rc: its programs are stand-ins
// in testdata/bin, which control the real supervisors.
type server struct {
	dir string
	cmd *exec.Cmd
}

func startServer(t testing.TB) *server {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "s6.")
	if err != nil {
		t.Fatal(err)
	}
	s := &server{dir: dir, cmd: exec.Command("s6-svscan", filepath.Join(dir, "scan"))}
	if err := os.Mkdir(filepath.Join(dir, "scan"), 0o755); err != nil {
		t.Fatal(err)
	}
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := s.cmd.Start(); err != nil {
		t.Fatalf("%v: run `make setup-process-managers`", err)
	}
	t.Cleanup(func() {
		_ = s.cmd.Process.Signal(syscall.SIGTERM) // it stops its services, too
		_ = s.cmd.Wait()
		_ = os.RemoveAll(dir)
	})
	err = await.Until(t.Context(), "s6-svscan to start", 5*time.Minute, func(context.Context) (bool, string, error) {
		_, err := os.Stat(filepath.Join(dir, "scan/.s6-svscan/control"))
		return err == nil, "", nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func (s *server) properties(t testing.TB) map[string]string {
	t.Helper()
	bin, err := filepath.Abs("testdata/bin")
	if err != nil {
		t.Fatal(err)
	}
	return map[string]string{
		"scanDir": filepath.Join(s.dir, "scan"), "serviceDir": filepath.Join(s.dir, "sv"),
		"compileDir": filepath.Join(s.dir, "rc"), "liveDir": filepath.Join(s.dir, "live"),
		"PATH": bin + ":" + os.Getenv("PATH"),
	}
}

var counter atomic.Int32

// component has services by name, each file by its own; NAME is replaced by a
// new name.
func component(t testing.TB, s *server, files map[string]string) plugintest.Component {
	t.Helper()
	name := fmt.Sprintf("service%d", counter.Add(1))
	path := filepath.Join(t.TempDir(), "component")
	for file, content := range files {
		file = filepath.Join(path, "etc/s6/sv", strings.ReplaceAll(file, "NAME", name))
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(strings.ReplaceAll(content, "NAME", name)), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	properties := s.properties(t)
	properties["name"] = name
	return plugintest.Component{Path: path, Container: "s6-rc-service", Properties: properties}
}

// settleLong gives services that end all the time that they need for it.
func settleLong(t *testing.T) {
	before := settle
	settle = 5 * time.Minute
	t.Cleanup(func() { settle = before })
}

func longrun(run string) map[string]string {
	return map[string]string{"NAME/type": "longrun\n", "NAME/run": "#!/bin/sh\n" + run + "\n"}
}

const sleeper = "exec sleep 600"

// isUp reports whether the process of the component's service runs.
func isUp(c plugintest.Component, suffix string) bool {
	out, err := exec.Command("s6-svstat", "-u", filepath.Join(c.Properties["liveDir"], "servicedirs", c.Properties["name"]+suffix)).Output()
	return err == nil && strings.TrimSpace(string(out)) == "true"
}

func config(s *server) plugintest.Config {
	return plugintest.Config{
		Type:   "s6-rc-service",
		Plugin: Plugin{},
		New:    func(t *testing.T) plugintest.Component { return component(t, s, longrun(sleeper)) },
		Broken: func(t *testing.T) plugintest.Component {
			settleLong(t)
			return component(t, s, longrun("exit 3"))
		},
		Running: func(_ *testing.T, c plugintest.Component) bool { return isUp(c, "") },
	}
}

func fixture(t *testing.T, s *server, files map[string]string) *plugintest.Fixture {
	t.Helper()
	return plugintest.NewFixture(t, config(s), component(t, s, files))
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
	f.Expect("")
	left, _ := filepath.Glob(filepath.Join(f.Properties["serviceDir"], f.Properties["name"]+"*"))
	if len(left) > 0 {
		t.Errorf("left: %v", left)
	}
	if contents, _ := os.ReadFile(filepath.Join(f.Properties["serviceDir"], "default/contents")); strings.Contains(string(contents), f.Properties["name"]) {
		t.Errorf("the bundle still has %s", contents)
	}
}

func databases(c plugintest.Component) int {
	found, _ := filepath.Glob(filepath.Join(c.Properties["compileDir"], "compiled-*"))
	return len(found)
}

func TestConformance(t *testing.T) { plugintest.Run(t, config(startServer(t))) }

func TestServicesWithLogsAndOneshots(t *testing.T) {
	s := startServer(t)
	files := longrun(sleeper)
	maps.Copy(files, map[string]string{
		"NAME/dependencies": "NAME-once\n",
		"NAME-log/type":     "longrun\n", "NAME-log/run": "#!/bin/sh\nexec sleep 600\n",
		"NAME-once/type": "oneshot\n", "NAME-once/up": "touch $liveDir/up\n", "NAME-once/down": "rm $liveDir/up\n",
	})
	f := fixture(t, s, files)
	f.Do(dysnomia.Activate)
	mark := filepath.Join(f.Properties["liveDir"], "up")
	if _, err := os.Stat(mark); err != nil || !isUp(f.Component, "-log") {
		t.Errorf("up: %v, log: %t", err, isUp(f.Component, "-log"))
	}
	f.Do(dysnomia.Deactivate)
	if _, err := os.Stat(mark); err == nil || isUp(f.Component, "-log") {
		t.Errorf("up: %v, log: %t", err, isUp(f.Component, "-log"))
	}
}

func TestRoughEdge_modules9(t *testing.T) {
	s := startServer(t)
	t.Run("modules 9: a service that ends at once is a failure", func(t *testing.T) {
		settleLong(t)
		f := fixture(t, s, longrun("exit 3"))
		fails(t, f, "its process has ended", "exit code")
	})
	t.Run("modules 9: a service that is never ready is a failure", func(t *testing.T) {
		files := longrun(sleeper)
		files["NAME/notification-fd"] = "3\n"
		f := fixture(t, s, files)
		f.Properties["timeout"] = "1"
		fails(t, f, "unable to start service")
	})
	t.Run("modules 9: services that cannot be compiled are a failure, and no database is left", func(t *testing.T) {
		f := fixture(t, s, map[string]string{"NAME/type": "longrun\n"})
		fails(t, f, "has no run file")
		if n := databases(f.Component); n > 1 {
			t.Errorf("%d databases", n)
		}
	})
	t.Run("modules 9: an update that fails is a failure", func(t *testing.T) {
		other := fixture(t, s, longrun(sleeper))
		other.Do(dysnomia.Activate)
		f := fixture(t, s, longrun(sleeper))
		blocker := filepath.Join(f.Properties["serviceDir"], "fail-update")
		if err := os.WriteFile(blocker, nil, 0o644); err != nil {
			t.Fatal(err)
		}
		err := f.Run(t.Context(), dysnomia.Activate)
		if err == nil || !strings.Contains(err.Error(), "unable to update") {
			t.Errorf("error: %v", err)
		}
		f.Expect("")
		if err := os.Remove(blocker); err != nil {
			t.Fatal(err)
		}
		other.Expect("active")
		other.Do(dysnomia.Deactivate)
	})
	t.Run("modules 9: a database is never used again, and old ones are deleted", func(t *testing.T) {
		f := fixture(t, s, longrun(sleeper))
		f.Do(dysnomia.Activate, dysnomia.Deactivate)
		stale := filepath.Join(f.Properties["compileDir"], "compiled-activate-component")
		if err := os.Mkdir(stale, 0o755); err != nil {
			t.Fatal(err)
		}
		f.Do(dysnomia.Activate)
		f.Expect("active")
		if n := databases(f.Component); n != 1 {
			t.Errorf("%d databases", n)
		}
		f.Do(dysnomia.Deactivate)
	})
	t.Run("modules 9: the live directory is made again after a restart of the machine", func(t *testing.T) {
		again := startServer(t)
		f := fixture(t, again, longrun(sleeper))
		f.Do(dysnomia.Activate, dysnomia.Deactivate)
		if err := os.RemoveAll(f.Properties["liveDir"]); err != nil {
			t.Fatal(err)
		}
		f.Do(dysnomia.Activate)
		f.Expect("active")
		f.Do(dysnomia.Deactivate)
	})
	t.Run("modules 9: the last service can be deactivated", func(t *testing.T) {
		f := fixture(t, s, longrun(sleeper))
		f.Do(dysnomia.Activate, dysnomia.Deactivate)
		f.Expect("")
		if _, err := os.Stat(filepath.Join(f.Properties["serviceDir"], "default")); err == nil {
			t.Error("the empty bundle is left")
		}
	})
	t.Run("modules 9: only databases of its own and of the original are deleted", func(t *testing.T) {
		f := fixture(t, s, longrun(sleeper))
		dir := f.Properties["compileDir"]
		for _, name := range []string{"compiled-by-hand", "compiled-activate-0123", "compiled-17-4"} {
			if err := os.MkdirAll(filepath.Join(dir, name), 0o755); err != nil {
				t.Fatal(err)
			}
		}
		f.Do(dysnomia.Activate, dysnomia.Deactivate)
		for name, kept := range map[string]bool{"compiled-by-hand": true, "compiled-activate-0123": false, "compiled-17-4": false} {
			if _, err := os.Stat(filepath.Join(dir, name)); (err == nil) != kept {
				t.Errorf("%s: %v", name, err)
			}
		}
		if err := os.Remove(filepath.Join(dir, "compiled-by-hand")); err != nil {
			t.Error(err)
		}
	})
	t.Run("modules 9: other services go on", func(t *testing.T) {
		f, g := fixture(t, s, longrun(sleeper)), fixture(t, s, longrun(sleeper))
		f.Do(dysnomia.Activate)
		g.Do(dysnomia.Activate, dysnomia.Deactivate)
		f.Expect("active")
		settleLong(t)
		fails(t, fixture(t, s, longrun("exit 3")))
		f.Expect("active")
		f.Do(dysnomia.Deactivate)
	})
	t.Run("modules 9: users live as long as the service", func(t *testing.T) {
		name := "dysnotest-s6" + strconv.Itoa(os.Getpid())
		t.Cleanup(func() { _ = exec.Command("userdel", name).Run() })
		files := longrun(sleeper)
		files["../../../dysnomia-support/users/"+name] = "description=test\n"
		f := fixture(t, s, files)
		f.Do(dysnomia.Activate)
		if _, err := user.Lookup(name); err != nil {
			t.Error(err)
		}
		f.Do(dysnomia.Deactivate)
		if _, err := user.Lookup(name); err == nil {
			t.Error("the user still exists")
		}
	})
}

func TestRoughEdge_modules29(t *testing.T) {
	s := startServer(t)
	t.Run("modules 29, item 3: the rollback knows the component", func(t *testing.T) {
		settleLong(t)
		fails(t, fixture(t, s, longrun("exit 3")), "its process has ended")
	})
	t.Run("modules 29, item 14: a service of another component is not touched", func(t *testing.T) {
		f := fixture(t, s, longrun(sleeper))
		f.Do(dysnomia.Activate)
		other := fixture(t, s, map[string]string{f.Properties["name"] + "/type": "longrun\n", f.Properties["name"] + "/run": "#!/bin/sh\n"})
		renamed := filepath.Join(filepath.Dir(other.Path), "another")
		if err := os.Rename(other.Path, renamed); err != nil {
			t.Fatal(err)
		}
		other.Path, other.State = renamed, f.State
		fails(t, other, "another component needs")
		other.Do(dysnomia.Deactivate)
		f.Expect("active")
		f.Do(dysnomia.Deactivate)
	})
	t.Run("modules 29, item 14: a service is stopped although the component has changed", func(t *testing.T) {
		f := fixture(t, s, longrun(sleeper))
		f.Do(dysnomia.Activate)
		dir := filepath.Join(f.Path, "etc/s6/sv", f.Properties["name"])
		if err := os.Rename(dir, dir+"-renamed"); err != nil {
			t.Fatal(err)
		}
		f.Do(dysnomia.Deactivate)
		f.Expect("")
	})
}

func TestSvscanIsNotRunning(t *testing.T) {
	s := &server{dir: t.TempDir()}
	f := fixture(t, s, longrun(sleeper))
	fails(t, f, "is s6-svscan running on")
	f.Do(dysnomia.Deactivate)
}

func TestCancellation(t *testing.T) {
	s := startServer(t)
	files := longrun(sleeper)
	files["NAME/notification-fd"] = "3\n"
	f := fixture(t, s, files)
	ctx, cancel := context.WithCancelCause(t.Context())
	stop := errors.New("stop")
	go func() {
		for ctx.Err() == nil {
			if isUp(f.Component, "") {
				cancel(stop)
			}
		}
	}()
	if err := f.Run(ctx, dysnomia.Activate); !errors.Is(err, stop) {
		t.Errorf("error: %v", err)
	}
	f.Expect("")
}

func TestBadProperties(t *testing.T) {
	s := &server{dir: t.TempDir()}
	for name, value := range map[string]string{"bundleName": "a/b", "scanDir": "relative", "timeout": "soon"} {
		f := fixture(t, s, longrun(sleeper))
		f.Properties[name] = value
		fails(t, f, name)
	}
	f := fixture(t, s, longrun(sleeper))
	f.Properties["bundleName"] = f.Properties["name"]
	fails(t, f, "has the name of the bundle")
}

func TestShellHelp(t *testing.T) {
	s := &server{dir: t.TempDir()}
	f := fixture(t, s, longrun(sleeper))
	f.Do(dysnomia.Shell)
	if !strings.Contains(f.Stderr, "-u change "+f.Properties["name"]+"\n") {
		t.Errorf("help: %s", f.Stderr)
	}
}

// BenchmarkActivate measures an activation with all programs that it starts,
// among them the real supervisors.
func BenchmarkActivate(b *testing.B) {
	s := startServer(b)
	plugintest.Benchmark(b, config(s), component(b, s, longrun(sleeper)))
}
