package mysqldatabase

import (
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// split returns the statements of a dump, without blanks and comments before
// them, and what is left. It is read in parts of the given sizes.
func split(text string, sizes func(left int) int) (found []string, left string, lost bool) {
	var s statements
	from, read := 0, 0
	for read < len(text) && !s.lost {
		end := min(len(text), read+sizes(len(text)-read))
		for read < end && !s.lost {
			n, ended := s.scan([]byte(text[read:end]), end == len(text))
			read += n
			if ended {
				found = append(found, text[from+s.start:read])
				s.next()
				from = read
			} else if n == 0 {
				if end == len(text) {
					panic("it does not go on")
				}
				end = min(len(text), end+1) // more than was asked for
			}
		}
	}
	return found, text[from:], s.lost
}

func whole(left int) int { return left }

func TestStatements(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		want []string
		left string
	}{
		"one":                   {"SELECT 1;", []string{"SELECT 1;"}, ""},
		"on one line":           {"A;B;;\n C", []string{"A;", "B;", ";"}, "\n C"},
		"texts":                 {`A 'it''s;';B "a;""b;";C ` + "`;``;`;D", []string{`A 'it''s;';`, `B "a;""b;";`, "C `;``;`;"}, "D"},
		"escapes":               {`A '\';' ;B '\\';C "\";";`, []string{`A '\';' ;`, `B '\\';`, `C "\";";`}, ""},
		"no escapes in names":   {"A `\\`;B;", []string{"A `\\`;", "B;"}, ""},
		"lines of texts":        {"A '\n-- ;\n;';B;", []string{"A '\n-- ;\n;';", "B;"}, ""},
		"comments":              {"-- it's;\n#;'\nA -- ;\n;/* ;' */B;", []string{"A -- ;\n;", "B;"}, ""},
		"no comments":           {"A 1--1;B '-- ', '#', '/*';C 3/2*1;", []string{"A 1--1;", "B '-- ', '#', '/*';", "C 3/2*1;"}, ""},
		"executed comments":     {"/*!40101 SET x='*/;' */;/*M!100616 SET y */;C;", []string{"/*!40101 SET x='*/;' */;", "/*M!100616 SET y */;", "C;"}, ""},
		"the sandbox":           {"/*M!999999\\- enable the sandbox mode */ \nA;", []string{"/*M!999999\\- enable the sandbox mode */ \nA;"}, ""},
		"delimiters":            {"A;\nDELIMITER ;;\n/*!50003 B BEGIN C; D; END */;;\nDELIMITER ;\nE;", []string{"A;", "/*!50003 B BEGIN C; D; END */;;", "E;"}, ""},
		"no delimiter":          {"A delimiter ;;\nB;", []string{"A delimiter ;", ";", "B;"}, ""},
		"nothing":               {"", nil, ""},
		"a comment at the end":  {"A;\n-- Dump completed", []string{"A;"}, "\n-- Dump completed"},
		"a text without an end": {"A;B 'x;\n", []string{"A;"}, "B 'x;\n"},
		"an escape at the end":  {`A;B 'x;\`, []string{"A;"}, `B 'x;\`},
	} {
		t.Run(name, func(t *testing.T) {
			found, left, lost := split(c.text, whole)
			if !slices.Equal(found, c.want) || left != c.left || lost {
				t.Errorf("%q, left %q, %v", found, left, lost)
			}
		})
	}
	for name, text := range map[string]string{
		"another delimiter":               "DELIMITER //\nA//",
		"a delimiter that is not one":     "DELIMITERS;",
		"a comment in a comment":          "/*!50003 A /* x */ B */;",
		"an executed one in another":      "/*!50003 A /*!50003 x */ B */;",
		"half a comment that executes":    "/*!50003 A;",
		"several statements in a comment": "/*!50003 A; B */;",
	} {
		t.Run(name+" is not understood", func(t *testing.T) {
			if found, _, lost := split(text, whole); !lost {
				t.Errorf("%q", found)
			}
		})
	}
}

// pieces are what dumps consist of, and what could be mistaken for it.
var pieces = []string{
	";", ";;", "'", "''", `"`, "`", `\`, "-- ", "--", "#", "/*", "/*!50003 ", "/*M!1 ", "*/", "\n", " ", "x", "-", "/", "*",
	"DELIMITER ;;\n", "DELIMITER ;\n", "delimiter", "INSERT INTO `t` VALUES (1,'", "'),(2,'", "CREATE TABLE `t` (\n",
	"  `id` int(11) NOT NULL,\n", "  PRIMARY KEY (`id`)", ",\n  KEY `k` (`id`)\n", ") ENGINE=InnoDB;", "UNLOCK TABLES;\n",
}

func anyDump(t *rapid.T) (text string) {
	for _, piece := range rapid.SliceOf(rapid.SampledFrom(pieces)).Draw(t, "pieces") {
		text += piece
	}
	return text
}

func TestPartsDoNotMatter(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := anyDump(t)
		want, wantLeft, wantLost := split(text, whole)
		found, left, lost := split(text, func(left int) int { return rapid.IntRange(1, left).Draw(t, "size") })
		if !slices.Equal(found, want) || left != wantLeft || lost != wantLost {
			t.Errorf("%q in parts: %q, %q, %v, want %q, %q, %v", text, found, left, lost, want, wantLeft, wantLost)
		}
	})
}
