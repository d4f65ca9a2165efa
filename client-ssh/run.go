package sshclient

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/disnix-go/disnix/service"
	"github.com/disnix-go/disnix/service/commandline"
)

const (
	// lateOutput is how long the output of processes that a plugin leaves
	// behind is waited for after its end.
	lateOutput = 100 * time.Millisecond
	// stopTimeout is how long a cancelled program may take to end.
	stopTimeout = 10 * time.Second
	// maxBanner is how much a login shell may print before a program begins.
	maxBanner = 64 << 10
)

// command is one run of a program on the target.
type command struct {
	operation string // for errors
	words     []string
	stdin     io.Reader
	// stdout and stderr may be nil: output is discarded, diagnostics go to the
	// client's log.
	stdout, stderr io.Writer
	// leaves says that processes may stay behind that keep the output open.
	leaves bool
}

// A CommandError says that a program on the target did not succeed.
type CommandError struct {
	Program   string
	Operation string // for example activate
	Stderr    string // the last lines of its diagnostics
	// Refusal is the [*service.LockedError] or [*service.LostLockError], if the
	// program said that this was the reason.
	Refusal error
	Err     error
	status  int
}

func (e *CommandError) Error() string {
	text := fmt.Sprintf("%s --%s: %v", e.Program, e.Operation, e.Err)
	if message := strings.TrimSpace(e.Stderr); message != "" {
		text += ":\n" + message
	}
	return text
}

// Unwrap returns the reasons.
func (e *CommandError) Unwrap() []error {
	if e.Refusal == nil {
		return []error{e.Err}
	}
	return []error{e.Err, e.Refusal}
}

// ExitStatus returns that of the program, or 255 if it has none.
func (e *CommandError) ExitStatus() int { return e.status }

// starter makes the login shell get out of the way: after what it may print
// comes a line with a mark and the number of the process group, and then only
// what the program prints. Its parameters are the claim, which may be empty, the
// program and its arguments.
const starter = `echo "$0:$$"; [ -z "$1" ] || export ` + service.ClaimVariable + `="$1"; shift; ` +
	`command -v "$1" > /dev/null || { ` +
	`echo "the target has no program $1 (looked for in PATH=$PATH): install it there, or make it visible to commands that are run through ssh" >&2; ` +
	`exit 127; }; exec "$@"`

// run runs a program on the target and waits for it.
func (l *link) run(ctx context.Context, c command, log io.Writer) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	mark := rand.Text()
	words := append([]string{starter, mark, service.EncodedClaim(ctx)}, c.words...)
	p, err := l.start("exec sh -c "+quote(words...), nil)
	if err != nil {
		return fmt.Errorf("run %s --%s: %w", c.words[0], c.operation, err)
	}
	diagnostics := &commandline.Tail{Next: c.stderr}
	if c.stderr == nil {
		diagnostics.Next = log
	}
	diagnostics.Next = service.WithoutRefusals(ctx, diagnostics.Next)
	output := &unmarked{mark: mark + ":", next: c.stdout, group: make(chan int, 1)}
	if output.next == nil {
		output.next = io.Discard
	}
	status, err := l.await(ctx, p, c, newOutlet(output), newOutlet(diagnostics))
	if err == nil {
		err = status.err()
	}
	switch {
	case err == nil && !output.begun:
		err = errors.New("the login shell did not start it")
	case err == nil:
		return nil
	case ctx.Err() != nil:
		err = context.Cause(ctx)
	}
	remaining, refusal := service.Refusal(diagnostics.Bytes())
	message := string(remaining)
	if !output.begun {
		message += printable(output.banner)
	}
	code := 255
	if status.known && status.signal == "" && status.status != 0 {
		code = status.status
	}
	return &CommandError{Program: c.words[0], Operation: c.operation, Stderr: message, Refusal: refusal, Err: err, status: code}
}

// await passes on the streams of a program until its end.
func (l *link) await(ctx context.Context, p *process, c command, stdout, stderr *outlet) (exitStatus, error) {
	unread := make(chan error, 1)
	go func() {
		if err := send(p.channel, c.stdin); err != nil {
			unread <- err
			return
		}
		_ = p.channel.CloseWrite()
	}()
	drained := make(chan struct{})
	var copying sync.WaitGroup
	copying.Go(func() { stdout.drain(p.channel) })
	copying.Go(func() { stderr.drain(p.stderr) })
	go func() {
		copying.Wait()
		close(drained)
	}()
	group := stdout.next.(*unmarked).group
	select {
	case <-p.exited:
	case <-ctx.Done():
		l.stop(p, group)
	case <-stdout.broken:
		l.stop(p, group)
	case err := <-unread:
		l.stop(p, group)
		_ = p.channel.Close()
		return exitStatus{}, err
	case <-l.done:
		return exitStatus{}, l.err
	}
	if c.leaves {
		l.detachWhenQuiet(drained, stdout, stderr)
	} else {
		select {
		case <-drained:
			_ = p.channel.Close()
		case <-ctx.Done():
			_ = p.channel.Close()
		case <-stdout.broken:
			_ = p.channel.Close()
		case <-l.done:
			return exitStatus{}, l.err
		}
	}
	if err := errors.Join(stdout.detach(), stderr.detach()); err != nil {
		return p.status, err
	}
	select {
	case <-p.exited:
		if !p.status.known {
			return p.status, l.lost(p.status.err())
		}
		return p.status, nil
	default:
		return exitStatus{}, l.lost(errors.New("it does not end"))
	}
}

// send copies the input, which may be nil, to a program. It returns only errors
// of the input: a program may end before it has read everything.
func send(w io.Writer, input io.Reader) error {
	if input == nil {
		return nil
	}
	source := &source{Reader: input}
	_, _ = io.Copy(w, source)
	return source.err
}

// source remembers why its reader has failed.
type source struct {
	io.Reader
	err error
}

func (s *source) Read(p []byte) (int, error) {
	n, err := s.Reader.Read(p)
	if err != nil && err != io.EOF {
		s.err = err
	}
	return n, err
}

// detachWhenQuiet waits until the output has ended, or nothing has come for a
// while. On a busy machine the time can be over before what is on its way has
// been read: it comes before the answer to a question.
func (l *link) detachWhenQuiet(drained <-chan struct{}, stdout, stderr *outlet) {
	timer := time.NewTimer(lateOutput)
	defer timer.Stop()
	for ; ; timer.Reset(lateOutput) {
		select {
		case <-drained:
			return
		case <-stdout.active:
			continue
		case <-stderr.active:
			continue
		case <-timer.C:
		}
		_ = l.answers(keepAliveTimeout)
		select {
		case <-stdout.active:
		case <-stderr.active:
		default:
			return
		}
	}
}

// stop ends a program and what it has started.
func (l *link) stop(p *process, group <-chan int) {
	var number int
	select {
	case number = <-group:
	default:
		_ = p.channel.Close() // it has not begun
		return
	}
	for _, name := range []string{"TERM", "KILL"} {
		killer, err := l.start(quote("kill", "-s", name, "--", "-"+strconv.Itoa(number)), nil)
		if err != nil {
			return
		}
		timer := time.NewTimer(stopTimeout)
		defer timer.Stop()
		select {
		case <-p.exited:
		case <-l.done:
		case <-timer.C:
			_ = killer.channel.Close()
			continue
		}
		_ = killer.channel.Close()
		return
	}
}
