package mysqldatabase

import (
	"bytes"
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
CREATE TABLE room (id INT PRIMARY KEY, name VARCHAR(50) CHARACTER SET utf8mb4, plan BLOB) ENGINE=InnoDB;
CREATE TABLE staff (id INT PRIMARY KEY AUTO_INCREMENT, room INT, CONSTRAINT lives FOREIGN KEY (room) REFERENCES room (id)) ENGINE=InnoDB;
CREATE TABLE log (line TEXT) ENGINE=MyISAM;
CREATE SEQUENCE numbers START WITH 7;
INSERT INTO room VALUES (1, 'Zürich 😀', x'00ff275c0a'), (2, 'b', NULL);
INSERT INTO staff (room) VALUES (1), (2);
DELIMITER //
CREATE FUNCTION twice(x INT) RETURNS INT DETERMINISTIC BEGIN RETURN 2 * x; END//
CREATE PROCEDURE note(t TEXT) BEGIN INSERT INTO log VALUES (t); END//
CREATE TRIGGER hired AFTER INSERT ON staff FOR EACH ROW BEGIN CALL note('hired'); END//
CREATE EVENT nightly ON SCHEDULE EVERY 1 DAY STARTS '2037-01-01 00:00:00' DO BEGIN CALL note('night'); END//
DELIMITER ;
CREATE VIEW b AS SELECT twice(id) AS double_id, name FROM room;
CREATE VIEW a AS SELECT * FROM b;
`

// programs lists what is not a table.
const programs = `
	SELECT table_name FROM information_schema.tables WHERE table_schema = ? AND table_type = 'VIEW'
	UNION ALL SELECT trigger_name FROM information_schema.triggers WHERE trigger_schema = ?
	UNION ALL SELECT routine_name FROM information_schema.routines WHERE routine_schema = ?
	UNION ALL SELECT event_name FROM information_schema.events WHERE event_schema = ? ORDER BY 1`

func expectEverything(t *testing.T, name string) {
	t.Helper()
	expect(t, "a,b,hired,nightly,note,twice", programs, name, name, name, name)
	expect(t, "Zürich 😀,b", "SELECT name FROM "+name+".a ORDER BY double_id")
	expect(t, "00FF275C0A", "SELECT HEX(plan) FROM "+name+".room WHERE id = 1")
	expect(t, "1,2", "SELECT room FROM "+name+".staff ORDER BY id")
	expect(t, "lives", "SELECT constraint_name FROM information_schema.referential_constraints WHERE constraint_schema = ? AND unique_constraint_schema = ?", name, name)
	expect(t, "7", "SELECT nextval("+name+".numbers)")
}

func TestRestoreIsExact(t *testing.T) {
	f := fixture(t, "exact", map[string]string{"a.sql": everything})
	f.Do(dysnomia.Activate, dysnomia.Snapshot)
	execute(t, `USE exact; DROP VIEW a; DROP TRIGGER hired; DROP FUNCTION twice; DELETE FROM staff; ALTER TABLE room ADD COLUMN more INT;
		CREATE TABLE later (x INT, CONSTRAINT later_fk FOREIGN KEY (x) REFERENCES room (id)); CREATE VIEW later_view AS SELECT * FROM later;
		CREATE PROCEDURE later_procedure() SELECT 1; CREATE TRIGGER later_trigger BEFORE INSERT ON log FOR EACH ROW SET @x = 1`)
	f.Do(dysnomia.Restore)
	expectEverything(t, "exact")
	expect(t, "log,numbers,room,staff", "SELECT table_name FROM information_schema.tables WHERE table_schema = 'exact' AND table_type <> 'VIEW' ORDER BY 1")
	leftovers(t)
	execute(t, "INSERT INTO exact.staff (room) VALUES (1)")
	expect(t, "hired", "SELECT line FROM exact.log")
	execute(t, "DELETE FROM exact.log; DELETE FROM exact.staff WHERE id > 2; ALTER TABLE exact.staff AUTO_INCREMENT = 3; ALTER SEQUENCE exact.numbers RESTART 7")
	f.Do(dysnomia.Snapshot)
	if history := generations(t, f); len(history) != 1 {
		t.Errorf("equal content has several snapshots: %v", history)
	}
	if _, err := query(t, "SELECT 1 FROM exact.staff; INSERT INTO exact.staff (room) VALUES (99)"); err == nil {
		if _, err := server.Pool(t).Exec("INSERT INTO exact.staff (room) VALUES (99)"); err == nil {
			t.Error("the foreign key is gone")
		}
	}
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

func latest(t *testing.T, f *plugintest.Fixture) string {
	t.Helper()
	path, err := f.State.LatestSnapshot(f.Container, f.Name())
	if err != nil || path == "" {
		t.Fatalf("latest snapshot: %q, %v", path, err)
	}
	return path
}

func TestSnapshotsAreThoseOfTheOriginal(t *testing.T) {
	t.Run("its commands read ours", func(t *testing.T) {
		f := fixture(t, "ours", map[string]string{"a.sql": everything})
		f.Do(dysnomia.Activate, dysnomia.Snapshot)
		execute(t, "DROP DATABASE ours; CREATE DATABASE ours")
		script := `(echo 'use ours;'; xzcat "$1") | mysql --defaults-file=/dev/fd/3`
		original(t, script, filepath.Join(latest(t, f), dumpFile))
		expectEverything(t, "ours")
	})
	t.Run("ours reads those of its commands", func(t *testing.T) {
		f := fixture(t, "theirs", map[string]string{"a.sql": everything})
		f.Do(dysnomia.Activate)
		dir := filepath.Join(t.TempDir(), "0123abcd")
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		original(t, `mysqldump --defaults-file=/dev/fd/3 --single-transaction --quick --routines --events theirs | head -n -1 | xz > "$1"`, filepath.Join(dir, dumpFile))
		if err := f.State.Import(t.Context(), f.Container, f.Name(), dir); err != nil {
			t.Fatal(err)
		}
		execute(t, "USE theirs; DROP TABLE staff; DROP VIEW a; CREATE TABLE later (x INT)")
		f.Do(dysnomia.Restore)
		expectEverything(t, "theirs")
		f.Do(dysnomia.Snapshot)
		f.Do(dysnomia.Snapshot)
		if history := generations(t, f); len(history) != 2 {
			t.Errorf("generations: %v", history)
		}
	})
}

// original runs a pipeline as the original's module does.
func original(t *testing.T, script, file string) {
	t.Helper()
	s, err := readSettings(&dysnomia.Request{Properties: properties()})
	if err != nil {
		t.Fatal(err)
	}
	options := filepath.Join(t.TempDir(), "options")
	if err := os.WriteFile(options, []byte(s.clientOptions()), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("bash", "-euo", "pipefail", "-c", strings.ReplaceAll(script, "/dev/fd/3", options), "bash", file)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
}

// TestRestoreOfWhatDoesNotFit has snapshots that cannot be restored
// completely: the database stays as it was.
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
		"cut off":         {whole[:len(whole)-30], "xz"},
		"not xz":          {[]byte("SELECT 1;\n"), "xz"},
		"wrong statement": {dumpOf(t, notes+"INSERT INTO nowhere VALUES (1);\n"), "nowhere"},
		"a program that the database cannot have":  {dumpOf(t, notes+"CREATE TRIGGER doesnotfit.tr BEFORE INSERT ON doesnotfit.notes FOR EACH ROW SET @x = 1; CREATE TRIGGER doesnotfit.tr BEFORE INSERT ON doesnotfit.notes FOR EACH ROW SET @x = 1;"), "tr"},
		"half written: a directory without a dump": {nil, dumpFile},
	} {
		t.Run(name, func(t *testing.T) {
			f := fixture(t, "doesnotfit", map[string]string{"a.sql": notes + "CREATE VIEW v AS SELECT * FROM notes;"})
			f.Do(dysnomia.Activate)
			execute(t, "INSERT INTO doesnotfit.notes (text) VALUES ('present')")
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
			expect(t, "present", "SELECT text FROM doesnotfit.v")
			leftovers(t)
		})
	}
}

func TestRestoreRefusesToBreakForeignKeysOfOthers(t *testing.T) {
	f := fixture(t, "parent", map[string]string{"a.sql": "CREATE TABLE p (id INT PRIMARY KEY);"})
	f.Do(dysnomia.Activate, dysnomia.Snapshot)
	execute(t, "CREATE DATABASE child; CREATE TABLE child.c (p INT, FOREIGN KEY (p) REFERENCES parent.p (id))")
	t.Cleanup(func() { execute(t, "DROP DATABASE child") })
	err := f.Run(t.Context(), dysnomia.Restore)
	if err == nil || !strings.Contains(err.Error(), "child.c") {
		t.Errorf("error: %v", err)
	}
}

func TestSwapThatFailsIsUndone(t *testing.T) {
	f := fixture(t, "undone", map[string]string{"a.sql": everything})
	f.Do(dysnomia.Activate)
	r := &dysnomia.Request{ComponentName: "undone", Container: "c", Properties: properties(), Environment: os.Environ()}
	err := with(t.Context(), r, func(d *database) error {
		for _, name := range []string{d.restored, d.former} {
			if err := d.createLike(t.Context(), name); err != nil {
				return err
			}
		}
		// A trigger that means a table of the database by its full name can
		// be created beside it, but not in its place.
		return d.run(t.Context(), d.restored, bytes.NewBufferString(`CREATE TABLE other (x INT);
			CREATE VIEW v AS SELECT * FROM undone.staff;`))
	})
	if err != nil {
		t.Fatal(err)
	}
	err = with(t.Context(), r, func(d *database) error { return d.swap(t.Context()) })
	if err == nil || !strings.Contains(err.Error(), "as it was") {
		t.Errorf("error: %v", err)
	}
	expectEverything(t, "undone")
	leftovers(t)
}
