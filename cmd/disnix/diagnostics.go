package main

import (
	"fmt"
	"io"
)

// printDiagnostic prints a line about the run, not a result.
func (inv *invocation) printDiagnostic(line string) {
	fmt.Fprintf(inv.stderr, "%s: %s\n", inv.name, line)
}

// buildLog returns where Nix may print while it builds: on stderr, but not
// into a live display.
func (s *session) buildLog() io.Writer {
	if _, plain := s.reporter.(*plainReporter); plain {
		return s.stderr
	}
	return s.reporter.Output("")
}
