// Package strictxml reads and writes the part of XML 1.0 that the documents
// need: elements, attributes, text, CDATA sections, comments, processing
// instructions, character references and the five predefined entities, in
// UTF-8.
//
// The reader works on hostile input: it accepts well-formed documents only,
// refuses document type declarations (and with them every entity of their
// own), limits the depth, never opens anything else, and does not panic.
// encoding/xml lets much of that through, does not tell text from CDATA
// sections, as the documents' rules demand, and makes a lot of garbage of the
// 100 MB that the manifest of a large system has.
package strictxml

import (
	"bytes"
	"errors"
	"fmt"
	"unicode/utf8"
)

const (
	// MaxDepth is how deep elements may be nested.
	MaxDepth = 256
	// maxAttributes is how many attributes one element may have.
	maxAttributes = 256
)

// ErrEmpty says that a document has no root element at all.
var ErrEmpty = errors.New("there is no root element")

// SyntaxError says where and why a document is not well-formed.
type SyntaxError struct {
	Offset int // in bytes
	Reason string
}

// Error returns the reason.
func (e *SyntaxError) Error() string { return e.Reason }

// Reader walks through a document. After [Reader.Root] or a successful
// [Reader.Child] it is inside an element, which must then be left in one of
// three ways: by calling Child until it returns false, by [Reader.Text], or by
// [Reader.Skip]. After a mistake in the document all of them do nothing; the
// mistake is returned by [Reader.Finish]. A Reader is for one goroutine.
type Reader struct {
	data   []byte
	pos    int
	err    error
	open   [][]byte // names of the elements around pos
	offset int      // of the start tag that was read last
	attrs  []attribute
	empty  bool // the innermost element is empty: <x/>
	buffer []byte
}

type attribute struct{ name, value []byte }

// NewReader returns a reader of a whole document, which must not change while
// it is read.
func NewReader(data []byte) *Reader {
	return &Reader{data: data, open: make([][]byte, 0, 16), attrs: make([]attribute, 0, 8)}
}

// Root enters the root element and reports whether there is one.
func (r *Reader) Root() bool {
	if bytes.HasPrefix(r.data, []byte("\xEF\xBB\xBF")) {
		r.pos = 3 // a byte order mark
	}
	if !r.validEncoding() {
		return false
	}
	r.declaration()
	if !r.miscellaneous() {
		return false
	}
	if r.pos == len(r.data) {
		r.err = ErrEmpty
		return false
	}
	return r.startTag()
}

// Child enters the next child element of the innermost element and returns
// true, or leaves the innermost element and returns false if there is none.
// Text, comments and processing instructions are passed over.
func (r *Reader) Child() bool {
	if r.err != nil || r.leaveEmpty() {
		return false
	}
	for {
		if _, ok := r.characters(false); !ok {
			return false
		}
		switch r.peek() {
		case '/':
			r.endTag()
			return false
		case '!', '?':
			if !r.markup() {
				return false
			}
		default:
			return r.startTag()
		}
	}
}

// Text leaves the innermost element and returns its text: what it contains
// before the first child element, comment, processing instruction or CDATA
// section (formats, section 2). It is valid until the next call.
func (r *Reader) Text() []byte {
	if r.err != nil || r.leaveEmpty() {
		return nil
	}
	text, ok := r.characters(true)
	if !ok {
		return nil
	}
	r.Skip()
	if r.err != nil {
		return nil
	}
	return text
}

// Skip leaves the innermost element.
func (r *Reader) Skip() {
	for depth := 1; depth > 0 && r.err == nil; {
		if r.Child() {
			depth++
		} else {
			depth--
		}
	}
}

// Finish checks what follows the root element, once that was left, and returns
// the first mistake of the document: a [*SyntaxError] or [ErrEmpty].
func (r *Reader) Finish() error {
	if r.err == nil && r.miscellaneous() && r.pos < len(r.data) {
		r.fail(r.pos, "there is content after the root element")
	}
	return r.err
}

// Name returns the name of the element that was entered last.
func (r *Reader) Name() []byte {
	if len(r.open) == 0 {
		return nil
	}
	return r.open[len(r.open)-1]
}

// Attribute returns an attribute of the element that was entered last, and
// whether it has it.
func (r *Reader) Attribute(name string) ([]byte, bool) {
	for _, a := range r.attrs {
		if string(a.name) == name {
			return a.value, true
		}
	}
	return nil, false
}

// Offset returns where the element that was entered last begins, in bytes.
func (r *Reader) Offset() int { return r.offset }

func (r *Reader) fail(offset int, format string, args ...any) bool {
	if r.err == nil {
		r.err = &SyntaxError{Offset: offset, Reason: fmt.Sprintf(format, args...)}
	}
	return false
}

func (r *Reader) leaveEmpty() bool {
	if !r.empty {
		return false
	}
	r.empty = false
	r.open = r.open[:len(r.open)-1]
	return true
}

// peek returns the byte after the "<" at pos, or 0 at the end.
func (r *Reader) peek() byte {
	if r.pos+1 < len(r.data) {
		return r.data[r.pos+1]
	}
	return 0
}

func (r *Reader) validEncoding() bool {
	if utf8.Valid(r.data) {
		return true
	}
	offset := 0
	for {
		c, size := utf8.DecodeRune(r.data[offset:])
		if c == utf8.RuneError && size == 1 {
			return r.fail(offset, "the text is not valid UTF-8")
		}
		offset += size
	}
}

// miscellaneous passes over what may stand beside the root element.
func (r *Reader) miscellaneous() bool {
	for {
		r.space()
		if r.pos == len(r.data) {
			return r.err == nil
		}
		if r.data[r.pos] != '<' {
			return r.fail(r.pos, "there is text outside of the root element")
		}
		switch r.peek() {
		case '!', '?':
			if bytes.HasPrefix(r.data[r.pos:], []byte("<![")) {
				return r.fail(r.pos, "there is text outside of the root element")
			}
			if !r.markup() {
				return false
			}
		default:
			return r.err == nil
		}
	}
}

func (r *Reader) space() bool {
	start := r.pos
	for r.pos < len(r.data) && isSpace(r.data[r.pos]) {
		r.pos++
	}
	return r.pos > start
}

func isSpace(c byte) bool { return c == ' ' || c == '\n' || c == '\t' || c == '\r' }
