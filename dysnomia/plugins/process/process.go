// Package process is the plugin for programs that run in the background and
// tell their process id in a file (modules page, section 3).
//
// The program must daemonise itself: what is run has to return when the
// service is ready or soon will be, and has to write the PID file. Process
// managers supervise; this plugin only starts and stops.
package process

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/disnix-go/disnix/dysnomia"
	"github.com/disnix-go/disnix/dysnomia/plugins/lifecycle"
)

// Plugin starts and stops daemons. The container properties are:
//
//	runtimeDir   where PID files are expected (default /var/run)
//	process      the program and its arguments, if the component does not tell
//	pidFile      the PID file (default: runtimeDir/<name of the program>.pid)
//	timeout      seconds to wait for the PID file of a running process after
//	             the program has returned (default 10); waiting ends as soon as
//	             it is there
//	stopTimeout  seconds that a process may take to end after SIGTERM, before
//	             it is killed (default 10)
//
// A component has exactly one program in bin/, or a file in
// etc/dysnomia/process/ that sets process and optionally pidFile; these
// precede the properties. Users and groups of the component are created before
// it is started and deleted after it has been stopped.
type Plugin struct{}

var _ dysnomia.ShellGuide = Plugin{}

const poll = 10 * time.Millisecond

// Activate starts the process unless it runs. It succeeds only if the program
// did, and a process that runs has written its id. If it fails, processes that
// it has started in its session are stopped, and users and groups are deleted
// again.
func (Plugin) Activate(ctx context.Context, r *dysnomia.Request) error {
	s, err := readSettings(ctx, r)
	if err != nil {
		return err
	}
	return lifecycle.Activate(ctx, r,
		func(ctx context.Context) error { return start(ctx, r, s) },
		func(context.Context) error { return forget(r) }) // start itself stops what it has started
}

func start(ctx context.Context, r *dysnomia.Request, s settings) error {
	running, err := find(s)
	if err != nil {
		return err
	}
	if running != nil {
		return adopt(r, s, running)
	}
	if err := removeStale(r, s); err != nil {
		return err
	}
	if err := remember(r, s); err != nil {
		return err
	}
	session, err := r.RunProgram(ctx, dysnomia.Activate, s.program, s.arguments...)
	if err != nil {
		err = fmt.Errorf("start process %s: %w", s.program, err)
	} else {
		err = await(ctx, s)
	}
	if err != nil && session != 0 {
		// What it has started would run on without anybody knowing of it.
		err = errors.Join(err, endSession(context.WithoutCancel(ctx), session, s.stopTimeout))
	}
	return err
}

// adopt takes the process of the PID file for that of the component, unless
// another component has started it.
func adopt(r *dysnomia.Request, s settings, running *running) error {
	owner, err := otherOwner(r, s.pidFile)
	if err != nil {
		return err
	}
	if owner != "" {
		return fmt.Errorf("start process %s: its PID file %s is that of %s: set pidFile, or runtimeDir, to another", s.program, s.pidFile, owner)
	}
	fmt.Fprintf(r.Stderr, "PID file: %s already exists and process %d runs, assuming that it was started already!\n", s.pidFile, running.pid)
	return remember(r, s)
}

// await waits until the PID file names a running process.
func await(ctx context.Context, s settings) error {
	ctx, cancel := context.WithTimeoutCause(ctx, s.timeout, errTimeout)
	defer cancel()
	tick := time.NewTicker(poll)
	defer tick.Stop()
	for {
		// A file that is still being written is not an error yet.
		running, problem := find(s)
		if running != nil {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			if cause := context.Cause(ctx); !errors.Is(cause, errTimeout) {
				return fmt.Errorf("wait for process %s: %w", s.program, cause)
			}
			return s.notReady(problem)
		}
	}
}

var errTimeout = errors.New("timeout")

// notReady explains why the process is not regarded as started.
func (s settings) notReady(problem error) error {
	file, err := readPIDFile(s.pidFile)
	switch {
	case problem != nil:
		return problem
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("wait for process %s: it has not written the PID file %s within %s: set pidFile to the file it writes, or a longer timeout",
			s.program, s.pidFile, s.timeout)
	}
	return fmt.Errorf("wait for process %s: it has ended: no process %.20q of the PID file %s runs", s.program, file.text, s.pidFile)
}

// Deactivate stops the process and waits for its end; one that has ended
// already is no error. Then users and groups are deleted.
func (Plugin) Deactivate(ctx context.Context, r *dysnomia.Request) error {
	s, err := remembered(r, func() (settings, error) { return readSettings(ctx, r) })
	if err != nil {
		return err
	}
	return lifecycle.Deactivate(ctx, r, func(ctx context.Context) error { return stop(ctx, r, s) })
}

func stop(ctx context.Context, r *dysnomia.Request, s settings) error {
	running, err := find(s)
	if err != nil {
		return err
	}
	if running == nil {
		fmt.Fprintf(r.Stderr, "No process of the PID file %s runs, assuming that it was stopped already!\n", s.pidFile)
		return errors.Join(removeStale(r, s), forget(r))
	}
	owner, err := otherOwner(r, s.pidFile)
	if err != nil {
		return err
	}
	if owner != "" {
		fmt.Fprintf(r.Stderr, "The process of the PID file %s is that of %s and goes on.\n", s.pidFile, owner)
		return forget(r)
	}
	if err := running.stop(ctx, r, s); err != nil {
		return err
	}
	if err := removeStale(r, s); err != nil {
		return err
	}
	return forget(r)
}

// removeStale removes the PID file of a process that does not run.
func removeStale(r *dysnomia.Request, s settings) error {
	if _, err := os.Lstat(s.pidFile); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	// The file may be that of a process that was started just now.
	if running, err := find(s); err != nil || running != nil {
		return err
	}
	fmt.Fprintf(r.Stderr, "Removing the PID file %s: its process does not run.\n", s.pidFile)
	if err := os.Remove(s.pidFile); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove stale PID file: %w", err)
	}
	return nil
}

// ShellHelp says how to look after the process by hand.
func (Plugin) ShellHelp(r *dysnomia.Request) string {
	s, err := readSettings(context.Background(), r)
	if err != nil {
		return err.Error() + "\n"
	}
	return fmt.Sprintf(`This is a shell session for the process of %s

  cat %s                show the process id
  ps -p "$(cat %[2]s)"  show the process
  %s                    start the process
  kill "$(cat %[2]s)"   stop the process
`, filepath.Base(r.Component), s.pidFile, s.program)
}
