package main

import (
	"bytes"
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

func (r *plainReporter) PlanReady([]*plan.Step)                        {}
func (r *plainReporter) StepStarted(*plan.Step)                        {}
func (r *plainReporter) StepFinished(*plan.Step, time.Duration, error) {}
func (r *plainReporter) Output(target string) io.Writer {
	return &lineWriter{print: func(line string) { r.print(r.stdout, origin(target)+line) }}
}

func (r *plainReporter) print(w io.Writer, line string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	fmt.Fprintln(w, line)
}

// lineWriter passes on what is written to it line by line, so that the output
// of several targets never mixes within a line. It may be used from several
// goroutines.
type lineWriter struct {
	mu      sync.Mutex
	print   func(line string)
	partial []byte
}

// maxLine is where a line without an end is broken.
const maxLine = 64 << 10

func (w *lineWriter) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.partial = append(w.partial, p...)
	for {
		end := bytes.IndexByte(w.partial, '\n')
		if end < 0 && len(w.partial) < maxLine {
			return len(p), nil
		}
		if end < 0 {
			end = len(w.partial) - 1
		}
		w.print(string(bytes.TrimRight(w.partial[:end+1], "\r\n")))
		w.partial = w.partial[end+1:]
	}
}
