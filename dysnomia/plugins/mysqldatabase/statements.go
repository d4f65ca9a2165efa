package mysqldatabase

import "bytes"

// statements finds the ends of the statements of a dump, in the way of the
// client program, in which backslashes escape. The zero value is at the
// beginning of a dump.
type statements struct {
	// in is what the present byte is part of: the quotation mark of a text or
	// an identifier, '#' for a comment up to the end of its line, '*' for any
	// other comment, or 0.
	in byte
	// conditional says that the present byte is in a comment that the server
	// executes.
	conditional bool
	// length is how long the present statement is so far, with the blanks and
	// comments before it, and start where it begins after these. There is no
	// statement yet if begun is false.
	length, start int
	begun         bool
	// long says that the delimiter is ;; instead of ;
	long bool
	// lost says that there is something that dumps do not have: what follows
	// cannot be understood for sure.
	lost bool
}

const (
	// mostAhead is how many bytes there must be to recognise what begins with
	// the first of them, unless the dump ends before.
	mostAhead     = 32
	delimiterWord = "delimiter"
)

// scan reads from p up to the end of a statement, including the delimiter, or
// as far as it is clear without what comes after p. At the end of a dump, last
// says that nothing does. It returns how much it has read.
func (s *statements) scan(p []byte, last bool) (n int, ended bool) {
	n, ended = s.advance(p, last)
	s.length += n
	return n, ended
}

// next begins another statement.
func (s *statements) next() {
	s.begun, s.length, s.start = false, 0, 0
}

func (s *statements) advance(p []byte, last bool) (n int, ended bool) {
	i := 0
	for i < len(p) {
		switch s.in {
		case 0:
			for i < len(p) && s.begun && !special[p[i]] {
				i++
			}
			if i == len(p) || !last && len(p)-i < mostAhead {
				return i, false
			}
			before := s.lost
			length, end := s.outside(p[i:], i)
			i += length
			if end || s.lost != before {
				return i, end
			}
		case '#':
			i = after(p, i, "\n")
			if i > 0 && p[i-1] == '\n' {
				s.in = 0
			}
		case '*':
			end := bytes.Index(p[i:], []byte("*/"))
			if end < 0 && !last {
				return max(i, len(p)-1), false // there may be half of the end
			}
			if end < 0 {
				return len(p), false
			}
			i += end + len("*/")
			s.in = 0
		default:
			end, closed := s.quoted(p, i)
			if !closed && end < len(p) && !last {
				return end, false
			}
			if !closed {
				return len(p), false
			}
			i = end
			s.in = 0
		}
	}
	return i, false
}

// after returns where in p, from i on, a text has ended, or the length of p.
func after(p []byte, i int, text string) int {
	if end := bytes.Index(p[i:], []byte(text)); end >= 0 {
		return i + end + len(text)
	}
	return len(p)
}

// special are the bytes that may mean something outside of texts.
var special = func() (table [256]bool) {
	for _, c := range []byte("'\"`-#/*;") {
		table[c] = true
	}
	return table
}()

// outside reads what begins with the first byte of p, which is neither in a
// text nor in a comment. It is at the given place after what was scanned.
func (s *statements) outside(p []byte, at int) (n int, ended bool) {
	if p[0] == '\'' || p[0] == '"' || p[0] == '`' {
		s.begin(at)
		s.in = p[0]
		return 1, false
	}
	has := func(text string) bool { return bytes.HasPrefix(p, []byte(text)) }
	switch {
	case has("#"), has("--") && (len(p) == 2 || p[2] <= ' '):
		s.in = '#'
		return 1, false
	case has("/*!"), has("/*M!"):
		s.lost = s.lost || s.conditional
		s.begin(at)
		s.conditional = true
		return len("/*!"), false
	case has("/*"):
		s.lost = s.lost || s.conditional
		s.in = '*'
		return len("/*"), false
	case has("*/"):
		s.conditional = false
		return len("*/"), false
	case has(s.delimiter()):
		s.lost = s.lost || s.conditional
		s.conditional = false
		s.begin(at)
		return len(s.delimiter()), true
	case !s.begun && p[0] <= ' ':
		return 1, false
	case !s.begun && len(p) >= len(delimiterWord) && bytes.EqualFold(p[:len(delimiterWord)], []byte(delimiterWord)):
		return s.newDelimiter(p, at), false
	}
	s.begin(at)
	return 1, false
}

func (s *statements) begin(at int) {
	if !s.begun {
		s.begun, s.start = true, s.length+at
	}
}

func (s *statements) delimiter() string {
	if s.long {
		return ";;"
	}
	return ";"
}

// newDelimiter reads a line that sets the delimiter. Dumps have two of these.
func (s *statements) newDelimiter(p []byte, at int) (n int) {
	line, _, _ := bytes.Cut(p, []byte("\n"))
	switch string(bytes.TrimSpace(line[len(delimiterWord):])) {
	case ";":
		s.long = false
	case ";;":
		s.long = true
	default:
		s.lost = true
		s.begin(at)
	}
	return len(line)
}

// quoted reads from p[i], which is in a text, and returns where the text has
// ended, or how far it is clear that it has not.
func (s *statements) quoted(p []byte, i int) (n int, closed bool) {
	for {
		end := bytes.IndexByte(p[i:], s.in) + i
		if end < i {
			end = len(p)
		}
		for s.in != '`' {
			escape := bytes.IndexByte(p[i:end], '\\')
			if escape < 0 {
				i = end
				break
			}
			i += escape
			if i+1 == len(p) {
				return i, false
			}
			i += 2
			if i > end {
				break
			}
		}
		switch {
		case s.in == '`':
			i = end
		case i > end:
			continue // the quotation mark was escaped
		}
		if i == len(p) {
			return i, false
		}
		return i + 1, true
	}
}
