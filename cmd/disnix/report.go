package main

import (
	"io"
	"maps"
	"os"
	"slices"

	"golang.org/x/term"

	"github.com/disnix-go/disnix/coordinator"
)

// newReporter returns how a deployment is shown to the user: live when both
// streams are terminals, otherwise as plain lines. The second result ends it.
func newReporter(progress, problems io.Writer) (coordinator.Reporter, func()) {
	stdout, ok := progress.(*os.File)
	stderr, ok2 := problems.(*os.File)
	if ok && ok2 && isTerminal(stdout) && isTerminal(stderr) && os.Getenv("TERM") != "dumb" {
		live := newLiveReporter(stdout)
		return live, live.Close
	}
	plain := &plainReporter{stdout: progress, stderr: problems}
	return plain, plain.lines.endAll
}

func isTerminal(f *os.File) bool { return term.IsTerminal(int(f.Fd())) }

func sortedNames[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
