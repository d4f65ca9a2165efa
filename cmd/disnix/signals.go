package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

// cancelledBySignals returns a context that ends with the first SIGINT or
// SIGTERM; the second one ends the process at once.
//
// The loss of the terminal (SIGHUP) cancels, too, unless the process was
// started to survive it, as by nohup; it is often told twice, which does not
// end the process. That nobody reads the output any more (SIGPIPE) is no
// reason to leave a deployment half done: only the writing fails.
func cancelledBySignals(ctx context.Context, hangupCancels bool) (context.Context, context.CancelFunc) {
	pipe := make(chan os.Signal, 1)
	signal.Notify(pipe, syscall.SIGPIPE)
	stop := func() { signal.Stop(pipe) }
	if hangupCancels && !signal.Ignored(syscall.SIGHUP) {
		hangup, stopHangup := signal.NotifyContext(ctx, syscall.SIGHUP)
		ctx, stop = hangup, func() { stopHangup(); signal.Stop(pipe) }
	}
	ctx, stopInterrupt := signal.NotifyContext(ctx, syscall.SIGINT, syscall.SIGTERM)
	context.AfterFunc(ctx, stopInterrupt)
	return ctx, func() { stopInterrupt(); stop() }
}

// withoutInterrupts returns a context for a shell session: a Ctrl-C is for what
// runs in the shell, from now on to the end of the process.
func withoutInterrupts(ctx context.Context) context.Context {
	signal.Notify(make(chan os.Signal, 1), syscall.SIGINT)
	return context.WithoutCancel(ctx)
}
