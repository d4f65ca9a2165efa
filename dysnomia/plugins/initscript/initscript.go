// Package initscript runs scripts that start and stop services: those of the
// Linux Standard Base and those of BSD systems.
package initscript

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/disnix-go/disnix/dysnomia"
	"github.com/disnix-go/disnix/dysnomia/plugins/await"
	"github.com/disnix-go/disnix/dysnomia/plugins/tool"
)

// Runner runs the scripts of a component.
type Runner struct {
	Request *dysnomia.Request
	// BSD says that the scripts are those of rc(8), not of the Linux Standard
	// Base.
	BSD bool
	// Prefix is put before actions: "one" asks scripts of BSD systems to work
	// although they are not enabled.
	Prefix string
	// Timeout and StopTimeout are how long a script's service may take to run
	// and to stop after the script has ended.
	Timeout, StopTimeout time.Duration
}

// recordKind is the kind of the records in the state directory: the paths of
// the scripts that were started, by path of the component.
const recordKind = "scripts"

// Start starts scripts in this order. A service that runs already is left
// alone. It ends with the first that fails, or whose service does not run
// afterwards, as far as the script can tell. What is started is remembered for
// Stop.
func (s Runner) Start(ctx context.Context, scripts []string) error {
	if err := s.remember(scripts); err != nil {
		return err
	}
	for _, script := range scripts {
		if err := s.start(ctx, script); err != nil {
			return fmt.Errorf("start %s: %w", script, err)
		}
	}
	return nil
}

func (s Runner) start(ctx context.Context, script string) error {
	found, _, err := s.status(ctx, script)
	if err != nil {
		return err
	}
	if found == running {
		fmt.Fprintf(s.Request.Stderr, "%s runs already.\n", filepath.Base(script))
		return nil
	}
	if err := s.run(ctx, dysnomia.Activate, script, "start"); err != nil {
		return err
	}
	return s.await(ctx, script, "the service to run", s.Timeout, func(now state) bool { return now == running || now == unknown })
}

// Stop stops scripts in the reverse of this order, after others that were
// started earlier. All are tried, and those are reported that fail or whose
// service still runs afterwards.
func (s Runner) Stop(ctx context.Context, scripts []string) error {
	remembered, err := s.recall()
	if err != nil {
		return err
	}
	all := slices.Clone(remembered)
	for _, script := range scripts {
		if !slices.Contains(all, script) {
			all = append(all, script)
		}
	}
	var errs []error
	for _, script := range slices.Backward(all) {
		if _, err := os.Stat(script); err != nil && !slices.Contains(scripts, script) {
			fmt.Fprintf(s.Request.Stderr, "%s was started, but is not there any more.\n", script)
			continue
		}
		if err := s.stop(ctx, script); err != nil {
			errs = append(errs, fmt.Errorf("stop %s: %w", script, err))
		}
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	return s.Request.State.Forget(recordKind, s.Request.Container, s.Request.ComponentName)
}

func (s Runner) stop(ctx context.Context, script string) error {
	found, _, err := s.status(ctx, script)
	if err != nil || found == stopped {
		return err
	}
	if err := s.run(ctx, dysnomia.Deactivate, script, "stop"); err != nil {
		return err
	}
	return s.await(ctx, script, "the service to stop", s.StopTimeout, func(now state) bool { return now != running })
}

// run runs a script, which prints to the user.
func (s Runner) run(ctx context.Context, op dysnomia.Operation, script, action string) error {
	_, err := s.Request.RunProgram(ctx, op, script, s.Prefix+action)
	if err != nil && ctx.Err() != nil {
		return fmt.Errorf("%w: %w", context.Cause(ctx), err)
	}
	return err
}

func (s Runner) await(ctx context.Context, script, what string, limit time.Duration, ok func(state) bool) error {
	return await.Until(ctx, what, limit, func(ctx context.Context) (bool, string, error) {
		found, output, err := s.status(ctx, script)
		return ok(found), output, err
	})
}

// state is what a script knows about its service.
type state int

const (
	unknown state = iota
	running
	stopped
	dead // and has left something behind
)

// The exit statuses of the action status in the Linux Standard Base, Core
// Generic, 22.2.
const (
	lsbDeadWithPID  = 1
	lsbDeadWithLock = 2
	lsbNotRunning   = 3
)

// bsdNotRunning is the exit status of the action status in rc.subr(8).
const bsdNotRunning = 1

// status asks a script about its service. A script without such an action
// explains its usage.
func (s Runner) status(ctx context.Context, script string) (state, string, error) {
	out, err := tool.Run(ctx, s.Request, script, s.Prefix+"status")
	if err == nil {
		return running, strings.TrimSpace(out), nil
	}
	var failed *tool.Error
	if ctx.Err() != nil {
		return unknown, "", context.Cause(ctx)
	}
	if !errors.As(err, &failed) || !exited(failed) {
		return unknown, "", err
	}
	if strings.Contains(strings.ToLower(failed.Output), "usage") {
		return unknown, failed.Output, nil
	}
	if s.BSD && failed.ExitCode == bsdNotRunning {
		return stopped, failed.Output, nil
	}
	switch failed.ExitCode {
	case lsbDeadWithPID, lsbDeadWithLock:
		return dead, failed.Output, nil
	case lsbNotRunning:
		return stopped, failed.Output, nil
	}
	return unknown, failed.Output, nil
}

// exited reports whether a program was started and has ended by itself.
func exited(failed *tool.Error) bool {
	var module *dysnomia.ModuleError
	return errors.As(failed.Err, &module) && module.Signal == 0 && module.Err == nil
}

type record map[string][]string

// remember adds scripts to those that were started.
func (s Runner) remember(scripts []string) error {
	r := s.Request
	known := record{}
	if _, err := r.State.Recall(recordKind, r.Container, r.ComponentName, &known); err != nil {
		return err
	}
	all := slices.Clone(known[r.Component])
	for _, script := range scripts {
		if !slices.Contains(all, script) {
			all = append(all, script)
		}
	}
	if slices.Equal(all, known[r.Component]) {
		return nil
	}
	known[r.Component] = all
	return r.State.Remember(recordKind, r.Container, r.ComponentName, known)
}

func (s Runner) recall() ([]string, error) {
	r := s.Request
	known := record{}
	_, err := r.State.Recall(recordKind, r.Container, r.ComponentName, &known)
	return known[r.Component], err
}
