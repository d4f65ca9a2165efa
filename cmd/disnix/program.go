package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/urfave/cli/v2"
)

// console is where a program reads and prints.
type console struct {
	stdin          io.Reader
	stdout, stderr io.Writer
}

// program is one command line: its documentation, its options and what it
// does.
type program struct {
	name     string
	summary  string   // one line for the overview
	synopsis []string // the usage lines, without the program's name
	// description is one or more paragraphs of at most 80 columns.
	description string
	groups      []optionGroup
	exitStatus  []entry
	environment []entry
	examples    []entry
	action      func(*invocation) error
	// handlesHangup says that the program does something else with SIGHUP than
	// to stop.
	handlesHangup bool
	// document says that the standard output is for a document, such as a model:
	// progress goes to the standard error.
	document bool
}

// optionGroup is a part of a program's options with a heading of its own.
type optionGroup struct {
	title string
	flags []cli.Flag
}

// entry is a term and its explanation in a help text.
type entry struct{ term, text string }

// invocation is one run of a program.
type invocation struct {
	*cli.Context
	*console
	name     string    // as invoked
	order    []string  // the long names of the options given, in order
	progress io.Writer // for what happens, as opposed to results and problems
}

// options is the option group without a title that most programs have.
func options(flags ...cli.Flag) []optionGroup {
	return []optionGroup{{title: "Options", flags: flags}}
}

func (p *program) flags() []cli.Flag {
	var all []cli.Flag
	for _, g := range p.groups {
		all = append(all, g.flags...)
	}
	return append(all, helpFlag(), versionFlag())
}

func helpFlag() cli.Flag {
	return &cli.BoolFlag{Name: "help", Aliases: []string{"h"}, Usage: "Shows this help and exits"}
}

func versionFlag() cli.Flag {
	return &cli.BoolFlag{Name: "version", Aliases: []string{"v"}, Usage: "Shows the version and exits"}
}

// main parses the arguments, runs the program, and returns its exit status.
func (p *program) main(ctx context.Context, invoked string, args []string, terminal *console) int {
	ctx, stop := cancelledBySignals(ctx, !p.handlesHangup)
	defer stop()
	given, err := reorder(p.flags(), args)
	if err != nil {
		return p.usageFailure(invoked, err, terminal)
	}
	for _, name := range given.order {
		switch name {
		case "help":
			p.printHelp(terminal.stdout, invoked)
			return 0
		case "version":
			printVersion(terminal.stdout, invoked)
			return 0
		}
	}
	app := &cli.App{
		Name:                      invoked,
		Flags:                     p.flags(),
		HideHelp:                  true,
		HideVersion:               true,
		DisableSliceFlagSeparator: true,
		ExitErrHandler:            func(*cli.Context, error) {},
		Writer:                    io.Discard,
		ErrWriter:                 io.Discard,
		OnUsageError:              func(_ *cli.Context, err error, _ bool) error { return usageError{err} },
	}
	app.Action = func(c *cli.Context) error {
		inv := &invocation{Context: c, console: terminal, name: invoked, order: given.order, progress: terminal.stdout}
		if p.document {
			inv.progress = terminal.stderr
		}
		return p.action(inv)
	}
	err = app.RunContext(ctx, append([]string{invoked}, given.arguments()...))
	return p.exitStatusOf(invoked, err, terminal)
}

// exitStatusOf prints an error and returns the exit status it stands for.
func (p *program) exitStatusOf(invoked string, err error, terminal *console) int {
	if err == nil {
		return 0
	}
	var usage usageError
	if errors.As(err, &usage) {
		return p.usageFailure(invoked, usage, terminal)
	}
	var exit exitError
	if errors.As(err, &exit) {
		if exit.err != nil {
			fmt.Fprintln(terminal.stderr, exit.err)
		}
		return exit.status
	}
	fmt.Fprintf(terminal.stderr, "%s: %v\n", invoked, err)
	return 1
}

func (p *program) usageFailure(invoked string, err error, terminal *console) int {
	fmt.Fprintf(terminal.stderr, "%s: %v\nTry '%s --help' for more information.\n", invoked, err, invoked)
	return 1
}

// usageError is a mistake in the arguments.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

// exitError ends a program with a status. The message, if any, is printed as
// it is: without the program's name.
type exitError struct {
	status int
	err    error
}

func (e exitError) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit status %d", e.status)
	}
	return e.err.Error()
}

func (e exitError) Unwrap() error { return e.err }

// fail ends a program with status 1 and a message in the original's words.
func fail(format string, args ...any) error {
	return exitError{status: 1, err: fmt.Errorf(format, args...)}
}

// quiet ends a program with a status; everything has been reported already.
func quiet(status int) error { return exitError{status: status} }
