// Package tool runs programs of the machine for plugins: clients of servers
// and process managers.
package tool

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/disnix-go/disnix/dysnomia"
)

// Error says that a program failed.
type Error struct {
	// Program is its name, without arguments: these may be confidential.
	Program string
	// ExitCode is its exit status, 1 if it was killed.
	ExitCode int
	// Output is what it printed, stdout and stderr, without surrounding
	// blanks.
	Output string
	// Err is the reason.
	Err error
}

func (e *Error) Error() string {
	text := e.Program + ": "
	var failed *dysnomia.ModuleError
	switch {
	case errors.As(e.Err, &failed) && failed.Signal != 0:
		text += fmt.Sprintf("killed by signal %d (%s)", int(failed.Signal), failed.Signal)
	case errors.As(e.Err, &failed) && failed.Err == nil:
		text += fmt.Sprintf("exit status %d", failed.ExitCode)
	default:
		text += e.Err.Error()
	}
	if e.Output != "" {
		text += ": " + tail(e.Output)
	}
	return text
}

func (e *Error) Unwrap() error { return e.Err }

// tail keeps the end of long output, which is where programs say why they
// fail.
func tail(output string) string {
	const most = 2000
	if len(output) <= most {
		return output
	}
	return "… " + output[len(output)-most:]
}

// Run runs a program, given by path or as a name that is searched in PATH and
// the usual directories, with the environment of the request and nothing on
// standard input, waits for its end and returns what it printed on standard
// output. A failure is an [*Error]. When ctx ends, the program is told to
// stop.
//
// A daemon that the program leaves behind does not hinder, even if it keeps
// the output.
func Run(ctx context.Context, r *dysnomia.Request, program string, args ...string) (string, error) {
	path, err := dysnomia.FindProgram(r.Environment, program)
	if err != nil {
		return "", err
	}
	var stdout, stderr limited
	captured := *r
	captured.Stdout, captured.Stderr = &stdout, &stderr
	if _, err := captured.RunProgram(ctx, dysnomia.Activate, path, args...); err != nil {
		output := strings.TrimSpace(stdout.String() + stderr.String())
		return stdout.String(), &Error{Program: filepath.Base(path), ExitCode: dysnomia.ExitStatus(err), Output: output, Err: err}
	}
	if stdout.surplus {
		err := fmt.Errorf("it prints more than %d MiB", mostOutput>>20)
		return "", &Error{Program: filepath.Base(path), ExitCode: 1, Err: err}
	}
	return stdout.String(), nil
}

// mostOutput is how much of the output of a program is kept: far more than any
// that plugins run has to say, and little enough for the memory.
const mostOutput = 16 << 20

// limited is a buffer for the beginning of what is written to it.
type limited struct {
	kept    bytes.Buffer
	surplus bool
}

func (l *limited) String() string { return l.kept.String() }

func (l *limited) Write(p []byte) (int, error) {
	part := min(len(p), mostOutput-l.kept.Len())
	l.surplus = l.surplus || part < len(p)
	l.kept.Write(p[:part])
	return len(p), nil
}
