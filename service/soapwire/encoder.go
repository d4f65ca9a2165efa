package soapwire

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"io"
	"mime/multipart"
	"net/textproto"
	"reflect"
	"strconv"
)

// Encoder writes one message: [Encoder.Request], [Encoder.Reply] or
// [Encoder.Fault] is called once. It is for one goroutine.
type Encoder struct {
	version   Version
	multipart bool
	id        string // makes the boundary and content ids unique
	contents  []part
}

// part is a content that follows the envelope.
type part struct {
	id string
	*Content
}

// NewEncoder returns an encoder of a message in a version of SOAP. A multipart
// message has binary values as parts of their own, which is the original's
// way; otherwise they are in the XML, in base64.
func NewEncoder(version Version, multipart bool) *Encoder {
	var id [16]byte
	_, _ = rand.Read(id[:]) // it never fails
	return &Encoder{version: version, multipart: multipart, id: hex.EncodeToString(id[:])}
}

func (e *Encoder) boundary() string { return "MIMEBoundary_" + e.id }
func (e *Encoder) rootID() string   { return "0." + e.id + "@disnix" }

// ContentType returns the HTTP Content-Type of the message (SOAP page, 2.1 and
// 2.3). The action is urn:OPERATION in requests, urn:OPERATIONResponse in
// replies; it is needed for SOAP 1.2 only, and may be empty.
func (e *Encoder) ContentType(action string) string {
	if e.version == Soap12 && action != "" {
		action = fmt.Sprintf("; action=%q", action)
	} else {
		action = ""
	}
	if !e.multipart {
		return e.version.mediaType() + "; charset=UTF-8" + action
	}
	return fmt.Sprintf(`multipart/related; boundary=%q; type="application/xop+xml"; start="<%s>"; start-info=%q%s`,
		e.boundary(), e.rootID(), e.version.mediaType(), action)
}

// Attach adds a part that the envelope does not mention. It is written last;
// messages that are not multipart go without it. It must be called before the
// message is written.
func (e *Encoder) Attach(id string, content *Content) {
	e.contents = append(e.contents, part{id, content})
}

// Request writes a request, a pointer to a generated type. Positional
// arguments are what the original client sends, instead of the names that the
// WSDL has (SOAP page, 2.1); its server accepts both.
func (e *Encoder) Request(w io.Writer, request any, positional bool) error {
	return e.message(w, func(x *xmlWriter) {
		if positional {
			e.positional(x, request)
		} else {
			e.named(x, "d", request)
		}
	})
}

// Reply writes a response, a pointer to a generated type.
func (e *Encoder) Reply(w io.Writer, response any) error {
	return e.message(w, func(x *xmlWriter) { e.named(x, "ns", response) })
}

// Fault writes a fault. Characters that XML cannot hold are replaced.
func (e *Encoder) Fault(w io.Writer, fault *Fault) error {
	return e.message(w, func(x *xmlWriter) { writeFault(x, e.version, fault) })
}

// message writes the envelope and the parts.
func (e *Encoder) message(w io.Writer, body func(*xmlWriter)) error {
	if !e.multipart {
		return e.envelope(w, body)
	}
	attached := e.contents
	e.contents = nil
	parts := multipart.NewWriter(w)
	if err := parts.SetBoundary(e.boundary()); err != nil {
		return err
	}
	root, err := createPart(parts, e.rootID(), fmt.Sprintf("application/xop+xml; charset=UTF-8; type=%q", e.version.mediaType()))
	if err == nil {
		err = e.envelope(root, body)
	}
	for _, p := range append(e.contents, attached...) {
		if err == nil {
			err = writePart(parts, p)
		}
	}
	if err == nil {
		err = parts.Close()
	}
	return err
}

func (e *Encoder) envelope(w io.Writer, body func(*xmlWriter)) error {
	x := newXMLWriter(w)
	x.raw(`<?xml version="1.0" encoding="UTF-8"?>`)
	x.start("soapenv:Envelope", "xmlns:soapenv", e.version.namespace())
	x.raw("<soapenv:Header/><soapenv:Body>")
	body(x)
	x.raw("</soapenv:Body></soapenv:Envelope>")
	return x.flush()
}

func createPart(parts *multipart.Writer, id, mediaType string) (io.Writer, error) {
	return parts.CreatePart(textproto.MIMEHeader{
		"Content-Type":              {mediaType},
		"Content-Transfer-Encoding": {"binary"},
		"Content-ID":                {"<" + id + ">"},
	})
}

func writePart(parts *multipart.Writer, p part) error {
	mediaType := p.MediaType
	if mediaType == "" {
		mediaType = "application/octet-stream"
	}
	w, err := createPart(parts, p.id, mediaType)
	if err == nil {
		err = p.write(w)
	}
	return err
}

// named writes a message with the names of the WSDL. Nulls are written as such:
// the name of an argument that begins with "arg" is not read as a name.
func (e *Encoder) named(x *xmlWriter, prefix string, message any) {
	shape, value := shapeOf(message), reflect.ValueOf(message).Elem()
	wrapper := prefix + ":" + shape.wrapper
	x.start(wrapper, "xmlns:"+prefix, Namespace)
	for _, element := range shape.elements {
		e.element(x, prefix+":"+element.name, nil, element.kind, value.Field(element.field))
	}
	x.end(wrapper)
}

// positional writes a request like the original client: the number in a name is
// that of the preceding arguments that are not null.
func (e *Encoder) positional(x *xmlWriter, request any) {
	shape, value := shapeOf(request), reflect.ValueOf(request).Elem()
	x.start(shape.wrapper, "xmlns", Namespace)
	number := 0
	for _, element := range shape.elements {
		field := value.Field(element.field)
		null := !element.kind.isList() && field.Kind() == reflect.Pointer && field.IsNil()
		name := "arg"
		if null || element.kind.isList() {
			name = "item"
		}
		e.element(x, name+strconv.Itoa(number), []string{"xmlns", ""}, element.kind, field)
		if !null {
			number++
		}
	}
	x.end(shape.wrapper)
}

// element writes the values of one child of the wrapper.
func (e *Encoder) element(x *xmlWriter, name string, attributes []string, k kind, value reflect.Value) {
	switch k {
	case intKind:
		x.start(name, attributes...)
		x.raw(strconv.FormatInt(value.Int(), 10))
		x.end(name)
	case boolKind:
		x.start(name, attributes...)
		x.raw(strconv.FormatBool(value.Bool()))
		x.end(name)
	case textKind, binaryKind:
		e.entry(x, name, attributes, value.Interface())
	case textsKind, binariesKind:
		for i := range value.Len() {
			e.entry(x, name, attributes, value.Index(i).Interface())
		}
	}
}

// entry writes a text or a content, either of which may be null.
func (e *Encoder) entry(x *xmlWriter, name string, attributes []string, value any) {
	switch value := value.(type) {
	case *string:
		if value != nil {
			x.start(name, attributes...)
			x.text(*value)
			x.end(name)
			return
		}
	case *Content:
		if value != nil {
			x.start(name, attributes...)
			e.content(x, value)
			x.end(name)
			return
		}
	}
	x.start(name, append(attributes, "xmlns:xsi", instanceNamespace, "xsi:nil", "true")...)
	x.end(name)
}

func (e *Encoder) content(x *xmlWriter, content *Content) {
	if !e.multipart {
		x.base64(content.write)
		return
	}
	id := strconv.Itoa(len(e.contents)+1) + "." + e.id + "@disnix"
	e.contents = append(e.contents, part{id, content})
	x.start("xop:Include", "xmlns:xop", xopNamespace, "href", "cid:"+id)
	x.end("xop:Include")
}

func writeFault(x *xmlWriter, version Version, fault *Fault) {
	code, text := "soapenv:"+faultCodes[version][fault.Code], printable(fault.Text)
	detail := func() {
		if fault.Detail == nil || fault.Detail.DisnixWebServiceException == nil {
			return
		}
		x.raw(`<ns:DisnixWebServiceException xmlns:ns="`+Namespace+`">`, "<ns:DisnixWebServiceException>")
		if message := fault.Detail.DisnixWebServiceException.Message; message != nil {
			x.raw("<ns:Message>")
			x.text(printable(*message))
			x.raw("</ns:Message>")
		}
		x.raw("</ns:DisnixWebServiceException>", "</ns:DisnixWebServiceException>")
	}
	x.raw("<soapenv:Fault>")
	if version == Soap12 {
		x.raw("<soapenv:Code><soapenv:Value>", code, "</soapenv:Value></soapenv:Code>")
		x.raw(`<soapenv:Reason><soapenv:Text xml:lang="en-US">`)
		x.text(text)
		x.raw("</soapenv:Text></soapenv:Reason><soapenv:Detail>")
		detail()
		x.raw("</soapenv:Detail>")
	} else {
		x.raw("<faultcode>", code, "</faultcode><faultstring>")
		x.text(text)
		x.raw("</faultstring><detail>")
		detail()
		x.raw("</detail>")
	}
	x.raw("</soapenv:Fault>")
}
