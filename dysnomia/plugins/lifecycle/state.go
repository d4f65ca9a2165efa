package lifecycle

import (
	"context"
	"errors"
	"fmt"

	"github.com/disnix-go/disnix/dysnomia"
)

// MarkStateful marks a component as active and records the places of its state
// (modules page, section 0, discipline B).
func MarkStateful(r *dysnomia.Request, places ...string) error {
	if err := r.State.RememberPlaces(r.Container, r.ComponentName, places...); err != nil {
		return err
	}
	return r.State.MarkActive(r.Container, r.ComponentName, r.Component)
}

// Collect deletes the state of a component if it is garbage. The function that
// deletes it asks [Shared] before.
func Collect(ctx context.Context, r *dysnomia.Request, remove func(context.Context) error) error {
	garbage, err := r.State.IsGarbage(r.Container, r.ComponentName)
	if err != nil || !garbage {
		return err
	}
	if err := remove(ctx); err != nil {
		return err
	}
	return errors.Join(
		r.State.UnmarkGarbage(r.Container, r.ComponentName),
		r.State.ForgetPlaces(r.Container, r.ComponentName))
}

// Shared reports whether the state in a place is also that of another
// component, which is active, so that it must not be deleted. The user is told.
func Shared(r *dysnomia.Request, place string) (bool, error) {
	user, err := r.State.UserOf(r.Container, r.ComponentName, place)
	if err != nil || user == nil {
		return false, err
	}
	fmt.Fprintf(r.Stderr, "The state of component %q in container %q is kept: it is also that of component %q in container %q, which is active.\n",
		r.ComponentName, r.Container, user.Component, user.Container)
	return true, nil
}
