package soapwire

import (
	"errors"
	"io"
)

// Content is a binary value of a message (xs:base64Binary): a stream.
//
// One that was made with [NewContent] is for a message that is sent. One of a
// message that was received is read with Open; contents are best read in the
// order that the message has them in, because whatever is read before its turn
// makes those before it go to a temporary file.
type Content struct {
	// MediaType is what kind of content it is; empty means
	// application/octet-stream. It is known of received contents after Open.
	MediaType string

	write func(io.Writer) error
	open  func(*Content) (io.Reader, error)
	close func() error
}

// NewContent returns a content that is sent by calling write, once. If write
// fails, so does sending the message.
func NewContent(mediaType string, write func(io.Writer) error) *Content {
	return &Content{MediaType: mediaType, write: write}
}

// Open returns the bytes of a received content. The reader is valid until
// another content of the message is opened. If the message has no such part,
// the error is a [*Fault].
func (c *Content) Open() (io.Reader, error) {
	if c.open == nil {
		return nil, errors.New("read binary content: it is one to be sent")
	}
	return c.open(c)
}

// Close releases what holds the contents of the received message: the
// connection and temporary files. It concerns all contents of the message, and
// may be called more than once.
func (c *Content) Close() error {
	if c.close == nil {
		return nil
	}
	return c.close()
}
