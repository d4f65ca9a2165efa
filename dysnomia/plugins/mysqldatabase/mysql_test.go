package mysqldatabase

import (
	"database/sql"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/disnix-go/disnix/dysnomia"
	"github.com/disnix-go/disnix/dysnomia/plugintest"
	"github.com/disnix-go/disnix/test/mariadbtest"
	"github.com/go-sql-driver/mysql"
)

// server is shared by the tests of this package, each of which uses databases
// of its own.
var server *mariadbtest.Server

func TestMain(m *testing.M) {
	code, err := run(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func run(m *testing.M) (code int, err error) {
	server, err = mariadbtest.New("--innodb-flush-log-at-trx-commit=0", "--event-scheduler=ON")
	if err != nil {
		return 1, err
	}
	defer func() { err = errors.Join(err, server.Remove()) }()
	return m.Run(), nil
}

var config = plugintest.Config{Type: "mysql-database", Plugin: Plugin{}}

// properties are those of a container for the shared server.
func properties() map[string]string {
	return map[string]string{"mysqlUsername": "root", "mysqlPassword": mariadbtest.Root, "mysqlSocket": server.Socket, "timeout": "600"}
}

// component makes a component with a database of its own name. Its directory
// is called so, too.
func component(t *testing.T, name string, schema map[string]string) plugintest.Component {
	t.Helper()
	files := map[string]string{}
	for file, content := range schema {
		files["mysql-databases/"+file] = content
	}
	c := plugintest.NewComponent(t, "mysql-database", properties(), files)
	path := strings.TrimSuffix(c.Path, "component") + name
	if err := os.Rename(c.Path, path); err != nil {
		t.Fatal(err)
	}
	c.Path = path
	pool := server.Pool(t)
	t.Cleanup(func() {
		if _, err := pool.Exec("SET foreign_key_checks = 0; DROP DATABASE IF EXISTS " + quote(name)); err != nil {
			t.Error(err)
		}
	})
	return c
}

func fixture(t *testing.T, name string, schema map[string]string) *plugintest.Fixture {
	t.Helper()
	return plugintest.NewFixture(t, config, component(t, name, schema))
}

// query returns the first column of all rows, or the error of the server.
func query(t *testing.T, statement string, args ...any) (string, error) {
	t.Helper()
	rows, err := server.Pool(t).Query(statement, args...)
	if err != nil {
		return "", err
	}
	defer rows.Close()
	var list []string
	for rows.Next() {
		var text sql.NullString
		if err := rows.Scan(&text); err != nil {
			t.Fatal(err)
		}
		list = append(list, text.String)
	}
	return strings.Join(list, ","), rows.Err()
}

func execute(t *testing.T, statement string) {
	t.Helper()
	if _, err := server.Pool(t).Exec(statement); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}

func expect(t *testing.T, want, statement string, args ...any) {
	t.Helper()
	if got, err := query(t, statement, args...); err != nil || got != want {
		t.Errorf("%s: %q, %v, want %q", statement, got, err, want)
	}
}

func exists(t *testing.T, name string) bool {
	t.Helper()
	_, err := query(t, "SHOW TABLES FROM "+quote(name))
	var refused *mysql.MySQLError
	if err != nil && (!errors.As(err, &refused) || refused.Number != 1049) {
		t.Fatal(err)
	}
	return err == nil
}

// leftovers checks that no database of an operation has stayed.
func leftovers(t *testing.T) {
	t.Helper()
	expect(t, "", "SELECT schema_name FROM information_schema.schemata WHERE schema_name LIKE 'dysnomia-%'")
}

const notes = "CREATE TABLE notes (id INT PRIMARY KEY AUTO_INCREMENT, text VARCHAR(100));\n"

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
		table := quote(c.Path[strings.LastIndexByte(c.Path, '/')+1:]) + ".notes"
		execute(t, "DELETE FROM "+table)
		if _, err := server.Pool(t).Exec("INSERT INTO "+table+" (text) VALUES (?)", text); err != nil {
			t.Fatal(err)
		}
	}
	full.Read = func(t *testing.T, c plugintest.Component) string {
		name := c.Path[strings.LastIndexByte(c.Path, '/')+1:]
		if !exists(t, name) {
			return ""
		}
		text, err := query(t, "SELECT text FROM "+quote(name)+".notes")
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	plugintest.Run(t, full)
	leftovers(t)
}

func TestSchema(t *testing.T) {
	t.Run("files are run in order, with everything that the client understands", func(t *testing.T) {
		f := fixture(t, "schema", map[string]string{
			"a.sql": notes + "INSERT INTO notes (text) VALUES ('a')", // no end of the statement, nor of the line
			"b.sql": "INSERT INTO schema.notes (text) VALUES ('b');\nDELIMITER //\nCREATE PROCEDURE p() BEGIN SELECT 1; END//\n",
			"c.txt": "SELECT nonsense;",
		})
		f.Do(dysnomia.Activate)
		expect(t, "a,b", "SELECT text FROM `schema`.notes ORDER BY id")
		expect(t, "p", "SELECT routine_name FROM information_schema.routines WHERE routine_schema = 'schema'")
	})
	t.Run("a component without a schema has an empty database", func(t *testing.T) {
		f := fixture(t, "empty", nil)
		f.Do(dysnomia.Activate, dysnomia.Snapshot)
		expect(t, "", "SHOW TABLES FROM empty")
		execute(t, "CREATE TABLE empty.later (x INT)")
		f.Do(dysnomia.Restore)
		expect(t, "", "SHOW TABLES FROM empty")
	})
	t.Run("a database that exists is adopted as it is", func(t *testing.T) {
		f := fixture(t, "adopted", map[string]string{"a.sql": "SELECT nonsense;"})
		execute(t, "CREATE DATABASE adopted; CREATE TABLE adopted.t (x INT)")
		f.Do(dysnomia.Activate)
		expect(t, "t", "SHOW TABLES FROM adopted")
	})
	t.Run("an initialisation that was killed is done again", func(t *testing.T) {
		f := fixture(t, "killed", map[string]string{"a.sql": notes})
		r := &dysnomia.Request{ComponentName: "killed", Container: "c", Properties: properties(), Environment: os.Environ()}
		err := with(t.Context(), r, func(d *database) error {
			return errors.Join(d.create(t.Context(), d.unfinished), d.create(t.Context(), "killed"))
		})
		if err != nil {
			t.Fatal(err)
		}
		execute(t, "CREATE TABLE killed.half (x INT)")
		f.Do(dysnomia.Activate)
		expect(t, "notes", "SHOW TABLES FROM killed")
		leftovers(t)
	})
}

func TestAwkwardNames(t *testing.T) {
	for _, name := range []string{"with-dash", "-leading", "dot.ted", "quo'te", `dou"ble`, "back`tick", "per%cent", "under_score", "sp ace", "semi;colon", "ünï", `back\slash`} {
		t.Run(name, func(t *testing.T) {
			f := fixture(t, name, map[string]string{"a.sql": notes + "CREATE VIEW v AS SELECT text FROM notes;\n"})
			f.Do(dysnomia.Activate)
			execute(t, "INSERT INTO "+quote(name)+".notes (text) VALUES ('kept')")
			f.Do(dysnomia.Snapshot)
			execute(t, "DELETE FROM "+quote(name)+".notes")
			f.Do(dysnomia.Restore)
			expect(t, "kept", "SELECT text FROM "+quote(name)+".v")
			f.Do(dysnomia.Deactivate, dysnomia.CollectGarbage)
			if exists(t, name) {
				t.Error("it was not dropped")
			}
		})
	}
	leftovers(t)
}
