package main

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/disnix-go/disnix/coordinator/plan"
	"github.com/disnix-go/disnix/models"
)

func TestOutputWithoutLineEnd(t *testing.T) {
	var out bytes.Buffer
	reporter, stop := newReporter(&out, &out)
	first, second, other := reporter.Output("a"), reporter.Output("a"), reporter.Output("b")
	fmt.Fprint(first, "one\ntw")
	fmt.Fprint(first, "o")
	fmt.Fprint(second, "three\r\n")
	fmt.Fprint(other, "four")
	reporter.StepFinished(&plan.Step{Mapping: models.ServiceMapping{Target: "a"}}, 0, nil)
	fmt.Fprint(first, "five\n")
	stop()
	const want = "[target: a]: one\n[target: a]: three\n[target: a]: two\n[target: a]: five\n[target: b]: four\n"
	if out.String() != want {
		t.Errorf("got:\n%swant:\n%s", &out, want)
	}
}

func TestOutputThatNeverEndsALine(t *testing.T) {
	var lines begunLines
	longest := 0
	w := lines.writer("a", func(line string) { longest = max(longest, len(line)) })
	for range 100 {
		fmt.Fprint(w, strings.Repeat("x", 10000))
	}
	if longest == 0 || longest > maxLine+10000 || len(w.partial) > maxLine {
		t.Errorf("a line of %d bytes, %d are kept", longest, len(w.partial))
	}
}
