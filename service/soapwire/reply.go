package soapwire

import (
	"errors"
	"fmt"
	"io"
	"net/http"
)

// ReadReply reads a response, a pointer to a generated type, or a fault, which
// it returns as an error. It needs the headers Content-Type and
// Content-Encoding of the response, and takes over the body: it is closed, if
// the response has no [Content] and nothing was attached, before ReadReply
// returns, otherwise by [Reply.Close] or the Close of any Content. The limit is
// for the XML, in bytes.
func ReadReply(header http.Header, body io.ReadCloser, response any, limit int64) (*Reply, error) {
	r := &Reply{parts: newParts()}
	r.parts.release = body.Close
	err := r.read(header, body, response, limit)
	var mistake *Fault // of the reply itself: it is no answer of the service
	if errors.As(err, &mistake) {
		err = fmt.Errorf("read the reply: %s", mistake.Text)
	}
	if r.fault != nil && err == nil {
		err = r.fault
	}
	if err == nil && (len(r.parts.references) > 0 || r.parts.file != nil) {
		return r, nil // there are contents to be read
	}
	if outputErr := r.readOutput(); err == nil {
		err = outputErr
	}
	// Once it is read to the end, the connection can be used again.
	_, _ = io.Copy(io.Discard, io.LimitReader(body, 64<<10))
	if closeErr := r.Close(); err == nil {
		err = closeErr
	}
	return r, err
}

// Reply is what belongs to a response besides it.
type Reply struct {
	// Output is what the plugin has printed, see [FeatureOutput]: up to
	// [MaxOutput] bytes, of replies without contents. It is there also if
	// [ReadReply] returns a fault.
	Output []byte

	parts *parts
	fault *Fault
}

// MaxOutput is how much output of a plugin a reply has at most, in bytes.
const MaxOutput = 1 << 20

// Close releases the body. It may be called more than once.
func (r *Reply) Close() error { return r.parts.close() }

func (r *Reply) read(header http.Header, body io.Reader, response any, limit int64) error {
	envelope, err := r.parts.root(header, body)
	if err != nil {
		return err
	}
	m := &message{newDocument(envelope, limit), r.parts}
	if _, err := m.readEnvelope(envelope); err != nil {
		return asUnexpectedEOF(err)
	}
	r.fault, err = m.readReply(response)
	return asUnexpectedEOF(err)
}

// readOutput reads the part with the output, if there is one.
func (r *Reply) readOutput() error {
	for {
		id, _, content, err := r.parts.next()
		if errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read the parts of the reply: %w", err)
		}
		if id != OutputID {
			continue
		}
		if r.Output, err = io.ReadAll(io.LimitReader(content, MaxOutput)); err != nil {
			return fmt.Errorf("read the output: %w", err)
		}
	}
}

// readReply reads the body of the envelope: a response or a fault.
func (m *message) readReply(response any) (*Fault, error) {
	wrapper, found, err := m.child()
	if err != nil {
		return nil, err
	}
	if !found {
		return nil, m.end() // nothing is said about the result
	}
	if wrapper.Name.Local == "Fault" && (wrapper.Name.Space == soap11Namespace || wrapper.Name.Space == soap12Namespace) {
		m.document.source.lenient = true
		return m.readFault()
	}
	if err := m.readResults(response); err != nil {
		return nil, err
	}
	return nil, m.end()
}
