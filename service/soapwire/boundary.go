package soapwire

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/textproto"
	"strings"
)

const (
	// partBuffer is in how large pieces multipart messages are read.
	partBuffer = 128 << 10
	// maxPartHeader is how many bytes the header of a part may have, and a line
	// in front of the first one.
	maxPartHeader = 16 << 10
	// maxBoundary is how long a boundary may be. RFC 2046 allows 70 bytes.
	maxBoundary = 256
)

// partReader reads the parts of a multipart message (RFC 2046). It takes what
// multipart.Reader takes, as raw parts, but passes on as much as is buffered:
// that one searches 4 KiB at a time, which costs more than to receive them.
type partReader struct {
	in *bufio.Reader // of at least partBuffer bytes
	// boundary is two dashes and the boundary; delimiter is the newline in
	// front of it, too. If the lines of the message end with a bare line feed,
	// so does the newline.
	boundary, delimiter []byte

	begun bool     // a boundary was seen
	rest  *rawPart // the part that was returned last
}

// errDisorder is in errors about a message that is not what its boundary says.
var errDisorder = errors.New("not in the format multipart")

func newPartReader(in *bufio.Reader, boundary string) *partReader {
	delimiter := []byte("\r\n--" + boundary)
	return &partReader{in: in, boundary: delimiter[2:], delimiter: delimiter}
}

func (r *partReader) newline() []byte { return r.delimiter[:len(r.delimiter)-len(r.boundary)] }

// next returns the header and the content of the next part, or io.EOF after the
// last one. What was not read of the part before is passed over.
func (r *partReader) next() (textproto.MIMEHeader, io.Reader, error) {
	if r.rest != nil {
		if _, err := io.Copy(io.Discard, r.rest); err != nil {
			return nil, nil, err
		}
	}
	if err := r.findBoundary(); err != nil {
		return nil, nil, err
	}
	header, err := r.header()
	if err != nil {
		return nil, nil, err
	}
	r.rest = &rawPart{partReader: r, start: true}
	return header, r.rest, nil
}

// findBoundary passes over the line with the next boundary. It returns io.EOF if
// that is the last one. Lines in front of the first boundary are for nobody.
func (r *partReader) findBoundary() error {
	for separated := false; ; {
		line, err := r.line()
		if after, found := bytes.CutPrefix(line, r.boundary); found {
			if r.isLast(after) && (err == nil || err == io.EOF) {
				return io.EOF
			}
			if after = bytes.TrimLeft(after, " \t"); !r.begun && string(after) == "\n" {
				r.delimiter = r.delimiter[1:]
			}
			if err == nil && bytes.Equal(after, r.newline()) {
				r.begun = true
				return nil
			}
		}
		switch {
		case err != nil:
			return asUnexpectedEOF(err)
		case !r.begun:
		case !separated && bytes.Equal(line, r.newline()):
			separated = true
		default:
			return fmt.Errorf("%w: there is %.80q instead of a boundary", errDisorder, line)
		}
	}
}

// isLast tells whether this follows the last boundary.
func (r *partReader) isLast(after []byte) bool {
	rest, found := bytes.CutPrefix(after, []byte("--"))
	rest = bytes.TrimLeft(rest, " \t")
	return found && (len(rest) == 0 || bytes.Equal(rest, r.newline()))
}

// line returns the next line with its end. It is valid until the next read.
func (r *partReader) line() ([]byte, error) {
	line, err := r.in.ReadSlice('\n')
	if len(line) > maxPartHeader {
		err = fmt.Errorf("%w: a line is longer than %d bytes", errDisorder, maxPartHeader)
	}
	return line, err
}

// header reads the header of a part, and the empty line after it.
func (r *partReader) header() (textproto.MIMEHeader, error) {
	var lines bytes.Buffer
	for {
		line, err := r.line()
		if err != nil {
			return nil, asUnexpectedEOF(err)
		}
		if lines.Write(line); lines.Len() > maxPartHeader {
			return nil, fmt.Errorf("%w: the header of a part is longer than %d bytes", errDisorder, maxPartHeader)
		}
		if text := string(line); text == "\n" || text == "\r\n" {
			break
		}
	}
	header, err := textproto.NewReader(bufio.NewReaderSize(&lines, lines.Len())).ReadMIMEHeader()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errDisorder, err)
	}
	return header, nil
}

// rawPart is the content of a part.
type rawPart struct {
	*partReader
	start bool  // nothing was read of it
	known int   // how many of the bytes that are buffered belong to it for sure
	err   error // what follows them
}

func (p *rawPart) Read(b []byte) (int, error) {
	for wanted := 1; p.known == 0 && p.err == nil; {
		data, err := p.in.Peek(max(wanted, p.in.Buffered()))
		if p.known, p.err = p.search(data); p.known > 0 || p.err != nil {
			break
		}
		wanted, p.err = len(data)+1, asUnexpectedEOF(err)
	}
	if p.known == 0 {
		return 0, p.err
	}
	n, err := p.in.Read(b[:min(len(b), p.known)])
	p.known -= n
	p.start = p.start && n == 0
	return n, err
}

// search returns how many of these bytes belong to the part for sure, and io.EOF
// if it ends after them.
func (p *rawPart) search(data []byte) (int, error) {
	from := 0
	if p.start { // the newline of the delimiter may be that of the header
		switch p.match(data, p.boundary) {
		case yes:
			return 0, io.EOF
		case perhaps:
			return 0, nil
		}
	}
	for {
		found := bytes.Index(data[from:], p.delimiter)
		if found < 0 {
			break
		}
		from += found
		switch p.match(data[from:], p.delimiter) {
		case yes:
			return from, io.EOF
		case perhaps:
			return from, nil
		}
		from += len(p.delimiter)
	}
	// The delimiter may begin at the end.
	for i := max(from, len(data)-len(p.delimiter)+1); i < len(data); i++ {
		if bytes.HasPrefix(p.delimiter, data[i:]) {
			return i, nil
		}
	}
	return len(data), nil
}

type verdict int

const (
	no verdict = iota
	perhaps
	yes
)

// match tells whether these bytes begin with a delimiter: a longer word is none.
func (*rawPart) match(data, delimiter []byte) verdict {
	after, found := bytes.CutPrefix(data, delimiter)
	switch {
	case !found && bytes.HasPrefix(delimiter, data):
		return perhaps
	case !found:
		return no
	case len(after) == 0, string(after) == "-":
		return perhaps
	case strings.IndexByte(" \t\r\n", after[0]) >= 0, after[0] == '-' && after[1] == '-':
		return yes
	default:
		return no
	}
}
