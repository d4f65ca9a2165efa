// Command disnix is every program of the system in one binary. Under the name
// of a program, for example disnix-env or dysnomia-snapshots, it is that
// program; under any other name its first argument says which:
// "disnix env" is disnix-env.
//
// This package only parses arguments and prints; the work is done by the
// packages coordinator, service, dysnomia and models.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

func main() {
	os.Exit(run(context.Background(), os.Args, os.Stdin, os.Stdout, os.Stderr))
}

// run executes the program that the arguments ask for and returns its exit
// status.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	invoked := filepath.Base(args[0])
	terminal := &console{stdin: stdin, stdout: stdout, stderr: stderr}
	if err := injectFaults(); err != nil {
		fmt.Fprintf(stderr, "%s: %v\n", invoked, err)
		return 1
	}
	if p := findProgram(invoked); p != nil {
		return p.main(ctx, invoked, args[1:], terminal)
	}
	if isModule(args) {
		return runModule(ctx, args, terminal)
	}
	if len(args) < 2 {
		printOverview(stderr)
		return 1
	}
	switch args[1] {
	case "-h", "--help", "help":
		return helpFor(args[2:], terminal)
	case "-v", "--version":
		printVersion(stdout, invoked)
		return 0
	case "--list-programs": // for make install, which links the names
		for _, p := range programs() {
			fmt.Fprintln(stdout, p.name)
		}
		return 0
	}
	p := findSubcommand(args[1])
	if p == nil {
		fmt.Fprintf(stderr, "%s: there is no program %q\n", invoked, args[1])
		fmt.Fprintf(stderr, "Try '%s --help' for the list of programs.\n", invoked)
		return 1
	}
	return p.main(ctx, p.name, args[2:], terminal)
}

// helpFor prints the help of a program, or the overview.
func helpFor(args []string, terminal *console) int {
	if len(args) == 0 {
		printOverview(terminal.stdout)
		return 0
	}
	p := findSubcommand(args[0])
	if p == nil {
		fmt.Fprintf(terminal.stderr, "disnix: there is no program %q\n", args[0])
		return 1
	}
	p.printHelp(terminal.stdout, p.name)
	return 0
}

// findProgram returns the program of that exact name, or nil.
func findProgram(name string) *program {
	for _, p := range programs() {
		if p.name == name {
			return p
		}
	}
	return nil
}

// findSubcommand returns the program that is called name or disnix-name.
func findSubcommand(name string) *program {
	if p := findProgram(name); p != nil {
		return p
	}
	return findProgram("disnix-" + name)
}

// printOverview lists all programs.
func printOverview(w io.Writer) {
	fmt.Fprint(w, "Usage: disnix PROGRAM [OPTION]...\n\n"+
		"Deploys systems of services to networks of machines, from declarative models.\n"+
		"Each program can also be called by its full name: 'disnix env' is 'disnix-env'.\n\nPrograms:\n")
	for _, p := range programs() {
		fmt.Fprintf(w, "  %-24s %s\n", strings.TrimPrefix(p.name, "disnix-"), p.summary)
	}
	fmt.Fprint(w, "\nTry 'disnix help PROGRAM' for the options of a program, and\n"+
		"'disnix env --help' first if you are new here.\n")
}
