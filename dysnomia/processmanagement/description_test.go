package processmanagement

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

// TestMistakes checks that mistakes are found, all at once, and named.
func TestMistakes(t *testing.T) {
	for _, test := range []struct{ name, data, manager, want string }{
		{"no JSON", `{`, "", "it is not a JSON object"},
		{"a list", `[]`, "", "it is not a JSON object"},
		{"null", `null`, "", "it is not a JSON object"},
		{"two objects", `{} {}`, "", "something after the JSON object"},
		{"no name", `{"process": "/bin/p"}`, "", "neither name nor instanceName"},
		{"no process", `{"name": "p"}`, "", "none of process, daemon and foregroundProcess"},
		{"relative process", `{"name": "p", "process": "bin/p"}`, "", `"bin/p" is not an absolute path`},
		{"a path as name", `{"name": "../p", "process": "/bin/p"}`, "", `name "../p"`},
		{"an unknown key", `{"name": "p", "process": "/bin/p", "proces": 1}`, "", "proces is not known"},
		{"an object as text", `{"name": "p", "process": {}}`, "", "process is an object where text is expected"},
		{"text as list", `{"name": "p", "process": "/bin/p", "args": "x"}`, "", "args is a string where a list is expected"},
		{"a list in a list", `{"name": "p", "process": "/bin/p", "args": [[]]}`, "", "args: element 1 is a list"},
		{"a NUL byte", `{"name": "p", "process": "/bin/p", "args": ["\u0000"]}`, "", "args has a NUL byte"},
		{"a variable", `{"name": "p", "process": "/bin/p", "environment": {"A B": 1}}`, "", `"A B" cannot be the name of a variable`},
		{"a value", `{"name": "p", "process": "/bin/p", "environment": {"A": {}}}`, "", `environment: A is an object`},
		{"umask", `{"name": "p", "process": "/bin/p", "umask": "8"}`, "", `umask "8"`},
		{"nice", `{"name": "p", "process": "/bin/p", "nice": 1.5}`, "", `nice "1.5"`},
		{"user", `{"name": "p", "process": "/bin/p", "user": "a b"}`, "", `user "a b"`},
		{"credentials", `{"name": "p", "process": "/bin/p", "credentials": {"user": {}}}`, "", "credentials.user is not known"},
		{"a user's name", `{"name": "p", "process": "/bin/p", "credentials": {"users": {"../x": {}}}}`, "", `"../x" cannot be a name`},
		{"overrides", `{"name": "p", "process": "/bin/p", "overrides": {"systemd": 1}}`, "", "overrides.systemd is a number"},
		{"two mistakes", `{"name": "p", "process": "p", "umask": "x"}`, "", `umask "x"`},
		{"an unknown override", `{"name": "p", "process": "/bin/p", "overrides": {"sysvinit": {"runlevel": 3}}}`, "sysvinit", "overrides.sysvinit.runlevel is not known"},
		{"a runlevel", `{"name": "p", "process": "/bin/p", "overrides": {"sysvinit": {"runlevels": [7]}}}`, "sysvinit", `"7" is not a runlevel`},
		{"a section", `{"name": "p", "process": "/bin/p", "overrides": {"systemd": {"Service": {"Restart": "no\n[Unit]"}}}}`, "systemd", "Service.Restart has a line break"},
		{"an override of a property", `{"name": "p", "process": "/bin/p", "overrides": {"systemd": {"umask": "y"}}}`, "systemd", `umask "y"`},
		{"a setting of images", `{"name": "p", "process": "/bin/p", "overrides": {"docker": {"image": {"runAsRoot": "rm"}}}}`, "docker", "overrides.docker.image.runAsRoot is not known"},
		{"a user of images", `{"name": "p", "process": "/bin/p", "user": "u"}`, "docker", `user "u" is not in credentials.users`},
		{"a group of images", `{"name": "p", "process": "/bin/p", "credentials": {"users": {"u": {"group": "g"}}}}`, "docker", `group "g" of user "u"`},
		{"a line of parameters", `{"name": "p", "process": "/bin/p", "environment": {"A": "1\n2"}}`, "cygrunsrv", "line break"},
		{"a property list", `{"name": "p", "process": "/bin/p", "args": ["\u0001"]}`, "launchd", "U+0001"},
		{"a manager", `{"name": "p", "process": "/bin/p"}`, "runit", "Unknown process manager: runit"},
	} {
		t.Run(test.name, func(t *testing.T) {
			s, err := Load([]byte(test.data), nil, nil)
			if test.manager != "" && err == nil {
				_, err = Translate(s, Settings{Manager: Manager(test.manager), Dir: "/generated"})
			}
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error: %v, want: %s", err, test.want)
			}
		})
	}
	_, err := Read([]byte(`{"name": "a b", "process": "p", "umask": "x"}`))
	if err == nil || strings.Count(err.Error(), "\n") != 3 {
		t.Errorf("not all mistakes are named: %v", err)
	}
}

func TestDependencyMistakes(t *testing.T) {
	files := map[string]string{
		"/a/a.json":     `{"name": "a", "process": "/bin/a", "dependencies": ["/b"]}`,
		"/b/b.json":     `{"name": "b", "process": "/bin/b", "dependencies": ["/a"]}`,
		"/bad/bad.json": `{"name": "bad"}`,
	}
	for path, want := range map[string]string{
		"/a":       "depends on itself",
		"/missing": "read dependency: there is no /missing/missing.json",
		"/bad":     "read dependency /bad/bad.json: none of process",
		"a":        `"a" is not an absolute path`,
	} {
		_, err := Load(fmt.Appendf(nil, `{"name": "p", "process": "/bin/p", "dependencies": [%q]}`, path), func(file string) ([]byte, error) {
			if content, ok := files[file]; ok {
				return []byte(content), nil
			}
			return nil, errors.New("there is no " + file)
		}, func(path string) string { return path[1:] })
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error: %v, want: %s", path, err, want)
		}
	}
}

// TestDiamondsAreReadOnce has 2^40 ways from the first process to the last.
func TestDiamondsAreReadOnce(t *testing.T) {
	const depth = 40
	reads := 0
	s, err := Load([]byte(`{"name": "p0", "process": "/bin/p", "dependencies": ["/a1", "/b1"]}`), func(file string) ([]byte, error) {
		reads++
		var side string
		var level int
		if _, err := fmt.Sscanf(file, "/%1s%d/", &side, &level); err != nil {
			return nil, err
		}
		dependencies := fmt.Sprintf(`["/a%d", "/b%[1]d"]`, level+1)
		if level == depth {
			dependencies = "[]"
		}
		return fmt.Appendf(nil, `{"name": "p%s%d", "process": "/bin/p", "dependencies": %s}`, side, level, dependencies), nil
	}, func(path string) string { return path[1:] })
	if err != nil {
		t.Fatal(err)
	}
	c, err := Translate(s, Settings{Manager: SysVInit, Dir: "/generated"})
	if err != nil || reads != 2*depth {
		t.Fatalf("%d files were read, error: %v", reads, err)
	}
	if _, ok := c.Files["etc/rc.d/rc3.d/S40p0"]; !ok {
		t.Error("it is not started after all others")
	}
}

func TestDirectories(t *testing.T) {
	if d := (Directories{}).WithDefaults(); d.Tmp != "/tmp" || d.Runtime != "/var/run" || d.Log != "/var/log" || d.Lib != "/var/lib" {
		t.Errorf("%+v", d)
	}
	d := Directories{State: "/home/me", Log: "/logs"}.WithDefaults()
	if d.Tmp != "/home/me/tmp" || d.Runtime != "/home/me/run" || d.Log != "/logs" || d.Cache != "/home/me/cache" || d.Spool != "/home/me/spool" || d.Lock != "/home/me/lock" {
		t.Errorf("%+v", d)
	}
	_, err := Translate(load(t, `{"name": "p", "process": "/bin/p"}`), Settings{Manager: Disnix, Dir: "/generated", Directories: Directories{State: "var"}})
	if err == nil || !strings.Contains(err.Error(), `stateDir "var"`) {
		t.Errorf("error: %v", err)
	}
}

func FuzzTranslate(f *testing.F) {
	for _, seed := range []string{
		`{"name": "p", "process": "/bin/p"}`,
		`{"instanceName": "p", "daemon": "/bin/p", "overrides": {"docker": {"container": {"dockerCreateParameters": [{"name": "t"}]}}}}`,
		`{"name": "p", "process": "/bin/p", "overrides": {"systemd": {"Unit": {"A": [1, null]}}, "s6-rc": {"finish": ["a"]}, "launchd": {"A": [1.5, {"b": null}]}}}`,
		`{"name": "0-p", "process": "/bin/p", "overrides": {"sysvinit": {"instructions": {"x": null}, "activities": {"y": 1}}, "bsdrc": {"rcvarsDefaults": {"a": 1}}}}`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, data string) {
		s, err := Load([]byte(data), func(string) ([]byte, error) { return nil, errors.New("none") }, func(string) string { return "d" })
		if err != nil {
			return
		}
		for _, manager := range Managers() {
			c, err := Translate(s, Settings{Manager: Manager(manager), Dir: "/generated"})
			if err != nil {
				continue
			}
			for path := range c.Files {
				if strings.HasPrefix(path, "/") || strings.Contains("/"+path+"/", "/../") {
					t.Errorf("%s: a file would be written to %q", manager, path)
				}
			}
		}
	})
}

func BenchmarkTranslate(b *testing.B) {
	s := load(b, `{"instanceName": "webapp", "process": "/nix/store/HASH-webapp/bin/webapp", "user": "webapp", "environment": {"PORT": 5000},
		"credentials": {"groups": {"webapp": {}}, "users": {"webapp": {"group": "webapp"}}}, "dependencies": ["/nix/store/HASH-backend"]}`)
	for _, manager := range Managers() {
		b.Run(manager, func(b *testing.B) {
			for b.Loop() {
				if _, err := Translate(s, Settings{Manager: Manager(manager), Dir: "/generated"}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
