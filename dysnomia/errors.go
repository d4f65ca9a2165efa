package dysnomia

import (
	"errors"
	"fmt"
	"strings"
	"syscall"
)

// What the host refuses before it looks for anything (host page, 3.2).
var (
	ErrNoOperation     = errors.New("ERROR: No operation specified!")
	ErrNoContainer     = errors.New("No container file or environment specified!")
	ErrNoContainerType = errors.New("ERROR: No type specified in the container configuration!")
	ErrNoType          = errors.New("ERROR: No type specified!")
	ErrNoComponent     = errors.New("ERROR: No component is specified!")
)

// NotFoundError says that a container, component or module does not exist.
type NotFoundError struct {
	// Message is the message of the original, without the name.
	Message string
	// Name is what was looked for.
	Name string
	// Hint says where it was looked for, or what is wrong with what was found.
	Hint string
}

func (e *NotFoundError) Error() string {
	text := strings.ReplaceAll(e.Message, "NAME", e.Name)
	if e.Hint == "" {
		return text
	}
	return text + " (" + e.Hint + ")"
}

// ModuleError says that a module was run and failed, or could not finish.
type ModuleError struct {
	// Type is the type identifier of the module.
	Type string
	// Operation is what it was asked to do.
	Operation Operation
	// Component and Container are the names it was asked to do it with.
	Component, Container string
	// ExitCode is the exit status of an external module; 1 if it was killed
	// by a signal or is built in.
	ExitCode int
	// Signal is the signal that killed an external module, or 0.
	Signal syscall.Signal
	// Err is the error of a built-in plugin, or the reason for which an
	// external module was stopped; nil if it ended by itself.
	Err error
}

func (e *ModuleError) Error() string {
	text := fmt.Sprintf("%s component %q in container %q: module %q", e.Operation, e.Component, e.Container, e.Type)
	switch {
	case e.Signal != 0:
		text += fmt.Sprintf(" was killed by signal %d (%s)", int(e.Signal), e.Signal)
	case e.Err == nil:
		text += fmt.Sprintf(" exited with status %d", e.ExitCode)
	}
	if e.Err != nil {
		text += ": " + e.Err.Error()
	}
	return text
}

func (e *ModuleError) Unwrap() error { return e.Err }

// ExitStatus returns the exit status of a program that ends with err: that of
// the module if one failed (128 + the signal's number if it was killed, as a
// shell says it), 1 for every other error, 0 for nil.
func ExitStatus(err error) int {
	var module *ModuleError
	switch {
	case err == nil:
		return 0
	case !errors.As(err, &module):
		return 1
	case module.Signal != 0:
		return 128 + int(module.Signal)
	default:
		return module.ExitCode
	}
}
