package mysqldatabase

import (
	"context"
	"errors"
	"fmt"
	"os"
	osexec "os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/disnix-go/disnix/dysnomia"
	"github.com/disnix-go/disnix/dysnomia/plugins/await"
	"github.com/disnix-go/disnix/dysnomia/plugintest"
	"github.com/disnix-go/disnix/test/mariadbtest"
)

// fails runs an operation that must fail with a message that has all words,
// and not the password.
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
	if strings.Contains(err.Error()+f.Stdout+f.Stderr, mariadbtest.Root) {
		t.Errorf("the password is in a message: %v", err)
	}
	return err
}

func TestServerIsDown(t *testing.T) {
	down, err := mariadbtest.New()
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := down.Remove(); err != nil {
			t.Error(err)
		}
	}()
	c := component(t, "down", map[string]string{"a.sql": notes})
	c.Properties["mysqlSocket"], c.Properties["timeout"] = down.Socket, "0"
	f := plugintest.NewFixture(t, config, c)
	if err := down.Stop(); err != nil {
		t.Fatal(err)
	}
	for _, op := range []dysnomia.Operation{dysnomia.Activate, dysnomia.Snapshot} {
		var late *await.TimeoutError
		if err := fails(t, f, op, down.Socket, "database server"); !errors.As(err, &late) {
			t.Errorf("error: %v", err)
		}
		f.Expect("")
	}
	f.Do(dysnomia.Restore) // there is no snapshot

	t.Run("it is waited for", func(t *testing.T) {
		f.Properties["timeout"] = "600"
		started := make(chan error, 1)
		go func() { started <- down.Start() }()
		f.Do(dysnomia.Activate, dysnomia.Snapshot)
		if err := <-started; err != nil {
			t.Fatal(err)
		}
	})
	t.Run("it dies: nothing is lost", func(t *testing.T) {
		if err := down.Stop(); err != nil {
			t.Fatal(err)
		}
		f.Properties["timeout"] = "0"
		fails(t, f, dysnomia.Restore, down.Socket)
		f.Do(dysnomia.Deactivate)
		fails(t, f, dysnomia.CollectGarbage, down.Socket)
		f.Expect("garbage")
	})
}

func TestWrongPassword(t *testing.T) {
	f := fixture(t, "denied", nil)
	f.Properties["mysqlPassword"], f.Properties["timeout"] = "wrong", "600" // not waited for
	fails(t, f, dysnomia.Activate, "Access denied")
	f.Expect("")
}

func TestAccountWithoutPrivileges(t *testing.T) {
	f := fixture(t, "unprivileged", map[string]string{"a.sql": notes})
	f.Do(dysnomia.Activate, dysnomia.Snapshot)
	execute(t, "CREATE USER small@localhost IDENTIFIED BY 'x'; GRANT ALL ON unprivileged.* TO small@localhost")
	t.Cleanup(func() { execute(t, "DROP USER small@localhost") })
	execute(t, "INSERT INTO unprivileged.notes (text) VALUES ('kept')")
	f.Properties["mysqlUsername"], f.Properties["mysqlPassword"] = "small", "x"
	fails(t, f, dysnomia.Restore, "privileges to create")
	expect(t, "kept", "SELECT text FROM unprivileged.notes")
}

func TestLockedTable(t *testing.T) {
	f := fixture(t, "locked", map[string]string{"a.sql": notes})
	f.Do(dysnomia.Activate, dysnomia.Snapshot)
	execute(t, "INSERT INTO locked.notes (text) VALUES ('kept')")
	session, err := server.Pool(t).Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer session.Close()
	if _, err := session.ExecContext(t.Context(), "LOCK TABLES locked.notes WRITE"); err != nil {
		t.Fatal(err)
	}
	f.Properties["timeout"] = "1"
	fails(t, f, dysnomia.Snapshot, "another session uses a table")
	fails(t, f, dysnomia.Restore, "another session uses a table", "as it was")
	if _, err := session.ExecContext(t.Context(), "UNLOCK TABLES"); err != nil {
		t.Fatal(err)
	}
	expect(t, "kept", "SELECT text FROM locked.notes")
	if got := generations(t, f); len(got) != 1 {
		t.Errorf("generations: %v", got)
	}
	leftovers(t)
}

func TestTwoOperationsOnOneDatabase(t *testing.T) {
	f := fixture(t, "twice", nil)
	f.Properties["timeout"] = "1"
	r := &dysnomia.Request{ComponentName: "twice", Container: "c", Properties: properties(), Environment: os.Environ()}
	err := with(t.Context(), r, func(*database) error {
		fails(t, f, dysnomia.Activate, "another operation")
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	f.Properties["timeout"] = "600" // the server may take a moment to let go
	f.Do(dysnomia.Activate)
}

// tools puts scripts in front of the programs, in PATH.
func tools(t *testing.T, f *plugintest.Fixture, scripts map[string]string) {
	t.Helper()
	dir := t.TempDir()
	for name, script := range scripts {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\n"+script), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	f.Properties["PATH"] = dir + ":" + os.Getenv("PATH")
}

func TestProgramsThatFail(t *testing.T) {
	for name, c := range map[string]struct {
		program, script string
		op              dysnomia.Operation
		want            string
	}{
		"the dump is killed":             {"mariadb-dump", "/usr/bin/mariadb-dump \"$@\" | head -n 3; kill -9 $$", dysnomia.Snapshot, "killed"},
		"the dump fails":                 {"mariadb-dump", "echo half; echo why >&2; exit 2", dysnomia.Snapshot, "why"},
		"the dump is empty":              {"mariadb-dump", "exit 0", dysnomia.Snapshot, "printed nothing"},
		"the client is killed":           {"mariadb", "kill -9 $$", dysnomia.Restore, "killed"},
		"the client stops reading":       {"mariadb", "exit 3", dysnomia.Restore, "exit status 3"},
		"the decompression is killed":    {"xz", "kill -9 $$", dysnomia.Restore, "killed"},
		"the dump of programs is killed": {"mariadb-dump", "kill -9 $$", dysnomia.Restore, "killed"},
	} {
		t.Run(name, func(t *testing.T) {
			f := fixture(t, "failing", map[string]string{"a.sql": notes + "CREATE VIEW v AS SELECT * FROM notes;"})
			f.Do(dysnomia.Activate, dysnomia.Snapshot)
			execute(t, "INSERT INTO failing.notes (text) VALUES ('kept')")
			tools(t, f, map[string]string{c.program: c.script})
			fails(t, f, c.op, c.want)
			expect(t, "kept", "SELECT text FROM failing.v")
			if got := generations(t, f); len(got) != 1 {
				t.Errorf("generations: %v", got)
			}
			leftovers(t)
			nothingHalfDone(t, f)
		})
	}
}

// TestCompressionIsKilled kills it while the dump goes on: nobody waits for the
// compression then, who could do without it.
func TestCompressionIsKilled(t *testing.T) {
	f := fixture(t, "failing", map[string]string{"a.sql": notes})
	f.Do(dysnomia.Activate, dysnomia.Snapshot)
	begun := filepath.Join(t.TempDir(), "begun")
	tools(t, f, map[string]string{
		"xz": "echo $$ >> '" + begun + "'; kill -9 $$",
		"mariadb-dump": "head -c 5000000 /dev/zero; until read -r pid < '" + begun + `'; do sleep 0.01; done 2> /dev/null
			while kill -0 "$pid"; do sleep 0.01; done 2> /dev/null`,
	})
	fails(t, f, dysnomia.Snapshot, "killed")
	if got := generations(t, f); len(got) != 1 {
		t.Errorf("generations: %v", got)
	}
	nothingHalfDone(t, f)
}

// nothingHalfDone checks that the state directory has no temporary files.
func nothingHalfDone(t *testing.T, f *plugintest.Fixture) {
	t.Helper()
	err := filepath.WalkDir(f.State.Dir, func(path string, _ os.DirEntry, err error) error {
		if strings.Contains(path, "/snapshot-") {
			t.Errorf("left over: %s", path)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

func TestDiskIsFullDuringDump(t *testing.T) {
	f := fixture(t, "full", map[string]string{"a.sql": notes + "INSERT INTO notes (text) SELECT md5(rand()) FROM seq_1_to_60000;"})
	f.Do(dysnomia.Activate)
	if err := os.MkdirAll(f.State.Dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("tmpfs", f.State.Dir, "tmpfs", 0, "size=64k"); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := syscall.Unmount(f.State.Dir, 0); err != nil {
			t.Error(err)
		}
	}()
	if err := fails(t, f, dysnomia.Snapshot, "no space left"); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("error: %v", err)
	}
	if got := generations(t, f); len(got) != 0 {
		t.Errorf("generations: %v", got)
	}
	nothingHalfDone(t, f)
}

func TestInterruptedOperations(t *testing.T) {
	stop := errors.New("stop")
	for _, op := range []dysnomia.Operation{dysnomia.Activate, dysnomia.Snapshot, dysnomia.Restore} {
		t.Run(string(op), func(t *testing.T) {
			f := fixture(t, "interrupted", map[string]string{"a.sql": notes})
			if op != dysnomia.Activate {
				f.Do(dysnomia.Activate, dysnomia.Snapshot)
				execute(t, "INSERT INTO interrupted.notes (text) VALUES ('kept')")
			}
			reached := filepath.Join(t.TempDir(), "reached")
			if err := syscall.Mkfifo(reached, 0o600); err != nil {
				t.Fatal(err)
			}
			slow := fmt.Sprintf("echo > '%s'; exec sleep 600", reached)
			tools(t, f, map[string]string{"mariadb": slow, "mariadb-dump": slow})
			ctx, cancel := context.WithCancelCause(t.Context())
			go func() {
				_, err := os.ReadFile(reached)
				cancel(errors.Join(stop, err))
			}()
			if err := f.Run(ctx, op); !errors.Is(err, stop) {
				t.Errorf("error: %v", err)
			}
			if op == dysnomia.Activate {
				f.Expect("")
				if exists(t, "interrupted") {
					t.Error("half a database has stayed")
				}
				return
			}
			expect(t, "kept", "SELECT text FROM interrupted.notes")
			leftovers(t)
		})
	}
}

// TestPasswordIsPrivate looks at everything that others could see of the
// programs.
func TestPasswordIsPrivate(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir()) // without the files of others
	f := fixture(t, "private", map[string]string{"a.sql": notes})
	seen := filepath.Join(t.TempDir(), "seen")
	script := `{ tr '\0' ' ' < /proc/$$/cmdline; env; for a in "$@"; do case $a in --defaults-file=*)
		f=${a#*=}; stat -c '%a' "$f"; stat -c 'dir %a' "$(dirname "$f")"; esac; done; } >> '` + seen + `'
		exec /usr/bin/$(basename "$0") "$@"`
	tools(t, f, map[string]string{"mariadb": script, "mariadb-dump": script})
	f.Do(dysnomia.Activate, dysnomia.Snapshot, dysnomia.Restore)
	content, err := os.ReadFile(seen)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(content), mariadbtest.Root) || strings.Contains(string(content), "mysqlPassword") {
		t.Errorf("the password is visible: %s", content)
	}
	if !strings.Contains(string(content), "\n600\ndir 700\n") {
		t.Errorf("the file with the password is not private: %s", content)
	}
	if left, _ := filepath.Glob(filepath.Join(os.TempDir(), "dysnomia-*", "client.cnf")); left != nil {
		t.Errorf("left over: %v", left)
	}
}

func TestSeveralServers(t *testing.T) {
	second, err := mariadbtest.New()
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := second.Remove(); err != nil {
			t.Error(err)
		}
	}()
	one, two := component(t, "shared-name", map[string]string{"a.sql": notes}), component(t, "shared-name", nil)
	two.Container = "mysql-database-secondary"
	delete(two.Properties, "mysqlSocket")
	two.Properties["mysqlPort"] = strconv.Itoa(second.Port)
	f, g := plugintest.NewFixture(t, config, one), plugintest.NewFixture(t, config, two)
	f.Do(dysnomia.Activate)
	g.Do(dysnomia.Activate)
	if _, err := os.Stat(filepath.Join(second.Data, "shared@002dname")); err != nil {
		t.Errorf("it is not on the second server: %v", err)
	}
	expect(t, "notes", "SHOW TABLES FROM `shared-name`")
	g.Do(dysnomia.Snapshot, dysnomia.Restore, dysnomia.Deactivate, dysnomia.CollectGarbage)
	expect(t, "notes", "SHOW TABLES FROM `shared-name`")
}

func TestProperties(t *testing.T) {
	for name, c := range map[string]struct{ property, value string }{
		"port":    {"mysqlPort", "mysql"},
		"no port": {"mysqlPort", "0"},
		"timeout": {"timeout", "long"},
	} {
		t.Run(name, func(t *testing.T) {
			f := fixture(t, "properties", nil)
			delete(f.Properties, "mysqlSocket")
			f.Properties[c.property] = c.value
			fails(t, f, dysnomia.Activate, c.property, c.value, `"mysql-database"`)
		})
	}
}

func TestShellHelp(t *testing.T) {
	f := fixture(t, "sh'ell", map[string]string{"a.sql": notes})
	f.Do(dysnomia.Activate)
	help := Plugin{}.ShellHelp(&dysnomia.Request{ComponentName: "sh'ell", Properties: f.Properties})
	if strings.Contains(help, mariadbtest.Root) {
		t.Errorf("the password is in the help: %s", help)
	}
	_, command, _ := strings.Cut(help, "\n\n")
	command, _, _ = strings.Cut(command, "\n")
	cmd := osexec.Command("sh", "-c", command+" -e 'SHOW TABLES'")
	cmd.Env = append(os.Environ(), "mysqlUsername=root", "mysqlPassword="+mariadbtest.Root)
	if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), "notes") {
		t.Errorf("%s: %v: %s", command, err, out)
	}
}
