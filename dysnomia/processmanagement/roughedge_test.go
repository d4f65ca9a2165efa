package processmanagement

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

// content returns a generated file.
func content(t *testing.T, c *Component, path string) string {
	t.Helper()
	file, ok := c.Files[path]
	if !ok {
		t.Fatalf("there is no %s in\n%s", path, print(t, c))
	}
	return string(file.Content)
}

func contains(t *testing.T, text string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(text, part) {
			t.Errorf("there is no %q in\n%s", part, text)
		}
	}
}

func TestRoughEdge_processmgmt1(t *testing.T) {
	const data = `{"instanceName": "p", "foregroundProcess": "/bin/p"}`
	t.Run("processmgmt 1: directories other than the standard ones", func(t *testing.T) {
		c := translate(t, data, Settings{Manager: SysVInit, Dir: "/generated", Directories: Directories{State: "/s", Runtime: "/r", Log: "/l", Tmp: "/t", Cache: "/c"}})
		contains(t, content(t, c, "etc/rc.d/init.d/p"), "pid_file=/r/p.pid", "/l/nixproc-p.log")
	})
	t.Run("processmgmt 1: s6-rc is known", func(t *testing.T) {
		if m, err := ParseManager("s6-rc"); err != nil || m.Type() != "s6-rc-service" {
			t.Errorf("%s, %v", m.Type(), err)
		}
	})
	t.Run("an unknown manager is refused with the names of the known ones", func(t *testing.T) {
		_, err := ParseManager("runit")
		if err == nil || !strings.Contains(err.Error(), "Unknown process manager: runit (known are bsdrc, cygrunsrv, disnix, docker, launchd, s6-rc, supervisord, systemd, sysvinit)") {
			t.Errorf("error: %v", err)
		}
	})
}

func TestRoughEdge_processmgmt5(t *testing.T) {
	image := func(data string) string {
		c := translate(t, data, Settings{Manager: Docker, Dir: "/generated"})
		return content(t, c, "p-docker-settings")
	}
	t.Run("processmgmt 5: another image has another tag, the same has the same", func(t *testing.T) {
		one, again, other := image(`{"name": "p", "process": "/bin/a"}`), image(`{"name": "p", "process": "/bin/a"}`), image(`{"name": "p", "process": "/bin/b"}`)
		if one != again || one == other {
			t.Errorf("%s%s%s", one, again, other)
		}
	})
	t.Run("processmgmt 5: the network of the machine is not forced on a container", func(t *testing.T) {
		c := translate(t, `{"name": "p", "process": "/bin/p", "overrides": {"docker": {"container": {"useHostNetwork": false}}}}`, Settings{Manager: Docker, Dir: "/generated"})
		if parameters := content(t, c, "p-docker-createparams"); strings.Contains(parameters, "network") {
			t.Error(parameters)
		}
	})
	t.Run("processmgmt 5: a daemon may take longer than ten seconds", func(t *testing.T) {
		c := translate(t, `{"name": "p", "daemon": "/bin/p", "overrides": {"supervisord": {"pidFileTimeout": 60}}}`, Settings{Manager: Supervisord, Dir: "/generated"})
		contains(t, content(t, c, "libexec/p"), "-gt 600", "within 60 s")
	})
}

func TestRoughEdge_processmgmt6(t *testing.T) {
	t.Run("processmgmt 6: a renamed dependency is started before", func(t *testing.T) {
		for manager, wants := range map[Manager][]string{
			Systemd: {"etc/systemd/system/nix-process-p.service", "After=nix-process-renamed.service", "Wants=nix-process-renamed.service"},
			S6RC:    {"etc/s6/sv/p-srv/dependencies", "renamed-srv\n"},
			BSDRC:   {"etc/rc.d/p", "# REQUIRE: renamed\n"},
		} {
			dependency := fmt.Sprintf(`{"name": "d", "process": "/bin/d", "overrides": {%q: {"name": "renamed"}}}`, manager)
			s, err := Load([]byte(`{"name": "p", "process": "/bin/p", "dependencies": ["/d"]}`),
				func(string) ([]byte, error) { return []byte(dependency), nil }, func(string) string { return "d" })
			if err != nil {
				t.Fatal(err)
			}
			c, err := Translate(s, Settings{Manager: manager, Dir: "/generated"})
			if err != nil {
				t.Fatal(err)
			}
			contains(t, content(t, c, wants[0]), wants[1:]...)
		}
	})
}

func TestRoughEdge_processmgmt7(t *testing.T) {
	t.Run("processmgmt 7: supervisord changes the directory and the umask", func(t *testing.T) {
		c := translate(t, `{"name": "p", "process": "/bin/p", "directory": "/srv", "umask": "077"}`, Settings{Manager: Supervisord, Dir: "/generated"})
		contains(t, content(t, c, "conf.d/p.conf"), "directory=/srv\n", "umask=077\n")
	})
	t.Run("processmgmt 7: nice is no option of supervisord, so a script does it", func(t *testing.T) {
		c := translate(t, `{"name": "p", "process": "/bin/p", "nice": 10}`, Settings{Manager: Supervisord, Dir: "/generated"})
		contains(t, content(t, c, "libexec/p"), "exec nice -n 10 /bin/p\n")
		if strings.Contains(content(t, c, "conf.d/p.conf"), "nice") {
			t.Error("it is an option")
		}
	})
}

func TestRoughEdge_processmgmt10(t *testing.T) {
	t.Run("processmgmt 10: the user of the logger comes with the service", func(t *testing.T) {
		c := translate(t, `{"name": "p", "process": "/bin/p"}`, Settings{Manager: S6RC, Dir: "/generated"})
		contains(t, content(t, c, "dysnomia-support/users/s6-log"), "group=s6-log\n")
		content(t, c, "dysnomia-support/groups/s6-log")
	})
}

func TestRoughEdge_processmgmt11(t *testing.T) {
	t.Run("processmgmt 11: false is not empty, and null is not set", func(t *testing.T) {
		c := translate(t, `{"name": "p", "process": "/bin/p", "environment": {"A": false, "B": null, "C": true, "D": 1.50, "E": ""}}`, Settings{Manager: Systemd, Dir: "/generated"})
		unit := content(t, c, "etc/systemd/system/nix-process-p.service")
		contains(t, unit, `Environment="A=0"`, `Environment="C=1"`, `Environment="D=1.50"`, `Environment="E="`)
		if strings.Contains(unit, "B=") {
			t.Error(unit)
		}
	})
	t.Run("processmgmt 11: overrides keep their types", func(t *testing.T) {
		c := translate(t, `{"name": "p", "process": "/bin/p", "overrides": {"launchd": {"KeepAlive": false, "ThrottleInterval": 5}, "supervisord": {"autostart": false}}}`, Settings{Manager: Launchd, Dir: "/generated"})
		contains(t, content(t, c, "Library/LaunchDaemons/org.nixos.p.plist"), "<false/>", "<integer>5</integer>")
	})
}

func TestRoughEdge_processmgmt13(t *testing.T) {
	t.Run("processmgmt 13: a translation reads nothing but descriptions", func(t *testing.T) {
		t.Setenv("PATH", "")
		for _, manager := range Managers() {
			s, err := Load([]byte(`{"name": "p", "process": "/bin/p"}`), func(string) ([]byte, error) { return nil, errors.New("it read a file") }, nil)
			if err == nil {
				_, err = Translate(s, Settings{Manager: Manager(manager), Dir: "/generated"})
			}
			if err != nil {
				t.Error(err)
			}
		}
	})
}

func TestPathOfTheProcessIsNotThatOfItsScript(t *testing.T) {
	c := translate(t, `{"name": "p", "foregroundProcess": "/bin/p", "nice": 1, "initialize": "true", "environment": {"PATH": "/only/this"}}`, Settings{Manager: Supervisord, Dir: "/generated"})
	contains(t, content(t, c, "libexec/p"), "export PATH="+systemPath+"\n",
		"env PATH=/only/this /generated/p/libexec/initialize || exit\n", "exec nice -n 1 env PATH=/only/this /bin/p\n")
}
