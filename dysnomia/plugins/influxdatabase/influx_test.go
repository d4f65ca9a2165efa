package influxdatabase

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/disnix-go/disnix/dysnomia"
	"github.com/disnix-go/disnix/dysnomia/plugins/await"
	"github.com/disnix-go/disnix/dysnomia/plugintest"
	"github.com/disnix-go/disnix/test/porttest"
)

// instance is a server on private ports.
type instance struct {
	dir                  string
	httpPort, backupPort string
	cmd                  *exec.Cmd
}

// server is shared by the tests of this package.
var server *instance

func TestMain(m *testing.M) {
	code, err := run(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func run(m *testing.M) (code int, err error) {
	dir, err := os.MkdirTemp("", "influx-")
	if err != nil {
		return 1, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	if server, err = start(dir); err != nil {
		return 1, err
	}
	defer server.stop()
	return m.Run(), nil
}

const configuration = `reporting-disabled = true
bind-address = "127.0.0.1:%[2]s"
[meta]
dir = "%[1]s/meta"
[data]
dir = "%[1]s/data"
wal-dir = "%[1]s/wal"
[http]
bind-address = "127.0.0.1:%[3]s"
log-enabled = false
[monitor]
store-enabled = false
[subscriber]
enabled = false
`

func start(dir string) (*instance, error) {
	httpPort, httpErr := porttest.Reserve()
	backupPort, backupErr := porttest.Reserve()
	if err := errors.Join(httpErr, backupErr); err != nil {
		return nil, err
	}
	s := &instance{dir: dir, httpPort: strconv.Itoa(httpPort), backupPort: strconv.Itoa(backupPort)}
	config := filepath.Join(dir, "config")
	if err := os.WriteFile(config, fmt.Appendf(nil, configuration, dir, s.backupPort, s.httpPort), 0o644); err != nil {
		return nil, err
	}
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		return nil, err
	}
	defer log.Close()
	s.cmd = exec.Command("influxd", "-config", config)
	s.cmd.Stdout, s.cmd.Stderr = log, log
	if err := s.cmd.Start(); err != nil {
		return nil, fmt.Errorf("%w: run `make setup-databases`", err)
	}
	err = await.Until(context.Background(), "influxd to answer", 5*time.Minute, func(context.Context) (bool, string, error) {
		response, err := http.Get("http://127.0.0.1:" + s.httpPort + "/ping")
		if err != nil {
			return false, err.Error(), nil
		}
		return true, "", response.Body.Close()
	})
	if err != nil {
		s.stop()
		return nil, err
	}
	return s, nil
}

func (s *instance) stop() {
	_ = s.cmd.Process.Kill()
	_ = s.cmd.Wait()
}

var config = plugintest.Config{Type: "influx-database", Plugin: Plugin{}}

func component(t *testing.T, name string, files map[string]string) plugintest.Component {
	t.Helper()
	content := map[string]string{}
	for file, text := range files {
		content["influx-databases/"+file] = text
	}
	properties := map[string]string{"influxdbHttpPort": server.httpPort, "influxdbBackupPort": server.backupPort, "timeout": "600"}
	c := plugintest.NewComponent(t, "influx-database", properties, content)
	path := filepath.Join(filepath.Dir(c.Path), name)
	if err := os.Rename(c.Path, path); err != nil {
		t.Fatal(err)
	}
	c.Path = path
	t.Cleanup(func() {
		if _, err := direct(name).query(context.Background(), "DROP DATABASE "+quote(name)); err != nil {
			t.Error(err)
		}
	})
	return c
}

func fixture(t *testing.T, name string, files map[string]string) *plugintest.Fixture {
	t.Helper()
	return plugintest.NewFixture(t, config, component(t, name, files))
}

// direct is access to the server beside the plugin.
func direct(name string) *database {
	return &database{name: name, settings: settings{httpPort: server.httpPort}, http: http.DefaultClient}
}

func write(t *testing.T, name, points string) {
	t.Helper()
	target := "http://127.0.0.1:" + server.httpPort + "/write?db=" + url.QueryEscape(name)
	response, err := http.Post(target, "text/plain", strings.NewReader(points))
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusNoContent {
		t.Fatalf("write: %s", response.Status)
	}
}

// values returns the field v of all points of the measurement m.
func values(t *testing.T, name string) string {
	t.Helper()
	answer, err := direct(name).query(t.Context(), "SELECT v FROM "+quote(name)+"..m")
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	for _, s := range answer {
		for _, row := range s.Values {
			list = append(list, fmt.Sprint(row[1]))
		}
	}
	return strings.Join(list, ",")
}

func exists(t *testing.T, name string) bool {
	t.Helper()
	found, err := direct(name).exists(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func leftovers(t *testing.T) {
	t.Helper()
	answer, err := direct("").query(t.Context(), "SHOW DATABASES")
	if err != nil || strings.Contains(fmt.Sprint(answer), "dysnomia-") {
		t.Errorf("databases: %v, %v", answer, err)
	}
}

func generations(t *testing.T, f *plugintest.Fixture) int {
	t.Helper()
	history, err := f.State.QueryAll(f.Container, f.Name())
	if err != nil {
		t.Fatal(err)
	}
	return len(history)
}

func fails(t *testing.T, f *plugintest.Fixture, op dysnomia.Operation, words ...string) error {
	t.Helper()
	err := f.Run(t.Context(), op)
	if err == nil {
		t.Fatalf("%s did not fail", op)
	}
	for _, word := range words {
		if !strings.Contains(err.Error(), word) {
			t.Errorf("%s: %v, want %q in it", op, err, word)
		}
	}
	return err
}

func importFile(name, points string) string {
	return "# DDL\nCREATE DATABASE " + quote(name) + "\n# DML\n# CONTEXT-DATABASE: " + name + "\n" + points
}

func TestConformance(t *testing.T) {
	full := config
	number := 0
	full.New = func(t *testing.T) plugintest.Component {
		number++
		return component(t, fmt.Sprintf("conformance-%d", number), nil)
	}
	full.Broken = func(t *testing.T) plugintest.Component {
		return component(t, "broken", map[string]string{"a": importFile("broken", "m v=1 1\nnonsense\n")})
	}
	full.Write = func(t *testing.T, c plugintest.Component, text string) {
		write(t, filepath.Base(c.Path), fmt.Sprintf("m v=%q 1000000000", text))
	}
	full.Read = func(t *testing.T, c plugintest.Component) string {
		if !exists(t, filepath.Base(c.Path)) {
			return ""
		}
		return values(t, filepath.Base(c.Path))
	}
	plugintest.Run(t, full)
	if exists(t, "broken") {
		t.Error("a broken database has stayed")
	}
	leftovers(t)
}

func TestState(t *testing.T) {
	t.Run("a name with which the server loses data is refused", func(t *testing.T) {
		for _, name := range []string{"a[b]", "a*", "a?", `a\b`} {
			f := fixture(t, name, nil)
			if err := f.Run(t.Context(), dysnomia.Activate); err == nil || !strings.Contains(err.Error(), "rename the component") {
				t.Errorf("%s: %v", name, err)
			}
			f.Expect("")
			if exists(t, name) {
				t.Errorf("database %s was created", name)
			}
		}
	})
	t.Run("restoring is exact, also under names that need quotes", func(t *testing.T) {
		for _, name := range []string{"with-dash", "-leading", `quo"te's`, "dot.ted", "sp ace"} {
			f := fixture(t, name, nil)
			f.Do(dysnomia.Activate)
			write(t, name, "m v=1 1000000000\nm v=2 2000000000")
			f.Do(dysnomia.Snapshot)
			write(t, name, "m v=3 1000000000\nlater v=1")
			f.Do(dysnomia.Restore)
			if got := values(t, name); got != "1,2" {
				t.Errorf("%s: %s", name, got)
			}
			answer, err := direct(name).query(t.Context(), "SHOW MEASUREMENTS ON "+quote(name))
			if err != nil || strings.Contains(fmt.Sprint(answer), "later") {
				t.Errorf("%s: %v, %v", name, answer, err)
			}
			f.Do(dysnomia.Snapshot)
			if generations(t, f) != 1 {
				t.Errorf("%s: %d generations of equal content", name, generations(t, f))
			}
			f.Do(dysnomia.Deactivate, dysnomia.CollectGarbage)
			if exists(t, name) {
				t.Errorf("%s was not dropped", name)
			}
		}
		leftovers(t)
	})
	t.Run("what is not complete is not restored", func(t *testing.T) {
		f := fixture(t, "incomplete", nil)
		f.Do(dysnomia.Activate)
		write(t, "incomplete", "m v=1 1000000000")
		f.Do(dysnomia.Snapshot)
		write(t, "incomplete", "m v=2 2000000000")
		path, err := f.State.LatestSnapshot(f.Container, f.Name())
		if err != nil {
			t.Fatal(err)
		}
		shards, _ := filepath.Glob(filepath.Join(path, dumpDir, "*.tar.gz"))
		if len(shards) != 1 {
			t.Fatalf("shards: %v", shards)
		}
		if err := os.Truncate(shards[0], 20); err != nil {
			t.Fatal(err)
		}
		fails(t, f, dysnomia.Restore, "as it was")
		if got := values(t, "incomplete"); got != "1,2" {
			t.Errorf("values: %s", got)
		}
		if err := os.RemoveAll(filepath.Join(path, dumpDir)); err != nil {
			t.Fatal(err)
		}
		fails(t, f, dysnomia.Restore, "manifest")
		leftovers(t)
	})
	t.Run("an initialisation that was killed is done again", func(t *testing.T) {
		f := fixture(t, "killed", map[string]string{"a": importFile("killed", "m v=1 1000000000\n")})
		r := &dysnomia.Request{ComponentName: "killed", Container: "c", Properties: f.Properties, Environment: os.Environ()}
		err := with(t.Context(), r, func(d *database) error {
			return errors.Join(d.create(t.Context(), d.unfinished), d.create(t.Context(), "killed"))
		})
		if err != nil {
			t.Fatal(err)
		}
		f.Do(dysnomia.Activate)
		if got := values(t, "killed"); got != "1" {
			t.Errorf("values: %q", got)
		}
		leftovers(t)
	})
}

func TestFaults(t *testing.T) {
	t.Run("the server is down", func(t *testing.T) {
		f := fixture(t, "down", nil)
		f.Properties["influxdbHttpPort"], f.Properties["timeout"] = strconv.Itoa(porttest.Port(t)), "0"
		var late *await.TimeoutError
		if err := fails(t, f, dysnomia.Activate, "127.0.0.1:"+f.Properties["influxdbHttpPort"]); !errors.As(err, &late) {
			t.Errorf("error: %v", err)
		}
		f.Expect("")
	})
	t.Run("the backup port is wrong", func(t *testing.T) {
		f := fixture(t, "wrong-port", nil)
		f.Do(dysnomia.Activate)
		f.Properties["influxdbBackupPort"], f.Properties["timeout"] = strconv.Itoa(porttest.Port(t)), "0"
		fails(t, f, dysnomia.Snapshot, "refused")
		if generations(t, f) != 0 {
			t.Error("a failed snapshot is registered")
		}
	})
	t.Run("the backup is killed", func(t *testing.T) {
		f := fixture(t, "killed-backup", nil)
		f.Do(dysnomia.Activate)
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "influxd"), []byte("#!/bin/sh\nkill -9 $$\n"), 0o755); err != nil {
			t.Fatal(err)
		}
		f.Properties["PATH"] = dir + ":" + os.Getenv("PATH")
		fails(t, f, dysnomia.Snapshot, "killed")
		if generations(t, f) != 0 {
			t.Error("a failed snapshot is registered")
		}
	})
	t.Run("a property is wrong", func(t *testing.T) {
		f := fixture(t, "property", nil)
		f.Properties["influxdbHttpPort"] = "http"
		fails(t, f, dysnomia.Activate, "influxdbHttpPort", `"http"`)
	})
}

func TestRoughEdge_modules21(t *testing.T) {
	t.Run("modules 21: all files are imported, and a failure is one", func(t *testing.T) {
		f := fixture(t, "imported", map[string]string{"a": importFile("imported", "m v=1 1000000000\n"), "b": importFile("imported", "m v=2 2000000000\n")})
		f.Do(dysnomia.Activate)
		if got := values(t, "imported"); got != "1,2" {
			t.Errorf("values: %s", got)
		}
		f = fixture(t, "not-imported", map[string]string{"a": importFile("not-imported", "m v=1 1\nnonsense\n")})
		fails(t, f, dysnomia.Activate, "nonsense")
		if exists(t, "not-imported") {
			t.Error("half a database has stayed")
		}
	})
	t.Run("modules 21: unchanged data makes no new snapshot", func(t *testing.T) {
		f := fixture(t, "unchanged", nil)
		f.Do(dysnomia.Activate)
		write(t, "unchanged", "m v=1 1000000000")
		f.Do(dysnomia.Snapshot, dysnomia.Snapshot)
		if generations(t, f) != 1 {
			t.Errorf("%d generations", generations(t, f))
		}
		if _, err := direct("unchanged").query(t.Context(), `CREATE RETENTION POLICY more ON unchanged DURATION 2d REPLICATION 1`); err != nil {
			t.Fatal(err)
		}
		f.Do(dysnomia.Snapshot)
		if generations(t, f) != 2 {
			t.Errorf("%d generations", generations(t, f))
		}
	})
	t.Run("modules 21: a snapshot of a missing database fails", func(t *testing.T) {
		fails(t, fixture(t, "missing", nil), dysnomia.Snapshot, "activate the component first")
	})
	t.Run("modules 21: a name is compared as it is, not as a pattern", func(t *testing.T) {
		if err := direct("").create(t.Context(), "other1"); err != nil {
			t.Fatal(err)
		}
		f := fixture(t, "other.", nil)
		f.Do(dysnomia.Activate)
		if !exists(t, "other.") {
			t.Error("it was not created")
		}
	})
}

func TestRoughEdge_modules29(t *testing.T) {
	t.Run("modules 29, item 10: the ports reach the clients", func(t *testing.T) {
		dir := t.TempDir()
		second, err := start(dir)
		if err != nil {
			t.Fatal(err)
		}
		defer second.stop()
		f := fixture(t, "second", map[string]string{"a": importFile("second", "m v=1 1000000000\n")})
		f.Properties["influxdbHttpPort"], f.Properties["influxdbBackupPort"] = second.httpPort, second.backupPort
		f.Do(dysnomia.Activate, dysnomia.Snapshot, dysnomia.Restore)
		if exists(t, "second") {
			t.Error("it is on the first server, too")
		}
	})
	t.Run("modules 29, item 12: deactivating what was never activated succeeds", func(t *testing.T) {
		f := fixture(t, "never", nil)
		f.Do(dysnomia.Deactivate)
		f.Expect("")
	})
}

// TestLayoutIsThatOfTheOriginal restores ours as its module does.
func TestLayoutIsThatOfTheOriginal(t *testing.T) {
	f := fixture(t, "layout", nil)
	f.Do(dysnomia.Activate)
	write(t, "layout", "m v=1 1000000000")
	f.Do(dysnomia.Snapshot)
	path, err := f.State.LatestSnapshot(f.Container, f.Name())
	if err != nil {
		t.Fatal(err)
	}
	if err := direct("").drop(t.Context(), "layout"); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("influxd", "restore", "-portable", "-host", "127.0.0.1:"+server.backupPort, "-db", "layout", filepath.Join(path, "dump")).CombinedOutput()
	if err != nil || bytes.Contains(out, []byte("error")) {
		t.Errorf("%v: %s", err, out)
	}
	if !exists(t, "layout") {
		t.Error("it was not restored")
	}
}

// BenchmarkActivate is the activation of a component whose database exists.
func BenchmarkActivate(b *testing.B) {
	path := filepath.Join(b.TempDir(), "activated")
	if err := os.Mkdir(path, 0o755); err != nil {
		b.Fatal(err)
	}
	r := &dysnomia.Request{
		Component: path, ComponentName: "activated", Container: "influx-database",
		Properties:  map[string]string{"influxdbHttpPort": server.httpPort, "timeout": "600"},
		Environment: os.Environ(), State: &dysnomia.State{Dir: filepath.Join(b.TempDir(), "state")},
	}
	b.Run("plugin", func(b *testing.B) {
		for b.Loop() {
			if err := (Plugin{}).Activate(b.Context(), r); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("server", func(b *testing.B) {
		d := direct("activated")
		for b.Loop() {
			for range 3 { // is it there, is it the one, is it complete
				if _, err := d.query(b.Context(), "SHOW DATABASES"); err != nil {
					b.Fatal(err)
				}
			}
		}
	})
}
