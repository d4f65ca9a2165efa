package process

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"time"
)

// endSession stops all processes of a session: first with SIGTERM, and those
// that take longer with SIGKILL. A daemon that has made a session of its own
// is not among them.
func endSession(ctx context.Context, session int, most time.Duration) error {
	members, err := processesOf(session)
	if err != nil {
		return fmt.Errorf("stop what was started: %w", err)
	}
	var errs []error
	for _, p := range members {
		errs = append(errs, p.signal(syscall.SIGTERM))
	}
	deadline := time.Now().Add(most)
	for _, p := range members {
		ended, err := p.wait(ctx, time.Until(deadline))
		if err == nil && !ended {
			err = p.signal(syscall.SIGKILL)
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// processesOf returns the processes of a session that have not ended.
func processesOf(session int) ([]*running, error) {
	dirs, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		return nil, err
	}
	var members []*running
	for _, dir := range dirs {
		pid, err := strconv.Atoi(filepath.Base(dir))
		if err != nil {
			continue
		}
		process, err := os.FindProcess(pid)
		if err != nil {
			return nil, err
		}
		p := &running{pid: pid, process: process}
		// Field 6 is the session. It is read after the handle was taken, so
		// that both are of the same process.
		if fields, err := stat(pid); err == nil && fields[3] == strconv.Itoa(session) && p.runs() {
			members = append(members, p)
		} else if err := process.Release(); err != nil {
			return nil, err
		}
	}
	return members, nil
}
