// Package wrapper is the plugin for components that bring their own: their
// program bin/wrapper is run for every operation (modules page, section 2).
package wrapper

import (
	"context"
	"fmt"
	"path/filepath"

	"github.com/disnix-go/disnix/dysnomia"
)

// Plugin runs bin/wrapper of the component with the operation and the
// container as it was given as arguments. The program must treat unknown
// operations as success. Unlike the original, the plugin marks components as
// active, so that what is active already is known; all other state is the
// component's own.
type Plugin struct{}

var _ dysnomia.Runner = Plugin{}

// Activate runs the program's activate operation.
func (p Plugin) Activate(ctx context.Context, r *dysnomia.Request) error {
	return p.Run(ctx, dysnomia.Activate, r)
}

// Deactivate runs the program's deactivate operation.
func (p Plugin) Deactivate(ctx context.Context, r *dysnomia.Request) error {
	return p.Run(ctx, dysnomia.Deactivate, r)
}

// Run runs the program. If it fails, the error has its exit status.
func (p Plugin) Run(ctx context.Context, op dysnomia.Operation, r *dysnomia.Request) error {
	program := filepath.Join(r.Component, "bin", "wrapper")
	if _, err := r.RunProgram(ctx, op, program, string(op), r.ContainerArgument); err != nil {
		return fmt.Errorf("run %s %s: %w", program, op, err)
	}
	switch op {
	case dysnomia.Activate:
		return r.State.MarkActive(r.Container, r.ComponentName, r.Component)
	case dysnomia.Deactivate:
		return r.State.UnmarkActive(r.Container, r.ComponentName)
	}
	return nil
}
