package plugintest

import (
	"context"

	"github.com/disnix-go/disnix/dysnomia"
)

// Failing is a plugin whose operations all fail with Err, for tests of what
// uses plugins.
type Failing struct{ Err error }

var _ dysnomia.Runner = Failing{}

// Activate fails.
func (p Failing) Activate(context.Context, *dysnomia.Request) error { return p.Err }

// Deactivate fails.
func (p Failing) Deactivate(context.Context, *dysnomia.Request) error { return p.Err }

// Run fails, whatever the operation.
func (p Failing) Run(context.Context, dysnomia.Operation, *dysnomia.Request) error { return p.Err }
