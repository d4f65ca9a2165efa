package mysqldatabase

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"testing/iotest"

	"pgregory.net/rapid"
)

const (
	header = "/*!40101 SET @OLD_SQL_MODE=@@SQL_MODE, SQL_MODE='NO_AUTO_VALUE_ON_ZERO' */;\n"
	footer = "/*!40101 SET SQL_MODE=@OLD_SQL_MODE */;\n"
)

// dumpOf is what a dump has for a table.
func dumpOf(name, definition string, rows ...string) string {
	text := "DROP TABLE IF EXISTS `" + name + "`;\n/*!40101 SET @saved_cs_client     = @@character_set_client */;\n" +
		"/*!40101 SET character_set_client = utf8 */;\n" + definition +
		";\n/*!40101 SET character_set_client = @saved_cs_client */;\n\n--\n-- Dumping data for table `" + name + "`\n--\n\n" +
		"LOCK TABLES `" + name + "` WRITE;\n/*!40000 ALTER TABLE `" + name + "` DISABLE KEYS */;\n"
	for _, row := range rows {
		text += "INSERT INTO `" + name + "` VALUES " + row + ";\n"
	}
	return text + "/*!40000 ALTER TABLE `" + name + "` ENABLE KEYS */;\nUNLOCK TABLES;\n"
}

const staff = "CREATE TABLE `staff` (\n  `id` int(11) NOT NULL AUTO_INCREMENT,\n  `name` varchar(50) DEFAULT 'GENERATED AS (',\n" +
	"  PRIMARY KEY (`id`),\n  UNIQUE KEY `u` (`name`,`id`),\n  KEY `name` (`name`(10)),\n  KEY `both` (`name`,`id`) USING BTREE\n" +
	") ENGINE=InnoDB AUTO_INCREMENT=7 DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci"

// passed returns what the client gets of a dump.
func passed(t interface{ Fatal(...any) }, large int, dump string) string {
	var to bytes.Buffer
	l := newLoading()
	l.large = large
	if err := l.pass(&to, strings.NewReader(dump)); err != nil {
		t.Fatal(err)
	}
	return to.String()
}

// early is the definition without plain keys, and late what comes after rows
// that are committed by hand.
var early = strings.Replace(staff, ",\n  KEY `name` (`name`(10)),\n  KEY `both` (`name`,`id`) USING BTREE", "", 1)

const late = "\nSET autocommit=1;\nSELECT '`staff`';\nALTER TABLE `staff` ADD KEY `name` (`name`(10)), ADD KEY `both` (`name`,`id`) USING BTREE;\nSELECT '';"

func TestKeysOfLargeTablesAreLate(t *testing.T) {
	dump := header + dumpOf("staff", staff, "(1,'a')", "(2,'b')", "(3,'c')") + dumpOf("room", strings.ReplaceAll(staff, "staff", "room")) + footer
	want := strings.NewReplacer(
		"  UNIQUE KEY `u` (`name`,`id`),\n  KEY `name` (`name`(10)),\n  KEY `both` (`name`,`id`) USING BTREE\n", "  UNIQUE KEY `u` (`name`,`id`)\n",
		";\nINSERT INTO `staff` VALUES (2,", ";\nSET autocommit=0;\nINSERT INTO `staff` VALUES (2,",
		";\n/*!40000 ALTER TABLE `staff` ENABLE KEYS */;\nUNLOCK TABLES;",
		";\nSET autocommit=1;\n/*!40000 ALTER TABLE `staff` ENABLE KEYS */;\nUNLOCK TABLES;\nSELECT '`staff`';\n"+
			"ALTER TABLE `staff` ADD KEY `name` (`name`(10)), ADD KEY `both` (`name`,`id`) USING BTREE;\nSELECT '';",
		"/*!40000 ALTER TABLE `room` ENABLE KEYS */;\nUNLOCK TABLES;",
		"/*!40000 ALTER TABLE `room` ENABLE KEYS */;\nUNLOCK TABLES;\nSELECT '`room`';\n"+
			"ALTER TABLE `room` ADD KEY `name` (`name`(10)), ADD KEY `both` (`name`,`id`) USING BTREE;\nSELECT '';",
	).Replace(dump)
	if got := passed(t, 0, dump); got != want {
		t.Errorf("every table is large: %s, want %s", got, want)
	}
	commits := strings.NewReplacer("\nINSERT INTO `staff` VALUES (2,", "\nSET autocommit=0;\nINSERT INTO `staff` VALUES (2,",
		"\n/*!40000 ALTER TABLE `staff` ENABLE KEYS", "\nSET autocommit=1;\n/*!40000 ALTER TABLE `staff` ENABLE KEYS").Replace(dump)
	if got := passed(t, largeTable, dump); got != commits {
		t.Errorf("no table is large: %s, want %s", got, commits)
	}
	t.Run("only the large one", func(t *testing.T) {
		got := passed(t, 10000, strings.Replace(dump, "(2,'b')", "(2,'"+strings.Repeat("b", 10000)+"')", 1))
		if !strings.Contains(got, "ALTER TABLE `staff` ADD KEY") || strings.Contains(got, "ALTER TABLE `room` ADD KEY") {
			t.Errorf("%s", got)
		}
	})
	t.Run("at the end of a dump", func(t *testing.T) {
		rows := ";\nINSERT INTO `staff` VALUES (1,'a');\nINSERT INTO `staff` VALUES (2,'b')"
		for end, want := range map[string]string{
			";":                    rows + ";" + late,
			";\n":                  rows + ";" + late + "\n",
			";\n-- Dump completed": rows + ";" + late + "\n-- Dump completed",
			",(3,'" + strings.Repeat("c", 999) + "')": rows + ",(3,'" + strings.Repeat("c", 999) + "')\n;" + late,
		} {
			want := header + strings.Replace(early+want, "\nINSERT INTO `staff` VALUES (2", "\nSET autocommit=0;\nINSERT INTO `staff` VALUES (2", 1)
			if got := passed(t, 0, header+staff+rows+end); got != want {
				t.Errorf("%q: %s, want %s", end, got, want)
			}
		}
	})
}

func TestRowsAreCommittedInFewTransactions(t *testing.T) {
	row := "INSERT INTO `t` VALUES ('" + strings.Repeat("x", 1<<20) + "');\n"
	dump := header + "CREATE TABLE `t` (\n  `id` int(11) NOT NULL,\n  CONSTRAINT `c` CHECK (`id` > 0)\n) ENGINE=InnoDB COMMENT='x'\n PARTITION BY KEY (`id`);\n" +
		strings.Repeat(row, 40) + "INSERT INTO `u` VALUES (1);\n" + footer
	got := passed(t, largeTable, dump)
	if n := strings.Count(got, "\nCOMMIT;\n"); n != 2 {
		t.Errorf("%d commits", n)
	}
	rest := strings.NewReplacer("\nCOMMIT;", "", "\nSET autocommit=0;", "", "\nSET autocommit=1;", "").Replace(got)
	if rest != dump {
		t.Errorf("other things are different")
	}
	begin, end := strings.Index(got, "\nSET autocommit=0;"), strings.Index(got, "\nSET autocommit=1;\nINSERT INTO `u`")
	if begin < strings.Index(got, "INSERT") || end < begin {
		t.Errorf("transactions are from %d to %d", begin, end)
	}
}

func TestDumpsWithTransactions(t *testing.T) {
	for begin, end := range map[string]string{
		"set autocommit=0;\n": "commit;\n",
		"SET @OLD_AUTOCOMMIT=@@AUTOCOMMIT, @@AUTOCOMMIT=0;\n": "COMMIT;\nSET AUTOCOMMIT=@OLD_AUTOCOMMIT;\n",
	} {
		table := dumpOf("staff", staff, "(1,'a')", "(2,'b')", "(3,'c')")
		dump := header + strings.Replace(table, "LOCK TABLES", begin+"LOCK TABLES", 1) + end
		want := strings.Replace(dump, staff, early, 1) + strings.TrimPrefix(late, "\nSET autocommit=1;\n")
		got := passed(t, 0, dump+footer)
		if strings.ReplaceAll(got, "\n", "") != strings.ReplaceAll(want+footer, "\n", "") {
			t.Errorf("%s, want %s", got, want)
		}
	}
}

// TestUnusualTablesKeepTheirKeys has what is passed on as it is.
func TestUnusualTablesKeepTheirKeys(t *testing.T) {
	change := func(old, new string) string {
		if !strings.Contains(staff, old) {
			t.Fatalf("there is no %q", old)
		}
		return dumpOf("staff", strings.Replace(staff, old, new, 1), "(1,'a')")
	}
	for name, dump := range map[string]string{
		"another engine": dumpOf("staff", strings.Replace(staff, "ENGINE=InnoDB", "ENGINE=MyISAM", 1), "(1,'a')", "(2,'b')", "(3,'c')"),
		"rows of a table from elsewhere": dumpOf("room", strings.NewReplacer("`staff`", "`room`", "KEY `", "KEY `Ä").Replace(staff), "(1,'a')") +
			"INSERT INTO `staff` VALUES (1,'a');\nINSERT INTO `staff` VALUES (2,'b');\n",
		"parts":                     change("=utf8mb4_general_ci", "=utf8mb4_general_ci\n PARTITION BY HASH (`id`)\nPARTITIONS 2"),
		"another option":            change("=utf8mb4_general_ci", "=utf8mb4_general_ci WITH SYSTEM VERSIONING"),
		"a comment":                 change("=utf8mb4_general_ci", "=utf8mb4_general_ci COMMENT='x'"),
		"a foreign key":             change("USING BTREE\n", "USING BTREE,\n  CONSTRAINT `f` FOREIGN KEY (`name`) REFERENCES `other` (`name`)\n"),
		"a constraint":              change("USING BTREE\n", "USING BTREE,\n  CONSTRAINT `f` CHECK (`id` > 1)\n"),
		"a fulltext key":            change("  KEY `name` (`name`(10))", "  FULLTEXT KEY `name` (`name`)"),
		"a spatial key":             change("  KEY `name` (`name`(10))", "  SPATIAL KEY `name` (`name`)"),
		"a key on an expression":    change("(`name`(10))", "((lower(`name`)))"),
		"a key with an option":      change("(`name`(10))", "(`name`(10)) COMMENT 'x'"),
		"an ignored key":            change("(`name`(10))", "(`name`(10)) IGNORED"),
		"an invisible key":          change("(`name`(10))", "(`name`(10)) /*!80000 INVISIBLE */"),
		"a computed column":         change("  PRIMARY KEY", "  `c` int(11) GENERATED ALWAYS AS (`id` + 1) VIRTUAL,\n  PRIMARY KEY"),
		"a computed column, old":    change("  PRIMARY KEY", "  `c` int(11) AS (`id` + 1) PERSISTENT,\n  PRIMARY KEY"),
		"a number needs the key":    change("PRIMARY KEY (`id`)", "PRIMARY KEY (`name`)"),
		"a number needs it, second": change("PRIMARY KEY (`id`)", "PRIMARY KEY (`name`,`id`)"),
		"no plain key":              change(",\n  KEY `name` (`name`(10)),\n  KEY `both` (`name`,`id`) USING BTREE", ""),
		"a strange column":          change("`name` varchar", "`n\\ame` varchar"),
		"a column over two lines":   change("'GENERATED AS ('", "'\n  KEY `x` (`id`)\n'"),
		"another letter":            change("KEY `both`", "KEY `beide Schlüssel`"),
		"another quotation mark":    strings.ReplaceAll(dumpOf("staff", staff), "`", `"`),
		"a temporary table":         change("CREATE TABLE", "CREATE TEMPORARY TABLE"),
		"only if there is none":     change("CREATE TABLE", "CREATE TABLE IF NOT EXISTS"),
		"a table that is needed": dumpOf("a", "CREATE TABLE `a` (\n  `n` varchar(50),\n  KEY `n` (`n`),\n  CONSTRAINT `f` FOREIGN KEY (`n`) REFERENCES `STAFF` (`name`)\n) ENGINE=InnoDB") +
			dumpOf("staff", staff),
		"in a text":         "INSERT INTO `x` VALUES ('\n" + staff + ";\n');\n",
		"in a name":         "INSERT INTO `x\n" + strings.ReplaceAll(staff, "`", "``") + ";\n` VALUES (1);\n",
		"in a comment":      "/*\n" + staff + ";\n*/\n",
		"after a comment":   "-- it's\n# " + strings.ReplaceAll(staff, "\n", "\n-- ") + ";\n",
		"in a procedure":    "DELIMITER ;;\nCREATE PROCEDURE p() BEGIN\n" + staff + ";\nINSERT INTO `staff` VALUES (1);\nINSERT INTO `staff` VALUES (2);\nEND ;;\nDELIMITER ;\n",
		"with another mode": "/*!50003 SET sql_mode = 'ANSI' */ ;\n" + dumpOf("staff", staff, "(1,'a')", "(2,'b')"),
		"where \\ escapes nothing": "/*!50003 SET sql_mode = 'STRICT_TRANS_TABLES,NO_BACKSLASH_ESCAPES' */ ;\nDELIMITER ;;\n" +
			"CREATE TRIGGER t BEFORE INSERT ON x FOR EACH ROW SET @x = '\\';;\nDELIMITER ;\n/*!50003 SET sql_mode = @saved_sql_mode */ ;\n" + dumpOf("staff", staff, "(1,'a')", "(2,'b')"),
		"after another delimiter": "DELIMITER //\nSELECT 1//\nDELIMITER ;\n" + dumpOf("staff", staff, "(1,'a')", "(2,'b')"),
		"a comment in another":    "/*!50003 CREATE TRIGGER /* ' */ x */;\n" + dumpOf("staff", staff, "(1,'a')", "(2,'b')"),
		"after the dump":          footer + dumpOf("staff", staff, "(1,'a')", "(2,'b')"),
	} {
		t.Run(name, func(t *testing.T) {
			if got := passed(t, 0, header+dump); got != header+dump {
				t.Errorf("%s, want %s", got, dump)
			}
		})
	}
	t.Run("a dump without its mode", func(t *testing.T) {
		dump := dumpOf("staff", staff, "(1,'a')", "(2,'b')")
		if got := passed(t, 0, dump); got != dump {
			t.Errorf("%s", got)
		}
	})
	t.Run("the mode of dumps comes back after a trigger", func(t *testing.T) {
		dump := header + "/*!50003 SET @saved_sql_mode       = @@sql_mode */ ;\n/*!50003 SET sql_mode              = 'STRICT_TRANS_TABLES' */ ;\n" +
			"DELIMITER ;;\n/*!50003 CREATE TRIGGER t BEFORE INSERT ON x FOR EACH ROW BEGIN SET @a = 'it''s'; END */;;\nDELIMITER ;\n" +
			"/*!50003 SET sql_mode              = @saved_sql_mode */ ;\n" + dumpOf("staff", staff)
		if got := passed(t, 0, dump); !strings.Contains(got, "ALTER TABLE `staff` ADD KEY") {
			t.Errorf("%s", got)
		}
	})
}

// TestNothingElseChanges passes on anything: without the statements that were
// added, it is what it was.
func TestNothingElseChanges(t *testing.T) {
	added := strings.NewReplacer("\nSET autocommit=0;", "", "\nSET autocommit=1;", "", "\nCOMMIT;", "", "\n;", "")
	rapid.Check(t, func(t *rapid.T) {
		dump := anyDump(t)
		if rapid.Bool().Draw(t, "header") {
			dump = header + dump
		}
		got := passed(t, largeTable, dump)
		if added.Replace(got) != added.Replace(dump) {
			t.Fatalf("%q became %q", dump, got)
		}
	})
}

func TestFailuresWhilePassing(t *testing.T) {
	problem := fmt.Errorf("cut off")
	dump := header + dumpOf("staff", staff, "(1,'"+strings.Repeat("a", 1<<20)+"')")
	err := newLoading().pass(&bytes.Buffer{}, iotest.ErrReader(problem))
	if err == nil || !strings.Contains(err.Error(), "cut off") {
		t.Errorf("reading: %v", err)
	}
	if err := newLoading().pass(failing{problem}, strings.NewReader(dump)); err == nil || !strings.Contains(err.Error(), "cut off") {
		t.Errorf("writing: %v", err)
	}
}

type failing struct{ err error }

func (f failing) Write([]byte) (int, error) { return 0, f.err }

func TestLastLine(t *testing.T) {
	var l lastLine
	for _, step := range []struct{ printed, want string }{
		{"", ""}, {"`sta", ""}, {"ff`\n", "`staff`"}, {"`staff`\n", "`staff`"}, {"\n\n", ""}, {"x\ny\nz", "y"},
	} {
		if _, err := l.Write([]byte(step.printed)); err != nil || l.String() != step.want {
			t.Errorf("after %q: %q, %v, want %q", step.printed, l.String(), err, step.want)
		}
	}
}
