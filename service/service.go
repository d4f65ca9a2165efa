// Package service defines the contract between a coordinator and a target,
// [Service], and implements it on this machine ([Local]).
//
// The operations are those of the client-interface contract (protocol,
// sections 1 and 4), with closures and snapshots as streams instead of file
// names. Every implementation, over whatever wire, passes the conformance
// suite in service/servicetest.
package service

import (
	"context"
	"io"
)

// Service is everything that a target can be asked to do.
//
// All methods may be called from several goroutines at once. They return when
// the operation has ended on the target, or soon after ctx is cancelled; a
// cancelled operation may still complete on the target. Errors say what was
// attempted; the target is named by the caller.
type Service interface {
	Store
	Profiles
	Activities
	Snapshots

	// CaptureConfig returns the target's configuration as a Nix expression
	// (the output of dysnomia-containers --generate-expr).
	CaptureConfig(ctx context.Context) (string, error)

	// Close releases the connection. The target is not affected.
	Close() error
}

// Store is the part of the contract about the target's Nix store.
type Store interface {
	// PrintInvalid returns those paths that are not valid in the store.
	PrintInvalid(ctx context.Context, paths []string) ([]string, error)
	// QueryRequisites returns the closure of the paths, dependencies before
	// dependants.
	QueryRequisites(ctx context.Context, paths []string) ([]string, error)
	// ImportClosure reads a nix-store --export stream and adds its paths to
	// the store. It returns the imported paths, which are valid then: an
	// implementation that the target does not tell them asks for it (see
	// [CheckImported]).
	ImportClosure(ctx context.Context, closure io.Reader) ([]string, error)
	// ExportClosure writes the paths (not their dependencies) as a
	// nix-store --export stream. An invalid path is an error.
	ExportClosure(ctx context.Context, paths []string, closure io.Writer) error
	// Realise builds or substitutes derivations and returns the output paths.
	Realise(ctx context.Context, derivations []string) ([]string, error)
	// CollectGarbage removes unreachable paths, with deleteOld also the old
	// generations of all profiles.
	CollectGarbage(ctx context.Context, deleteOld bool) error
}

// Profiles is the part of the contract about what is deployed on a target.
type Profiles interface {
	// SetProfile makes path the current generation of the named profile. It
	// succeeds without a new generation if path is current already.
	SetProfile(ctx context.Context, profile, path string) error
	// QueryInstalled returns the profile manifest (XML) of the named profile,
	// or nothing if the profile does not exist.
	QueryInstalled(ctx context.Context, profile string) ([]byte, error)
	// Lock notifies the services deployed in the profile and acquires its
	// lock. When it fails nothing stays locked.
	Lock(ctx context.Context, profile string) error
	// Unlock notifies the services deployed in the profile and releases its
	// lock. It is an error if the profile is not locked.
	Unlock(ctx context.Context, profile string) error
}

// Activities is the part of the contract that runs plugins.
type Activities interface {
	Activate(ctx context.Context, a Activity) error
	Deactivate(ctx context.Context, a Activity) error
	// Snapshot captures the component's state in the snapshot repository.
	Snapshot(ctx context.Context, a Activity) error
	// Restore brings back the state of the latest snapshot.
	Restore(ctx context.Context, a Activity) error
	// DeleteState removes the state of a deactivated component.
	DeleteState(ctx context.Context, a Activity) error
	// Shell opens an interactive session for the component.
	Shell(ctx context.Context, a Activity, s ShellSession) error
}

// Activity is one operation on one component in one container.
type Activity struct {
	// Component is the store path of the package.
	Component string
	// Container is the container's name; empty means Type.
	Container string
	// Type is a module name, or an absolute path: the package of a service
	// that provides the container, whose libexec/dysnomia holds the module.
	Type string
	// Arguments are the container properties, each as key=value.
	Arguments []string
	// Output receives what the plugin prints, if not nil. Writes come from
	// one goroutine at a time.
	Output io.Writer
	// Diagnostics receives what the plugin prints on its standard error,
	// instead of Output, if not nil and if the implementation can tell the
	// two apart.
	Diagnostics io.Writer
}

// ShellSession connects a shell to the user. When Command is not empty it is
// run instead of an interactive session.
type ShellSession struct {
	Command        string
	Stdin          io.Reader
	Stdout, Stderr io.Writer
}

// Snapshots is the part of the contract about the snapshot repository. A
// snapshot is named by its relative path container/component/id. An empty
// container or component means all of them.
type Snapshots interface {
	// QueryAllSnapshots returns all generations, oldest first per component.
	QueryAllSnapshots(ctx context.Context, container, component string) ([]string, error)
	// QueryLatestSnapshot returns the newest generation of each component.
	QueryLatestSnapshot(ctx context.Context, container, component string) ([]string, error)
	// PrintMissingSnapshots returns those snapshots that are not stored.
	PrintMissingSnapshots(ctx context.Context, snapshots []string) ([]string, error)
	// ResolveSnapshots returns the absolute paths of snapshots on the target.
	ResolveSnapshots(ctx context.Context, snapshots []string) ([]string, error)
	// ImportSnapshot stores the snapshot id of a component from a tar archive
	// of its directory (entries relative to it) and makes it the newest
	// generation.
	ImportSnapshot(ctx context.Context, container, component, id string, archive io.Reader) error
	// RegisterSnapshots makes snapshots that are on the target (absolute
	// paths) the newest generations, in order.
	RegisterSnapshots(ctx context.Context, container, component string, paths []string) error
	// ExportSnapshot writes a snapshot (absolute path on the target) as a tar
	// archive with entries relative to it.
	ExportSnapshot(ctx context.Context, path string, archive io.Writer) error
	// CleanSnapshots removes all but the newest keep generations.
	CleanSnapshots(ctx context.Context, keep int, container, component string) error
}
