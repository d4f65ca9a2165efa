package postgresqldatabase

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/disnix-go/disnix/dysnomia"
	"github.com/disnix-go/disnix/dysnomia/plugintest"
)

// everything is a schema with all that a database can have.
const everything = `
CREATE SCHEMA other;
CREATE TYPE colour AS ENUM ('red', 'blue');
CREATE TABLE room (id SERIAL PRIMARY KEY, name TEXT UNIQUE, plan BYTEA, paint colour);
CREATE TABLE other.staff (id SERIAL, room INT REFERENCES room (id));
INSERT INTO room (name, plan, paint) VALUES (E'Zürich 😀\r\nestrict', '\x00ff275c0a', 'red'), ('b', NULL, 'blue');
INSERT INTO other.staff (room) VALUES (1), (2);
CREATE FUNCTION twice(x INT) RETURNS INT AS $$ BEGIN RETURN 2 * x; END $$ LANGUAGE plpgsql;
CREATE FUNCTION hire() RETURNS TRIGGER AS $$ BEGIN NEW.room := 1; RETURN NEW; END $$ LANGUAGE plpgsql;
CREATE TRIGGER hired BEFORE INSERT ON other.staff FOR EACH ROW EXECUTE FUNCTION hire();
CREATE VIEW a AS SELECT twice(id) AS double_id, name FROM room;
CREATE MATERIALIZED VIEW m AS SELECT count(*) FROM room;
SELECT lo_from_bytea(4711, '\x1234');
`

func expectEverything(t *testing.T, name string) {
	t.Helper()
	expect(t, name, "Zürich 😀\r\nestrict,b", "SELECT name FROM a ORDER BY double_id")
	expect(t, name, `\x00ff275c0a`, "SELECT plan FROM room WHERE id = 1")
	expect(t, name, "1,2", "SELECT room FROM other.staff ORDER BY id")
	expect(t, name, "2", "SELECT count FROM m")
	expect(t, name, `\x1234`, "SELECT lo_get(4711)")
	expect(t, name, "hired", "SELECT tgname FROM pg_trigger WHERE NOT tgisinternal")
	expect(t, name, "room", tables)
}

func generations(t *testing.T, f *plugintest.Fixture) []string {
	t.Helper()
	history, err := f.State.QueryAll(f.Container, f.Name())
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, g := range history {
		ids = append(ids, g.ID)
	}
	return ids
}

func TestRestoreIsExact(t *testing.T) {
	f := fixture(t, "exact", map[string]string{"a.sql": everything})
	f.Do(dysnomia.Activate)
	execute(t, "postgres", `CREATE ROLE "reader-1" NOLOGIN; ALTER DATABASE exact SET search_path TO "$user", public, other;
		ALTER DATABASE exact SET work_mem TO '5MB'; ALTER ROLE "reader-1" IN DATABASE exact SET "my.setting" TO 'it''s';
		REVOKE ALL ON DATABASE exact FROM PUBLIC; GRANT CONNECT ON DATABASE exact TO "reader-1" WITH GRANT OPTION;
		COMMENT ON DATABASE exact IS 'it''s ours'; ALTER DATABASE exact CONNECTION LIMIT 42`)
	t.Cleanup(func() {
		execute(t, "exact", `DROP OWNED BY "reader-1"`)
		execute(t, "postgres", `ALTER ROLE "reader-1" IN DATABASE exact RESET ALL; DROP ROLE "reader-1"`)
	})
	const setting = `SELECT concat_ws(' ', datacl, datconnlimit, shobj_description(oid, 'pg_database'), array(SELECT setconfig::text FROM pg_db_role_setting WHERE setdatabase = oid ORDER BY setrole))
		FROM pg_database WHERE datname = 'exact'`
	before, err := query(t, "postgres", setting)
	if err != nil {
		t.Fatal(err)
	}
	f.Do(dysnomia.Snapshot)
	session, err := connect(t, "exact") // in the way
	if err != nil {
		t.Fatal(err)
	}
	execute(t, "exact", "DROP TRIGGER hired ON other.staff; DELETE FROM other.staff; CREATE TABLE later (x INT); SELECT lo_unlink(4711)")
	f.Do(dysnomia.Restore)
	if session.Ping(t.Context()) == nil {
		t.Error("a session goes on in the former database")
	}
	expectEverything(t, "exact")
	expect(t, "postgres", before, setting)
	leftovers(t)
	f.Do(dysnomia.Snapshot)
	if got := generations(t, f); len(got) != 1 {
		t.Errorf("equal content has several snapshots: %v", got)
	}
	f.Do(dysnomia.Deactivate, dysnomia.CollectGarbage, dysnomia.Restore) // also without a database
	expectEverything(t, "exact")
	execute(t, "postgres", `GRANT CONNECT ON DATABASE exact TO "reader-1"`)
}

func TestSnapshotsAreThoseOfTheOriginal(t *testing.T) {
	f := fixture(t, "common", map[string]string{"a.sql": everything})
	f.Do(dysnomia.Activate, dysnomia.Snapshot)
	path, err := f.State.LatestSnapshot(f.Container, f.Name())
	if err != nil {
		t.Fatal(err)
	}
	t.Run("its commands read ours", func(t *testing.T) {
		execute(t, "postgres", "DROP DATABASE common")
		execute(t, "postgres", "CREATE DATABASE common")
		original(t, `xzcat "$1" | psql --file - common`, filepath.Join(path, dumpFile))
		expectEverything(t, "common")
	})
	t.Run("ours reads those of its commands", func(t *testing.T) {
		dir := filepath.Join(t.TempDir(), "0123abcd")
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		original(t, `pg_dump common | xz > "$1"`, filepath.Join(dir, dumpFile))
		if err := f.State.Import(t.Context(), f.Container, f.Name(), dir); err != nil {
			t.Fatal(err)
		}
		execute(t, "common", "DROP TABLE other.staff; CREATE TABLE later (x INT)")
		f.Do(dysnomia.Restore)
		expectEverything(t, "common")
	})
}

// original runs a pipeline as the original's module does.
func original(t *testing.T, script, file string) {
	t.Helper()
	s, err := readSettings(&dysnomia.Request{Properties: properties()})
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(context.Background(), "setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups",
		"bash", "-euo", "pipefail", "-c", strings.ReplaceAll(script, `> "$1"`, ">&3"), "bash", "/dev/fd/3")
	out, err := os.OpenFile(file, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	cmd.ExtraFiles = []*os.File{out}
	if strings.Contains(script, "xzcat") {
		cmd.Args[len(cmd.Args)-1] = "-"
		cmd.Stdin = out
	}
	cmd.Env = append(s.variables(), "PATH=/usr/bin:/bin")
	cmd.Dir = "/"
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
}

func TestRestoreOfWhatDoesNotFit(t *testing.T) {
	dumpOf := func(t *testing.T, statements string) []byte {
		t.Helper()
		cmd := exec.Command("xz", "-c")
		cmd.Stdin = strings.NewReader(statements)
		out, err := cmd.Output()
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	whole := dumpOf(t, notes+strings.Repeat("INSERT INTO notes (text) VALUES ('snapshot');\n", 100))
	for name, c := range map[string]struct {
		file []byte
		want string
	}{
		"cut off":                 {whole[:len(whole)-30], "xz"},
		"not xz":                  {[]byte("SELECT 1;\n"), "xz"},
		"wrong statement":         {dumpOf(t, notes+"INSERT INTO nowhere VALUES (1);\n"), "nowhere"},
		"a role that is not here": {dumpOf(t, notes+"ALTER TABLE notes OWNER TO stranger;\n"), "stranger"},
		"half written: a directory without a dump": {nil, dumpFile},
	} {
		t.Run(name, func(t *testing.T) {
			f := fixture(t, "doesnotfit", map[string]string{"a.sql": notes})
			f.Do(dysnomia.Activate)
			execute(t, "doesnotfit", "INSERT INTO notes (text) VALUES ('present')")
			dir := filepath.Join(t.TempDir(), "0123abcd")
			if err := os.Mkdir(dir, 0o755); err != nil {
				t.Fatal(err)
			}
			if c.file != nil {
				if err := os.WriteFile(filepath.Join(dir, dumpFile), c.file, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if err := f.State.Import(t.Context(), f.Container, f.Name(), dir); err != nil {
				t.Fatal(err)
			}
			err := f.Run(t.Context(), dysnomia.Restore)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error: %v", err)
			}
			expect(t, "doesnotfit", "present", "SELECT text FROM notes")
			leftovers(t)
		})
	}
}
