package service

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
)

// ErrNotLocked says that a profile cannot be unlocked because it is not
// locked.
var ErrNotLocked = errors.New("it is not locked")

// LockedError says that a profile is locked already.
type LockedError struct {
	Profile string
	Holder  LockHolder
	// Interrupted says that the process for which the lock is held, or its
	// connection to the target, has ended without releasing it.
	Interrupted bool
}

// Error says who holds the lock since when, and how it is released.
func (e *LockedError) Error() string {
	text := fmt.Sprintf("profile %q is locked by %s", e.Profile, e.Holder)
	if e.Interrupted {
		text += ", whose connection has ended: that deployment was interrupted. Complete or undo it there with " +
			"`disnix-env --resume` or `disnix-env --abort`; if that is not possible, take the lock over with `disnix-lock --force`"
	} else {
		text += ": wait until that has ended; if it is known to be gone, take the lock over with `disnix-lock --force`"
	}
	return text + fmt.Sprintf(", release it with `disnix-lock --unlock`, or on the target with `disnix-run-activity --unlock --profile '%s'`", e.Profile)
}

// LostLockError says that something was refused because the lock on behalf of
// which it was asked for is not held any more.
type LostLockError struct {
	Profile string
	// Holder has the lock now; nil if nobody has.
	Holder *LockHolder `json:",omitempty"`
}

// Error says who has the lock now.
func (e *LostLockError) Error() string {
	if e.Holder == nil {
		return fmt.Sprintf("the lock of profile %q was lost: somebody has released it, and nobody holds it now; nothing was changed", e.Profile)
	}
	return fmt.Sprintf("the lock of profile %q was lost: it is now held by %s; nothing was changed", e.Profile, *e.Holder)
}

// Unwrap makes a lock that nobody holds known as such.
func (e *LostLockError) Unwrap() error {
	if e.Holder == nil {
		return ErrNotLocked
	}
	return nil
}

// refusal is an error about a lock as wires carry it.
type refusal struct {
	Locked *LockedError   `json:"locked,omitempty"`
	Lost   *LostLockError `json:"lost,omitempty"`
}

// EncodeRefusal returns the [*LockedError] or [*LostLockError] in an error as a
// line of text (JSON); nothing if there is none.
func EncodeRefusal(err error) string {
	var r refusal
	if !errors.As(err, &r.Locked) && !errors.As(err, &r.Lost) {
		return ""
	}
	text, err := json.Marshal(r)
	if err != nil {
		return ""
	}
	return string(text)
}

// DecodeRefusal returns the error that was encoded.
func DecodeRefusal(text string) (error, error) {
	var r refusal
	if err := json.Unmarshal([]byte(text), &r); err != nil {
		return nil, fmt.Errorf("read why a lock is refused: %w", err)
	}
	switch {
	case r.Locked != nil:
		return r.Locked, nil
	case r.Lost != nil:
		return r.Lost, nil
	default:
		return nil, errors.New("read why a lock is refused: it does not say")
	}
}

// refusalMark begins the line of diagnostics with an encoded refusal.
const refusalMark = "disnix-lock-refusal: "

// RefusalLine returns the line that a program adds to its diagnostics, if its
// caller made a claim and so knows what to do with it; nothing if the error is
// not about locks.
func RefusalLine(err error) string {
	text := EncodeRefusal(err)
	if text == "" {
		return ""
	}
	return refusalMark + text + "\n"
}

// Refusal finds the line of [RefusalLine] in diagnostics. It returns the
// diagnostics without the line and the error, or everything and nil.
func Refusal(diagnostics []byte) (remaining []byte, refusal error) {
	at := bytes.LastIndex(diagnostics, []byte(refusalMark))
	if at < 0 || at > 0 && diagnostics[at-1] != '\n' {
		return diagnostics, nil
	}
	line, after, _ := bytes.Cut(diagnostics[at+len(refusalMark):], []byte("\n"))
	found, err := DecodeRefusal(string(line))
	if err != nil {
		return diagnostics, nil
	}
	return append(bytes.Clone(diagnostics[:at]), after...), found
}

// WithoutRefusals returns a writer that leaves out the lines of [RefusalLine],
// which are for programs, if ctx has a claim so that there may be some. The
// writer may be nil.
func WithoutRefusals(ctx context.Context, w io.Writer) io.Writer {
	if _, claims := ClaimOf(ctx); !claims || w == nil {
		return w
	}
	return &refusalFilter{w: w}
}

// refusalFilter holds back the beginning of a line as long as it could be that
// of a refusal.
type refusalFilter struct {
	w         io.Writer
	beginning []byte
	inside    bool // of a line that is passed on
	dropping  bool // a line
}

func (f *refusalFilter) Write(p []byte) (int, error) {
	var out []byte
	for _, c := range p {
		switch {
		case f.dropping:
		case f.inside:
			out = append(out, c)
		default:
			f.beginning = append(f.beginning, c)
			switch {
			case string(f.beginning) == refusalMark:
				f.dropping, f.beginning = true, nil
			case !strings.HasPrefix(refusalMark, string(f.beginning)):
				out = append(out, f.beginning...)
				f.inside, f.beginning = true, nil
			}
		}
		if c == '\n' {
			f.inside, f.dropping = false, false
		}
	}
	if len(out) > 0 {
		if _, err := f.w.Write(out); err != nil {
			return 0, err
		}
	}
	return len(p), nil
}
