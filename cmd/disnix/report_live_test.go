package main

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/disnix-go/disnix/coordinator/plan"
	"github.com/disnix-go/disnix/models"
)

// screen is a terminal of a few columns and rows that understands what the
// live display sends: printed text, "up n lines", "return" and "erase below".
type screen struct {
	t             *testing.T
	columns, rows int
	lines         []string // all lines ever, the last of them under the cursor
	writes        int
	transcript    strings.Builder
}

func (s *screen) Write(p []byte) (int, error) {
	s.writes++
	s.transcript.Write(p)
	if len(s.lines) == 0 {
		s.lines = []string{""}
	}
	rest := string(p)
	if up := 0; strings.HasPrefix(rest, "\x1b[") {
		if _, err := fmt.Sscanf(rest, "\x1b[%dA\r\x1b[J", &up); err != nil {
			s.t.Errorf("unknown control sequence in %q", rest)
		}
		if up >= s.rows || up >= len(s.lines) {
			s.t.Errorf("the cursor goes up %d lines, on a terminal of %d rows with %d lines", up, s.rows, len(s.lines))
			up = min(up, len(s.lines)-1)
		}
		s.lines = s.lines[:len(s.lines)-up]
		s.lines[len(s.lines)-1] = ""
		_, rest, _ = strings.Cut(rest, "\x1b[J")
	}
	for i, text := range strings.Split(rest, "\n") {
		if i > 0 {
			s.lines = append(s.lines, "")
		}
		// A line that is too long goes on in the next row.
		for len([]rune(text)) > s.columns {
			s.lines[len(s.lines)-1] = string([]rune(text)[:s.columns])
			text = string([]rune(text)[s.columns:])
			s.lines = append(s.lines, "")
		}
		s.lines[len(s.lines)-1] += text
	}
	if strings.ContainsAny(rest, "\x1b\r\x07\u009b") {
		s.t.Errorf("control characters reach the terminal: %q", rest)
	}
	return len(p), nil
}

func (s *screen) String() string { return strings.Join(s.lines, "\n") }

// newTestDisplay is a live display on a screen, with a clock that stands still
// until the test moves it, and that is drawn anew only by what is reported.
func newTestDisplay(t *testing.T, columns, rows int) (*liveReporter, *screen, *time.Time) {
	s := &screen{t: t, columns: columns, rows: rows}
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	r := &liveReporter{
		out:     s,
		size:    func() (int, int) { return columns, rows },
		now:     func() time.Time { return now },
		started: now,
		latest:  make(map[string]string),
		stop:    make(chan struct{}),
		stopped: make(chan struct{}),
	}
	close(r.stopped)
	return r, s, &now
}

func testStep(name, target string) *plan.Step {
	return &plan.Step{
		Kind:    plan.Activate,
		Service: &models.Service{Name: name},
		Mapping: models.ServiceMapping{Target: target, Container: "process"},
	}
}

func TestLiveDisplayShowsRunningStepsAndTotals(t *testing.T) {
	r, s, now := newTestDisplay(t, 80, 24)
	server, client := testStep("server", "a"), testStep("client", "b")
	r.Progress("", "Executing transition")
	r.PlanReady([]*plan.Step{server, client})
	r.StepStarted(server)
	*now = now.Add(1500 * time.Millisecond)
	r.StepStarted(client)
	want := `[coordinator]: Executing transition
  1.5s activate server on a in process
  0.0s activate client on b in process
0 of 2 steps, 2 running, 0 failed, 1.5s elapsed
`
	if got := s.String(); got != want {
		t.Errorf("running:\n%s\nwant:\n%s", got, want)
	}
	fmt.Fprint(r.Output("a"), "listening\nno newline")
	r.StepFinished(server, 1500*time.Millisecond, nil)
	r.StepFinished(client, 0, errors.New("broken"))
	r.Problem("b", "broken\nfor a reason")
	r.Notice("try\nagain")
	want = `[coordinator]: Executing transition
[target: a]: listening
[target: a]: no newline
done   activate server on a in process (1.5s)
FAILED activate client on b in process (0.0s)
[target: b]: broken
for a reason
try
again
`
	if got := s.String(); got != want+"2 of 2 steps, 0 running, 1 failed, 1.5s elapsed\n" {
		t.Errorf("finished:\n%s\nwant:\n%s and the totals", got, want)
	}
	r.Close()
	if got := s.String(); got != want {
		t.Errorf("closed:\n%s\nwant:\n%s", got, want)
	}
}

func TestLiveDisplayIsDrawnInOneWrite(t *testing.T) {
	r, s, _ := newTestDisplay(t, 80, 24)
	r.StepStarted(testStep("server", "a"))
	before := s.writes
	r.Problem("a", "one\ntwo\nthree")
	if writes := s.writes - before; writes != 1 {
		t.Errorf("an update took %d writes: the display flickers between them", writes)
	}
}

func TestLiveDisplayFitsTheTerminal(t *testing.T) {
	for _, size := range [][2]int{{1, 1}, {2, 4}, {10, 3}, {40, 5}, {80, 24}, {500, 100}} {
		t.Run(fmt.Sprintf("%d columns, %d rows", size[0], size[1]), func(t *testing.T) {
			r, s, _ := newTestDisplay(t, size[0], size[1])
			var steps []*plan.Step
			for i := range 30 {
				steps = append(steps, testStep(fmt.Sprintf("service-with-a-long-name-%d", i), "target\twith a tab"))
			}
			r.PlanReady(steps)
			for _, step := range steps {
				r.StepStarted(step)
			}
			r.Progress("b", "first line\nsecond line")
			if r.drawn >= size[1] {
				t.Errorf("%d lines are drawn", r.drawn)
			}
			for i, line := range s.lines {
				if len(line) >= size[0] {
					t.Errorf("line %d fills the row: %q", i, line)
				}
			}
			if len(s.lines) != r.drawn+1 {
				t.Errorf("the display has %d lines and takes %d rows", r.drawn, len(s.lines)-1)
			}
		})
	}
}

func TestLiveDisplayPassesOnNoControlCharacters(t *testing.T) {
	r, s, _ := newTestDisplay(t, 200, 24)
	const evil = "x\x1b[2J\r\x07\u009b1A"
	step := testStep(evil, evil)
	r.PlanReady([]*plan.Step{step})
	r.Progress(evil, evil)
	r.Progress("", evil)
	r.Problem(evil, evil)
	r.Notice(evil)
	r.StepStarted(step)
	io.WriteString(r.Output(evil), evil+"\n")
	r.StepFinished(step, 0, nil)
	r.Close()
	if !strings.Contains(s.String(), "x?[2J") {
		t.Errorf("the text around control characters is lost:\n%s", s)
	}
}

func TestFit(t *testing.T) {
	for _, c := range []struct {
		line    string
		columns int
		want    string
	}{
		{"abc", 3, "abc"},
		{"abcd", 3, "abc"},
		{"abc", 0, ""},
		{"日本語", 4, "日本"},
		{"日本語", 5, "日本"},
		{"a\tb\nc", 9, "a b c"},
	} {
		if got := fit(c.line, c.columns); got != c.want {
			t.Errorf("fit(%q, %d) = %q, want %q", c.line, c.columns, got, c.want)
		}
	}
}
