package managedprocess

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/disnix-go/disnix/dysnomia"
	"github.com/disnix-go/disnix/dysnomia/plugins/process"
	"github.com/disnix-go/disnix/dysnomia/plugintest"
)

// sleeper is a process that stays in the foreground.
const sleeper = `{"instanceName": "sleeper", "foregroundProcess": "/bin/sleep", "foregroundProcessArgs": ["600"]}`

// withoutManager is the configuration for the conformance suite with a real
// process that no process manager supervises.
var withoutManager = plugintest.Config{
	Type:   "managed-process",
	Plugin: Plugin{Plugins: map[string]dysnomia.Plugin{"process": process.Plugin{}}},
	New:    func(t *testing.T) plugintest.Component { return component(t, "disnix", sleeper) },
	Broken: func(t *testing.T) plugintest.Component {
		return component(t, "disnix", `{"instanceName": "sleeper", "daemon": "/bin/false"}`)
	},
	Running: func(t *testing.T, c plugintest.Component) bool { return pidOf(t, c) != 0 },
}

func TestConformance(t *testing.T) { plugintest.Run(t, withoutManager) }

// component makes a component with a description, whose process is killed at
// the end of the test.
func component(t testing.TB, manager, description string) plugintest.Component {
	t.Helper()
	state := t.TempDir()
	c := plugintest.NewComponent(t, "managed", map[string]string{"processManager": manager, "stateDir": state}, map[string]string{"process.json": description})
	t.Cleanup(func() {
		if pid := pidOf(t, c); pid != 0 {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
	})
	return c
}

// pidOf returns the id of the running process, or 0.
func pidOf(t testing.TB, c plugintest.Component) int {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(c.Properties["stateDir"], "run", "sleeper.pid"))
	if err != nil {
		return 0
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(content)))
	if err != nil || pid <= 1 || pid == os.Getpid() || syscall.Kill(pid, 0) != nil {
		return 0
	}
	return pid
}

// recorder stands for the plugin of another process manager: a file is there
// while the component is active, and it tells what it was asked to do.
type recorder struct{ operations []string }

func (p *recorder) record(op string, r *dysnomia.Request) {
	p.operations = append(p.operations, fmt.Sprintf("%s %s %s %s", op, r.Type, r.ComponentName, r.Container))
}

func (p *recorder) Activate(_ context.Context, r *dysnomia.Request) error {
	p.record("activate", r)
	if _, err := os.ReadDir(r.Component); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(r.Properties["stateDir"], "active"), nil, 0o644); err != nil {
		return err
	}
	return r.State.MarkActive(r.Container, r.ComponentName, r.Component)
}

func (p *recorder) Deactivate(_ context.Context, r *dysnomia.Request) error {
	p.record("deactivate", r)
	if err := os.RemoveAll(filepath.Join(r.Properties["stateDir"], "active")); err != nil {
		return err
	}
	return r.State.UnmarkActive(r.Container, r.ComponentName)
}

// keeper is a recorder whose components have state.
type keeper struct{ recorder }

func (p *keeper) Deactivate(_ context.Context, r *dysnomia.Request) error {
	p.record("deactivate", r)
	return r.State.MarkGarbage(r.Container, r.ComponentName)
}

func (p *keeper) CollectGarbage(_ context.Context, r *dysnomia.Request) error {
	p.record("collect-garbage", r)
	garbage, err := r.State.IsGarbage(r.Container, r.ComponentName)
	if err != nil || !garbage {
		return err
	}
	return r.State.UnmarkGarbage(r.Container, r.ComponentName)
}

func with(plugin dysnomia.Plugin) plugintest.Config {
	all := map[string]dysnomia.Plugin{}
	for _, name := range []string{"systemd-unit", "supervisord-program", "sysvinit-script", "s6-rc-service", "launchd-daemon", "bsdrc-script", "cygrunsrv-service", "docker-container", "process"} {
		all[name] = plugin
	}
	return plugintest.Config{Type: "managed-process", Plugin: Plugin{Plugins: all}}
}

// TestConformanceUnderAnotherName is for managers whose components are called
// differently: the markers are those of the component itself all the same.
func TestConformanceUnderAnotherName(t *testing.T) {
	config := with(&recorder{})
	config.New = func(t *testing.T) plugintest.Component { return component(t, "systemd", sleeper) }
	config.Running = func(_ *testing.T, c plugintest.Component) bool {
		_, err := os.Stat(filepath.Join(c.Properties["stateDir"], "active"))
		return err == nil
	}
	plugintest.Run(t, config)
}

func TestDelegation(t *testing.T) {
	for manager, want := range map[string]string{
		"bsdrc": "bsdrc-script sleeper", "cygrunsrv": "cygrunsrv-service nix-process-sleeper", "disnix": "process sleeper",
		"docker": "docker-container sleeper", "launchd": "launchd-daemon sleeper", "s6-rc": "s6-rc-service sleeper-srv",
		"supervisord": "supervisord-program sleeper", "systemd": "systemd-unit nix-process-sleeper", "sysvinit": "sysvinit-script sleeper",
	} {
		t.Run(manager, func(t *testing.T) {
			p := &recorder{}
			f := plugintest.NewFixture(t, with(p), component(t, manager, sleeper))
			f.Do(dysnomia.Activate, dysnomia.Lock, dysnomia.Unlock, dysnomia.Deactivate)
			got := strings.Join(p.operations, "\n")
			if want := "activate " + want + " managed\ndeactivate " + want + " managed"; got != want {
				t.Errorf("got:\n%s\nwant:\n%s", got, want)
			}
		})
	}
}

func generatedDirs(t *testing.T, f *plugintest.Fixture) []string {
	t.Helper()
	dirs, err := filepath.Glob(filepath.Join(f.State.Dir, ".managed-process", "*", "*"))
	if err != nil {
		t.Fatal(err)
	}
	return dirs
}

func TestRoughEdge_modules4(t *testing.T) {
	t.Run("modules 4: what was generated is used after the component and the properties have changed", func(t *testing.T) {
		p := &recorder{}
		f := plugintest.NewFixture(t, with(p), component(t, "systemd", sleeper))
		f.Do(dysnomia.Activate)
		if err := os.RemoveAll(f.Path); err != nil {
			t.Fatal(err)
		}
		f.Properties["processManager"] = "runit"
		f.Do(dysnomia.Deactivate)
		f.Expect("")
		if last := p.operations[len(p.operations)-1]; last != "deactivate systemd-unit nix-process-sleeper managed" {
			t.Error(last)
		}
	})
	t.Run("modules 4: it is removed then", func(t *testing.T) {
		f := plugintest.NewFixture(t, with(&recorder{}), component(t, "supervisord", sleeper))
		f.Do(dysnomia.Activate)
		if dirs := generatedDirs(t, f); len(dirs) != 1 {
			t.Errorf("%v", dirs)
		}
		f.Do(dysnomia.Deactivate)
		if dirs := generatedDirs(t, f); len(dirs) != 0 {
			t.Errorf("%v", dirs)
		}
	})
	t.Run("modules 4: it is generated again if it is lost", func(t *testing.T) {
		f := plugintest.NewFixture(t, withoutManager, component(t, "disnix", sleeper))
		f.Do(dysnomia.Activate)
		for _, dir := range generatedDirs(t, f) {
			if err := os.RemoveAll(dir); err != nil {
				t.Fatal(err)
			}
		}
		f.Do(dysnomia.Deactivate)
		f.Expect("")
	})
	t.Run("modules 4: it is repaired if it is damaged, for the manager of that time", func(t *testing.T) {
		f := plugintest.NewFixture(t, withoutManager, component(t, "disnix", sleeper))
		f.Do(dysnomia.Activate)
		specification := filepath.Join(generatedDirs(t, f)[0], "sleeper/etc/dysnomia/process/sleeper")
		if err := os.WriteFile(specification, []byte("process="), 0o644); err != nil {
			t.Fatal(err)
		}
		f.Properties["processManager"] = "systemd"
		f.Do(dysnomia.Deactivate)
		f.Expect("")
	})
}

func TestRepeatedActivation(t *testing.T) {
	t.Run("does not restart the process", func(t *testing.T) {
		f := plugintest.NewFixture(t, withoutManager, component(t, "disnix", sleeper))
		f.Do(dysnomia.Activate)
		pid := pidOf(t, f.Component)
		f.Do(dysnomia.Activate)
		if again := pidOf(t, f.Component); pid == 0 || again != pid {
			t.Errorf("process %d became %d", pid, again)
		}
		f.Do(dysnomia.Deactivate)
	})
	t.Run("with another process manager stops it there first", func(t *testing.T) {
		p := &recorder{}
		f := plugintest.NewFixture(t, with(p), component(t, "systemd", sleeper))
		f.Do(dysnomia.Activate)
		f.Properties["processManager"] = "supervisord"
		f.Do(dysnomia.Activate)
		want := "activate systemd-unit nix-process-sleeper managed\ndeactivate systemd-unit nix-process-sleeper managed\nactivate supervisord-program sleeper managed"
		if got := strings.Join(p.operations, "\n"); got != want {
			t.Error(got)
		}
		markers, err := f.State.Activated("managed")
		if err != nil || len(markers) != 1 || markers[0].Component != f.Name() {
			t.Errorf("%v, %v", markers, err)
		}
	})
}

func TestGarbage(t *testing.T) {
	for _, manager := range []string{"docker", "systemd"} {
		p := &keeper{}
		f := plugintest.NewFixture(t, with(p), component(t, manager, sleeper))
		f.Do(dysnomia.Activate, dysnomia.CollectGarbage)
		f.Expect("active")
		f.Do(dysnomia.Deactivate)
		f.Expect("garbage")
		if len(generatedDirs(t, f)) != 1 {
			t.Error("what tells how to delete the state is gone")
		}
		f.Do(dysnomia.CollectGarbage)
		f.Expect("")
		if dirs := generatedDirs(t, f); len(dirs) != 0 {
			t.Errorf("%v", dirs)
		}
		if last := p.operations[len(p.operations)-1]; !strings.HasPrefix(last, "collect-garbage") {
			t.Error(last)
		}
		markers, err := f.State.Garbage("")
		if err != nil || len(markers) != 0 {
			t.Errorf("%v, %v", markers, err)
		}
	}
}

func TestMistakes(t *testing.T) {
	for name, test := range map[string]struct {
		files, properties map[string]string
		want              []string
	}{
		"no manager":      {map[string]string{"p.json": sleeper}, map[string]string{"processManager": ""}, []string{"processManager is not set", "supervisord, systemd"}},
		"unknown manager": {map[string]string{"p.json": sleeper}, map[string]string{"processManager": "runit"}, []string{"Unknown process manager: runit", "s6-rc"}},
		"no description":  {nil, nil, []string{"no file *.json"}},
		"two of them":     {map[string]string{"a.json": sleeper, "b.json": sleeper}, nil, []string{"more than one file *.json"}},
		"a bad one":       {map[string]string{"p.json": `{"name": "p", "proces": "/bin/p"}`}, nil, []string{"p.json", "proces is not known", "none of process"}},
		"no dependency":   {map[string]string{"p.json": `{"name": "p", "process": "/bin/p", "dependencies": ["/nonexistent"]}`}, nil, []string{"/nonexistent/nonexistent.json"}},
		"a directory":     {map[string]string{"p.json": sleeper}, map[string]string{"logDir": "log"}, []string{`logDir "log" is not an absolute path`}},
		"postInstall":     {map[string]string{"p.json": `{"name": "p", "process": "/bin/p", "postInstall": "echo why >&2; false; true"}`}, nil, []string{"run postInstall", "why"}},
	} {
		t.Run(name, func(t *testing.T) {
			properties := map[string]string{"processManager": "disnix", "stateDir": t.TempDir()}
			maps.Copy(properties, test.properties)
			p := &recorder{}
			f := plugintest.NewFixture(t, with(p), plugintest.NewComponent(t, "managed", properties, test.files))
			err := f.Run(t.Context(), dysnomia.Activate)
			for _, want := range test.want {
				if err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("error: %v, want: %s", err, want)
				}
			}
			f.Expect("")
			if dirs := generatedDirs(t, f); len(dirs) != 0 || len(p.operations) != 0 {
				t.Errorf("left: %v %v", dirs, p.operations)
			}
		})
	}
}

func TestPostInstallCompletesTheComponent(t *testing.T) {
	p := &recorder{}
	f := plugintest.NewFixture(t, with(p), component(t, "sysvinit", `{"instanceName": "sleeper", "process": "/bin/sleep", "postInstall": "mkdir -p $out/etc/extra\necho \"$name\" > $out/etc/extra/file"}`))
	f.Do(dysnomia.Activate)
	if _, err := os.Stat(filepath.Join(generatedDirs(t, f)[0], "sleeper/etc/extra/file")); err != nil {
		t.Error(err)
	}
	f.Do(dysnomia.Deactivate)
}

func TestShellHelp(t *testing.T) {
	f := plugintest.NewFixture(t, withoutManager, component(t, "disnix", sleeper))
	f.Do(dysnomia.Shell)
	for _, want := range []string{"The files for disnix are in ", "run/sleeper.pid"} {
		if !strings.Contains(f.Stderr, want) {
			t.Errorf("there is no %q in: %s", want, f.Stderr)
		}
	}
}

func TestDependenciesAreReadFromTheirPackages(t *testing.T) {
	backend := plugintest.NewComponent(t, "managed", nil, map[string]string{"component.json": `{"name": "backend", "process": "/bin/backend"}`})
	f := plugintest.NewFixture(t, with(&recorder{}), component(t, "systemd", fmt.Sprintf(`{"name": "front", "process": "/bin/front", "dependencies": [%q]}`, backend.Path)))
	f.Do(dysnomia.Activate)
	unit, err := os.ReadFile(filepath.Join(generatedDirs(t, f)[0], "nix-process-front/etc/systemd/system/nix-process-front.service"))
	if err != nil || !strings.Contains(string(unit), "After=nix-process-backend.service") {
		t.Errorf("%s, %v", unit, err)
	}
}

func TestAfterACrashEverythingIsGeneratedAgain(t *testing.T) {
	for name, content := range map[string]string{"no record": "", "a damaged record": "{", "that of another component": `{"component": "/other", "name": "x"}`} {
		t.Run(name, func(t *testing.T) {
			f := plugintest.NewFixture(t, withoutManager, component(t, "disnix", sleeper))
			f.Do(dysnomia.Activate)
			dir := generatedDirs(t, f)[0]
			f.Do(dysnomia.Deactivate)
			if err := os.MkdirAll(filepath.Join(dir, "sleeper/bin/half"), 0o755); err != nil {
				t.Fatal(err)
			}
			if content != "" {
				if err := os.WriteFile(filepath.Join(dir, recordFile), []byte(content), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			f.Do(dysnomia.Activate)
			f.Expect("active")
			if _, err := os.Stat(filepath.Join(dir, "sleeper/bin/half")); err == nil {
				t.Error("what was half generated is left")
			}
			f.Do(dysnomia.Deactivate)
			f.Expect("")
		})
	}
}
