package soapwire

import (
	"bufio"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"
	"sync"
)

// envelope is the XML of a message that is received.
type envelope struct {
	io.Reader
	// version is what the Content-Type announces, if it does.
	version *Version
	// strict says that the envelope must be of that version.
	strict bool
}

// partBuffers are what multipart messages are read through.
var partBuffers = sync.Pool{New: func() any { return bufio.NewReaderSize(nil, partBuffer) }}

const statusTooLarge = http.StatusRequestEntityTooLarge

func newParts() *parts {
	return &parts{references: map[string]int{}, early: map[string]spooled{}}
}

// root finds the envelope of a message: in a multipart message, the part that
// the Content-Type names, or the first one.
func (p *parts) root(header http.Header, body io.Reader) (envelope, error) {
	mediaType, parameters, err := mime.ParseMediaType(header.Get("Content-Type"))
	if err != nil {
		return envelope{}, unsupported("the Content-Type %.100q cannot be read", header.Get("Content-Type"))
	}
	version := announced(mediaType, parameters)
	if version == nil {
		return envelope{}, unsupported("the Content-Type is %.100s; it must be text/xml, application/soap+xml or multipart/related", mediaType)
	}
	e := envelope{body, version, mediaType != "multipart/related"}
	if e.Reader, err = Uncompressed(header, body); err != nil {
		return e, err
	}
	if e.strict {
		return e, checkCharset(parameters["charset"])
	}
	switch length := len(parameters["boundary"]); {
	case length == 0:
		return e, unsupported("the Content-Type has no boundary")
	case length > maxBoundary:
		return e, unsupported("the boundary in the Content-Type is longer than %d bytes", maxBoundary)
	}
	p.source = &rememberingReader{Reader: e.Reader}
	p.buffer = partBuffers.Get().(*bufio.Reader)
	p.buffer.Reset(p.source)
	p.reader = newPartReader(p.buffer, parameters["boundary"])
	e.Reader, err = p.envelopePart(trimID(parameters["start"]))
	return e, err
}

// announced returns the version of SOAP that a Content-Type stands for, or nil
// if it is none of SOAP's.
func announced(mediaType string, parameters map[string]string) *Version {
	version := Soap11
	switch mediaType {
	case "text/xml", "application/xml":
	case "application/soap+xml":
		version = Soap12
	case "multipart/related":
		if strings.HasPrefix(parameters["start-info"], "application/soap+xml") || parameters["type"] == "application/soap+xml" {
			version = Soap12
		}
	default:
		return nil
	}
	return &version
}

// Uncompressed returns the body of a message as it is without its
// Content-Encoding. If that is not known, the error is a [*Fault].
func Uncompressed(header http.Header, body io.Reader) (io.Reader, error) {
	switch encoding := strings.ToLower(header.Get("Content-Encoding")); encoding {
	case "", "identity":
		return body, nil
	case "gzip", "x-gzip":
		return &gzipReader{source: body}, nil
	default:
		return nil, unsupported("the Content-Encoding is %.40q; it must be gzip, if there is one", encoding)
	}
}

// gzipReader begins to read when it is asked to.
type gzipReader struct {
	source io.Reader
	reader *gzip.Reader
}

func (g *gzipReader) Read(p []byte) (int, error) {
	if g.reader == nil {
		reader, err := gzip.NewReader(bufio.NewReaderSize(g.source, 32<<10))
		if err != nil {
			return 0, gzipError(err)
		}
		g.reader = reader
	}
	n, err := g.reader.Read(p)
	return n, gzipError(err)
}

func gzipError(err error) error {
	if errors.Is(err, gzip.ErrHeader) || errors.Is(err, gzip.ErrChecksum) {
		return clientFault("the message is not in the format gzip, as its Content-Encoding says")
	}
	return err
}

// envelopePart returns the part with the envelope. Parts before it are kept.
func (p *parts) envelopePart(start string) (io.Reader, error) {
	for {
		id, mediaType, content, err := p.next()
		if err == io.EOF {
			return nil, clientFault("the message has no part with the envelope")
		}
		if err != nil {
			return nil, err
		}
		if start == "" || id == start {
			_, parameters, err := mime.ParseMediaType(mediaType)
			if err != nil { // it need not say what it is
				return content, nil
			}
			return content, checkCharset(parameters["charset"])
		}
		if p.early[id], err = p.spool(mediaType, content); err != nil {
			return nil, err
		}
	}
}

func checkCharset(charset string) error {
	if !isUTF8(charset) {
		return unsupported("the charset is %.40q; it must be UTF-8", charset)
	}
	return nil
}

func unsupported(format string, args ...any) *Fault {
	return &Fault{Code: Client, Text: fmt.Sprintf(format, args...), Status: http.StatusUnsupportedMediaType}
}
