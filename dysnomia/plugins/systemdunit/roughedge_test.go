package systemdunit

import (
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/disnix-go/disnix/dysnomia"
)

func TestRoughEdge_modules7(t *testing.T) {
	t.Run("modules 7: a simple service that ends at once is a failure", func(t *testing.T) {
		patient := map[string]string{"settleTime": "300"} // however long it takes to end
		f := fixture(t, service(t, "[Service]\nExecStart=/bin/sh -c 'exit 4'\n"), patient)
		fails(t, f, "it has ended at once", "exit status 4")
		g := fixture(t, service(t, "[Service]\nRestart=always\nExecStart=/bin/sh -c 'exit 4'\n"), patient)
		fails(t, g, "it has ended at once", "exit status 4")
	})
	t.Run("modules 7: a service that has done its work has not failed", func(t *testing.T) {
		f := fixture(t, service(t, "[Service]\nType=oneshot\nExecStart=/bin/true\n"))
		f.Do(dysnomia.Activate)
		if active, _ := f.State.IsActive(f.Container, f.Name()); !active {
			t.Error("it is not marked as active")
		}
		f.Do(dysnomia.Deactivate)
	})
	t.Run("modules 7: each of several services decides", func(t *testing.T) {
		f := fixture(t, component(t, map[string]string{"NAME-a.service": failing, "NAME-b.service": sleeper}))
		fails(t, f, "-a.service", "exit status 3")
		if got := state(t, f.Component, "-b.service"); got != "inactive" {
			t.Errorf("the other service is %s", got)
		}
	})
	t.Run("modules 7: units without a service are started", func(t *testing.T) {
		f := fixture(t, component(t, map[string]string{
			"NAME-t.target": "[Unit]\nDescription=x\n",
			"NAME-s.socket": "[Socket]\nListenStream=%t/NAME.sock\nAccept=yes\n", "NAME-s@.service": sleeper,
		}))
		f.Do(dysnomia.Activate)
		for _, kind := range []string{"-t.target", "-s.socket"} {
			if got := state(t, f.Component, kind); got != "active" {
				t.Errorf("%s is %s", kind, got)
			}
		}
		f.Do(dysnomia.Deactivate)
		for _, kind := range []string{"-t.target", "-s.socket"} {
			if got := state(t, f.Component, kind); got != "inactive" {
				t.Errorf("%s is %s", kind, got)
			}
		}
	})
	for _, trigger := range []struct{ kind, section string }{
		{".socket", "[Socket]\nListenStream=%t/NAME.sock\n"},
		{".timer", "[Timer]\nOnActiveSec=1h\n"},
		{".path", "[Path]\nPathExists=/nonexistent/NAME\n"},
	} {
		t.Run("modules 7: a service with a "+trigger.kind+" is started by that", func(t *testing.T) {
			f := fixture(t, component(t, map[string]string{"NAME.service": sleeper, "NAME" + trigger.kind: trigger.section}))
			f.Do(dysnomia.Activate)
			if got := state(t, f.Component, trigger.kind); got != "active" {
				t.Errorf("%s is %s", trigger.kind, got)
			}
			if got := state(t, f.Component, ".service"); got != "inactive" {
				t.Errorf("the service is %s", got)
			}
			realSystemd(t).Systemctl("start", f.Properties["name"]+".service")
			f.Do(dysnomia.Deactivate)
			for _, kind := range []string{trigger.kind, ".service"} {
				if got := state(t, f.Component, kind); got != "inactive" {
					t.Errorf("after deactivation, %s is %s", kind, got)
				}
			}
		})
	}
	t.Run("modules 7: a target directory that systemd does not search is an error", func(t *testing.T) {
		f := fixture(t, service(t, sleeper), map[string]string{"systemdTargetDir": filepath.Join(t.TempDir(), "not", "searched")})
		fails(t, f, "is "+f.Properties["systemdTargetDir"]+" in its search path of units?")
	})
	t.Run("modules 7: the directory of a user's units is made", func(t *testing.T) {
		home := t.TempDir()
		f := fixture(t, service(t, sleeper), map[string]string{
			"systemdUserServices": "1", "systemdTargetDir": "", "HOME": home, "XDG_CONFIG_HOME": "",
			"DBUS_SESSION_BUS_ADDRESS": realSystemd(t).BusAddress,
		})
		dir := filepath.Join(home, ".config", "systemd", "user")
		// The systemd of the tests has another home directory.
		if err := f.Run(t.Context(), dysnomia.Activate); err == nil {
			t.Error("systemd has found the unit")
		}
		if info, err := os.Stat(dir); err != nil || !info.IsDir() {
			t.Errorf("%s: %v", dir, err)
		}
	})
	t.Run("modules 7: missing links and stopped units are repaired", func(t *testing.T) {
		f := fixture(t, service(t, sleeper))
		f.Do(dysnomia.Activate)
		realSystemd(t).Systemctl("stop", f.Properties["name"]+".service")
		for _, link := range links(t, f.Component) {
			if err := os.Remove(filepath.Join(f.Properties["systemdTargetDir"], link)); err != nil {
				t.Fatal(err)
			}
		}
		f.Do(dysnomia.Activate)
		f.Expect("active")
		if got := links(t, f.Component); len(got) != 2 {
			t.Errorf("links: %v", got)
		}
		f.Do(dysnomia.Deactivate)
	})
	t.Run("modules 7: links of the original are removed", func(t *testing.T) {
		f := fixture(t, service(t, sleeper))
		dir, unit := f.Properties["systemdTargetDir"], f.Properties["name"]+".service"
		if err := os.MkdirAll(filepath.Join(dir, "dysnomia.target.wants"), 0o755); err != nil {
			t.Fatal(err)
		}
		for path, target := range map[string]string{
			unit:                            filepath.Join(f.Path, "etc/systemd/system", unit),
			"dysnomia.target.wants/" + unit: filepath.Join(dir, unit),
		} {
			if err := os.Symlink(target, filepath.Join(dir, path)); err != nil {
				t.Fatal(err)
			}
		}
		f.Do(dysnomia.Deactivate)
		for _, path := range []string{unit, "dysnomia.target.wants/" + unit} {
			if _, err := os.Lstat(filepath.Join(dir, path)); err == nil {
				t.Errorf("%s is still there", path)
			}
		}
	})
	t.Run("modules 7: users and links do not survive a failure", func(t *testing.T) {
		name := "dysnotest-sd" + strconv.Itoa(os.Getpid())
		t.Cleanup(func() { _ = exec.Command("userdel", name).Run() })
		f := fixture(t, service(t, failing))
		dir := filepath.Join(f.Path, "dysnomia-support", "users")
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte("description=test\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		fails(t, f, "exit status 3")
		if _, err := user.Lookup(name); err == nil {
			t.Error("the user still exists")
		}
	})
}

func TestRoughEdge_modules29(t *testing.T) {
	t.Run("modules 29, item 14: a unit of another component is not touched", func(t *testing.T) {
		f := fixture(t, service(t, sleeper))
		f.Do(dysnomia.Activate)
		name := f.Properties["name"]
		other := fixture(t, component(t, map[string]string{name + ".service": sleeper}))
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
}
