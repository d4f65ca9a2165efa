package ejabberddump

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/disnix-go/disnix/dysnomia"
	"github.com/disnix-go/disnix/dysnomia/plugins/await"
	"github.com/disnix-go/disnix/dysnomia/plugintest"
	"github.com/disnix-go/disnix/test/porttest"
)

// account is that of Debian's package, whose control program insists on it.
const account = "ejabberd"

// instance is a server with a private directory and port.
type instance struct {
	dir string
	cmd *exec.Cmd
}

var shared *instance

func TestMain(m *testing.M) {
	code, err := run(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func run(m *testing.M) (code int, err error) {
	dir, err := os.MkdirTemp("/tmp", "ejabberd-")
	if err != nil {
		return 1, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	if shared, err = start(dir); err != nil {
		return 1, err
	}
	defer shared.stop()
	return m.Run(), nil
}

// start makes the files of a server, with a control program that knows where
// they are, and starts it.
func start(dir string) (*instance, error) {
	port, err := porttest.Reserve()
	if err != nil {
		return nil, err
	}
	for name, content := range map[string]string{
		"ejabberd.yml":    "hosts: [localhost]\nloglevel: 3\nlisten: []\nauth_method: internal\nmodules:\n  mod_roster: {}\n",
		"ejabberdctl.cfg": fmt.Sprintf("ERL_DIST_PORT=%d\nINET_DIST_INTERFACE=127.0.0.1\n", port),
		"inetrc":          "",
		"ejabberdctl":     fmt.Sprintf("#!/bin/sh\nHOME=%[1]s/spool\nexport HOME\nexec /usr/sbin/ejabberdctl --config-dir %[1]s --spool %[1]s/spool --logs %[1]s/logs \"$@\"\n", dir),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o755); err != nil {
			return nil, err
		}
	}
	found, err := user.Lookup(account)
	if err != nil {
		return nil, fmt.Errorf("%w: run `make setup-databases`", err)
	}
	uid, _ := strconv.Atoi(found.Uid)
	gid, _ := strconv.Atoi(found.Gid)
	for _, name := range []string{"spool", "logs"} {
		if err := os.Mkdir(filepath.Join(dir, name), 0o700); err != nil {
			return nil, err
		}
	}
	for _, name := range []string{"", "spool", "logs"} {
		if err := os.Chown(filepath.Join(dir, name), uid, gid); err != nil {
			return nil, err
		}
	}
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		return nil, err
	}
	defer log.Close()
	s := &instance{dir: dir, cmd: exec.Command(filepath.Join(dir, "ejabberdctl"), "foreground")}
	s.cmd.Stdout, s.cmd.Stderr = log, log
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}
	s.cmd.Dir = dir
	return s, s.cmd.Start() // the plugin waits for it
}

func (s *instance) stop() {
	_ = syscall.Kill(-s.cmd.Process.Pid, syscall.SIGKILL)
	_ = s.cmd.Wait()
}

// control runs a command of the server beside the plugin.
func (s *instance) control(t *testing.T, args ...string) string {
	t.Helper()
	cmd := exec.Command("setpriv", append([]string{"--reuid=" + account, "--regid=" + account, "--clear-groups", filepath.Join(s.dir, "ejabberdctl")}, args...)...)
	cmd.Dir = "/"
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("ejabberdctl %v: %v: %s%s", args, err, out, stderr.Bytes())
	}
	return strings.TrimSpace(string(out))
}

var config = plugintest.Config{Type: "ejabberd-dump", Plugin: Plugin{}}

func component(t *testing.T, dumps map[string]string) plugintest.Component {
	t.Helper()
	files := map[string]string{}
	for name, content := range dumps {
		files["ejabberd-dump/"+name] = content
	}
	return plugintest.NewComponent(t, "ejabberd-dump", map[string]string{
		"ejabberdUser": account, "ejabberdSpoolDir": filepath.Join(shared.dir, "spool"), "timeout": "600",
		"PATH": shared.dir + ":" + os.Getenv("PATH"),
	}, files)
}

func fixture(t *testing.T, dumps map[string]string) *plugintest.Fixture {
	t.Helper()
	return plugintest.NewFixture(t, config, component(t, dumps))
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

func generations(t *testing.T, f *plugintest.Fixture) int {
	t.Helper()
	history, err := f.State.QueryAll(f.Container, f.Name())
	if err != nil {
		t.Fatal(err)
	}
	return len(history)
}

// TestLife does with one real server what the conformance suite does with
// many: the server has one database, which can only be deleted without it.
func TestLife(t *testing.T) {
	f := fixture(t, nil)
	f.Do(dysnomia.Activate)
	f.Expect("active")
	shared.control(t, "register", "alice", "localhost", "secret")
	f.Do(dysnomia.Snapshot, dysnomia.Snapshot)
	if generations(t, f) != 1 {
		t.Errorf("%d generations of equal content", generations(t, f))
	}
	shared.control(t, "unregister", "alice", "localhost")
	f.Do(dysnomia.Restore)
	if got := shared.control(t, "registered_users", "localhost"); got != "alice" {
		t.Errorf("accounts: %q", got)
	}
	shared.control(t, "register", "bob", "localhost", "secret")
	f.Do(dysnomia.Snapshot, dysnomia.Lock, dysnomia.Unlock, "unheard-of")
	if generations(t, f) != 2 {
		t.Errorf("%d generations", generations(t, f))
	}
	path, err := f.State.LatestSnapshot(f.Container, f.Name())
	if err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(filepath.Join(path, "dump"))
	if err != nil || !bytes.Contains(content, []byte("alice")) || !bytes.Contains(content, []byte("bob")) {
		t.Errorf("the dump: %v, %.300s", err, content)
	}

	t.Run("initial content is loaded once", func(t *testing.T) {
		shared.control(t, "unregister", "alice", "localhost")
		g := fixture(t, map[string]string{"a": string(content)})
		g.Do(dysnomia.Activate)
		if got := shared.control(t, "registered_users", "localhost"); got != "alice\nbob" {
			t.Errorf("accounts: %q", got)
		}
		shared.control(t, "unregister", "alice", "localhost")
		g.Do(dysnomia.Activate, dysnomia.Deactivate, dysnomia.Activate)
		if got := shared.control(t, "registered_users", "localhost"); got != "bob" {
			t.Errorf("modules 22: a repeated activation has loaded the initial content again: %q", got)
		}
		g.Do(dysnomia.Deactivate)
		g.Expect("garbage")
	})
	t.Run("a component that is the dump itself", func(t *testing.T) {
		g := fixture(t, nil)
		if err := errors.Join(os.RemoveAll(g.Path), os.WriteFile(g.Path, content, 0o600)); err != nil {
			t.Fatal(err)
		}
		g.Do(dysnomia.Activate)
		if got := shared.control(t, "registered_users", "localhost"); got != "alice\nbob" {
			t.Errorf("accounts: %q", got)
		}
	})
	t.Run("a dump that is none", func(t *testing.T) {
		g := fixture(t, map[string]string{"a": "nonsense"})
		fails(t, g, dysnomia.Activate, "ejabberd-dump/a")
		g.Expect("")
	})
}

// standIn is a control program for what a real server does not do on demand.
func standIn(t *testing.T, f *plugintest.Fixture, script string) {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "ejabberdctl"), []byte("#!/bin/sh\n"+script), 0o755); err != nil {
		t.Fatal(err)
	}
	f.Properties["PATH"] = dir + ":" + os.Getenv("PATH")
	delete(f.Properties, "ejabberdUser")
}

func TestFaults(t *testing.T) {
	t.Run("the server is down", func(t *testing.T) {
		f := fixture(t, nil)
		standIn(t, f, "echo 'Failed RPC connection' >&2; exit 3\n")
		f.Properties["timeout"] = "0"
		var late *await.TimeoutError
		if err := fails(t, f, dysnomia.Activate, "ejabberd server", "Failed RPC connection"); !errors.As(err, &late) {
			t.Errorf("error: %v", err)
		}
		f.Expect("")
	})
	for name, script := range map[string]string{
		"the dump is killed":      "kill -9 $$",
		"the dump is not written": "exit 0",
		"the dump is empty":       `: > "$2"`,
	} {
		t.Run(name, func(t *testing.T) {
			f := fixture(t, nil)
			standIn(t, f, `[ "$1" = dump ] || exit 0`+"\n"+script+"\n")
			f.Do(dysnomia.Activate)
			fails(t, f, dysnomia.Snapshot)
			if generations(t, f) != 0 {
				t.Error("a failed snapshot is registered")
			}
		})
	}
	t.Run("an account that does not exist", func(t *testing.T) {
		f := fixture(t, nil)
		f.Properties["ejabberdUser"] = "no-such-account"
		fails(t, f, dysnomia.Activate, "no-such-account", "ejabberdUser")
	})
}

// TestFilesOfTheServer: what the account of the server puts into the directory
// that it shares with the plugin, which may run as root, leads nowhere.
func TestFilesOfTheServer(t *testing.T) {
	private := filepath.Join(t.TempDir(), "private")
	if err := os.WriteFile(private, []byte("secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Run("a link instead of a dump is not read", func(t *testing.T) {
		f := fixture(t, nil)
		standIn(t, f, `[ "$1" = dump ] || exit 0`+"\nln -s "+private+` "$2"`+"\n")
		f.Do(dysnomia.Activate)
		fails(t, f, dysnomia.Snapshot, "no dump")
		if generations(t, f) != 0 {
			t.Error("the file of another is registered as a snapshot")
		}
	})
	t.Run("a link instead of a copy is not written to", func(t *testing.T) {
		f := fixture(t, map[string]string{"a": "first", "b": "second"})
		standIn(t, f, `[ "$1" = load ] || exit 0`+"\nrm \"$2\"; ln -s "+private+` "$2"`+"\n")
		f.Do(dysnomia.Activate)
		if content, err := os.ReadFile(private); err != nil || string(content) != "secret" {
			t.Errorf("the file of another: %q, %v", content, err)
		}
	})
	t.Run("nothing is deleted as long as it is not known whether the server runs", func(t *testing.T) {
		f := fixture(t, nil)
		spool := t.TempDir()
		f.Properties["ejabberdSpoolDir"] = spool
		if err := os.WriteFile(filepath.Join(spool, "users"), nil, 0o600); err != nil {
			t.Fatal(err)
		}
		standIn(t, f, "exit 0\n")
		f.Do(dysnomia.Activate, dysnomia.Deactivate)
		if err := os.WriteFile(filepath.Join(strings.Split(f.Properties["PATH"], ":")[0], "ejabberdctl"), []byte("#!/no/such/shell\n"), 0o755); err != nil {
			t.Fatal(err)
		}
		fails(t, f, dysnomia.CollectGarbage, "ejabberdctl")
		f.Expect("garbage")
		if left, _ := os.ReadDir(spool); len(left) != 1 {
			t.Errorf("left: %v", left)
		}
	})
}

func TestRoughEdge_modules22(t *testing.T) {
	t.Run("modules 22: the database is not deleted under a server that runs", func(t *testing.T) {
		f := fixture(t, nil)
		spool := t.TempDir()
		f.Properties["ejabberdSpoolDir"] = spool
		if err := os.WriteFile(filepath.Join(spool, ".erlang.cookie"), nil, 0o600); err != nil {
			t.Fatal(err)
		}
		standIn(t, f, "exit 0\n")
		f.Do(dysnomia.Activate, dysnomia.CollectGarbage, dysnomia.Deactivate)
		fails(t, f, dysnomia.CollectGarbage, "stop it first")
		f.Expect("garbage")
		standIn(t, f, "exit 3\n")
		f.Do(dysnomia.CollectGarbage)
		f.Expect("")
		if left, _ := os.ReadDir(spool); len(left) != 0 {
			t.Errorf("left over: %v", left)
		}
	})
	t.Run("modules 22: the database is not deleted as long as another component is active in it", func(t *testing.T) {
		f, other := fixture(t, nil), fixture(t, nil)
		other.State = f.State
		other.Path += "-of-another"
		if err := os.Mkdir(other.Path, 0o755); err != nil {
			t.Fatal(err)
		}
		spool := t.TempDir()
		for _, f := range []*plugintest.Fixture{f, other} {
			f.Properties["ejabberdSpoolDir"] = spool
			standIn(t, f, "exit 0\n")
			f.Do(dysnomia.Activate)
			standIn(t, f, "exit 3\n")
		}
		if err := os.WriteFile(filepath.Join(spool, "users"), nil, 0o600); err != nil {
			t.Fatal(err)
		}
		for _, step := range []struct {
			f    *plugintest.Fixture
			left int
		}{{f, 1}, {other, 0}} {
			step.f.Do(dysnomia.Deactivate, dysnomia.CollectGarbage)
			step.f.Expect("")
			if left, err := os.ReadDir(spool); err != nil || len(left) != step.left {
				t.Errorf("left: %v, %v", left, err)
			}
		}
	})
	t.Run("modules 22: the directory is a property, and never the root", func(t *testing.T) {
		f := fixture(t, nil)
		standIn(t, f, "exit 0\n")
		f.Do(dysnomia.Activate, dysnomia.Deactivate)
		standIn(t, f, "exit 3\n")
		for _, dir := range []string{"/", "spool"} {
			f.Properties["ejabberdSpoolDir"] = dir
			fails(t, f, dysnomia.CollectGarbage, "ejabberdSpoolDir")
		}
	})
	t.Run("modules 29, item 12: deactivating what was never activated succeeds", func(t *testing.T) {
		f := fixture(t, nil)
		f.Do(dysnomia.Deactivate)
		f.Expect("")
	})
}
