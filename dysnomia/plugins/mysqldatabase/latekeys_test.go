package mysqldatabase

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/disnix-go/disnix/dysnomia"
	"github.com/disnix-go/disnix/dysnomia/plugins/dump"
	"pgregory.net/rapid"
)

// nasty are texts that could be mistaken for something else.
var nasty = []string{
	"", "it's", `back\slash`, `"`, "`", ";", "\n;\n", "-- ", "#", "/* ", "*/", "\x00\x1a\r", "Zürich 😀", "  KEY `k` (`id`)",
	"');\nDROP TABLE t0;\n", "\nCREATE TABLE `t0` (\n  `id` int(11) NOT NULL,\n  KEY `k` (`id`)\n) ENGINE=InnoDB;\n", "DELIMITER ;;\n",
	"\nINSERT INTO `t0` VALUES (1);\n", "GENERATED ALWAYS AS (1)", "AUTO_INCREMENT", "REFERENCES `t0` (`id`)", "NO_BACKSLASH_ESCAPES", "sql_mode = 'x'",
}

var (
	anyText = rapid.Custom(func(t *rapid.T) string {
		return strings.Join(rapid.SliceOfN(rapid.OneOf(rapid.SampledFrom(nasty), rapid.String()), 0, 4).Draw(t, "texts"), " ")
	})
	anyName = rapid.OneOf(rapid.StringMatching(`[a-z][a-z0-9_$ '";-]{0,10}[a-z]`), rapid.SampledFrom([]string{"größe", "back`tick", `back\slash`, "primary", "key", "as"}))
	types   = []string{"int", "bigint unsigned", "varchar(40)", "varchar(40) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin", "char(9) CHARACTER SET latin1",
		"text", "blob", "decimal(9,3)", "double", "date", "datetime(3)", "timestamp NULL", "enum('a','it''s','KEY')", "set('x','y')", "bit(5)", "year", "json", "varbinary(20)"}
	options = []string{"", "", "", "", "", " ROW_FORMAT=COMPRESSED", " ROW_FORMAT=DYNAMIC DEFAULT CHARSET=utf8mb4", " COMMENT='it''s; KEY `k`'", " STATS_PERSISTENT=1",
		" WITH SYSTEM VERSIONING", " PARTITION BY KEY () PARTITIONS 2"}
)

// literal returns a text as the server reads it.
func literal(text string) string { return fmt.Sprintf("CONVERT(0x%x USING utf8mb4)", text) }

// anyTable draws the statements that create and fill a table. Some the server
// does not accept.
func anyTable(t *rapid.T, name string, others []string) (statements []string) {
	names := rapid.SliceOfNDistinct(anyName, 1, 5, strings.ToLower).Draw(t, "columns")
	var lines []string
	for i, column := range names {
		line := quote(column) + " " + rapid.SampledFrom(types).Draw(t, "type")
		switch rapid.IntRange(0, 9).Draw(t, "kind") {
		case 0:
			line += " NOT NULL"
		case 1:
			line += " DEFAULT " + rapid.SampledFrom([]string{"1", "'it''s, AS ('", "'2020-02-03'", "(1 + 1)"}).Draw(t, "default")
		case 2:
			line += " COMMENT '" + strings.NewReplacer(`\`, `\\`, "'", "''", "\x00", "").Replace(rapid.SampledFrom(nasty).Draw(t, "comment")) + "'"
		case 3:
			line = quote(column) + " int AS (" + quote(names[0]) + " + 1) " + rapid.SampledFrom([]string{"VIRTUAL", "PERSISTENT"}).Draw(t, "computed")
		}
		if i == 0 {
			line = quote(column) + " " + rapid.SampledFrom([]string{"int", "int AUTO_INCREMENT", "int NOT NULL", "varchar(30) NOT NULL"}).Draw(t, "first")
		}
		lines = append(lines, line)
	}
	part := func() string {
		return quote(rapid.SampledFrom(names).Draw(t, "part")) + rapid.SampledFrom([]string{"", "", "", "(4)", " DESC"}).Draw(t, "how")
	}
	kinds := []string{"KEY", "KEY", "KEY", "KEY", "UNIQUE KEY", "FULLTEXT KEY"}
	switch rapid.IntRange(0, 5).Draw(t, "primary") {
	case 0:
	case 1:
		lines = append(lines, "PRIMARY KEY ("+part()+")")
	default:
		lines = append(lines, "PRIMARY KEY ("+quote(names[0])+")")
	}
	for i := range rapid.IntRange(0, 4).Draw(t, "keys") {
		key := rapid.SampledFrom(kinds).Draw(t, "kind") + " " + quote(fmt.Sprint("k", i, names[0])) + " (" + part()
		if rapid.Bool().Draw(t, "two") {
			key += "," + part()
		}
		lines = append(lines, key+")"+rapid.SampledFrom([]string{"", "", "", " USING BTREE", " COMMENT 'x'", " IGNORED"}).Draw(t, "option"))
	}
	if len(others) > 0 && rapid.IntRange(0, 3).Draw(t, "refers") == 0 {
		lines = append(lines, "CONSTRAINT "+quote("fk"+name)+" FOREIGN KEY ("+quote(names[0])+") REFERENCES "+rapid.SampledFrom(others).Draw(t, "to"))
	}
	engine := rapid.SampledFrom([]string{"InnoDB", "InnoDB", "InnoDB", "InnoDB", "MyISAM", "Aria"}).Draw(t, "engine")
	statements = append(statements, "CREATE TABLE "+quote(name)+" ("+strings.Join(lines, ", ")+") ENGINE="+engine+rapid.SampledFrom(options).Draw(t, "option"))
	for range rapid.IntRange(0, 6).Draw(t, "rows") {
		row := rapid.SliceOfN(rapid.OneOf(rapid.Just("NULL"), rapid.Just("DEFAULT"), rapid.Just("2021-03-04"), rapid.Custom(func(t *rapid.T) string {
			return literal(anyText.Draw(t, "text"))
		}), rapid.Custom(func(t *rapid.T) string { return fmt.Sprint(rapid.IntRange(-5, 500).Draw(t, "number")) })), len(names), len(names)).Draw(t, "row")
		statements = append(statements, "INSERT IGNORE INTO "+quote(name)+" VALUES ("+strings.Join(row, ", ")+")")
	}
	switch rapid.IntRange(0, 6).Draw(t, "more") {
	case 0:
		statements = append(statements, "CREATE TRIGGER "+quote("tr"+name)+" BEFORE INSERT ON "+quote(name)+" FOR EACH ROW BEGIN\n-- it's a trigger;\nSET @x = '"+
			strings.NewReplacer(`\`, `\\`, "'", "''", "\x00", "").Replace(rapid.SampledFrom(nasty).Draw(t, "body"))+"';\nEND")
	case 1:
		statements = append(statements, "CREATE VIEW "+quote("a view of "+name)+" AS SELECT * FROM "+quote(name)+" FORCE INDEX ("+quote("k0"+names[0])+")")
	case 2:
		statements = append(statements, "CREATE PROCEDURE "+quote("p"+name)+"() BEGIN\nCREATE TABLE `t0` (\n  `id` int(11) NOT NULL,\n  KEY `k` (`id`)\n) ENGINE=InnoDB;\nINSERT INTO `t0` VALUES (1);\nEND")
	case 3:
		statements = append(statements, "SET sql_mode = 'NO_BACKSLASH_ESCAPES'", "CREATE TRIGGER "+quote("tr"+name)+" BEFORE INSERT ON "+quote(name)+" FOR EACH ROW SET @x = '\\'", "SET sql_mode = ''")
	}
	return statements
}

// anyDatabase creates a database of tables, and returns its statements.
func anyDatabase(t *testing.T, name string, seed int) (accepted []string) {
	statements := rapid.Custom(func(t *rapid.T) (all []string) {
		var others []string
		for i := range 10 {
			table := fmt.Sprint("t", i)
			all = append(all, anyTable(t, table, others)...)
			others = append(others, quote(table)+" ("+quote("id")+")")
		}
		// A foreign key may need a key that is not unique, of a table that
		// comes before or after.
		for _, order := range []string{"a", "z"} {
			all = append(all, "CREATE TABLE `"+order+"-needed` (id int PRIMARY KEY, n int, KEY n (n), KEY other (n, id))",
				"INSERT INTO `"+order+"-needed` VALUES (1, 2), (2, 2), (3, 4)",
				"CREATE TABLE `m-"+order+"` (n int, KEY mine (n), FOREIGN KEY (n) REFERENCES `"+order+"-needed` (n))", "INSERT INTO `m-"+order+"` VALUES (2), (4)")
		}
		return all
	}).Example(seed)
	session, err := server.Pool(t).Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer session.Close()
	for _, statement := range append([]string{"CREATE DATABASE " + quote(name), "USE " + quote(name), "SET sql_mode = ''"}, statements...) {
		if _, err := session.ExecContext(t.Context(), statement); err == nil {
			accepted = append(accepted, statement)
		}
	}
	t.Cleanup(func() { execute(t, "SET foreign_key_checks = 0; DROP DATABASE "+quote(name)) })
	return accepted
}

// TestLateKeysMakeNoDifference loads dumps of all kinds of tables in both
// ways: everything is the same, also the order of keys, and what the id of a
// snapshot depends on.
func TestLateKeysMakeNoDifference(t *testing.T) {
	late := 0
	for seed := range 3 {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			name := fmt.Sprint("source", seed)
			statements := strings.Join(anyDatabase(t, name, seed), ";\n")
			r := &dysnomia.Request{ComponentName: name, Container: "c", Properties: properties(), Environment: os.Environ()}
			err := with(t.Context(), r, func(d *database) error {
				for option, large := range map[string]int{"--add-locks": 0, "--skip-opt": 0, "--no-autocommit": 0, "--skip-extended-insert": largeTable} {
					content := dumped(t, d, name, option, "--create-options", "--quick")
					changed := passed(t, large, content)
					late += strings.Count(changed, "\nALTER TABLE `") - strings.Count(content, "\nALTER TABLE `")
					want, got := reloaded(t, d, "plain-"+name, content), reloaded(t, d, "changed-"+name, changed)
					if got != want {
						t.Errorf("%s: %s: \n%s, want \n%s", option, statements, got, want)
					}
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
		})
	}
	if late < 5 {
		t.Errorf("only %d tables had late keys", late)
	}
}

// reloaded loads a dump into a database, and returns the dump of that.
func reloaded(t *testing.T, d *database, name, content string) string {
	t.Helper()
	execute(t, "CREATE DATABASE "+quote(name))
	defer execute(t, "SET foreign_key_checks = 0; DROP DATABASE "+quote(name))
	if err := d.run(t.Context(), name, strings.NewReader(content)); err != nil {
		t.Fatalf("%v:\n%s", err, content)
	}
	return dumped(t, d, name)
}

// dumped returns the dump that a snapshot is made of.
func dumped(t *testing.T, d *database, name string, options ...string) string {
	t.Helper()
	program, err := d.dumper(t.Context(), name, nil, append([]string{"--routines", "--events", "--triggers"}, options...)...)
	if err != nil {
		t.Fatal(err)
	}
	text, err := dump.Output(t.Context(), program)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// large is a schema whose table has late keys.
const large = "CREATE TABLE measured (id INT PRIMARY KEY AUTO_INCREMENT, text VARCHAR(200), place INT, KEY b (place, text), KEY a (place));\n" +
	"INSERT INTO measured SELECT seq, REPEAT(MD5(seq), 3), seq MOD 100 FROM seq_1_to_60000;\n"

func TestRestoreOfLargeTables(t *testing.T) {
	f := fixture(t, "large", map[string]string{"a.sql": large})
	f.Do(dysnomia.Activate, dysnomia.Snapshot)
	seen := filepath.Join(t.TempDir(), "seen")
	tools(t, f, map[string]string{"mariadb": "tee '" + seen + "' | /usr/bin/mariadb \"$@\""})
	execute(t, "DELETE FROM large.measured; ALTER TABLE large.measured DROP KEY b")
	f.Do(dysnomia.Restore, dysnomia.Snapshot)
	content, err := os.ReadFile(seen)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(content, []byte("\nALTER TABLE `measured` ADD KEY `b`")) {
		t.Errorf("the keys were not late: %.2000s", content)
	}
	if history := generations(t, f); len(history) != 1 {
		t.Errorf("equal content has several snapshots: %v", history)
	}
	leftovers(t)

	t.Run("the keys cannot be added", func(t *testing.T) {
		execute(t, "INSERT INTO large.measured (text) VALUES ('kept')")
		for name, script := range map[string]string{
			"the server refuses": `sed 's/^\(ALTER TABLE .measured. ADD KEY .b. (.place\)/\1x/' | /usr/bin/mariadb "$@"`,
			"the session ends":   `sed 's/^ALTER TABLE .measured. ADD KEY.*/KILL CONNECTION_ID();/' | /usr/bin/mariadb "$@"`,
		} {
			t.Run(name, func(t *testing.T) {
				tools(t, f, map[string]string{"mariadb": script})
				fails(t, f, dysnomia.Restore, "add the keys of table `measured`", "the database is as it was")
				expect(t, "kept", "SELECT text FROM large.measured WHERE id > 60000")
				leftovers(t)
			})
		}
	})
}
