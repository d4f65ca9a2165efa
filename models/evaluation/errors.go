package evaluation

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/disnix-go/disnix/models/nix"
)

// Error says that Nix could not evaluate a part of the models.
type Error struct {
	// What is the part, as specific as it is known: for example the services
	// model /home/me/services.nix.
	What string
	// Message is that of Nix, with the position.
	Message string
	// Err is the error of the Nix program.
	Err error
}

func (e *Error) Error() string {
	return fmt.Sprintf("evaluate %s:\n%s", e.What, strings.TrimSpace(e.Message))
}

// Unwrap returns the error of the Nix program.
func (e *Error) Unwrap() error { return e.Err }

// explain finds out which part of the models Nix could not evaluate. The
// traces of Nix say it, so the failed evaluation is repeated with them.
func (w *workspace) explain(ctx context.Context, err error, in Inputs, expression string, args []string) error {
	var failure *nix.Error
	if !errors.As(err, &failure) || failure.Stderr == "" {
		return err
	}
	if in.ExtraParams != "" {
		if err := checkExtraParams(ctx, in.ExtraParams); err != nil {
			return err
		}
	}
	trace := failure.Stderr
	if !in.ShowTrace {
		var ignored bytes.Buffer
		args = append([]string{"--eval", "--strict", "--json", "--read-write-mode", "--show-trace"}, args...)
		again := nix.Run(ctx, nix.Command{Name: "nix-instantiate", Args: append(args, w.expression(expression)), Stdout: &ignored})
		var traced *nix.Error
		if errors.As(again, &traced) {
			trace = traced.Stderr
		}
	}
	what := evaluatedPart(trace)
	if what == "" {
		what = "the models"
	}
	return &Error{What: what, Message: failure.Stderr, Err: err}
}

// checkExtraParams reports extra parameters that are not an expression.
func checkExtraParams(ctx context.Context, text string) error {
	_, err := nix.Output(ctx, "nix-instantiate", "--eval", "--expr", text)
	var failure *nix.Error
	if !errors.As(err, &failure) {
		return nil
	}
	return &Error{What: fmt.Sprintf("the extra parameters %q", text), Message: failure.Stderr, Err: err}
}

// traceMark begins the lines that glue/attrs.nix adds to a trace.
var traceMark = regexp.MustCompile(`(?m)while disnix evaluates (.*)$`)

// messageFirst matches traces of Nix before 2.20, which begin with the
// message and go outwards; later ones go inwards and end with it.
var messageFirst = regexp.MustCompile(`(?m)^error: \S`)

// evaluatedPart returns the innermost part that a trace mentions.
func evaluatedPart(trace string) string {
	marks := traceMark.FindAllStringSubmatchIndex(trace, -1)
	if len(marks) == 0 {
		return ""
	}
	mark := marks[len(marks)-1]
	if at := messageFirst.FindStringIndex(trace); at != nil && at[0] < marks[0][0] {
		mark = marks[0]
	}
	return trace[mark[2]:mark[3]]
}
