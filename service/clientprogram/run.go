package clientprogram

import (
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"syscall"
	"time"

	"github.com/disnix-go/disnix/service"
	"github.com/disnix-go/disnix/service/commandline"
)

// stopTimeout is how long a cancelled program may take to end after SIGTERM.
const stopTimeout = 10 * time.Second

// call is one run of the program.
type call struct {
	operation string // for errors
	args      []string
	stdin     io.Reader
	// stdout and stderr may be nil: output is discarded, diagnostics go to
	// the client's log. Files are given to the program as they are.
	stdout, stderr io.Writer
	// ownGroup keeps the signals of the terminal (Ctrl-C) from the program
	// and what it starts.
	ownGroup bool
	// terminal gives also stderr to the program as it is, if it is a file.
	terminal bool
}

// run starts the program and waits for it. The error is an [*Error].
func (c *Client) run(ctx context.Context, call call) error {
	last := &commandline.Tail{Next: call.stderr}
	if call.stderr == nil {
		last.Next = c.config.Log
	}
	last.Next = service.WithoutRefusals(ctx, last.Next)
	err := c.execute(ctx, call, last)
	if err == nil {
		return nil
	}
	if ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	failed := &Error{Program: c.program, Operation: call.operation, Err: err}
	diagnostics, refusal := service.Refusal(last.Bytes())
	if refusal != nil {
		failed.Err = &refused{err, refusal}
	}
	failed.Stderr = string(diagnostics)
	return failed
}

// refused is the failure of a program that says who holds a lock. Its text is
// that of the failure; the diagnostics say the rest.
type refused struct {
	error
	refusal error
}

func (r *refused) Unwrap() []error { return []error{r.error, r.refusal} }

func (c *Client) execute(ctx context.Context, call call, diagnostics io.Writer) (err error) {
	if err := ctx.Err(); err != nil {
		return err
	}
	cmd := exec.Command(c.program, call.args...)
	cmd.Env = append(os.Environ(), c.config.Env...)
	if claim := service.EncodedClaim(ctx); claim != "" {
		cmd.Env = append(cmd.Env, service.ClaimVariable+"="+claim)
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: call.ownGroup}
	cmd.Stdin = call.stdin
	cmd.WaitDelay = lateOutput // a reader of a stdin that is no file may wait for ever
	var relays []*relay
	connect := func(w io.Writer) (io.Writer, error) {
		r, err := newRelay(w)
		if err != nil {
			return nil, err
		}
		relays = append(relays, r)
		return r.write, nil
	}
	defer func() {
		for _, r := range relays {
			err = errors.Join(err, r.finish())
		}
	}()
	cmd.Stdout = call.stdout
	if _, isFile := call.stdout.(*os.File); !isFile && call.stdout != nil {
		cmd.Stdout, err = connect(call.stdout)
	}
	cmd.Stderr = call.stderr
	if _, isFile := call.stderr.(*os.File); err == nil && !(isFile && call.terminal) {
		cmd.Stderr, err = connect(diagnostics)
	}
	if err == nil {
		err = cmd.Start()
	}
	for _, r := range relays {
		r.started()
	}
	if err != nil {
		return err
	}
	return wait(ctx, cmd, call.ownGroup)
}

// wait waits for the end of the program. When ctx ends before, the program is
// told to stop, with what it has started if that is in a group of its own, and
// killed after stopTimeout.
func wait(ctx context.Context, cmd *exec.Cmd, group bool) error {
	ended := make(chan error, 1)
	go func() {
		err := cmd.Wait()
		if errors.Is(err, exec.ErrWaitDelay) {
			err = nil
		}
		ended <- err
	}()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	pid := cmd.Process.Pid
	if group {
		pid = -pid
	}
	_ = syscall.Kill(pid, syscall.SIGTERM)
	timeout := time.NewTimer(stopTimeout)
	defer timeout.Stop()
	select {
	case err := <-ended:
		return err
	case <-timeout.C:
		_ = syscall.Kill(pid, syscall.SIGKILL)
		return <-ended
	}
}
