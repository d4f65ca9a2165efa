package mysqldatabase

import (
	"bytes"
	"regexp"
	"slices"
	"strings"
)

// tableDefinition is a statement of a dump that creates a table.
type tableDefinition struct {
	// name is that of the table, in quotation marks.
	name string
	// without is the statement without those keys that can as well be added
	// when the table has its rows, and keys are these: nothing if there are
	// none.
	without string
	keys    []string
	// blanks is how much comes before the statement, and length how long it is
	// with that.
	blanks, length int
}

// The patterns are narrow on purpose: a table about which there is anything
// unusual keeps its keys.
var (
	plainName = "`[ -\\[\\]-_a-~]+`" // without ` and \
	tableHead = regexp.MustCompile("^CREATE TABLE (" + plainName + `) \($`)
	tableTail = regexp.MustCompile(`^\) ENGINE=InnoDB( AUTO_INCREMENT=\d+)?( DEFAULT CHARSET=\w+)?( COLLATE=\w+)?( ROW_FORMAT=\w+)?;$`)
	keyPart   = plainName + `(\(\d+\))?( DESC)?`
	plainKey  = regexp.MustCompile("^  (KEY " + plainName + ` \(` + keyPart + `(,` + keyPart + `)*\)( USING \w+)?),?$`)
	uniqueKey = regexp.MustCompile("^  (?:PRIMARY KEY|UNIQUE KEY .+?) \\((`[^`]+`)")
	column    = regexp.MustCompile("^  (" + plainName + ") ")
	// unusualColumn has a value that the server computes.
	unusualColumn = regexp.MustCompile(`(?i)\b(GENERATED|AS|VIRTUAL|STORED|PERSISTENT)\b`)
	autoColumn    = regexp.MustCompile(`(?i)\bAUTO_INCREMENT\b`)
	references    = regexp.MustCompile("(?i)\\bREFERENCES\\s+(`(?:[^`]|``)+`)")
)

// parseTable recognises what dumps of InnoDB's tables have. The order of keys
// that are neither unique nor for full texts or places is that of their
// creation: so all of these are late, or none is.
func parseTable(statement string) (t tableDefinition, ok bool) {
	lines := strings.Split(statement, "\n")
	head := tableHead.FindStringSubmatch(lines[0])
	if head == nil || len(lines) < 3 || !tableTail.MatchString(lines[len(lines)-1]) {
		return t, false
	}
	var kept, automatic, leading []string
	for _, line := range lines[1 : len(lines)-1] {
		bare, whole := withoutTexts(line)
		if !whole {
			return t, false // the line is part of a text
		}
		named := column.FindStringSubmatch(line)
		key := plainKey.FindStringSubmatch(line)
		unique := uniqueKey.FindStringSubmatch(line)
		switch {
		case key != nil:
			t.keys = append(t.keys, key[1])
			continue
		case unique != nil:
			leading = append(leading, unique[1])
		case named == nil || unusualColumn.MatchString(bare):
			return t, false
		case autoColumn.MatchString(bare):
			automatic = append(automatic, named[1])
		}
		kept = append(kept, strings.TrimSuffix(line, ","))
	}
	for _, name := range automatic {
		if !slices.Contains(leading, name) {
			return t, false // it needs one of the keys
		}
	}
	t.name = head[1]
	t.without = lines[0] + "\n" + strings.Join(kept, ",\n") + "\n" + lines[len(lines)-1]
	return t, len(t.keys) > 0
}

// withoutTexts returns a line without the texts and names in it. It is not
// whole if one of them does not end.
func withoutTexts(line string) (bare string, whole bool) {
	s := statements{begun: true}
	var left []byte
	rest := []byte(line)
	for len(rest) > 0 {
		before := s.in
		n := bytes.IndexAny(rest, "'\"`")
		if before != 0 {
			end, closed := s.quoted(rest, 0)
			if !closed {
				return "", false
			}
			s.in, n = 0, end
		} else if n < 0 {
			left, n = append(left, rest...), len(rest)
		} else {
			left, s.in, n = append(left, rest[:n]...), rest[n], n+1
		}
		rest = rest[n:]
	}
	return string(left), s.in == 0
}

// referencedTables returns the names of the tables, in lower case, that the
// foreign keys in a statement need.
func referencedTables(statement string) (names []string) {
	for _, found := range references.FindAllStringSubmatch(statement, -1) {
		names = append(names, strings.ToLower(found[1]))
	}
	return names
}
