package dysnomia

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// Batch is what an operation on many components is about.
type Batch struct {
	// Container restricts it to one container unless it is empty.
	Container string
	// Stdout and Stderr receive what the modules print, Stderr also a line
	// for each step; nil discards it.
	Stdout, Stderr io.Writer
}

// RunOperation runs an operation for every active component. It goes on after
// a failure; the error joins all of them.
func (h *Host) RunOperation(ctx context.Context, op Operation, b Batch) error {
	if op == "" {
		return ErrNoOperation
	}
	markers, err := h.QueryActivatedComponents(b.Container)
	if err != nil {
		return err
	}
	return h.runMarked(ctx, op, markers, b)
}

// CollectGarbage deletes the state of every component that is marked as
// garbage. It goes on after a failure; the error joins all of them.
func (h *Host) CollectGarbage(ctx context.Context, b Batch) error {
	markers, err := h.State().Garbage(b.Container)
	if err != nil {
		return err
	}
	return h.runMarked(ctx, CollectGarbage, markers, b)
}

func (h *Host) runMarked(ctx context.Context, op Operation, markers []Marker, b Batch) error {
	available, err := h.QueryAvailableComponents(b.Container)
	if err != nil {
		return err
	}
	var failures []error
	for _, marker := range markers {
		if err := ctx.Err(); err != nil {
			failures = append(failures, context.Cause(ctx))
			break
		}
		if op == CollectGarbage {
			fmt.Fprintf(orDiscard(b.Stderr), "Collecting garbage for component: %s in container: %s\n", marker.Component, marker.Container)
		}
		failures = append(failures, h.runFor(ctx, op, marker, available, b))
	}
	return errors.Join(failures...)
}

// runFor runs an operation for the component of a marker, and keeps the
// marker of an activation or deactivation true also for modules that have
// none.
func (h *Host) runFor(ctx context.Context, op Operation, marker Marker, available []Component, b Batch) error {
	path := componentOf(marker, available)
	if path == "" && op == Activate {
		return fmt.Errorf("activate component %q in container %q: the component is gone", marker.Component, marker.Container)
	}
	if path == "" {
		standIn, err := newStandIn(marker)
		if err != nil {
			return err
		}
		defer standIn.remove()
		path = standIn.path
		fmt.Fprintf(orDiscard(b.Stderr), "Component: %s in container: %s is gone, its module is given the name only\n", marker.Component, marker.Container)
	}
	err := h.Run(ctx, Invocation{
		Operation: op, Component: path, Container: marker.Container,
		Stdout: b.Stdout, Stderr: b.Stderr,
	})
	var failed *ModuleError
	switch {
	case errors.As(err, &failed):
		return err
	case err != nil:
		return fmt.Errorf("%s component %q in container %q: %w", op, marker.Component, marker.Container, err)
	case op == Activate:
		return h.State().MarkActive(marker.Container, marker.Component, path)
	case op == Deactivate:
		return h.State().UnmarkActive(marker.Container, marker.Component)
	}
	return nil
}

// componentOf returns the path of a marker's component: the recorded one, or
// that of an available component of the name; nothing if neither exists.
func componentOf(marker Marker, available []Component) string {
	if exists(marker.Path) {
		return marker.Path
	}
	for _, c := range available {
		if c.Container == marker.Container && c.Name == marker.Component {
			return c.Path
		}
	}
	return ""
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// standIn is an empty directory with the name of a component that is gone. It
// is enough for modules that know a component by its name, and does no harm
// with others. The marker itself is no stand-in: modules with user management
// would read it as an account to delete (host page, 13.8).
type standIn struct{ dir, path string }

func newStandIn(marker Marker) (standIn, error) {
	dir, err := os.MkdirTemp("", "dysnomia-component-")
	if err != nil {
		return standIn{}, fmt.Errorf("create a stand-in for component %s: %w", marker, err)
	}
	s := standIn{dir: dir, path: filepath.Join(dir, marker.Component)}
	if err := os.Mkdir(s.path, 0o755); err != nil {
		s.remove()
		return standIn{}, fmt.Errorf("create a stand-in for component %s: %w", marker, err)
	}
	return s, nil
}

func (s standIn) remove() { os.RemoveAll(s.dir) }
