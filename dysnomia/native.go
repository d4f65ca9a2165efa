package dysnomia

import (
	"context"
	"io"
)

// runPlugin runs one operation of a native plugin. One that it does not
// implement succeeds.
func runPlugin(ctx context.Context, p Plugin, op Operation, r *Request) error {
	if p, ok := p.(Runner); ok {
		return p.Run(ctx, op, r)
	}
	switch op {
	case Activate:
		return p.Activate(ctx, r)
	case Deactivate:
		return p.Deactivate(ctx, r)
	case Lock, Unlock:
		if p, ok := p.(Locker); ok {
			if op == Lock {
				return p.Lock(ctx, r)
			}
			return p.Unlock(ctx, r)
		}
	case Snapshot, Restore:
		if p, ok := p.(Snapshotter); ok {
			if op == Snapshot {
				return p.Snapshot(ctx, r)
			}
			return p.Restore(ctx, r)
		}
	case CollectGarbage:
		if p, ok := p.(GarbageCollector); ok {
			return p.CollectGarbage(ctx, r)
		}
	case Shell:
		return printShellHelp(p, r)
	}
	return nil
}

// printShellHelp tells what can be done in a shell session.
func printShellHelp(p Plugin, r *Request) error {
	guide, ok := p.(ShellGuide)
	if !ok {
		return nil
	}
	_, err := io.WriteString(r.Stderr, guide.ShellHelp(r))
	return err
}
