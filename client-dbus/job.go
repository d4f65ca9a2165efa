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
}

// Error names the method and repeats the log.
func (e *FailureError) Error() string {
	return fmt.Sprintf("disnix-service: %s failed:\n%s", e.Method, bytes.TrimSpace(e.Log))
}

// errFailed stands for the signal failure.
var errFailed = errors.New("the job failed")

// run runs a job and returns its results.
func (c *Client) run(ctx context.Context, method string, args ...any) ([]string, error) {
	results, _, err := c.runLogged(ctx, method, args...)
	return results, err
}

// runLogged runs a job and returns also its id, if it was begun. The error is
// a [*FailureError] if the service reports it.
func (c *Client) runLogged(ctx context.Context, method string, args ...any) (results []string, id int32, err error) {
	if err := ctx.Err(); err != nil {
		return nil, -1, fmt.Errorf("%s: %w", method, err)
	}
	if err := c.call(ctx, dbuswire.GetJobID).Store(&id); err != nil {
		return nil, -1, fmt.Errorf("%s: ERROR: Cannot obtain job id! Reason: %w", method, err)
	}
	ended := c.expect(id)
	defer c.forget(id)
	call := c.call(ctx, method, append([]any{id}, args...)...)
	if call.Err != nil && ctx.Err() == nil {
		return nil, -1, fmt.Errorf("%s: Error while executing the operation! Reason: %w", method, call.Err)
	}
	select {
	case o := <-ended:
		return o.results, id, c.failure(ctx, method, id, o.err)
	case <-ctx.Done():
		c.cancel(ctx, id, ended)
		return nil, id, fmt.Errorf("%s: %w", method, context.Cause(ctx))
	}
}

// failure adds the log to the error of a job.
func (c *Client) failure(ctx context.Context, method string, id int32, err error) error {
	if err == nil {
		return nil
	}
	if !errors.Is(err, errFailed) {
		return fmt.Errorf("%s: %w", method, err)
	}
	log, logErr := c.readLog(ctx, id)
	if logErr != nil {
		log = []byte(logErr.Error())
	}
	return &FailureError{Method: method, Log: log}
}

// readLog returns the content of a job's log file.
func (c *Client) readLog(ctx context.Context, id int32) ([]byte, error) {
	var dir string
	if err := c.call(ctx, dbuswire.GetLogDir).Store(&dir); err != nil {
		return nil, fmt.Errorf("ERROR: Cannot obtain log directory! Reason: %w", err)
	}
	log, err := os.ReadFile(filepath.Join(dir, strconv.FormatInt(int64(id), 10)))
	if err != nil {
		return nil, fmt.Errorf("read the log of the job: %w", err)
	}
	return log, nil
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
