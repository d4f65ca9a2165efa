package supervisordprogram

import (
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/disnix-go/disnix/dysnomia"
)

func TestRoughEdge_modules6(t *testing.T) {
	s := sharedServer(t)
	t.Run("modules 6: a program that exits at once is a failure", func(t *testing.T) {
		fails(t, fixture(t, s, component(t, s, failing)), "FATAL", "Exited too quickly", "the reason")
	})
	t.Run("modules 6: a missing command is a failure", func(t *testing.T) {
		fails(t, fixture(t, s, component(t, s, "command=/nonexistent/program\nstartretries=0\n")), "can't find command '/nonexistent/program'")
	})
	t.Run("modules 6: activation ends when the program runs", func(t *testing.T) {
		f := fixture(t, s, component(t, s, "command=sleep 600\nstartsecs=1\nstopsignal=KILL\n"))
		f.Do(dysnomia.Activate)
		f.Expect("active")
	})
	t.Run("modules 6: a file name need not be that of the program", func(t *testing.T) {
		f := fixture(t, s, componentOf(t, s, map[string]string{"file.conf": "[program:othername]\n" + sleeper}))
		f.Do(dysnomia.Activate)
		if state := s.status(t, "othername"); state != "RUNNING" {
			t.Errorf("it is %s", state)
		}
		f.Do(dysnomia.Deactivate)
		if state := s.status(t, "othername"); state != "" {
			t.Errorf("it is still %s", state)
		}
	})
	t.Run("modules 6: groups and event listeners are stopped", func(t *testing.T) {
		f := fixture(t, s, componentOf(t, s, map[string]string{
			"one.conf": "[program:one]\n" + sleeper + "[group:both]\nprograms=one,two\n",
			"two.conf": "[program:two]\n" + sleeper,
			"ear.conf": "[eventlistener:ear]\nevents=TICK_3600\n" + sleeper,
		}))
		f.Do(dysnomia.Activate)
		for _, name := range []string{"both:one", "both:two", "ear"} {
			if state := s.status(t, name); state != "RUNNING" {
				t.Errorf("%s is %s", name, state)
			}
		}
		f.Do(dysnomia.Deactivate)
		for _, name := range []string{"both:one", "both:two", "ear"} {
			if state := s.status(t, name); state != "" {
				t.Errorf("%s is still %s", name, state)
			}
		}
	})
	t.Run("modules 6: pending changes of others are not applied", func(t *testing.T) {
		pending := filepath.Join(s.targetDir(), "pending.conf")
		if err := os.WriteFile(pending, []byte("[program:pending]\n"+sleeper), 0o644); err != nil {
			t.Fatal(err)
		}
		defer os.Remove(pending)
		f := fixture(t, s, component(t, s, sleeper))
		f.Do(dysnomia.Activate, dysnomia.Deactivate)
		if state := s.status(t, "pending"); state != "" {
			t.Errorf("the program of somebody else is %s", state)
		}
	})
	t.Run("modules 6: a file of another component with the same name is not touched", func(t *testing.T) {
		f := fixture(t, s, component(t, s, sleeper))
		f.Do(dysnomia.Activate)
		name := programOf(f.Component)
		c := componentOf(t, s, map[string]string{name + ".conf": "[program:" + name + "]\n" + sleeper})
		renamed := filepath.Join(filepath.Dir(c.Path), "another")
		if err := os.Rename(c.Path, renamed); err != nil {
			t.Fatal(err)
		}
		c.Path = renamed
		other := fixture(t, s, c)
		other.State = f.State
		fails(t, other, "another component needs")
		other.Do(dysnomia.Deactivate)
		f.Expect("active")
	})
	t.Run("modules 6: a program of another file with the same name is not touched", func(t *testing.T) {
		f := fixture(t, s, component(t, s, sleeper))
		f.Do(dysnomia.Activate)
		other := fixture(t, s, componentOf(t, s, map[string]string{"elsewhere.conf": "[program:" + programOf(f.Component) + "]\n" + sleeper}))
		fails(t, other, "has such a program already")
		other.Do(dysnomia.Deactivate)
		f.Expect("active")
	})
	t.Run("modules 6: a configuration that cannot be read fails at once", func(t *testing.T) {
		broken := filepath.Join(s.targetDir(), "zz.conf")
		if err := os.WriteFile(broken, []byte("[program:zz]\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		defer os.Remove(broken)
		fails(t, fixture(t, s, component(t, s, sleeper)), "zz")
	})
	t.Run("modules 6: the default place of the configuration does not depend on the working directory", func(t *testing.T) {
		t.Chdir(s.dir)
		f := fixture(t, s, component(t, s, sleeper))
		f.Properties["supervisordConfigFile"], f.Properties["PATH"] = "", "/nonexistent"
		f.Properties["supervisorctl"] = "/nonexistent/supervisorctl"
		fails(t, f, "/nonexistent/supervisorctl")
	})
	t.Run("modules 6: the shell names programs, not files", func(t *testing.T) {
		f := fixture(t, s, component(t, s, sleeper))
		f.Do(dysnomia.Shell)
		if strings.Contains(f.Stderr, programOf(f.Component)+".conf") {
			t.Errorf("help: %s", f.Stderr)
		}
	})
}

func TestRoughEdge_observed23(t *testing.T) {
	s := sharedServer(t)
	t.Run("observed 23: the rollback of a failed activation removes its links, program and users", func(t *testing.T) {
		name := "dysnotest-sv" + strconv.Itoa(os.Getpid())
		t.Cleanup(func() { _ = exec.Command("userdel", name).Run() })
		c := component(t, s, "command=sh -c 'exit 3'\nstartretries=0\nstartsecs=600\n")
		dir := filepath.Join(c.Path, "dysnomia-support", "users")
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte("description=test\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		f := fixture(t, s, c)
		fails(t, f, "FATAL")
		if state := s.status(t, programOf(c)); state != "" {
			t.Errorf("the program is still %s", state)
		}
		if _, err := user.Lookup(name); err == nil {
			t.Error("the user still exists")
		}
	})
}

func TestRoughEdge_modules29(t *testing.T) {
	s := sharedServer(t)
	t.Run("modules 29, item 14: a program is stopped although the component is gone", func(t *testing.T) {
		f := fixture(t, s, component(t, s, sleeper))
		f.Do(dysnomia.Activate)
		name := programOf(f.Component)
		if err := os.RemoveAll(f.Path); err != nil {
			t.Fatal(err)
		}
		f.Do(dysnomia.Deactivate)
		if state := s.status(t, name); state != "" {
			t.Errorf("it is still %s", state)
		}
		if active, err := f.State.IsActive(f.Container, f.Name()); err != nil || active {
			t.Errorf("it is active: %t, %v", active, err)
		}
	})
	t.Run("modules 29, item 14: a program is stopped although the component has changed", func(t *testing.T) {
		f := fixture(t, s, component(t, s, sleeper))
		f.Do(dysnomia.Activate)
		name := programOf(f.Component)
		conf := filepath.Join(f.Path, "conf.d", name+".conf")
		if err := os.Rename(conf, filepath.Join(filepath.Dir(conf), "renamed.conf")); err != nil {
			t.Fatal(err)
		}
		f.Do(dysnomia.Deactivate)
		if state := s.status(t, name); state != "" {
			t.Errorf("it is still %s", state)
		}
		if _, err := os.Lstat(filepath.Join(s.targetDir(), name+".conf")); err == nil {
			t.Error("the link is left")
		}
	})
}
