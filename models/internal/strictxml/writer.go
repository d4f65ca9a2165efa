package strictxml

import (
	"bufio"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// Layout says how a [Writer] arranges elements.
type Layout int

const (
	// Compact writes everything on one line and empty elements as <x/>.
	Compact Layout = iota
	// Indented writes one element per line, indented by two spaces per level,
	// without a final newline. Elements are never written as <x/>.
	Indented
)

// Writer writes elements. After a mistake it does nothing any more; the
// mistake is returned by [Writer.Flush].
type Writer struct {
	out     *bufio.Writer
	layout  Layout
	depth   int
	started bool // something was written
	pending bool // the start tag that was written last has no > yet
	err     error
}

// NewWriter returns a writer.
func NewWriter(w io.Writer, layout Layout) *Writer {
	return &Writer{out: bufio.NewWriterSize(w, 64<<10), layout: layout}
}

// Raw writes text as it is; it is for what surrounds the root element.
func (w *Writer) Raw(text string) {
	w.raw(text)
}

// Start writes a start tag; attributes are names and values in turn.
func (w *Writer) Start(name string, attributes ...string) {
	w.tag(name, attributes)
	if w.layout == Compact {
		w.pending = true
	} else {
		w.raw(">")
	}
	w.depth++
}

// End writes an end tag.
func (w *Writer) End(name string) {
	w.depth--
	if w.pending {
		w.pending = false
		w.raw("/>")
		return
	}
	w.indent()
	w.raw("</")
	w.raw(name)
	w.raw(">")
}

// Element writes an element that contains text; attributes are names and
// values in turn.
func (w *Writer) Element(name, text string, attributes ...string) {
	w.tag(name, attributes)
	if text == "" && w.layout == Compact {
		w.raw("/>")
		return
	}
	w.raw(">")
	w.escape(text, textEscapes[:])
	w.raw("</")
	w.raw(name)
	w.raw(">")
}

// Flush writes what is still buffered and returns the first mistake: of the
// underlying writer, or a text that XML cannot hold.
func (w *Writer) Flush() error {
	if w.err == nil {
		w.err = w.out.Flush()
	}
	return w.err
}

func (w *Writer) tag(name string, attributes []string) {
	if w.pending {
		w.pending = false
		w.raw(">")
	}
	w.indent()
	w.raw("<")
	w.raw(name)
	for i := 0; i < len(attributes); i += 2 {
		w.raw(" ")
		w.raw(attributes[i])
		w.raw(`="`)
		w.escape(attributes[i+1], attributeEscapes[:])
		w.raw(`"`)
	}
}

func (w *Writer) indent() {
	if w.layout == Indented && w.started {
		w.raw("\n")
		w.raw(strings.Repeat("  ", w.depth))
	}
	w.started = true
}

func (w *Writer) raw(text string) {
	if w.err == nil {
		_, w.err = w.out.WriteString(text)
	}
}

// The escapes of the original's serializer (formats, section 1). White space
// that a reader would change is escaped, too.
var (
	textEscapes      = [256]string{'&': "&amp;", '<': "&lt;", '>': "&gt;", '\r': "&#13;"}
	attributeEscapes = [256]string{'&': "&amp;", '<': "&lt;", '>': "&gt;", '"': "&quot;",
		'\r': "&#13;", '\n': "&#10;", '\t': "&#9;"}
)

func (w *Writer) escape(text string, escapes []string) {
	written := 0
	for i := 0; i < len(text); i++ {
		c := text[i]
		if c >= 0x80 || c < 0x20 {
			char, size := utf8.DecodeRuneInString(text[i:])
			if char == utf8.RuneError && size == 1 || !isChar(char) {
				w.refuse(text)
				return
			}
			if size > 1 {
				i += size - 1
				continue
			}
		}
		if escape := escapes[c]; escape != "" {
			w.raw(text[written:i])
			w.raw(escape)
			written = i + 1
		}
	}
	w.raw(text[written:])
}

func (w *Writer) refuse(text string) {
	if w.err == nil {
		w.err = fmt.Errorf("text %.100q contains a character that XML cannot hold", text)
	}
}
