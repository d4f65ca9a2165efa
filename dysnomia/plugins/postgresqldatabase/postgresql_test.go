package postgresqldatabase

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/disnix-go/disnix/dysnomia"
	"github.com/disnix-go/disnix/dysnomia/plugintest"
	"github.com/disnix-go/disnix/test/postgresqltest"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// server is shared by the tests of this package, each of which uses databases
// of its own.
var server *postgresqltest.Server

func TestMain(m *testing.M) {
	code, err := run(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func run(m *testing.M) (code int, err error) {
	server, err = postgresqltest.New()
	if err != nil {
		return 1, err
	}
	defer func() { err = errors.Join(err, server.Remove()) }()
	return m.Run(), nil
}

var config = plugintest.Config{Type: "postgresql-database", Plugin: Plugin{}, Readable: true}

// properties are those of a container for the shared server.
func properties() map[string]string {
	return map[string]string{"postgresqlRuntimeDir": server.Dir, "postgresqlPort": strconv.Itoa(postgresqltest.Port), "timeout": "600"}
}

// component makes a component with a database of its own name.
func component(t *testing.T, name string, schema map[string]string) plugintest.Component {
	t.Helper()
	files := map[string]string{}
	for file, content := range schema {
		files["postgresql-databases/"+file] = content
	}
	c := plugintest.NewComponent(t, "postgresql-database", properties(), files)
	path := filepath.Join(filepath.Dir(c.Path), name)
	if err := os.Rename(c.Path, path); err != nil {
		t.Fatal(err)
	}
	c.Path = path
	t.Cleanup(func() { execute(t, "postgres", "DROP DATABASE IF EXISTS "+quote(name)+" WITH (FORCE)") })
	return c
}

func fixture(t *testing.T, name string, schema map[string]string) *plugintest.Fixture {
	t.Helper()
	return plugintest.NewFixture(t, config, component(t, name, schema))
}

// connect opens a session of the superuser in a database.
func connect(t testing.TB, database string) (*pgx.Conn, error) {
	t.Helper()
	s := settings{runtimeDir: server.Dir, port: postgresqltest.Port, username: "postgres", timeout: time.Minute}
	account, err := s.account()
	if err != nil {
		t.Fatal(err)
	}
	config, err := s.config(account)
	if err != nil {
		t.Fatal(err)
	}
	config.Database = database
	session, err := pgx.ConnectConfig(t.Context(), config)
	if err == nil {
		t.Cleanup(func() { session.Close(t.Context()) })
	}
	return session, err
}

func execute(t testing.TB, database, statements string) {
	t.Helper()
	s := settings{runtimeDir: server.Dir, port: postgresqltest.Port, username: "postgres"}
	account, err := s.account()
	if err != nil {
		t.Fatal(err)
	}
	config, err := s.config(account)
	if err != nil {
		t.Fatal(err)
	}
	config.Database = database
	ctx := t.Context()
	if ctx.Err() != nil { // in a cleanup
		ctx = context.Background()
	}
	session, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		t.Fatal(err)
	}
	defer session.Close(ctx)
	if _, err := session.Exec(ctx, statements); err != nil {
		t.Fatalf("%s: %v", statements, err)
	}
}

// query returns the first column of all rows as text.
func query(t testing.TB, database, statement string) (string, error) {
	t.Helper()
	session, err := connect(t, database)
	if err != nil {
		return "", err
	}
	defer session.Close(t.Context())
	rows, err := session.Query(t.Context(), statement)
	if err != nil {
		return "", err
	}
	list, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (string, error) { return string(row.RawValues()[0]), nil })
	return strings.Join(list, ","), err
}

func expect(t testing.TB, database, want, statement string) {
	t.Helper()
	if got, err := query(t, database, statement); err != nil || got != want {
		t.Errorf("%s: %q, %v, want %q", statement, got, err, want)
	}
}

func exists(t testing.TB, name string) bool {
	t.Helper()
	_, err := connect(t, name)
	var refused *pgconn.PgError
	if err != nil && (!errors.As(err, &refused) || refused.Code != "3D000") {
		t.Fatal(err)
	}
	return err == nil
}

// leftovers checks that no database of an operation has stayed.
func leftovers(t *testing.T) {
	t.Helper()
	expect(t, "postgres", "", "SELECT datname FROM pg_database WHERE datname LIKE 'dysnomia-%'")
}

const notes = "CREATE TABLE notes (id SERIAL PRIMARY KEY, text VARCHAR(100));\n"

const tables = "SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1"

func TestConformance(t *testing.T) {
	full := config
	number := 0
	full.New = func(t *testing.T) plugintest.Component {
		number++
		return component(t, fmt.Sprintf("conformance-%d", number), map[string]string{"schema.sql": notes})
	}
	full.Broken = func(t *testing.T) plugintest.Component {
		return component(t, "broken", map[string]string{"schema.sql": notes + "SELECT nonsense;\n"})
	}
	full.Write = func(t *testing.T, c plugintest.Component, text string) {
		execute(t, filepath.Base(c.Path), "DELETE FROM notes; INSERT INTO notes (id, text) VALUES (1, "+literal(text)+")")
	}
	full.Read = func(t *testing.T, c plugintest.Component) string {
		if !exists(t, filepath.Base(c.Path)) {
			return ""
		}
		text, err := query(t, filepath.Base(c.Path), "SELECT text FROM notes")
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	plugintest.Run(t, full)
	if exists(t, "broken") {
		t.Error("a broken database has stayed")
	}
	leftovers(t)
}

func TestSchema(t *testing.T) {
	t.Run("files are run in order", func(t *testing.T) {
		f := fixture(t, "schema", map[string]string{
			"a.sql": notes + "INSERT INTO notes (text) VALUES ('a')",
			"b.sql": "GRANT CONNECT ON DATABASE schema TO PUBLIC;\nCOPY notes (text) FROM STDIN;\nb\n\\.\n",
			"c.txt": "SELECT nonsense;",
		})
		f.Do(dysnomia.Activate)
		expect(t, "schema", "a,b", "SELECT text FROM notes ORDER BY id")
		if f.Stdout != "" || f.Stderr != "" {
			t.Errorf("it printed %q, %q", f.Stdout, f.Stderr)
		}
	})
	t.Run("a component without a schema has an empty database", func(t *testing.T) {
		f := fixture(t, "empty", nil)
		f.Do(dysnomia.Activate, dysnomia.Snapshot)
		execute(t, "empty", "CREATE TABLE later (x INT)")
		f.Do(dysnomia.Restore)
		expect(t, "empty", "", tables)
	})
	t.Run("a database that exists is adopted as it is", func(t *testing.T) {
		f := fixture(t, "adopted", map[string]string{"a.sql": "SELECT nonsense;"})
		execute(t, "postgres", "CREATE DATABASE adopted")
		execute(t, "adopted", "CREATE TABLE t (x INT)")
		f.Do(dysnomia.Activate)
		expect(t, "adopted", "t", tables)
	})
	t.Run("an initialisation that was killed is done again", func(t *testing.T) {
		f := fixture(t, "killed", map[string]string{"a.sql": notes})
		execute(t, "postgres", "CREATE DATABASE killed")
		execute(t, "postgres", "COMMENT ON DATABASE killed IS "+literal(unfinished))
		execute(t, "killed", "CREATE TABLE half (x INT)")
		f.Do(dysnomia.Activate)
		expect(t, "killed", "notes", tables)
		expect(t, "postgres", "", "SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = 'killed' AND shobj_description(oid, 'pg_database') <> ''")
	})
}

func TestAwkwardNames(t *testing.T) {
	for _, name := range []string{"with-dash", "-leading", `dot.ted "quo'te\`, "Upper sp ace;ünï`%", "dbname=postgres"} {
		t.Run(name, func(t *testing.T) {
			f := fixture(t, name, map[string]string{"a.sql": notes})
			f.Do(dysnomia.Activate)
			execute(t, name, "INSERT INTO notes (text) VALUES ('kept')")
			f.Do(dysnomia.Snapshot)
			execute(t, name, "DELETE FROM notes")
			f.Do(dysnomia.Restore)
			expect(t, name, "kept", "SELECT text FROM notes")
			f.Do(dysnomia.Deactivate, dysnomia.CollectGarbage)
			if exists(t, name) {
				t.Error("it was not dropped")
			}
		})
	}
	leftovers(t)
}
