// Package await waits for things that happen outside of this process, with a
// limit, and says what it waited for when the limit is over.
package await

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// The time between two looks doubles from the first to the last: what happens
// at once is seen at once, and what takes long is not asked all the time.
const (
	firstInterval = time.Millisecond
	lastInterval  = 50 * time.Millisecond
)

var errLimit = errors.New("limit")

// lookLimit is how long a look may go on after the limit: one that is under way
// is not cut, but one that hangs is.
const lookLimit = 30 * time.Second

// Until calls check until it reports true, at most for the limit; it is called
// at least once. While check reports false, status says what was seen. An
// error of check ends the wait. Its context ends some time after the limit, for
// the case that it hangs.
//
// The error when the limit is over is a [*TimeoutError]. When ctx ends, it
// wraps the cause.
func Until(ctx context.Context, what string, limit time.Duration, check func(context.Context) (done bool, status string, err error)) error {
	limited, cancel := context.WithTimeoutCause(ctx, limit, errLimit)
	defer cancel()
	look, cancelLook := context.WithTimeoutCause(ctx, limit+lookLimit, errLimit)
	defer cancelLook()
	for interval := firstInterval; ; interval = min(2*interval, lastInterval) {
		done, status, err := check(look)
		if err != nil && errors.Is(context.Cause(look), errLimit) {
			return &TimeoutError{What: what, Limit: limit, Status: err.Error()}
		}
		if err != nil && ctx.Err() == nil {
			return fmt.Errorf("wait for %s: %w", what, err)
		}
		if done {
			return nil
		}
		next := time.NewTimer(interval)
		select {
		case <-next.C:
		case <-limited.Done():
			next.Stop()
		}
		if err := limited.Err(); err != nil {
			cause := context.Cause(limited)
			if errors.Is(cause, errLimit) {
				return &TimeoutError{What: what, Limit: limit, Status: status}
			}
			return fmt.Errorf("wait for %s: %w", what, cause)
		}
	}
}

// TimeoutError says that something did not happen in time.
type TimeoutError struct {
	// What was waited for.
	What string
	// Limit is how long it was waited for.
	Limit time.Duration
	// Status is what was seen last, or nothing.
	Status string
}

func (e *TimeoutError) Error() string {
	text := fmt.Sprintf("wait for %s: it did not happen within %s", e.What, e.Limit)
	if e.Status != "" {
		text += ": " + e.Status
	}
	return text
}
