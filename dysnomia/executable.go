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
// original (host page, 3.4): three arguments, nothing on standard input. It
// has a process group of its own, so that a Ctrl-C that is meant for the
// caller does not interrupt it in the middle.
func (h *Host) runExecutable(ctx context.Context, path string, op Operation, r *Request) error {
	stdout, stderr, err := outputs(r.Stdout, r.Stderr)
	if err != nil {
		return err
	}
	defer stdout.finish()
	defer stderr.finish()

	start := func(name string, args ...string) (*exec.Cmd, error) {
		cmd := exec.Command(name, append(args, string(op), r.Component, r.ContainerArgument)...)
		cmd.Env = r.Environment
		cmd.Stdout, cmd.Stderr = stdout.file, stderr.file
		cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
		return cmd, cmd.Start()
	}
	cmd, err := start(path)
	if errors.Is(err, syscall.ENOEXEC) {
		// A script without an interpreter line, which execvp(3) runs too.
		cmd, err = start("/bin/sh", path)
	}
	if err != nil {
		return moduleError(op, r, fmt.Errorf("start %s: %w", path, err))
	}
	stdout.started()
	stderr.started()

	err = h.wait(ctx, cmd)
	return exitError(ctx, op, r, err)
}

// wait waits for the end of the module, and stops it and its process group
// when ctx ends before.
func (h *Host) wait(ctx context.Context, cmd *exec.Cmd) error {
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	group := -cmd.Process.Pid
	_ = syscall.Kill(group, syscall.SIGTERM)
	grace := time.NewTimer(h.TerminationGrace)
	defer grace.Stop()
	var err error
	select {
	case err = <-ended:
		awaitGroup(group, grace.C)
		_ = syscall.Kill(group, syscall.SIGKILL)
	case <-grace.C:
		_ = syscall.Kill(group, syscall.SIGKILL)
		err = <-ended
	}
	return err
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
