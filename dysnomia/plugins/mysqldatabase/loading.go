package mysqldatabase

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"
)

const (
	// largeTable is how much text the rows of a table have in a dump if it is
	// worth to add its keys later.
	largeTable = 4 << 20
	// transactionSize is how much text of rows is committed at once. Servers
	// that replicate limit the size of transactions, to much more than that.
	transactionSize = 16 << 20
	// longestStatement is how much of a statement is looked at, and
	// recognisable how much of it shows that it inserts rows.
	longestStatement = 1 << 20
	recognisable     = 512
)

// loading passes a dump on to the client program, with changes that let the
// server load it faster, to the same result:
//
//   - Large tables are created without their plain keys, which are added after
//     the rows: all at once, sorted.
//   - The rows of a table are committed in few transactions. Otherwise the
//     server waits for the disk after each statement.
//
// Both concern only tables of InnoDB, and statements that look exactly as the
// dump programs of MySQL and MariaDB write them, where their SQL mode is in
// force. Everything else is passed on as it is.
type loading struct {
	to      *bufio.Writer
	err     error // of to
	large   int   // see largeTable
	scanner statements

	statement []byte // the present one, or nothing of it if it is being passed on
	passing   bool
	// seen says that the SQL mode of dumps has been set, and usual that it is
	// in force.
	seen, usual bool

	// table is the one whose keys may be late, or empty. As long as it is not
	// known whether it is large, early is its definition, and held everything
	// since then. After that, keys are those to be added.
	table string
	early *tableDefinition
	held  []byte
	keys  []string
	// referenced are tables that foreign keys need, in lower case.
	referenced map[string]bool

	// rows is the table that the statement before has inserted rows into.
	// manual says that commits are ours, and uncommitted how much there is.
	// The dump may have transactions of its own.
	rows         string
	manual       bool
	uncommitted  int
	transactions bool
	// created is the table of InnoDB that was created last. Others have no
	// transactions: some servers do not accept several statements for them in
	// one.
	created string
}

func newLoading() *loading {
	return &loading{large: largeTable, referenced: make(map[string]bool)}
}

// pass passes a whole dump on. It is called once.
func (l *loading) pass(to io.Writer, from io.Reader) error {
	l.to = bufio.NewWriterSize(to, 64<<10)
	buffer := make([]byte, 256<<10)
	filled := 0
	for ended := false; !ended && !l.lost() && l.err == nil; {
		n, err := from.Read(buffer[filled:])
		filled += n
		ended = errors.Is(err, io.EOF)
		if err != nil && !ended {
			return fmt.Errorf("read dump: %w", err)
		}
		filled = copy(buffer, buffer[l.take(buffer[:filled], ended):filled])
	}
	if l.passing && l.scanner.begun {
		l.write("\n;") // the last statement has no end
	}
	// Either this is the end, or from here on nothing is understood.
	l.endTable()
	l.emit(l.statement)
	l.emit(buffer[:filled])
	if l.err == nil {
		_, l.err = io.Copy(l.to, from)
	}
	return errors.Join(l.err, l.to.Flush())
}

// lost reports whether there is no use in looking at what follows.
func (l *loading) lost() bool { return l.scanner.lost && !l.passing }

// take looks at a part of the dump and returns how much of it is done with.
func (l *loading) take(p []byte, last bool) (read int) {
	for read < len(p) && !l.lost() {
		n, ended := l.scanner.scan(p[read:], last)
		part := p[read : read+n]
		read += n
		if l.passing {
			l.emit(part)
			l.uncommitted += n
		} else {
			l.statement = append(l.statement, part...)
		}
		switch {
		case l.lost():
		case ended:
			l.finish()
		case !l.passing && len(l.statement) > recognisable:
			l.passEarly()
		}
		if n == 0 {
			break
		}
	}
	return read
}

// passEarly begins to pass on a statement whose end has not come yet, if what
// there is of it tells enough.
func (l *loading) passEarly() {
	text := l.statement[min(l.scanner.start, len(l.statement)):]
	name := insertion(text)
	switch {
	case l.scanner.begun && name != "" && !l.scanner.long:
		l.beginRows(name)
	case len(l.statement) > longestStatement:
		l.endTable()
	default:
		return
	}
	l.emit(l.statement)
	l.uncommitted += len(l.statement)
	l.statement, l.passing = l.statement[:0], true
}

// finish deals with a statement whose end has come.
func (l *loading) finish() {
	if !l.passing {
		l.recognise(l.statement[l.scanner.start:])
		l.emit(l.statement)
		l.uncommitted += len(l.statement)
	}
	l.statement, l.passing = l.statement[:0], false
	l.scanner.next()
}

// recognise does what has to be done before a statement.
func (l *loading) recognise(statement []byte) {
	name := insertion(statement)
	if name != "" && !l.scanner.long {
		l.beginRows(name)
		return
	}
	text := string(statement)
	l.transactions = l.transactions || autocommit.MatchString(text)
	if l.table != "" {
		found := ofTable.FindStringSubmatch(text)
		if between.MatchString(text) || found != nil && found[1]+found[2] == l.table {
			l.endRows()
			return
		}
	}
	l.endTable()
	switch {
	case noEscapes.MatchString(text):
		l.scanner.lost = true
	case modeOfDumps.MatchString(text):
		l.seen, l.usual = true, true
	case modeIsBack.MatchString(text):
		l.usual = l.seen
	case modeChanges.MatchString(text):
		l.usual = false
	}
	for _, name := range referencedTables(text) {
		l.referenced[name] = true
	}
	if found := createsTable.FindStringSubmatch(text); found != nil {
		l.created = found[1]
	}
	t, ok := parseTable(text)
	if ok && l.usual && !l.referenced[strings.ToLower(t.name)] {
		l.table, l.early = t.name, &t
		t.blanks, t.length = l.scanner.start, len(l.statement)
	}
}

// beginRows comes before a statement that inserts rows. The first one of a
// table is committed alone: a transaction that begins with an empty table is
// loaded by MariaDB in another way, which is slow for large ones.
func (l *loading) beginRows(table string) {
	if l.table != "" && l.table != table {
		l.endTable()
	}
	switch {
	case !l.usual || l.transactions || table != l.created:
		l.endRows()
	case l.rows != table:
		l.endRows()
		l.rows = table
	case !l.manual:
		l.write("\nSET autocommit=0;")
		l.manual, l.uncommitted = true, 0
	case l.uncommitted >= transactionSize:
		l.write("\nCOMMIT;")
		l.uncommitted = 0
	}
}

func (l *loading) endRows() {
	if l.manual {
		l.write("\nSET autocommit=1;") // which commits
	}
	l.manual, l.rows = false, ""
}

// endTable comes before a statement that has nothing to do with the table.
func (l *loading) endTable() {
	l.endRows()
	if l.early != nil {
		l.release(false)
	}
	if len(l.keys) > 0 {
		// What the client prints tells what it is about to do: see lastLine.
		l.write("\nSELECT '" + strings.ReplaceAll(l.table, "'", "''") + "';")
		l.write("\nALTER TABLE " + l.table + " ADD " + strings.Join(l.keys, ", ADD ") + ";\nSELECT '';")
	}
	l.table, l.keys = "", nil
}

// release passes on what was held, when it is known whether the table is
// large.
func (l *loading) release(large bool) {
	t, held := l.early, l.held
	l.early, l.held = nil, l.held[:0]
	if large {
		l.keys = t.keys
		l.emit(held[:t.blanks])
		l.write(t.without)
		held = held[t.length:]
	}
	l.emit(held)
}

func (l *loading) write(text string) { l.emit([]byte(text)) }

// emit passes on, or holds. The first failure stays.
func (l *loading) emit(p []byte) {
	if l.early != nil {
		l.held = append(l.held, p...)
		if len(l.held) > l.large {
			l.release(true)
		}
		return
	}
	if l.err == nil {
		_, l.err = l.to.Write(p)
	}
}
