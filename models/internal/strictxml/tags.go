package strictxml

import "bytes"

// startTag reads a start tag, including its attributes.
func (r *Reader) startTag() bool {
	start := r.pos
	r.pos++
	name := r.name()
	if len(name) == 0 {
		return r.fail(start, "a tag has no name; the character < in text is written &lt;")
	}
	if len(r.open) == MaxDepth {
		return r.fail(start, "elements are nested more than %d deep", MaxDepth)
	}
	r.attrs = r.attrs[:0]
	for {
		spaced := r.space()
		if r.pos == len(r.data) {
			return r.fail(start, "the start tag <%.100s is not closed", name)
		}
		switch c := r.data[r.pos]; {
		case c == '>':
			r.pos++
			r.enter(start, name)
			return true
		case c == '/':
			if r.peek() != '>' {
				return r.fail(r.pos, "the start tag <%.100s is not closed", name)
			}
			r.pos += 2
			r.enter(start, name)
			r.empty = true
			return true
		case !spaced:
			return r.fail(r.pos, "the start tag <%.100s is malformed", name)
		}
		if !r.attribute(name) {
			return false
		}
	}
}

func (r *Reader) enter(start int, name []byte) {
	r.offset = start
	r.open = append(r.open, name)
}

// endTag reads the end tag of the innermost element.
func (r *Reader) endTag() {
	start := r.pos
	r.pos += 2
	name := r.name()
	innermost := r.open[len(r.open)-1]
	if !bytes.Equal(name, innermost) {
		r.fail(start, "element <%.100s> is closed by </%.100s>", innermost, name)
		return
	}
	r.space()
	if r.pos == len(r.data) || r.data[r.pos] != '>' {
		r.fail(start, "the end tag </%.100s is not closed", name)
		return
	}
	r.pos++
	r.open = r.open[:len(r.open)-1]
}

func (r *Reader) attribute(element []byte) bool {
	start := r.pos
	name := r.name()
	if len(name) == 0 {
		return r.fail(start, "the start tag <%.100s is malformed", element)
	}
	r.space()
	if r.pos == len(r.data) || r.data[r.pos] != '=' {
		return r.fail(start, "attribute %.100s of <%.100s> has no value", name, element)
	}
	r.pos++
	r.space()
	if r.pos == len(r.data) || (r.data[r.pos] != '"' && r.data[r.pos] != '\'') {
		return r.fail(start, "the value of attribute %.100s of <%.100s> is not quoted", name, element)
	}
	for _, other := range r.attrs {
		if bytes.Equal(other.name, name) {
			return r.fail(start, "attribute %.100s of <%.100s> is given twice", name, element)
		}
	}
	if len(r.attrs) == maxAttributes {
		return r.fail(start, "element <%.100s> has more than %d attributes", element, maxAttributes)
	}
	value, ok := r.attributeValue(name)
	r.attrs = append(r.attrs, attribute{name, value})
	return ok
}

// attributeValue reads a quoted value. White space becomes a space each, as
// XML demands.
func (r *Reader) attributeValue(name []byte) ([]byte, bool) {
	start := r.pos
	quote := r.data[start]
	length := bytes.IndexByte(r.data[start+1:], quote)
	if length < 0 {
		return nil, r.fail(start, "the value of attribute %.100s is not closed", name)
	}
	r.pos++
	raw := r.data[r.pos : r.pos+length]
	plain := true
	for _, c := range raw {
		if special[c] && c != ']' || c == '\t' || c == '\n' {
			plain = false
			break
		}
	}
	if plain {
		r.pos += length + 1
		return raw, true
	}
	value := make([]byte, 0, length)
	for end := r.pos + length; r.pos < end; {
		switch c := r.data[r.pos]; c {
		case '<':
			return nil, r.fail(r.pos, "the value of attribute %.100s contains <, which is written &lt;", name)
		case '&':
			var ok bool
			if value, ok = r.reference(value); !ok {
				return nil, false
			}
		case '\r':
			if r.data[r.pos+1] == '\n' {
				r.pos++
			}
			fallthrough
		case '\t', '\n':
			value = append(value, ' ')
			r.pos++
		default:
			if special[c] && !r.validCharacter(r.pos) {
				return nil, false
			}
			value = append(value, c)
			r.pos++
		}
	}
	r.pos++
	return value, true
}

// name reads a name; it is empty if there is none.
func (r *Reader) name() []byte {
	start := r.pos
	if start == len(r.data) || !nameStart[r.data[start]] {
		return nil
	}
	for r.pos < len(r.data) && nameByte[r.data[r.pos]] {
		r.pos++
	}
	return r.data[start:r.pos]
}

// Bytes that may begin and continue a name. All characters beyond ASCII are
// let through: names that the documents do not use are ignored anyway.
var nameStart, nameByte [256]bool

func init() {
	for c := range 256 {
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_' || c == ':' || c >= 0x80
		nameStart[c] = letter
		nameByte[c] = letter || c >= '0' && c <= '9' || c == '-' || c == '.'
	}
}
