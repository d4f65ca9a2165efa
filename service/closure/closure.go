// Package closure handles nix-store --export streams without a Nix store: it
// joins several into one, and reads which paths one contains.
//
// A stream holds for each path the 64-bit number 1, the path's archive (NAR)
// and its registration: a magic number, the path, its references, its deriver
// and an empty signature. The number 0 ends it. All numbers are little-endian,
// all strings are preceded by their length and padded with zeros to a multiple
// of eight bytes.
package closure

import (
	"errors"
	"fmt"
	"io"
)

// endSize is the length of the number that ends a stream.
const endSize = 8

// Joiner joins export streams into one. Write the first to it, call Next, and
// so on; Close ends the joined stream. It is used by one goroutine.
type Joiner struct {
	w io.Writer
	// held are the last bytes written: they are only passed on if the stream
	// goes on after them, because they may be its end.
	held []byte
	size int64 // bytes of the current stream
}

// NewJoiner returns a Joiner that writes the joined stream to w.
func NewJoiner(w io.Writer) *Joiner { return &Joiner{w: w} }

// Write takes the next part of the current stream.
func (j *Joiner) Write(p []byte) (int, error) {
	j.size += int64(len(p))
	if keep := endSize - len(p); keep > 0 {
		if err := j.release(max(0, len(j.held)-keep)); err != nil {
			return 0, err
		}
		j.held = append(j.held, p...)
		return len(p), nil
	}
	if err := j.release(len(j.held)); err != nil {
		return 0, err
	}
	n, err := j.w.Write(p[:len(p)-endSize])
	if err != nil {
		return n, err
	}
	j.held = append(j.held, p[len(p)-endSize:]...)
	return len(p), nil
}

// release passes on the first n held bytes.
func (j *Joiner) release(n int) error {
	if n == 0 {
		return nil
	}
	_, err := j.w.Write(j.held[:n])
	j.held = append(j.held[:0], j.held[n:]...)
	return err
}

// Next says that the current stream is complete. It is an error if that was
// cut off.
func (j *Joiner) Next() error {
	if len(j.held) != endSize || [endSize]byte(j.held) != [endSize]byte{} {
		return fmt.Errorf("closure stream is cut off after %d bytes: %w", j.size, io.ErrUnexpectedEOF)
	}
	j.held = j.held[:0]
	j.size = 0
	return nil
}

// Close ends the joined stream. Next must have been called for every part.
func (j *Joiner) Close() error {
	if len(j.held) > 0 {
		return errors.New("closure stream is not complete")
	}
	_, err := j.w.Write(make([]byte, endSize))
	return err
}
