package sshclient

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"golang.org/x/term"

	"github.com/disnix-go/disnix/service"
)

// Shell implements [service.Activities], with a terminal on the target if the
// input is one. It is always disnix-run-activity that opens it.
func (c *Client) Shell(ctx context.Context, a service.Activity, s service.ShellSession) error {
	return c.commands.Shell(ctx, a, s)
}

// Shell implements [service.Activities].
func (c *commands) Shell(ctx context.Context, a service.Activity, s service.ShellSession) error {
	words := append([]string{runActivity}, activityWords(a)...)
	if s.Command != "" {
		words = append(words, "--command", s.Command)
	}
	words = append(words, "--shell", a.Component)
	stdin, ok := s.Stdin.(*os.File)
	if ok && term.IsTerminal(int(stdin.Fd())) {
		return c.link.interact(ctx, words, stdin, s.Stdout)
	}
	return c.link.run(ctx, command{
		operation: "shell", words: words,
		stdin: s.Stdin, stdout: orDiscard(s.Stdout), stderr: orDiscard(s.Stderr),
	}, nil)
}

func orDiscard(w io.Writer) io.Writer {
	if w == nil {
		return io.Discard
	}
	return w
}

// interact connects the user's terminal to a program on the target.
func (l *link) interact(ctx context.Context, words []string, input *os.File, output io.Writer) error {
	fd := int(input.Fd())
	width, height, err := term.GetSize(fd)
	if err != nil {
		return fmt.Errorf("ask the terminal for its size: %w", err)
	}
	p, err := l.start("exec "+quote(words...), &terminal{name: os.Getenv("TERM"), width: width, height: height})
	if err != nil {
		return fmt.Errorf("open a shell on the target: %w", err)
	}
	defer p.channel.Close()
	before, err := term.MakeRaw(fd)
	if err != nil {
		return fmt.Errorf("switch the terminal: %w", err)
	}
	defer func() { _ = term.Restore(fd, before) }()
	resized := make(chan os.Signal, 1)
	signal.Notify(resized, syscall.SIGWINCH)
	defer signal.Stop(resized)
	go func() { _, _ = io.Copy(p.channel, input) }() // ends with the process
	printed := make(chan struct{})
	go func() {
		defer close(printed)
		_, _ = io.Copy(orDiscard(output), p.channel)
	}()
	for {
		select {
		case <-resized:
			if width, height, err := term.GetSize(fd); err == nil {
				p.resize(width, height)
			}
			continue
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-l.done:
			return l.err
		case <-printed:
		}
		select {
		case <-p.exited:
		case <-l.done:
			return l.err
		}
		if err := p.status.err(); err != nil {
			return &CommandError{Program: runActivity, Operation: "shell", Err: err, status: max(p.status.status, 1)}
		}
		return nil
	}
}
