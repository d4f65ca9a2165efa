package dysnomia

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"syscall"
	"time"
)

// runExecutable runs an external module by the process protocol of the
// original (host page, 3.4): three arguments, nothing on standard input.
func (h *Host) runExecutable(ctx context.Context, path string, op Operation, r *Request) error {
	protocol := []string{string(op), r.Component, r.ContainerArgument}
	err := r.execute(ctx, op, exec.Command(path, protocol...), h.TerminationGrace)
	if errors.Is(err, syscall.ENOEXEC) {
		// A script without an interpreter line, which execvp(3) runs too.
		err = r.execute(ctx, op, exec.Command("/bin/sh", append([]string{path}, protocol...)...), h.TerminationGrace)
	}
	var failed *ModuleError
	if err != nil && !errors.As(err, &failed) {
		return moduleError(op, r, err)
	}
	return err
}

// execute runs a process with the environment and the output of the request
// and waits for its end. A failure of the process is a [*ModuleError].
//
// Unless it has a standard input, the process has a session of its own: a
// Ctrl-C or a hangup that is meant for the caller does not interrupt it in the
// middle, and it fails instead of waiting when it asks the terminal something.
func (r *Request) execute(ctx context.Context, op Operation, cmd *exec.Cmd, grace time.Duration) error {
	stdout, stderr, err := outputs(r.Stdout, r.Stderr)
	if err != nil {
		return err
	}
	defer stdout.finish()
	defer stderr.finish()
	cmd.Env = r.Environment
	cmd.Stdout, cmd.Stderr = stdout.file, stderr.file
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: cmd.Stdin == nil}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start %s: %w", cmd.Path, err)
	}
	stdout.started()
	stderr.started()
	return exitError(ctx, op, r, wait(ctx, cmd, grace))
}

// wait waits for the end of a process. When ctx ends before, it tells the
// process and its group to stop and kills after the grace what is left.
func wait(ctx context.Context, cmd *exec.Cmd, grace time.Duration) error {
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	expired := time.NewTimer(grace)
	defer expired.Stop()
	signalGroup(cmd, syscall.SIGTERM)
	select {
	case err := <-ended:
		awaitGroup(-cmd.Process.Pid, expired.C)
		signalGroup(cmd, syscall.SIGKILL)
		return err
	case <-expired.C:
		signalGroup(cmd, syscall.SIGKILL)
		return <-ended
	}
}

// signalGroup signals the process group of a process, or the process alone if
// it is in that of the caller.
func signalGroup(cmd *exec.Cmd, signal syscall.Signal) {
	if syscall.Kill(-cmd.Process.Pid, signal) != nil {
		_ = cmd.Process.Signal(signal) // fails when it has ended already
	}
}

// awaitGroup waits until no process of the group is left, or until expired.
func awaitGroup(group int, expired <-chan time.Time) {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for syscall.Kill(group, 0) == nil {
		select {
		case <-tick.C:
		case <-expired:
			return
		}
	}
}

// exitError turns the end of a module's process into a ModuleError.
func exitError(ctx context.Context, op Operation, r *Request, err error) error {
	if err == nil {
		return nil
	}
	failure := moduleError(op, r, context.Cause(ctx))
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		failure.Err = err
		return failure
	}
	status, ok := exit.Sys().(syscall.WaitStatus)
	switch {
	case ok && status.Signaled():
		failure.Signal = status.Signal()
	case exit.ExitCode() > 0:
		failure.ExitCode = exit.ExitCode()
	}
	return failure
}
