package postgresqldatabase

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/disnix-go/disnix/dysnomia"
	"github.com/disnix-go/disnix/dysnomia/plugins/await"
	"github.com/disnix-go/disnix/dysnomia/plugintest"
	"github.com/disnix-go/disnix/test/postgresqltest"
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
	if strings.Contains(err.Error()+f.Stdout+f.Stderr, postgresqltest.Password) {
		t.Errorf("the password is in a message: %v", err)
	}
	return err
}

// newServer starts a server that ends with the test.
func newServer(t *testing.T) *postgresqltest.Server {
	t.Helper()
	s, err := postgresqltest.New()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Remove(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func TestServerIsDown(t *testing.T) {
	down := newServer(t)
	c := component(t, "down", map[string]string{"a.sql": notes})
	c.Properties["postgresqlRuntimeDir"], c.Properties["timeout"] = down.Dir, "0"
	f := plugintest.NewFixture(t, config, c)
	if err := down.Stop(); err != nil {
		t.Fatal(err)
	}
	for _, op := range []dysnomia.Operation{dysnomia.Activate, dysnomia.Snapshot} {
		var late *await.TimeoutError
		if err := fails(t, f, op, down.Dir+"/.s.PGSQL.5433", "database server"); !errors.As(err, &late) {
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
		fails(t, f, dysnomia.Restore, down.Dir)
		f.Do(dysnomia.Deactivate)
		fails(t, f, dysnomia.CollectGarbage, down.Dir)
		f.Expect("garbage")
	})
}

func TestPasswords(t *testing.T) {
	f := fixture(t, "login", map[string]string{"a.sql": notes})
	f.Properties["postgresqlUsername"], f.Properties["postgresqlPassword"] = postgresqltest.Login, postgresqltest.Password
	seen := filepath.Join(t.TempDir(), "seen")
	script := `tr '\0' ' ' < /proc/$$/cmdline >> '` + seen + "'\nenv >> '" + seen + "'\n" + `exec /usr/bin/$(basename "$0") "$@"`
	tools(t, f, map[string]string{"psql": script, "pg_dump": script})
	f.Do(dysnomia.Activate, dysnomia.Snapshot, dysnomia.Restore)
	content, err := os.ReadFile(seen)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(content)) {
		if strings.Contains(line, postgresqltest.Password) && !strings.HasPrefix(line, "PGPASSWORD=") {
			t.Errorf("the password is visible: %s", line)
		}
	}
	f.Properties["postgresqlPassword"], f.Properties["timeout"] = "wrong", "600" // not waited for
	fails(t, f, dysnomia.Activate, "password authentication failed")
	delete(f.Properties, "postgresqlPassword")
	fails(t, f, dysnomia.Activate, "password")
}

func TestAccountThatIsNotKnown(t *testing.T) {
	f := fixture(t, "denied", nil)
	f.Properties["postgresqlUsername"] = "daemon" // an account of the system only
	fails(t, f, dysnomia.Activate, "daemon")
	f.Expect("")
}

func TestLockedTable(t *testing.T) {
	f := fixture(t, "locked", map[string]string{"a.sql": notes})
	f.Do(dysnomia.Activate)
	session, err := connect(t, "locked")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := session.Exec(t.Context(), "BEGIN; LOCK TABLE notes"); err != nil {
		t.Fatal(err)
	}
	f.Properties["timeout"] = "1"
	fails(t, f, dysnomia.Snapshot, "LOCK TABLE")
	if got := generations(t, f); len(got) != 0 {
		t.Errorf("generations: %v", got)
	}
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

// TestRestoreWhileClientsReconnect has a client that connects again and again.
func TestRestoreWhileClientsReconnect(t *testing.T) {
	f := fixture(t, "busy", map[string]string{"a.sql": notes})
	f.Do(dysnomia.Activate, dysnomia.Snapshot)
	s, err := readSettings(&dysnomia.Request{Properties: properties()})
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups", "sh", "-c",
		`for i in 1 2 3; do (while :; do $0 -d busy -c 'SELECT pg_sleep(600)'; done) & done; wait`, "/usr/lib/postgresql/15/bin/psql")
	cmd.Env = append(s.variables(), "PATH=/usr/bin:/bin")
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		_ = cmd.Wait()
	}()
	for range 3 {
		f.Do(dysnomia.Restore)
	}
	leftovers(t)
}

// tools puts scripts in front of the programs, in PATH.
func tools(t *testing.T, f *plugintest.Fixture, scripts map[string]string) {
	t.Helper()
	dir, err := os.MkdirTemp("", "tools-") // the account of the server needs them
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
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
		"the dump is killed":          {"pg_dump", "/usr/bin/pg_dump \"$@\" | head -n 3; kill -9 $$", dysnomia.Snapshot, "killed"},
		"the dump fails":              {"pg_dump", "echo half; echo why >&2; exit 2", dysnomia.Snapshot, "why"},
		"the dump is empty":           {"pg_dump", "exit 0", dysnomia.Snapshot, "printed nothing"},
		"the compression is killed":   {"xz", "kill -9 $$", dysnomia.Snapshot, "killed"},
		"the client is killed":        {"psql", "kill -9 $$", dysnomia.Restore, "killed"},
		"the client stops reading":    {"psql", "exit 3", dysnomia.Restore, "exit status 3"},
		"the decompression is killed": {"xz", "kill -9 $$", dysnomia.Restore, "killed"},
	} {
		t.Run(name, func(t *testing.T) {
			f := fixture(t, "failing", map[string]string{"a.sql": notes})
			f.Do(dysnomia.Activate, dysnomia.Snapshot)
			execute(t, "failing", "INSERT INTO notes (text) VALUES ('kept')")
			tools(t, f, map[string]string{c.program: c.script})
			fails(t, f, c.op, c.want)
			expect(t, "failing", "kept", "SELECT text FROM notes")
			if got := generations(t, f); len(got) != 1 {
				t.Errorf("generations: %v", got)
			}
			leftovers(t)
		})
	}
}

func TestDiskIsFullDuringDump(t *testing.T) {
	f := fixture(t, "full", map[string]string{"a.sql": notes + "INSERT INTO notes (text) SELECT md5(random()::text) FROM generate_series(1, 60000);"})
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
}

func TestInterruptedOperations(t *testing.T) {
	stop := errors.New("stop")
	for _, op := range []dysnomia.Operation{dysnomia.Activate, dysnomia.Snapshot, dysnomia.Restore} {
		t.Run(string(op), func(t *testing.T) {
			f := fixture(t, "interrupted", map[string]string{"a.sql": notes})
			if op != dysnomia.Activate {
				f.Do(dysnomia.Activate, dysnomia.Snapshot)
				execute(t, "interrupted", "INSERT INTO notes (text) VALUES ('kept')")
			}
			dir, err := os.MkdirTemp("", "reached-")
			if err != nil {
				t.Fatal(err)
			}
			defer os.RemoveAll(dir)
			reached := filepath.Join(dir, "pipe")
			if err := errors.Join(os.Chmod(dir, 0o755), syscall.Mkfifo(reached, 0o600), os.Chmod(reached, 0o666)); err != nil {
				t.Fatal(err)
			}
			slow := fmt.Sprintf("echo > '%s'; exec sleep 600", reached)
			tools(t, f, map[string]string{"psql": slow, "pg_dump": slow})
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
			expect(t, "interrupted", "kept", "SELECT text FROM notes")
			leftovers(t)
		})
	}
}

func TestProperties(t *testing.T) {
	for name, c := range map[string]struct{ property, value string }{
		"port":      {"postgresqlPort", "postgres"},
		"no port":   {"postgresqlPort", "0"},
		"timeout":   {"timeout", "long"},
		"directory": {"postgresqlRuntimeDir", "run"},
	} {
		t.Run(name, func(t *testing.T) {
			f := fixture(t, "properties", nil)
			f.Properties[c.property] = c.value
			fails(t, f, dysnomia.Activate, c.property, c.value, `"postgresql-database"`)
		})
	}
}

func TestShellHelp(t *testing.T) {
	f := fixture(t, "sh'ell", map[string]string{"a.sql": notes})
	f.Properties["postgresqlUsername"], f.Properties["postgresqlPassword"] = postgresqltest.Login, postgresqltest.Password
	f.Do(dysnomia.Activate)
	help := Plugin{}.ShellHelp(&dysnomia.Request{ComponentName: "sh'ell", Properties: f.Properties})
	if strings.Contains(help, postgresqltest.Password) {
		t.Errorf("the password is in the help: %s", help)
	}
	_, command, _ := strings.Cut(help, "\n\n")
	command, _, _ = strings.Cut(command, "\n")
	cmd := exec.Command("sh", "-c", command+" -c '\\dt'")
	cmd.Env = append(os.Environ(), "postgresqlPassword="+postgresqltest.Password)
	if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), "notes") {
		t.Errorf("%s: %v: %s", command, err, out)
	}
}

func TestRoughEdge_modules19(t *testing.T) {
	t.Run("modules 19: a name is not found in a longer one", func(t *testing.T) {
		execute(t, "postgres", `CREATE DATABASE "foo-bar"`)
		t.Cleanup(func() { execute(t, "postgres", `DROP DATABASE "foo-bar"`) })
		f := fixture(t, "foo", nil)
		f.Do(dysnomia.Activate)
		if !exists(t, "foo") {
			t.Error("it was not created")
		}
	})
	t.Run("modules 19: an error in the schema fails the activation, and nothing stays", func(t *testing.T) {
		f := fixture(t, "half", map[string]string{"a.sql": notes, "b.sql": "SELECT 1;\nINSERT INTO nowhere VALUES (1);\n"})
		fails(t, f, dysnomia.Activate, "b.sql", ":2:", "nowhere")
		f.Expect("")
		if exists(t, "half") {
			t.Error("half a database has stayed")
		}
	})
	t.Run("modules 19: several files of a schema", func(t *testing.T) {
		f := fixture(t, "several", map[string]string{"a.sql": notes, "b.sql": "CREATE TABLE z (x INT);"})
		f.Do(dysnomia.Activate)
		expect(t, "several", "notes,z", tables)
	})
	t.Run("modules 19: a random token makes no new snapshot", func(t *testing.T) {
		f := fixture(t, "token", map[string]string{"a.sql": notes})
		f.Do(dysnomia.Activate, dysnomia.Snapshot, dysnomia.Snapshot)
		if got := generations(t, f); len(got) != 1 {
			t.Errorf("generations: %v", got)
		}
	})
	t.Run("modules 19: a snapshot of a missing database fails", func(t *testing.T) {
		f := fixture(t, "missing", nil)
		fails(t, f, dysnomia.Snapshot, "activate the component first")
		if got := generations(t, f); len(got) != 0 {
			t.Errorf("generations: %v", got)
		}
	})
	t.Run("modules 19: open connections hinder no restore, a missing database neither", func(t *testing.T) {
		f := fixture(t, "open", map[string]string{"a.sql": notes})
		f.Do(dysnomia.Activate, dysnomia.Snapshot)
		if _, err := connect(t, "open"); err != nil {
			t.Fatal(err)
		}
		f.Do(dysnomia.Restore, dysnomia.Deactivate, dysnomia.CollectGarbage, dysnomia.Restore)
		expect(t, "open", "notes", tables)
	})
	t.Run("modules 19: the account is postgres by default", func(t *testing.T) {
		f := fixture(t, "default", nil)
		f.Do(dysnomia.Activate)
		expect(t, "default", "postgres", "SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = 'default'")
	})
	t.Run("modules 19: the account need not read the component or the snapshot", func(t *testing.T) {
		f := fixture(t, "unreadable", map[string]string{"a.sql": notes})
		if err := errors.Join(os.Chmod(f.Path, 0o700), os.MkdirAll(f.State.Dir, 0o700)); err != nil {
			t.Fatal(err)
		}
		f.Do(dysnomia.Activate, dysnomia.Snapshot, dysnomia.Restore)
	})
}

func TestRoughEdge_modules29(t *testing.T) {
	t.Run("modules 29, item 10: the port reaches the clients", func(t *testing.T) {
		second := newServer(t)
		one, two := component(t, "two-servers", map[string]string{"a.sql": notes}), component(t, "two-servers", nil)
		two.Container = "postgresql-database-secondary"
		two.Properties["postgresqlRuntimeDir"] = second.Dir
		f, g := plugintest.NewFixture(t, config, one), plugintest.NewFixture(t, config, two)
		f.Do(dysnomia.Activate)
		g.Do(dysnomia.Activate, dysnomia.Snapshot, dysnomia.Restore, dysnomia.Deactivate, dysnomia.CollectGarbage)
		expect(t, "two-servers", "notes", tables)
	})
	t.Run("modules 29, item 12: deactivating what was never activated succeeds", func(t *testing.T) {
		f := fixture(t, "never", nil)
		f.Do(dysnomia.Deactivate)
		f.Expect("")
	})
	// Items 5 and 9 are among those of section 19; item 6, a dump that fails,
	// is TestProgramsThatFail; item 7, a restore that is complete or not done
	// at all, is TestRestoreOfWhatDoesNotFit; item 8 is TestPasswords; item
	// 13, names that are not quoted, is TestAwkwardNames.
}
