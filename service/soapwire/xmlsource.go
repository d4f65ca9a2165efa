package soapwire

import (
	"bufio"
	"errors"
	"fmt"
	"net/http"
)

// maxTag is how many bytes a tag may have. Attributes need much more memory
// than they are long.
const maxTag = 64 << 10

// reservation is for how many bytes at once memory is asked for. So much is
// always there.
const reservation = 64 << 10

// xmlSource is what the decoder reads, byte by byte, so that it never reads
// ahead. What is read past the decoder is not counted.
type xmlSource struct {
	in          *bufio.Reader
	limit, left int64
	// reserved is how many more bytes may be read before reserve, which may be
	// nil, is asked for more.
	reserved int64
	reserve  func(bytes int64) bool
	err      error // of in
	// token is how many bytes of the current token were read, tag says that it
	// is a tag, and last is the byte that was read last.
	token int
	tag   bool
	last  byte
	// lenient replaces control characters, which XML does not allow: the
	// original has them in faults when they are in a log (SOAP page, 10).
	lenient bool
}

func (s *xmlSource) ReadByte() (byte, error) {
	if s.left <= 0 {
		s.err = &Fault{Code: Client, Text: fmt.Sprintf("the XML of the message is longer than %d bytes", s.limit), Status: statusTooLarge}
		return 0, s.err
	}
	s.left--
	if s.reserved--; s.reserved < 0 && s.reserve != nil {
		if !s.reserve(reservation) {
			s.err = &Fault{Text: "the service is busy with other large messages: try again later", Status: http.StatusServiceUnavailable}
			return 0, s.err
		}
		s.reserved = reservation - 1
	}
	b, err := s.in.ReadByte()
	if err != nil {
		s.err = err
	} else if s.longTag(b) {
		s.err = &Fault{Code: Client, Text: fmt.Sprintf("a tag of the message is longer than %d bytes", maxTag), Status: statusTooLarge}
		return 0, s.err
	}
	if s.lenient && b < 0x20 && b != '\t' && b != '\n' && b != '\r' {
		b = '?'
	}
	return b, err
}

// begin begins a token. After a text, the decoder has read the first byte of what
// follows it.
func (s *xmlSource) begin() { s.token, s.tag = 0, s.last == '<' }

// longTag takes note of one more byte, and tells whether it makes a tag too long.
func (s *xmlSource) longTag(b byte) bool {
	switch {
	case s.token == 0 && b == '<':
		s.tag = true
	case s.last == '<' && b == '!': // a comment or text
		s.tag = false
	}
	s.token++
	s.last = b
	return s.tag && s.token > maxTag
}

// Read is never called: the decoder prefers ReadByte.
func (s *xmlSource) Read([]byte) (int, error) { return 0, errors.ErrUnsupported }
