package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/term"

	"github.com/disnix-go/disnix/coordinator"
	"github.com/disnix-go/disnix/coordinator/plan"
)

// liveReporter shows a deployment on a terminal: finished work scrolls by
// above, and the last lines show what is running now. Close ends the display.
type liveReporter struct {
	mu      sync.Mutex
	out     io.Writer
	frame   bytes.Buffer // what the current update changes on the screen
	size    func() (columns, rows int)
	now     func() time.Time
	started time.Time
	drawn   int // lines of the display that are on the screen
	total   int
	done    int
	failed  int
	running []*runningStep
	latest  map[string]string // what each target reported last, outside steps
	lines   begunLines
	stop    chan struct{}
	stopped chan struct{}
}

type runningStep struct {
	step    *plan.Step
	started time.Time
}

// refreshInterval is how often the elapsed times are drawn anew.
const refreshInterval = 250 * time.Millisecond

var _ coordinator.Reporter = (*liveReporter)(nil)

// newLiveReporter starts a display on a terminal.
func newLiveReporter(terminal *os.File) *liveReporter {
	r := &liveReporter{
		out: terminal,
		size: func() (int, int) {
			columns, rows, err := term.GetSize(int(terminal.Fd()))
			if err != nil || columns <= 0 || rows <= 0 {
				return 80, 24
			}
			return columns, rows
		},
		now:     time.Now,
		started: time.Now(),
		latest:  make(map[string]string),
		stop:    make(chan struct{}),
		stopped: make(chan struct{}),
	}
	go r.refresh()
	return r
}

func (r *liveReporter) refresh() {
	defer close(r.stopped)
	ticker := time.NewTicker(refreshInterval)
	defer ticker.Stop()
	for {
		select {
		case <-r.stop:
			return
		case <-ticker.C:
			r.update(nil)
		}
	}
}

// Close removes the display from the screen. Nothing may be reported after it.
func (r *liveReporter) Close() {
	r.lines.endAll()
	close(r.stop)
	<-r.stopped
	r.mu.Lock()
	defer r.mu.Unlock()
	r.erase()
	r.flush()
}

// Progress shows what the coordinator does for good, and what a target does
// only until it does something else.
func (r *liveReporter) Progress(target, message string) {
	r.update(func() {
		if target == "" {
			clear(r.latest)
			r.print("", message)
			return
		}
		r.latest[target] = message
	})
}

func (r *liveReporter) Problem(target, message string) {
	r.update(func() { r.print(target, message) })
}

func (r *liveReporter) Notice(text string) {
	r.update(func() {
		for _, line := range strings.Split(text, "\n") {
			r.line(line)
		}
	})
}

func (r *liveReporter) PlanReady(steps []*plan.Step) {
	r.update(func() { r.total, r.done, r.failed = len(steps), 0, 0 })
}

func (r *liveReporter) StepStarted(step *plan.Step) {
	r.update(func() {
		delete(r.latest, step.Mapping.Target)
		r.running = append(r.running, &runningStep{step: step, started: r.now()})
	})
}

func (r *liveReporter) StepFinished(step *plan.Step, elapsed time.Duration, err error) {
	r.lines.endOf(step.Mapping.Target)
	r.update(func() {
		for i, running := range r.running {
			if running.step == step {
				r.running = append(r.running[:i], r.running[i+1:]...)
				break
			}
		}
		r.done++
		outcome := "done  "
		if err != nil {
			r.failed++
			outcome = "FAILED"
		}
		r.line(fmt.Sprintf("%s %s (%s)", outcome, describeStep(step), formatElapsed(elapsed)))
		delete(r.latest, step.Mapping.Target)
	})
}

func (r *liveReporter) Output(target string) io.Writer {
	return r.lines.writer(target, func(line string) {
		r.update(func() { r.line(origin(target) + line) })
	})
}

// update erases the display, lets change print lines and change the state,
// and draws the display again. All of it reaches the terminal in one write:
// there is no moment at which the display is missing, so it does not flicker.
func (r *liveReporter) update(change func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.erase()
	if change != nil {
		change()
	}
	r.draw()
	r.flush()
}

func (r *liveReporter) flush() {
	r.out.Write(r.frame.Bytes())
	r.frame.Reset()
}

// print writes a message, which may have several lines, above the display.
func (r *liveReporter) print(target, message string) {
	for i, line := range strings.Split(message, "\n") {
		if i == 0 {
			line = origin(target) + line
		}
		r.line(line)
	}
}

func (r *liveReporter) line(text string) { fmt.Fprintln(&r.frame, printable(text)) }

func (r *liveReporter) erase() {
	if r.drawn > 0 {
		fmt.Fprintf(&r.frame, "\x1b[%dA\r\x1b[J", r.drawn)
		r.drawn = 0
	}
}

func (r *liveReporter) draw() {
	columns, rows := r.size()
	lines := r.displayLines(rows)
	for _, line := range lines {
		r.line(fit(line, columns-1))
	}
	r.drawn = len(lines)
}

// maxRunningLines bounds the display on systems with many targets.
const maxRunningLines = 12

// displayLines is one line per running step, then one with the totals; fewer
// than the terminal has rows, because what has scrolled off the screen cannot
// be erased.
func (r *liveReporter) displayLines(rows int) []string {
	var lines []string
	now := r.now()
	for _, running := range r.running {
		lines = append(lines, fmt.Sprintf("  %s %s", formatElapsed(now.Sub(running.started)), describeStep(running.step)))
	}
	for _, target := range sortedNames(r.latest) {
		lines = append(lines, "  "+origin(target)+r.latest[target])
	}
	// The lines about what is left out, the totals and the cursor take a row each.
	limit := max(0, min(maxRunningLines, rows-3))
	if excess := len(lines) - limit; excess > 0 {
		lines = append(lines[:limit], fmt.Sprintf("  and %d more", excess))
	}
	total := fmt.Sprintf("%s elapsed", formatElapsed(now.Sub(r.started)))
	if r.total > 0 {
		total = fmt.Sprintf("%d of %d steps, %d running, %d failed, %s", r.done, r.total, len(r.running), r.failed, total)
	}
	lines = append(lines, total)
	return lines[max(0, len(lines)-max(0, rows-1)):]
}

func describeStep(step *plan.Step) string {
	return fmt.Sprintf("%s %s on %s in %s", step.Kind, step.Service.Name, step.Mapping.Target, step.Mapping.Container)
}

// formatElapsed writes a duration with a precision that a person cares for.
func formatElapsed(d time.Duration) string {
	if d < time.Minute {
		return fmt.Sprintf("%.1fs", d.Seconds())
	}
	return d.Round(time.Second).String()
}

// fit shortens a line of the display to a number of columns, so that it takes
// one row. Characters beyond ASCII may be two columns wide, and count as such;
// line breaks and tabs become blanks.
func fit(line string, columns int) string {
	line = strings.NewReplacer("\n", " ", "\t", " ").Replace(line)
	for i, r := range line {
		columns--
		if r >= utf8.RuneSelf {
			columns--
		}
		if columns < 0 {
			return line[:i]
		}
	}
	return line
}

// printable replaces control characters, so that what a plugin prints cannot
// disturb the display.
func printable(line string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) && r != '\t' {
			return '?'
		}
		return r
	}, line)
}
