// Package dysnomia is the plugin host of a machine: it finds containers and
// components, runs the plugin that manages a component in a container, and
// keeps the markers and snapshots of the state directory.
//
// The facts it is compatible with are those of Dysnomia 0.10. Nothing here
// contacts another machine, and nothing is executed through a shell unless a
// container file asks for it.
package dysnomia

import (
	"context"
	"io"
)

// Operation is what a plugin is asked to do.
type Operation string

// The standard operations. Plugins treat unknown ones as success.
const (
	Activate       Operation = "activate"
	Deactivate     Operation = "deactivate"
	Lock           Operation = "lock"
	Unlock         Operation = "unlock"
	Snapshot       Operation = "snapshot"
	Restore        Operation = "restore"
	CollectGarbage Operation = "collect-garbage"
	Shell          Operation = "shell"
)

// Plugin manages components of one type. Both operations must be idempotent:
// after a crash they are called again, also on a half-done component.
//
// A Plugin holds no state of its own; it may be called from several
// goroutines with different requests.
type Plugin interface {
	Activate(ctx context.Context, r *Request) error
	Deactivate(ctx context.Context, r *Request) error
}

// Locker is a [Plugin] that wants to know when a deployment begins and ends.
// An error from Lock refuses the deployment.
type Locker interface {
	Lock(ctx context.Context, r *Request) error
	Unlock(ctx context.Context, r *Request) error
}

// Snapshotter is a [Plugin] whose components have state that can be moved.
// Snapshot stores it in r.State, Restore brings back the latest snapshot (and
// does nothing if there is none).
type Snapshotter interface {
	Snapshot(ctx context.Context, r *Request) error
	Restore(ctx context.Context, r *Request) error
}

// GarbageCollector is a [Plugin] whose state outlives deactivation. It deletes
// the state of a component that is marked as garbage and does nothing to
// others.
type GarbageCollector interface {
	CollectGarbage(ctx context.Context, r *Request) error
}

// Runner is a [Plugin] that receives every operation as it is, also unknown
// ones, instead of through the interfaces above.
type Runner interface {
	Run(ctx context.Context, op Operation, r *Request) error
}

// ShellGuide is a [Plugin] that tells the user of a shell session what can be
// done there.
type ShellGuide interface {
	ShellHelp(r *Request) string
}

// Request is the component, the container and the surroundings of one
// operation.
type Request struct {
	// Type is the type identifier: the base name of the plugin.
	Type string
	// Component is the resolved absolute path of the component.
	Component string
	// ComponentName is its name without a store hash (host page, 4.1).
	ComponentName string
	// ContainerArgument is the container as the user gave it.
	ContainerArgument string
	// Container is the container's name (host page, 4.2).
	Container string
	// Properties are the container properties. In environment mode they
	// include the whole environment of the caller.
	Properties map[string]string
	// Environment is the complete environment for child processes, as
	// key=value, Properties included.
	Environment []string
	// State is the state directory: markers and snapshots.
	State *State
	// Stdin, Stdout and Stderr connect to the caller; none is nil.
	Stdin          io.Reader
	Stdout, Stderr io.Writer

	// ready says what an activation has to wait for, or is nil.
	ready *readiness
}
