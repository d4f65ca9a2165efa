package soapwire

import (
	"errors"
	"fmt"
	"io"
	"net/http"
)

// DefaultXMLLimit is a limit for the XML of a message, without the binary
// values in it. It is enough for half a million store paths.
const DefaultXMLLimit = 64 << 20

// Request is a request that was received.
type Request struct {
	Version   Version
	Multipart bool
	// Operation is the name of the operation; empty if the message is not that
	// far in order.
	Operation string
	// Message is a pointer to a generated type. Lists have no null as their
	// only entry.
	Message any

	parts *parts
}

// ReadRequest reads a request up to its first part; the contents in it are
// read afterwards. It needs the headers Content-Type and Content-Encoding. The
// limit is for the XML, in bytes. If reserve is not nil, it is asked whether there
// is memory for so many more bytes of a message that is not small.
//
// The request is never nil and must be closed, even if there is an error. The
// error is a [*Fault], or says that the body cannot be read.
func ReadRequest(header http.Header, body io.Reader, limit int64, reserve func(bytes int64) bool) (*Request, error) {
	r := &Request{parts: newParts()}
	envelope, err := r.parts.root(header, body)
	if envelope.version != nil {
		r.Version = *envelope.version
	}
	r.Multipart = r.parts.reader != nil
	if err != nil {
		return r, err
	}
	m := &message{newDocument(envelope, limit), r.parts}
	m.document.source.reserve = reserve
	r.Version, err = m.readEnvelope(envelope)
	if err == nil {
		err = m.readRequest(r)
	}
	if err == nil && len(r.parts.references) == 0 {
		// Only when the body was read to its end does the server notice that
		// the client has gone.
		err = r.parts.drain(body)
	}
	return r, asUnexpectedEOF(err)
}

// Close releases temporary files.
func (r *Request) Close() error { return r.parts.close() }

// readRequest reads the body of the envelope.
func (m *message) readRequest(r *Request) error {
	wrapper, found, err := m.child()
	if err != nil {
		return err
	}
	if !found {
		return clientFault("the body of the message is empty")
	}
	r.Operation = wrapper.Name.Local
	switch wrapper.Name.Space {
	case Namespace:
	case "":
		return serverFault("namespace mismatch require %s found none", Namespace)
	default:
		return serverFault("namespace mismatch require %s found %.200s", Namespace, wrapper.Name.Space)
	}
	operation := operations()[r.Operation]
	if operation == nil {
		return &UnknownOperationError{r.Operation}
	}
	r.Message = operation()
	if err := m.readArguments(r.Message); err != nil {
		return err
	}
	return m.end()
}

// UnknownOperationError says that a request is for an operation that the
// service does not have.
type UnknownOperationError struct{ Name string }

// Error names the operation.
func (e *UnknownOperationError) Error() string {
	return fmt.Sprintf("there is no operation %.100q", e.Name)
}

// asUnexpectedEOF makes the end of the body within the message an error that is
// not taken for the end of something.
func asUnexpectedEOF(err error) error {
	if err != nil && errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
