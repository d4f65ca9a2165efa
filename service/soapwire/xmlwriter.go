package soapwire

import (
	"bufio"
	"encoding/base64"
	"fmt"
	"io"
	"unicode/utf8"
)

// xmlWriter writes elements on one line. After a failure it does nothing any
// more; the failure is returned by flush.
type xmlWriter struct {
	out *bufio.Writer
	err error
}

func newXMLWriter(w io.Writer) *xmlWriter { return &xmlWriter{out: bufio.NewWriterSize(w, 8<<10)} }

func (x *xmlWriter) flush() error {
	if x.err == nil {
		x.err = x.out.Flush()
	}
	return x.err
}

// raw writes markup.
func (x *xmlWriter) raw(parts ...string) {
	for _, part := range parts {
		if x.err == nil {
			_, x.err = x.out.WriteString(part)
		}
	}
}

// start writes a start tag; attributes are names and values in turn.
func (x *xmlWriter) start(name string, attributes ...string) {
	x.raw("<", name)
	for i := 0; i+1 < len(attributes); i += 2 {
		x.raw(" ", attributes[i], `="`)
		x.text(attributes[i+1])
		x.raw(`"`)
	}
	x.raw(">")
}

func (x *xmlWriter) end(name string) { x.raw("</", name, ">") }

// text writes character data, which must be such that XML can hold it.
func (x *xmlWriter) text(text string) {
	written := 0
	for i, c := range text {
		if c == utf8.RuneError {
			if _, size := utf8.DecodeRuneInString(text[i:]); size == 1 {
				x.refuse(text)
				return
			}
		}
		if !isChar(c) {
			x.refuse(text)
			return
		}
		if escape := escapes(c); escape != "" {
			x.raw(text[written:i], escape)
			written = i + 1
		}
	}
	x.raw(text[written:])
}

func escapes(c rune) string {
	switch c {
	case '&':
		return "&amp;"
	case '<':
		return "&lt;"
	case '>':
		return "&gt;"
	case '"':
		return "&quot;"
	case '\r':
		return "&#13;"
	default:
		return ""
	}
}

// refuse takes note of a text that cannot be sent. The text is not told: it may
// be secret.
func (x *xmlWriter) refuse(text string) {
	if x.err == nil {
		x.err = fmt.Errorf("a text of %d bytes contains a character that XML cannot hold", len(text))
	}
}

// base64 writes a binary value.
func (x *xmlWriter) base64(write func(io.Writer) error) {
	if x.err != nil {
		return
	}
	encoder := base64.NewEncoder(base64.StdEncoding, x.out)
	if x.err = write(encoder); x.err == nil {
		x.err = encoder.Close()
	}
}
