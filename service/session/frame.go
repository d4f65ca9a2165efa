package session

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
)

type kind uint8

const (
	kindOpen kind = iota + 1
	kindInput
	kindEnd
	kindCancel
	kindOutput
	kindErrors
	kindResult
	kindCredit
	kindPing
	kindPong
)

const (
	headerSize = 9
	// maxChunk bounds the content of a frame of a stream.
	maxChunk = 64 << 10
	// bufferSize is how much is read at once while only small frames come.
	bufferSize = 4 << 10
	// maxMessage bounds a request or result: a million store paths.
	maxMessage = 128 << 20
)

// frame is the unit of the protocol. Its content is valid until the next one
// is read.
type frame struct {
	kind    kind
	id      uint32
	content []byte
}

// appendFrame appends the encoded frame.
func appendFrame(buf []byte, f frame) []byte {
	buf = binary.BigEndian.AppendUint32(buf, uint32(len(f.content)))
	buf = append(buf, byte(f.kind))
	buf = binary.BigEndian.AppendUint32(buf, f.id)
	return append(buf, f.content...)
}

// creditFrame grants n bytes to the sender of an operation's stream.
func creditFrame(id uint32, n int) frame {
	return frame{kindCredit, id, binary.BigEndian.AppendUint32(nil, uint32(n))}
}

// frameReader reads frames. It takes no more memory than the peer really
// sends: a coordinator has one for each of perhaps a thousand targets.
type frameReader struct {
	r     io.Reader
	chunk []byte
}

func (fr *frameReader) next() (frame, error) {
	var header [headerSize]byte
	if _, err := io.ReadFull(fr.r, header[:]); err != nil {
		return frame{}, err
	}
	f := frame{kind: kind(header[4]), id: binary.BigEndian.Uint32(header[5:])}
	length := binary.BigEndian.Uint32(header[:4])
	if err := f.kind.check(length); err != nil {
		return frame{}, err
	}
	if length <= maxChunk {
		if int(length) > len(fr.chunk) {
			fr.chunk = make([]byte, max(int(length), min(2*len(fr.chunk), maxChunk)))
		}
		f.content = fr.chunk[:length]
		_, err := io.ReadFull(fr.r, f.content)
		return f, cutOff(err)
	}
	var content bytes.Buffer
	_, err := io.CopyN(&content, fr.r, int64(length))
	f.content = content.Bytes()
	return f, cutOff(err)
}

// check returns an error if a frame of this kind cannot have that length.
func (k kind) check(length uint32) error {
	limit := uint32(0)
	switch k {
	case kindOpen, kindResult:
		limit = maxMessage
	case kindInput, kindOutput, kindErrors:
		limit = maxChunk
	case kindCredit:
		if length != 4 {
			return fmt.Errorf("%w: a credit of %d bytes", ErrProtocol, length)
		}
		return nil
	case kindEnd, kindCancel, kindPing, kindPong:
	default:
		return fmt.Errorf("%w: a frame of the unknown kind %d", ErrProtocol, k)
	}
	if length > limit {
		return fmt.Errorf("%w: a frame of kind %d with %d bytes", ErrProtocol, k, length)
	}
	return nil
}

// cutOff says that the end of the stream in the middle of a frame is not an
// orderly one.
func cutOff(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}
