package service

import (
	"context"
	"io"
	"os"
	"sync"

	"github.com/disnix-go/disnix/dysnomia"
)

// Activate implements [Activities].
func (l *Local) Activate(ctx context.Context, a Activity) error {
	return l.run(ctx, dysnomia.Activate, a)
}

// Deactivate implements [Activities].
func (l *Local) Deactivate(ctx context.Context, a Activity) error {
	return l.run(ctx, dysnomia.Deactivate, a)
}

// Snapshot implements [Activities].
func (l *Local) Snapshot(ctx context.Context, a Activity) error {
	return l.run(ctx, dysnomia.Snapshot, a)
}

// Restore implements [Activities].
func (l *Local) Restore(ctx context.Context, a Activity) error {
	return l.run(ctx, dysnomia.Restore, a)
}

// DeleteState implements [Activities].
func (l *Local) DeleteState(ctx context.Context, a Activity) error {
	return l.run(ctx, dysnomia.CollectGarbage, a)
}

// Shell implements [Activities].
func (l *Local) Shell(ctx context.Context, a Activity, s ShellSession) error {
	return l.host.Shell(ctx, invocation(dysnomia.Shell, a), dysnomia.ShellSession{
		Command: s.Command,
		Stdin:   s.Stdin,
		Stdout:  s.Stdout,
		Stderr:  s.Stderr,
	})
}

// run runs a plugin with the environment of this process and the container
// properties of the activity (host page, section 9).
func (l *Local) run(ctx context.Context, op dysnomia.Operation, a Activity) error {
	invocation := invocation(op, a)
	invocation.Stdout, invocation.Stderr = a.Writers()
	return l.claimed(ctx, "", func() error { return l.host.Run(ctx, invocation) })
}

func invocation(op dysnomia.Operation, a Activity) dysnomia.Invocation {
	return dysnomia.Invocation{
		Operation:   op,
		Component:   a.Component,
		Container:   a.Container,
		Type:        a.Type,
		Environment: true,
		Arguments:   a.Arguments,
	}
}

// Writers returns where the standard output and the diagnostics of the plugin
// go, for implementations of the contract: nil for nowhere. The writers are
// the same if both go to Output.
func (a Activity) Writers() (stdout, stderr io.Writer) {
	stdout = exclusive(a.Output)
	if a.Diagnostics == nil {
		return stdout, stdout
	}
	return stdout, exclusive(a.Diagnostics)
}

// exclusive lets one goroutine at a time write. Files, which plugins may get
// as they are, need no such care.
func exclusive(w io.Writer) io.Writer {
	if _, ok := w.(*os.File); ok || w == nil {
		return w
	}
	return &exclusiveWriter{w: w}
}

type exclusiveWriter struct {
	mu sync.Mutex
	w  io.Writer
}

func (e *exclusiveWriter) Write(p []byte) (int, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.w.Write(p)
}
