package soapwire

import (
	"bufio"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"mime/quotedprintable"
	"net/url"
	"os"
	"strings"
)

// maxParts is how many parts a message may have besides the envelope.
const maxParts = 100_000

// parts are the binary values of a message that is received. They are streams
// over what is still to be received, in the order in which they arrive; those
// that arrive before they are asked for go to a temporary file, as do values in
// base64.
type parts struct {
	reader     *partReader // nil if the message is not multipart
	source     *rememberingReader
	buffer     *bufio.Reader  // between them; given back when it is closed
	references map[string]int // how often the envelope mentions a part
	early      map[string]spooled
	count      int
	file       *os.File
	size       int64
	release    func() error // closes what the message is read from
}

// spooled is a part in the temporary file.
type spooled struct {
	mediaType    string
	offset, size int64
}

func (p *parts) content(id string) *Content {
	p.references[id]++
	return &Content{
		open:  func(c *Content) (io.Reader, error) { return p.open(c, id) },
		close: p.close,
	}
}

// inline returns a content that is in the temporary file.
func (p *parts) inline(s spooled) *Content {
	return &Content{
		open:  func(*Content) (io.Reader, error) { return io.NewSectionReader(p.file, s.offset, s.size), nil },
		close: p.close,
	}
}

// open returns the part with this id.
func (p *parts) open(c *Content, id string) (io.Reader, error) {
	for {
		if s, ok := p.early[id]; ok {
			c.MediaType = s.mediaType
			return io.NewSectionReader(p.file, s.offset, s.size), nil
		}
		partID, mediaType, content, err := p.next()
		if errors.Is(err, io.EOF) {
			return nil, serverFault("No MIME part found for content ID '%s'", id)
		}
		if err != nil {
			return nil, err
		}
		if partID == id && p.references[id] == 1 {
			c.MediaType = mediaType
			return content, nil
		}
		if p.references[partID] > 0 {
			if p.early[partID], err = p.spool(mediaType, content); err != nil {
				return nil, err
			}
		}
	}
}

// next returns the part that arrives next, or io.EOF.
func (p *parts) next() (id, mediaType string, content io.Reader, err error) {
	if p.reader == nil {
		return "", "", nil, io.EOF
	}
	if p.count++; p.count > maxParts {
		return "", "", nil, &Fault{Code: Client, Text: fmt.Sprintf("the message has more than %d parts", maxParts), Status: statusTooLarge}
	}
	header, content, err := p.reader.next()
	if err != nil {
		return "", "", nil, p.explain(err)
	}
	switch strings.ToLower(strings.TrimSpace(header.Get("Content-Transfer-Encoding"))) {
	case "base64":
		content = base64.NewDecoder(base64.StdEncoding, content)
	case "quoted-printable":
		content = quotedprintable.NewReader(content)
	}
	return trimID(header.Get("Content-ID")), header.Get("Content-Type"), content, nil
}

// explain tells apart the end of the parts, a failure of what they are read from
// and a mistake in them.
func (p *parts) explain(err error) error {
	switch {
	case err == io.EOF:
		return err
	case p.source.err != nil && !errors.Is(p.source.err, io.EOF):
		return p.source.err
	case errors.Is(err, io.ErrUnexpectedEOF):
		return fmt.Errorf("read the parts of the message: %w", err)
	default:
		return clientFault("the parts of the message are not in order: %v", err)
	}
}

// rememberingReader remembers how it ended: not everybody who reads from it
// passes that on, or stops reading then.
type rememberingReader struct {
	io.Reader
	err error
}

func (r *rememberingReader) Read(p []byte) (int, error) {
	if r.err != nil {
		return 0, r.err
	}
	n, err := r.Reader.Read(p)
	if err != nil {
		r.err = err
	}
	return n, err
}

// spool keeps a part in the temporary file.
func (p *parts) spool(mediaType string, content io.Reader) (spooled, error) {
	s := spooled{mediaType: mediaType, offset: p.size}
	n, err := io.Copy(spoolWriter{p}, content)
	s.size = n
	return s, err
}

// spoolWriter adds to the temporary file. It is created when it is needed, and
// has no name any more: whatever happens to this process, it does not stay.
type spoolWriter struct{ *parts }

func (w spoolWriter) Write(data []byte) (int, error) {
	if len(data) == 0 {
		return 0, nil
	}
	if w.file == nil {
		file, err := os.CreateTemp("", "disnix.")
		if err == nil {
			w.file = file
			err = os.Remove(file.Name())
		}
		if err != nil {
			return 0, fmt.Errorf("store a part of the message: %w", err)
		}
	}
	n, err := w.file.WriteAt(data, w.size)
	w.size += int64(n)
	if err != nil {
		return n, fmt.Errorf("store a part of the message: %w", err)
	}
	return n, nil
}

// drain passes over the parts that are left, and what follows them.
func (p *parts) drain(body io.Reader) error {
	for p.reader != nil {
		if _, _, _, err := p.next(); err == io.EOF {
			break
		} else if err != nil {
			return err
		}
	}
	_, err := io.Copy(io.Discard, body)
	return err
}

// close releases everything. It may be called more than once.
func (p *parts) close() error {
	var errs []error
	if p.file != nil {
		errs = append(errs, p.file.Close())
		p.file = nil
	}
	// Whoever was given a part may still be reading.
	if p.buffer != nil && len(p.references) == 0 {
		p.reader = nil
		p.buffer.Reset(nil)
		partBuffers.Put(p.buffer)
		p.buffer = nil
	}
	if p.release != nil {
		errs = append(errs, p.release())
		p.release = nil
	}
	return errors.Join(errs...)
}

// trimID returns a content id without its brackets.
func trimID(id string) string {
	return strings.TrimSuffix(strings.TrimPrefix(strings.TrimSpace(id), "<"), ">")
}

// contentID returns the id that the href of an xop:Include is for.
func contentID(href string) (string, error) {
	escaped, ok := strings.CutPrefix(href, "cid:")
	id, err := url.PathUnescape(escaped)
	if !ok || err != nil {
		return "", clientFault("the reference %.100q of an Include does not name a part of the message", href)
	}
	return id, nil
}
