package session

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode"
)

// Version is the version of the protocol that this package speaks.
const Version = 2

// magic begins a greeting. No text looks like it.
const magic = "\x00\xfedisnix-session\n"

const (
	// maxBanner is how much is skipped before a greeting.
	maxBanner = 64 << 10
	// shownBanner is how much of it an error shows.
	shownBanner = 512
)

// A HandshakeError says that the far side does not speak this protocol.
type HandshakeError struct {
	// Printed is the beginning of what it sent instead, with control
	// characters made visible.
	Printed string
	// Err is how its output ended; nil if it goes on.
	Err error
}

func (e *HandshakeError) Error() string {
	text := "the far side does not speak the session protocol"
	if e.Printed != "" {
		text += fmt.Sprintf("; it printed %q", e.Printed)
	}
	if e.Err != nil && !errors.Is(e.Err, io.EOF) {
		text += ": " + e.Err.Error()
	}
	return text
}

func (e *HandshakeError) Unwrap() error { return e.Err }

// A VersionError says that the far side is of another version.
type VersionError struct{ Theirs int }

func (e *VersionError) Error() string {
	return fmt.Sprintf("the far side speaks version %d of the session protocol, this program version %d: install the same version on both", e.Theirs, Version)
}

func greeting() []byte { return binary.BigEndian.AppendUint16([]byte(magic), Version) }

// awaitGreeting skips what comes before the greeting and reads its version.
func awaitGreeting(r *bufio.Reader) error {
	var seen []byte
	for !bytes.HasSuffix(seen, []byte(magic)) {
		b, err := r.ReadByte()
		if err == nil && len(seen) == maxBanner {
			return &HandshakeError{Printed: printable(seen)}
		}
		if err != nil {
			return &HandshakeError{Printed: printable(seen), Err: err}
		}
		seen = append(seen, b)
	}
	var version [2]byte
	if _, err := io.ReadFull(r, version[:]); err != nil {
		return &HandshakeError{Err: err}
	}
	if theirs := binary.BigEndian.Uint16(version[:]); theirs != Version {
		return &VersionError{Theirs: int(theirs)}
	}
	return nil
}

// printable returns the beginning of a text for an error, on one line and
// without anything that a terminal would obey.
func printable(text []byte) string {
	cut := len(text) > shownBanner
	if cut {
		text = text[:shownBanner]
	}
	result := strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t':
			return ' '
		case r == '\r':
			return -1
		case !unicode.IsPrint(r):
			return unicode.ReplacementChar
		}
		return r
	}, strings.TrimSpace(string(text)))
	if cut {
		result += "…"
	}
	return result
}

// greet waits for the target's greeting and answers it.
func greet(ctx context.Context, rw io.ReadWriteCloser, r *bufio.Reader) error {
	stop := context.AfterFunc(ctx, func() { _ = rw.Close() })
	err := awaitGreeting(r)
	if err == nil {
		if _, err = rw.Write(greeting()); err != nil {
			err = fmt.Errorf("answer the target's greeting: %w", err)
		}
	}
	if !stop() {
		return fmt.Errorf("wait for the target's greeting: %w", context.Cause(ctx))
	}
	return err
}
