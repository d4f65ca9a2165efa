package soapwire

import (
	"bufio"
	"encoding/base64"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"
)

const (
	// maxDepth is how deep elements may be nested.
	maxDepth = 64
	// maxElements is how many elements an envelope may have.
	maxElements = 1 << 20
)

// document reads XML as a stream. Document type declarations are refused, and
// with them all entities but the predefined ones; the size, the depth and the
// number of elements are limited.
type document struct {
	source   *xmlSource
	decoder  *xml.Decoder
	depth    int
	elements int
}

func newDocument(r io.Reader, limit int64) *document {
	source := &xmlSource{in: bufio.NewReaderSize(r, 16<<10), limit: limit, left: limit, reserved: reservation}
	decoder := xml.NewDecoder(source)
	decoder.CharsetReader = func(charset string, input io.Reader) (io.Reader, error) {
		if !isUTF8(charset) {
			return nil, fmt.Errorf("the encoding is %.40q; it must be UTF-8", charset)
		}
		return input, nil
	}
	return &document{source: source, decoder: decoder}
}

func isUTF8(charset string) bool {
	switch strings.ToLower(charset) {
	case "", "utf-8", "utf8", "us-ascii", "ascii":
		return true
	default:
		return false
	}
}

// token returns the next start tag, end tag or text.
func (d *document) token() (xml.Token, error) {
	for {
		d.source.begin()
		token, err := d.decoder.Token()
		if err != nil {
			return nil, d.explain(err)
		}
		switch t := token.(type) {
		case xml.StartElement:
			d.depth++
			d.elements++
			if d.depth > maxDepth {
				return nil, clientFault("the elements of the message are nested deeper than %d", maxDepth)
			}
			if d.elements > maxElements {
				return nil, &Fault{Code: Client, Text: fmt.Sprintf("the message has more than %d elements", maxElements), Status: statusTooLarge}
			}
			return t, nil
		case xml.EndElement:
			d.depth--
			return t, nil
		case xml.CharData:
			return t, nil
		case xml.Directive:
			return nil, clientFault("the message has a document type declaration, which SOAP does not allow")
		}
	}
}

// explain tells a failure of the source from a mistake in the document.
func (d *document) explain(err error) error {
	var syntax *xml.SyntaxError
	switch {
	case d.source.err != nil && !errors.Is(d.source.err, io.EOF):
		return d.source.err
	case errors.Is(err, io.EOF):
		return clientFault("the message is empty or ends before the envelope")
	case errors.As(err, &syntax):
		return clientFault("the message is not well-formed XML: line %d: %s", syntax.Line, syntax.Msg)
	default:
		return clientFault("the message is not well-formed XML: %v", err)
	}
}

// child returns the next child element of the current one, or false at the end
// of the latter. Text in between is passed over.
func (d *document) child() (xml.StartElement, bool, error) {
	for {
		token, err := d.token()
		if err != nil {
			return xml.StartElement{}, false, err
		}
		switch t := token.(type) {
		case xml.StartElement:
			return t, true, nil
		case xml.EndElement:
			return xml.StartElement{}, false, nil
		}
	}
}

// text leaves the current element and returns the text in it.
func (d *document) text() (string, error) {
	var text strings.Builder
	for {
		token, err := d.token()
		if err != nil {
			return "", err
		}
		switch t := token.(type) {
		case xml.CharData:
			text.Write(t)
		case xml.EndElement:
			return text.String(), nil
		case xml.StartElement:
			if err := d.skip(); err != nil {
				return "", err
			}
		}
	}
}

// skip leaves the current element.
func (d *document) skip() error {
	for outside := d.depth - 1; d.depth > outside; {
		if _, err := d.token(); err != nil {
			return err
		}
	}
	return nil
}

// finish passes over what follows the root element, in which there may be no
// other element.
func (d *document) finish() error {
	for {
		d.source.begin()
		token, err := d.decoder.Token()
		if err != nil && d.source.err != nil && errors.Is(d.source.err, io.EOF) && errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return d.explain(err)
		}
		switch t := token.(type) {
		case xml.Comment, xml.ProcInst:
		case xml.CharData:
			if strings.TrimSpace(string(t)) != "" {
				return clientFault("there is text after the envelope")
			}
		default:
			return clientFault("there is something after the envelope")
		}
	}
}

// binary leaves the current element, which was just entered. It either returns
// the href of the xop:Include in it, or writes the bytes that it has in base64.
func (d *document) binary(w io.Writer) (href string, err error) {
	if err := decode(w, &base64Text{source: d.source}); err != nil {
		return "", err
	}
	for {
		token, err := d.token()
		if err != nil {
			return "", err
		}
		switch t := token.(type) {
		case xml.EndElement:
			return href, nil
		case xml.CharData: // a CDATA section
			if err := decode(w, strings.NewReader(strings.Join(strings.Fields(string(t)), ""))); err != nil {
				return "", err
			}
		case xml.StartElement:
			if t.Name.Local == "Include" && t.Name.Space == xopNamespace {
				href = attribute(t, "", "href")
			}
			if err := d.skip(); err != nil {
				return "", err
			}
		}
	}
}

func decode(w io.Writer, text io.Reader) error {
	_, err := io.Copy(w, base64.NewDecoder(base64.StdEncoding, text))
	var corrupt base64.CorruptInputError
	if errors.As(err, &corrupt) || errors.Is(err, io.ErrUnexpectedEOF) {
		return clientFault("a binary value is not valid base64")
	}
	return err
}

// base64Text reads the text in front of the next tag directly from the source,
// so that it is not held in memory, and leaves out white space.
type base64Text struct{ source *xmlSource }

func (t *base64Text) Read(p []byte) (int, error) {
	in := t.source.in
	for {
		if _, err := in.Peek(1); err != nil {
			if errors.Is(err, io.EOF) {
				err = clientFault("the message ends within a binary value")
			}
			return 0, err
		}
		available, _ := in.Peek(min(in.Buffered(), len(p)))
		n, used := 0, 0
		for ; used < len(available); used++ {
			switch c := available[used]; c {
			case ' ', '\t', '\r', '\n':
			case '<', '&':
				_, _ = in.Discard(used)
				switch {
				case n > 0:
					return n, nil
				case c == '<':
					return 0, io.EOF
				default:
					if err := t.reference(); err != nil {
						return 0, err
					}
					return 0, nil
				}
			default:
				p[n] = c
				n++
			}
		}
		_, _ = in.Discard(used)
		if n > 0 {
			return n, nil
		}
	}
}

// reference passes over a reference to white space.
func (t *base64Text) reference() error {
	in := t.source.in
	const longest = 8
	reference, err := in.Peek(longest)
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	name, _, found := strings.Cut(string(reference), ";")
	if found {
		switch strings.ToLower(name) {
		case "&#13", "&#10", "&#9", "&#32", "&#xd", "&#xa", "&#x9", "&#x20":
			_, _ = in.Discard(len(name) + 1)
			return nil
		}
	}
	return clientFault("a binary value is not valid base64")
}

// attribute returns the value of an attribute, or nothing.
func attribute(t xml.StartElement, space, name string) string {
	for _, a := range t.Attr {
		if a.Name.Local == name && a.Name.Space == space {
			return a.Value
		}
	}
	return ""
}
