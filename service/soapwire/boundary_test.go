package soapwire

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/textproto"
	"reflect"
	"strings"
	"testing"
	"testing/iotest"
)

// readPart is a part that was read.
type readPart struct {
	header  textproto.MIMEHeader
	content string
}

// readParts reads all parts, of the one at index skipped only the first byte.
func readParts(skipped int, next func() (textproto.MIMEHeader, io.Reader, error)) ([]readPart, error) {
	var parts []readPart
	for {
		header, content, err := next()
		if err != nil {
			return parts, err
		}
		if len(parts) == skipped {
			content = io.LimitReader(content, 1)
		}
		all, err := io.ReadAll(content)
		parts = append(parts, readPart{header, string(all)})
		if err != nil {
			return parts, err
		}
	}
}

func oursOf(r io.Reader) func() (textproto.MIMEHeader, io.Reader, error) {
	return newPartReader(bufio.NewReaderSize(&rememberingReader{Reader: r}, partBuffer), "B").next
}

func theirsOf(r io.Reader) func() (textproto.MIMEHeader, io.Reader, error) {
	reader := multipart.NewReader(r, "B")
	return func() (textproto.MIMEHeader, io.Reader, error) {
		part, err := reader.NextRawPart()
		if err != nil {
			return nil, nil, err
		}
		return part.Header, part, nil
	}
}

// arrivals are how a message may arrive.
var arrivals = map[string]func(io.Reader) io.Reader{
	"at once":         func(r io.Reader) io.Reader { return r },
	"byte by byte":    iotest.OneByteReader,
	"end with data":   iotest.DataErrReader,
	"in small pieces": func(r io.Reader) io.Reader { return &piecewise{r, 7} },
}

// piecewise gives so many bytes at once.
type piecewise struct {
	io.Reader
	size int
}

func (r *piecewise) Read(b []byte) (int, error) { return r.Reader.Read(b[:min(len(b), r.size)]) }

// messagesInParts have what is difficult about boundaries.
var messagesInParts = []string{
	"--B\r\nContent-ID: <a>\r\n\r\nA\r\n--B\r\n\r\nB\r\n--B--\r\n",
	"\r\n--B\r\n\r\n\r\n--B--",    // a part with nothing in it
	"--B\r\n\r\n--B\r\n\r\n--B--", // without newlines in front of the boundaries
	"before\r\nthat\r\n--B  \r\nA: b\r\n c\r\n\r\nA\r\n--Bx\r\n-\r\n--B-\r\n--\r\n--B\t\r\n\r\n--B ", // what resembles boundaries
	"--B\n\nA\r\n--B\nC\n--B--\n", // bare line feeds
	"--B\r\n\r\n\r\r\n\r\n\r\n-\r\n--\r\n--B--garbage\r\n",
	"--B\r\n\r\nA\r\n\r\n--B\r\nno header\r\n\r\n--B--",
	"--B\r\n indented: x\r\n\r\nA\r\n--B--",
	"--B\r\n\r\nA\r\n--B", "--B\r\n\r\nA\r\n--B-", "--B\r\n\r\nA\r\n--B\r\n", "--B\r\n\r\nA\r\n--B\r\nC", "--B\r\n", "--B", "--B--", "--B--\n", "",
	"--B\r\n\r\nA\r\n--B\r\r\nC: d\r\n\r\n--B--",
	"--B\r\n\r\nA\r\n--B \r\n\r\nC\r\n--B -- \r\n",
	"--B\r\n\r\nA\r\n--B-- \r\nepilogue",
	"--B\r\n\r\nA--B\r\n--B--", // within a line
}

// FuzzPartReader compares what is read with what mime/multipart reads.
func FuzzPartReader(f *testing.F) {
	for _, message := range messagesInParts {
		for skipped := range 3 {
			f.Add([]byte(message), skipped)
		}
	}
	f.Fuzz(func(t *testing.T, message []byte, skipped int) {
		if len(message) > 4<<10 {
			t.Skip("the limits differ")
		}
		want, wantErr := readParts(skipped, theirsOf(bytes.NewReader(message)))
		for name, arrive := range arrivals {
			parts, err := readParts(skipped, oursOf(arrive(bytes.NewReader(message))))
			if !alike(parts, want, wantErr) || !endAlike(err, wantErr) {
				t.Errorf("%s: %q:\n got %q, %v\nwant %q, %v", name, message, parts, err, want, wantErr)
			}
		}
	})
}

// alike tells whether these are the same parts. The last one of a message that
// breaks off may lack what could have become a boundary.
func alike(parts, theirs []readPart, end error) bool {
	if last := len(parts) - 1; end != io.EOF && last >= 0 && len(theirs) == len(parts) {
		rest, found := strings.CutPrefix(theirs[last].content, parts[last].content)
		if !found || !strings.Contains("\r\n--B-", rest) {
			return false
		}
		parts[last].content += rest
	}
	return reflect.DeepEqual(parts, theirs)
}

// endAlike tells whether two readers have ended in the same way. That of
// mime/multipart takes the end of a message within the header of a part for the
// end of the parts.
func endAlike(err, theirs error) bool {
	if theirs == io.EOF {
		return err == io.EOF || errors.Is(err, io.ErrUnexpectedEOF)
	}
	return err != nil && err != io.EOF
}

// TestPartsOfAnySize moves the boundary to every place around the end of the
// buffer.
func TestPartsOfAnySize(t *testing.T) {
	for _, filling := range []string{"\x00", "\r", "\n", "-", "\r\n--"} {
		for size := partBuffer - 48; size < partBuffer+4; size++ {
			content := strings.Repeat(filling, size/len(filling))
			message := "--B\r\n\r\n" + content + "\r\n--B\r\nContent-ID: <last>\r\n\r\n\r\n--B--\r\n"
			parts, err := readParts(-1, oursOf(strings.NewReader(message)))
			if err != io.EOF || len(parts) != 2 || parts[0].content != content || parts[1].content != "" || parts[1].header.Get("Content-ID") != "<last>" {
				t.Fatalf("%d bytes of %q: %d parts, %v", size, filling, len(parts), err)
			}
		}
	}
}

// TestPartsThatBreakOff cuts messages off everywhere: that is never taken for
// their end.
func TestPartsThatBreakOff(t *testing.T) {
	message := "--B\r\nContent-ID: <a>\r\n\r\nA\r\n--B\r\nContent-ID: <b>\r\n\r\nB\r\n--B--"
	broken := errors.New("broken")
	for size := range len(message) + 1 {
		if _, err := readParts(-1, oursOf(strings.NewReader(message[:size]))); size < len(message) && !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("%q: %v", message[:size], err)
		}
		_, err := readParts(-1, oursOf(io.MultiReader(strings.NewReader(message[:size]), iotest.ErrReader(broken))))
		if !errors.Is(err, broken) {
			t.Errorf("%q and an error: %v", message[:size], err)
		}
	}
}

func TestHeadersOfPartsAreLimited(t *testing.T) {
	many := strings.Repeat("A: b\r\n", maxPartHeader/4)
	long := "A: " + strings.Repeat("b", partBuffer) + "\r\n"
	for name, message := range map[string]string{
		"many headers":               "--B\r\n" + many + "\r\nA\r\n--B--",
		"a long header":              "--B\r\n" + long + "\r\nA\r\n--B--",
		"a long line in front":       long + "--B\r\n\r\nA\r\n--B--",
		"a long line instead of one": "--B\r\n" + long[4:],
	} {
		if parts, err := readParts(-1, oursOf(strings.NewReader(message))); !errors.Is(err, errDisorder) || len(parts) != 0 {
			t.Errorf("%s: %d parts, %v", name, len(parts), err)
		}
	}
}

// BenchmarkPartReader reads contents in which newlines are absent, rare or
// everywhere.
func BenchmarkPartReader(b *testing.B) {
	for _, filling := range []string{"\x00", strings.Repeat("x", 200) + "\r", "\r\n"} {
		content := strings.Repeat(filling, (16<<20)/len(filling))
		message := "--B\r\n\r\n" + content + "\r\n--B--\r\n"
		for name, read := range map[string]func(io.Reader) func() (textproto.MIMEHeader, io.Reader, error){"ours": oursOf, "mime-multipart": theirsOf} {
			b.Run(fmt.Sprintf("%.3q/%s", filling, name), func(b *testing.B) {
				b.SetBytes(int64(len(message)))
				for b.Loop() {
					_, part, err := read(strings.NewReader(message))()
					if err == nil {
						_, err = io.CopyBuffer(io.Discard, struct{ io.Reader }{part}, make([]byte, 64<<10))
					}
					if err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
