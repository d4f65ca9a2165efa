package session

import (
	"errors"
	"strconv"

	"github.com/disnix-go/disnix/service"
	"github.com/disnix-go/disnix/service/activitycmd"
)

var (
	// ErrProtocol says that the far side sent something that the protocol
	// does not allow.
	ErrProtocol = errors.New("the far side violates the session protocol")
	// ErrSilent says that the far side has not given a sign of life for a
	// while. Whether its operations have ended is not known.
	ErrSilent = errors.New("the target does not answer any more")
	// ErrClosed says that the connection was closed.
	ErrClosed = errors.New("the connection to the target was closed")
	// ErrLost says that the connection ended by itself. Whether the target's
	// operations have ended is not known.
	ErrLost = errors.New("the connection to the target was lost")
)

// A RemoteError is the error of an operation on the target.
type RemoteError struct {
	Message string
	// Status is the exit status that disnix-run-activity would have had.
	Status int
	// Refusal is the [*service.LockedError] or [*service.LostLockError], if
	// that was the error.
	Refusal error
}

func (e *RemoteError) Error() string { return e.Message }

// Unwrap makes the holder of a lock known to errors.As.
func (e *RemoteError) Unwrap() error { return e.Refusal }

// ExitStatus returns the exit status of a program that ends with this error.
func (e *RemoteError) ExitStatus() int { return e.Status }

const (
	outcomeDone   = "done"
	outcomeFailed = "failed"
)

// failure returns the message for an error: its text, the exit status, and if
// it is about a lock that others hold, who does (see [service.EncodeRefusal]).
func failure(err error) message {
	words := []string{err.Error(), strconv.Itoa(activitycmd.ExitStatus(err))}
	if refusal := service.EncodeRefusal(err); refusal != "" {
		words = append(words, refusal)
	}
	return message{name: outcomeFailed, words: words}
}

// result returns what an operation returned on the target.
func (m message) result() ([]string, error) {
	if m.name == outcomeDone {
		return m.list, nil
	}
	if m.name != outcomeFailed || len(m.words) < 2 || len(m.words) > 3 {
		return nil, ErrProtocol
	}
	status, err := strconv.Atoi(m.words[1])
	if err != nil || status <= 0 {
		status = 1
	}
	failed := &RemoteError{Message: m.words[0], Status: status}
	if len(m.words) == 3 {
		if failed.Refusal, err = service.DecodeRefusal(m.words[2]); err != nil {
			return nil, ErrProtocol
		}
	}
	return nil, failed
}
