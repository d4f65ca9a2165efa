// Package activitycmd is the target's half of the client-interface command
// line (protocol, sections 4 and 6): it executes parsed options of
// disnix-run-activity on a [service.Service] and prints the results in the
// form that coordinators and the original's ssh client read.
package activitycmd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/disnix-go/disnix/dysnomia"
	"github.com/disnix-go/disnix/service"
)

// Options are the options and operands of one call.
type Options struct {
	// Operation is the name of the operation's long option, without dashes.
	Operation string
	// Target is the value of --target. Nothing is done with it, but its
	// presence tells that the caller takes the program for a client interface
	// (protocol, section 4), and not for the remote half of one.
	Target string
	// LocalFile says that the operands of import-snapshots belong to the
	// caller, and are copied; otherwise they are already on the target.
	LocalFile bool
	Profile   string
	DeleteOld bool // --delete-old of collect-garbage
	Type      string
	Container string // default: Type
	Component string
	Arguments []string // key=value
	Keep      int      // of clean-snapshots; the command's default is 1
	Command   string   // of shell
	Paths     []string // the operands
}

// Streams connect a call to its caller.
type Streams struct {
	Stdin          io.Reader
	Stdout, Stderr io.Writer
}

// Operations returns the names of all operations, sorted.
func Operations() []string { return slices.Sorted(maps.Keys(operations)) }

// Check returns what is missing, for callers that do not want to connect to a
// target in vain; [Run] checks it, too.
func (o Options) Check() error {
	if o.Operation == "" {
		return errors.New("ERROR: No operation specified!")
	}
	op, ok := operations[o.Operation]
	if !ok {
		return fmt.Errorf("operation %q is unknown", o.Operation)
	}
	return op.needs.check(o)
}

// Run executes one call. It returns the exit status of the command and, if
// that is not 0, the error to print.
//
// A boolean operation whose program or module fails has the exit status of
// that, or 255 if it could not be started or was killed; everything else that
// fails has 1.
func Run(ctx context.Context, s service.Service, o Options, streams Streams) (int, error) {
	if err := o.Check(); err != nil {
		return 1, err
	}
	op := operations[o.Operation]
	for i, path := range o.Paths {
		if op.pathsAreFiles {
			absolute, err := filepath.Abs(path)
			if err != nil {
				return 1, fmt.Errorf("%s %s: %w", o.Operation, path, err)
			}
			o.Paths[i] = absolute
		}
	}
	if o.Container == "" {
		o.Container = o.Type
	}
	err := op.run(&call{ctx, s, o, streams})
	if err == nil {
		return 0, nil
	}
	if _, claims := service.ClaimOf(ctx); claims {
		err = withRefusal(err)
	}
	if op.boolean {
		return ExitStatus(err), err
	}
	return 1, err
}

// withRefusal adds the line about a lock that callers with a claim understand
// to the text of an error.
func withRefusal(err error) error {
	line := service.RefusalLine(err)
	if line == "" {
		return err
	}
	return fmt.Errorf("%w\n%s", err, strings.TrimSuffix(line, "\n"))
}

// ExitStatus returns the exit status of a boolean operation that failed. An
// error from another machine can know it: then it has a method ExitStatus.
func ExitStatus(err error) int {
	var module *dysnomia.ModuleError
	var exit *exec.ExitError
	var remote interface{ ExitStatus() int }
	switch {
	case errors.As(err, &remote):
		return remote.ExitStatus()
	case errors.As(err, &module) && module.Signal == 0:
		return dysnomia.ExitStatus(err)
	case errors.As(err, &exit) && exit.Exited():
		return exit.ExitCode()
	case errors.As(err, &module), errors.As(err, &exit), errors.Is(err, exec.ErrNotFound), errors.Is(err, errClosureFile):
		return 255
	default:
		return 1
	}
}

// call is one call while it is executed.
type call struct {
	ctx     context.Context
	service service.Service
	Options
	Streams
}

// needs says what must be given for an operation.
type needs int

const (
	needsNothing   needs = iota
	needsPath            // at least one
	needsActivity        // a type, and one component
	needsProfile         // a profile
	needsNew             // a profile and one path
	needsSnapshots       // at least one
	needsOwner           // a container, a component, and at least one snapshot
)

// check returns what is missing. The texts are the original's.
func (n needs) check(o Options) error {
	switch {
	case n == needsActivity && o.Type == "":
		return errors.New("ERROR: A type must be specified!")
	case (n == needsActivity || n == needsPath || n == needsNew) && len(o.Paths) == 0:
		return errors.New("ERROR: A Nix store component has to be specified!")
	case (n == needsActivity || n == needsNew) && len(o.Paths) > 1:
		return fmt.Errorf("%s takes one component, but %d are given", o.Operation, len(o.Paths))
	case (n == needsProfile || n == needsNew) && o.Profile == "":
		return errors.New("a profile must be specified: use --profile")
	case (n == needsSnapshots || n == needsOwner) && len(o.Paths) == 0:
		return errors.New("ERROR: A Dysnomia snapshot has to be specified!")
	case n == needsOwner && o.Container == "" && o.Type == "":
		return errors.New("ERROR: No container specified!")
	case n == needsOwner && o.Component == "":
		return errors.New("ERROR: No component specified!")
	default:
		return nil
	}
}
