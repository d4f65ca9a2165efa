package coordinator

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// inParallel calls do for every item, at most limit at a time (no limit if
// below one), and waits for all of them. A failure does not stop the others;
// after ctx has been cancelled no further call is started. The errors are in
// the order of the items.
func inParallel[T any](ctx context.Context, items []T, limit int, do func(T) error) error {
	if limit < 1 {
		limit = max(1, len(items))
	}
	free := make(chan struct{}, limit)
	errs := make([]error, len(items)+1)
	var running sync.WaitGroup
	for i, item := range items {
		if err := acquire(ctx, free); err != nil {
			errs[len(items)] = fmt.Errorf("%d of %d not attempted: %w", len(items)-i, len(items), err)
			break
		}
		running.Go(func() {
			defer func() { <-free }()
			errs[i] = do(item)
		})
	}
	running.Wait()
	return errors.Join(errs...)
}

// onEach is [inParallel] for targets, which the errors name.
func onEach(ctx context.Context, targets []string, limit int, do func(target string) error) error {
	return inParallel(ctx, targets, limit, func(target string) error {
		if err := do(target); err != nil {
			return fmt.Errorf("target %q: %w", target, err)
		}
		return nil
	})
}

// acquire takes a place in the semaphore, unless ctx is cancelled.
func acquire(ctx context.Context, semaphore chan struct{}) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	select {
	case semaphore <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// outlast returns a context for an operation that is better completed than
// abandoned: it is cancelled a grace period after ctx, not with it.
func outlast(ctx context.Context, grace time.Duration) (context.Context, context.CancelFunc) {
	longer, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() { time.AfterFunc(grace, cancel) })
	return longer, func() {
		stop()
		cancel()
	}
}
