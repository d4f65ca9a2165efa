package main

import (
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/disnix-go/disnix/coordinator"
	"github.com/disnix-go/disnix/coordinator/plan"
)

// plainReporter prints the progress of a deployment as lines in the
// original's format: results and progress on stdout, problems on stderr.
type plainReporter struct {
	mu             sync.Mutex
	stdout, stderr io.Writer
	lines          begunLines
}

var _ coordinator.Reporter = (*plainReporter)(nil)

// origin is the prefix of a line about a target, or about the coordinator if
// target is empty (commands, 1.4).
func origin(target string) string {
	if target == "" {
		return "[coordinator]: "
	}
	return "[target: " + target + "]: "
}

func (r *plainReporter) Progress(target, message string) { r.print(r.stdout, origin(target)+message) }
func (r *plainReporter) Problem(target, message string)  { r.print(r.stderr, origin(target)+message) }
func (r *plainReporter) Notice(text string)              { r.print(r.stderr, text) }

func (r *plainReporter) PlanReady([]*plan.Step) {}
func (r *plainReporter) StepStarted(*plan.Step) {}
func (r *plainReporter) StepFinished(step *plan.Step, _ time.Duration, _ error) {
	r.lines.endOf(step.Mapping.Target)
}
func (r *plainReporter) Output(target string) io.Writer {
	return r.lines.writer(target, func(line string) { r.print(r.stdout, origin(target)+line) })
}

func (r *plainReporter) print(w io.Writer, line string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	fmt.Fprintln(w, line)
}
