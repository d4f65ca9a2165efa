// Package lifecycle has what several plugins do around their own work: users
// and groups, rollback and marker in those of process managers, and the
// deletion of state in others (modules page, section 0, disciplines A and B).
package lifecycle

import (
	"context"
	"errors"
	"fmt"

	"github.com/disnix-go/disnix/dysnomia"
)

// Activate creates the users and groups of the component, starts it, and marks
// it as active.
//
// If any of that fails, nothing stays: stop is called and the users and groups
// are deleted again, also when ctx has ended. Only a component that was active
// before keeps what it has. Both functions may be repeated, and stop must cope
// with what is half started.
func Activate(ctx context.Context, r *dysnomia.Request, start, stop func(context.Context) error) error {
	before, err := r.State.IsActive(r.Container, r.ComponentName)
	if err != nil {
		return err
	}
	accounts := dysnomia.NewAccounts(r)
	started := false
	if err = accounts.Add(ctx, r.Component); err == nil {
		started = true
		err = start(ctx)
	}
	if err == nil {
		err = r.State.MarkActive(r.Container, r.ComponentName, r.Component)
	}
	if err == nil || before {
		return err
	}
	ctx = context.WithoutCancel(ctx)
	if started {
		if undo := stop(ctx); undo != nil {
			// The accounts may still be in use.
			return errors.Join(err, fmt.Errorf("undo the activation: %w", undo))
		}
	}
	if undo := accounts.Delete(ctx, r.Component); undo != nil {
		err = errors.Join(err, fmt.Errorf("undo the activation: %w", undo))
	}
	return err
}

// Deactivate stops the component, which must not fail if it does not run,
// deletes its users and groups and removes its marker.
func Deactivate(ctx context.Context, r *dysnomia.Request, stop func(context.Context) error) error {
	if err := stop(ctx); err != nil {
		return err
	}
	if err := dysnomia.NewAccounts(r).Delete(ctx, r.Component); err != nil {
		return err
	}
	return r.State.UnmarkActive(r.Container, r.ComponentName)
}
