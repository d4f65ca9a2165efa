package strictxml

import (
	"bytes"
	"unicode/utf8"
)

// special marks the bytes that end a run of plain text: markup, references,
// line ends that are normalized, and bytes that belong (or may belong) to a
// character that XML forbids.
var special [256]bool

func init() {
	for c := range 0x20 {
		special[c] = c != '\t' && c != '\n'
	}
	special['<'] = true
	special['&'] = true
	special[']'] = true  // of ]]>
	special[0xEF] = true // of U+FFFE and U+FFFF
}

// characters reads text up to the next markup, where it leaves pos. The text
// is only valid until the next call, and only returned when wanted.
func (r *Reader) characters(wanted bool) ([]byte, bool) {
	start := r.pos
	for r.pos < len(r.data) && !special[r.data[r.pos]] {
		r.pos++
	}
	if r.pos < len(r.data) && r.data[r.pos] == '<' {
		return r.data[start:r.pos], true
	}
	if wanted {
		r.buffer = append(r.buffer[:0], r.data[start:r.pos]...)
	}
	for r.pos < len(r.data) {
		switch c := r.data[r.pos]; c {
		case '<':
			return r.buffer, true
		case '&':
			var array [utf8.UTFMax]byte
			character, ok := r.reference(array[:0])
			if !ok {
				return nil, false
			}
			if wanted {
				r.buffer = append(r.buffer, character...)
			}
			continue
		case ']':
			if bytes.HasPrefix(r.data[r.pos:], []byte("]]>")) {
				return nil, r.fail(r.pos, "the text contains ]]>")
			}
		case '\r':
			if r.pos+1 < len(r.data) && r.data[r.pos+1] == '\n' {
				r.pos++
			}
			if wanted {
				r.buffer = append(r.buffer, '\n')
			}
			r.pos++
			continue
		default:
			if special[c] && !r.validCharacter(r.pos) {
				return nil, false
			}
		}
		if wanted {
			r.buffer = append(r.buffer, r.data[r.pos])
		}
		r.pos++
	}
	return nil, r.fail(len(r.data), "the document ends within element <%.100s>", r.Name())
}

// validCharacter checks the character that begins at offset with a special
// byte.
func (r *Reader) validCharacter(offset int) bool {
	c, _ := utf8.DecodeRune(r.data[offset:])
	if !isChar(c) {
		return r.fail(offset, "the text contains the character %U, which XML does not allow", c)
	}
	return true
}

// isChar is the production Char of XML 1.0.
func isChar(c rune) bool {
	switch {
	case c < 0x20:
		return c == '\t' || c == '\n' || c == '\r'
	case c < 0xD800:
		return true
	default:
		return c >= 0xE000 && c <= 0xFFFD || c >= 0x10000 && c <= 0x10FFFF
	}
}

// reference reads the reference at pos and appends what it stands for.
func (r *Reader) reference(text []byte) ([]byte, bool) {
	// The longest one is &#x10FFFF; leading zeros are not worth more room.
	const longest = 32
	rest := r.data[r.pos+1 : min(r.pos+1+longest, len(r.data))]
	length := bytes.IndexByte(rest, ';')
	if length < 0 {
		return nil, r.fail(r.pos, "the character & begins no reference; it is written &amp;")
	}
	name := rest[:length]
	c, ok := referenced(name)
	if !ok {
		return nil, r.fail(r.pos, "the reference &%.100s; is unknown or stands for a character that XML does not allow", name)
	}
	r.pos += length + 2
	return utf8.AppendRune(text, c), true
}

// referenced returns the character that a reference stands for.
func referenced(name []byte) (rune, bool) {
	switch string(name) {
	case "amp":
		return '&', true
	case "lt":
		return '<', true
	case "gt":
		return '>', true
	case "quot":
		return '"', true
	case "apos":
		return '\'', true
	}
	digits, isNumber := bytes.CutPrefix(name, []byte("#"))
	if !isNumber {
		return 0, false
	}
	base := rune(10)
	if hexadecimal, ok := bytes.CutPrefix(digits, []byte("x")); ok {
		digits, base = hexadecimal, 16
	}
	var c rune
	for _, d := range digits {
		value := digitValue(d)
		if value >= base {
			return 0, false
		}
		if c = c*base + value; c > utf8.MaxRune {
			return 0, false
		}
	}
	return c, len(digits) > 0 && isChar(c)
}

// digitValue returns the value of a hexadecimal digit, or 16.
func digitValue(d byte) rune {
	switch {
	case d >= '0' && d <= '9':
		return rune(d - '0')
	case d >= 'a' && d <= 'f':
		return rune(d-'a') + 10
	case d >= 'A' && d <= 'F':
		return rune(d-'A') + 10
	default:
		return 16
	}
}
