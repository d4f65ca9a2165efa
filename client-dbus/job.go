package dbusclient

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/godbus/dbus/v5"

	"github.com/disnix-go/disnix/service"
	"github.com/disnix-go/disnix/service/dbuswire"
)

// cancelTime is how long a cancelled job may take to end.
const cancelTime = 15 * time.Second

// FailureError says that the service reports the failure of a job.
type FailureError struct {
	Method string // for example activate
	// Log is the whole content of the job's log file; or, if that cannot be
	// read, the reason why.
	Log []byte
	// Refusal is the [*service.LockedError] or [*service.LostLockError], if
	// that was the reason and the job was asked for with a claim.
	Refusal error
}

// Unwrap makes the holder of a lock known to errors.As.
func (e *FailureError) Unwrap() error { return e.Refusal }

// Error names the method and repeats the log.
func (e *FailureError) Error() string {
	return fmt.Sprintf("disnix-service: %s failed:\n%s", e.Method, bytes.TrimSpace(e.Log))
}

// JobLog returns the log, for a server that passes the failure on.
func (e *FailureError) JobLog() []byte { return e.Log }

// errFailed stands for the signal failure.
var errFailed = errors.New("the job failed")

// run runs a job and returns its results.
func (c *Client) run(ctx context.Context, method string, args ...any) ([]string, error) {
	results, _, err := c.runLogged(ctx, method, args...)
	return results, err
}

// runLogged runs a job and returns also its log file, if it was begun. The
// error is a [*FailureError] if the service reports it.
func (c *Client) runLogged(ctx context.Context, method string, args ...any) (results []string, log string, err error) {
	if err := ctx.Err(); err != nil {
		return nil, "", fmt.Errorf("%s: %w", method, err)
	}
	dir, err := c.logDirectory(ctx)
	if err != nil {
		return nil, "", fmt.Errorf("%s: ERROR: Cannot obtain log directory! Reason: %w", method, err)
	}
	var id int32
	if err := c.call(ctx, dbuswire.GetJobID).Store(&id); err != nil {
		return nil, "", fmt.Errorf("%s: ERROR: Cannot obtain job id! Reason: %w", method, err)
	}
	log = filepath.Join(dir, strconv.FormatInt(int64(id), 10))
	if err := c.claim(ctx, id); err != nil {
		return nil, "", fmt.Errorf("%s: %w", method, err)
	}
	ended := c.expect(id)
	defer c.forget(id)
	call := c.call(ctx, method, append([]any{id}, args...)...)
	if call.Err != nil && ctx.Err() == nil {
		return nil, "", fmt.Errorf("%s: Error while executing the operation! Reason: %w", method, call.Err)
	}
	select {
	case o := <-ended:
		return o.results, log, failure(method, log, o.err)
	case <-ctx.Done():
		c.cancel(ctx, id, ended)
		return nil, log, fmt.Errorf("%s: %w", method, context.Cause(ctx))
	}
}

// claim tells the service on behalf of which lock a job is asked for, if it is.
// The original's service does not know about that, and checks nothing.
func (c *Client) claim(ctx context.Context, id int32) error {
	claim := service.EncodedClaim(ctx)
	if claim == "" {
		return nil
	}
	err := c.call(ctx, dbuswire.Claim, id, claim).Err
	var refusal dbus.Error
	if errors.As(err, &refusal) && refusal.Name == busName+".Error.UnknownMethod" {
		return nil
	}
	if err != nil {
		return fmt.Errorf("claim the lock: %w", err)
	}
	return nil
}

// logDirectory asks the service for the directory of its log files, once. After
// the end of the job that fails it may be too late.
func (c *Client) logDirectory(ctx context.Context) (string, error) {
	c.mu.Lock()
	owner, dir := c.owner, c.logDir
	c.mu.Unlock()
	if dir != "" {
		return dir, nil
	}
	if err := c.call(ctx, dbuswire.GetLogDir).Store(&dir); err != nil {
		return "", err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.owner == owner {
		c.logDir = dir
	}
	return dir, nil
}

// failure adds the log to the error of a job.
func failure(method, log string, err error) error {
	if err == nil {
		return nil
	}
	if !errors.Is(err, errFailed) {
		return fmt.Errorf("%s: %w", method, err)
	}
	content, err := os.ReadFile(log)
	if err != nil {
		content = fmt.Appendf(nil, "read the log of the job: %v; the messages of disnix-service itself may tell why it has failed\n", err)
	}
	failed := &FailureError{Method: method}
	failed.Log, failed.Refusal = service.Refusal(content)
	return failed
}

// cancel asks the service to stop a job and waits until it has. The original's
// service cannot do that: its job goes on.
func (c *Client) cancel(ctx context.Context, id int32, ended <-chan outcome) {
	ctx, done := context.WithTimeout(context.WithoutCancel(ctx), cancelTime)
	defer done()
	err := c.call(ctx, dbuswire.Cancel, id).Err
	var refusal dbus.Error
	if errors.As(err, &refusal) {
		return // it has ended or cannot be cancelled
	}
	select {
	case <-ended:
	case <-ctx.Done():
	}
}
