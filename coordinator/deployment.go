package coordinator

import (
	"cmp"
	"context"

	"github.com/disnix-go/disnix/coordinator/journal"
	"github.com/disnix-go/disnix/models"
	"github.com/disnix-go/disnix/service"
)

// Deployment is a configuration and everything that is needed to deploy it.
// Its methods are the phases; a command that carries out a single phase sets
// only the fields which that one needs. It is not changed by them.
type Deployment struct {
	// Manifest is the configuration to be deployed.
	Manifest *models.Manifest
	// Previous is the configuration deployed now, or nil if none is known.
	Previous *models.Manifest
	// ManifestPath and PreviousPath are the files as the user named them, for
	// commands that are recommended after a failure. ManifestPath also
	// becomes the new generation of the coordinator profile.
	ManifestPath, PreviousPath string
	// PreviousIsLatest says that Previous, also if it is nil, is what the
	// coordinator profile held when it was read. Deploy fails if that has
	// changed by the time it holds the locks.
	PreviousIsLatest bool
	// Targets reaches the targets; see [ReachableInfrastructure].
	Targets *Targets
	// Store is the Nix store of the coordinator.
	Store service.Store
	// Snapshots is the snapshot repository of the coordinator: the station
	// between two targets.
	Snapshots service.Snapshots
	// EmptyProfile puts a profile without any services into Store. It is
	// called for targets that are not used any more; if it is nil, their
	// profiles keep describing what was there.
	EmptyProfile func(ctx context.Context) (path string, err error)
	// AddManifest puts a manifest into Store. It is called when a deployment ends
	// without some of its targets; if it is nil, the new generation describes
	// these as if they were there.
	AddManifest func(ctx context.Context, m *models.Manifest) (path string, err error)
	Reporter    Reporter
	Options     Options
	// Journal is where Deploy records what it does, so that the deployment can
	// be completed or undone if this process dies. If it is nil, that is not
	// possible.
	Journal *journal.Place
	// Purpose is what the journal and the locks say that the deployment is: the
	// program.
	Purpose string
	// Forget names targets that will never answer again. Resume and Abort leave
	// them out.
	Forget []string
	// KeepLocks says that the locks are meant to outlive this process.
	KeepLocks bool

	// journal is the open journal, nil before and without one.
	journal *journal.Journal
	// claim is made with everything that a target is asked to change, once
	// locks are to be acquired.
	claim service.Claim
	// forgotten are the targets that are left out.
	forgotten map[string]bool
	// formerTokens are those of the claims of earlier runs, while an unfinished
	// deployment is completed or undone.
	formerTokens []string
}

// Options tune a deployment; they are those of disnix-deploy (commands,
// section 6).
type Options struct {
	// Profile is the profile's name; empty means [DefaultProfile].
	Profile string
	// CoordinatorProfileDir holds the coordinator profile; empty means
	// [service.CoordinatorProfileDir].
	CoordinatorProfileDir string
	// Transfers is the number of targets to or from which closures and
	// snapshots are copied at once; below one means 2.
	Transfers int
	// Concurrency bounds the activities that run at once on all targets
	// together; below one means no limit but the targets' own.
	Concurrency int
	// NoUpgrade ignores the previous configuration: everything is activated,
	// nothing is deactivated.
	NoUpgrade bool
	// NoRollback leaves a failed transition as it is.
	NoRollback bool
	// NoLock skips acquiring and releasing locks.
	NoLock bool
	// ForceLock takes locks away from others who hold them. Those can change
	// nothing any more.
	ForceLock bool
	// NoCoordinatorProfile and NoTargetProfiles leave these profiles alone.
	NoCoordinatorProfile, NoTargetProfiles bool
	// NoMigration skips the migration of state and its safety check.
	NoMigration bool
	Migration   MigrationOptions
}

func (d *Deployment) profile() string { return cmp.Or(d.Options.Profile, DefaultProfile) }

func (d *Deployment) transfers() int { return transfersOr(d.Options.Transfers) }

// transfersOr returns the number of targets to or from which something is
// copied at once: the given one, or the standard if that is below one.
func transfersOr(given int) int {
	const standard = 2
	if given < 1 {
		return standard
	}
	return given
}

// upgradedFrom returns the configuration that is replaced, or nil.
func (d *Deployment) upgradedFrom() *models.Manifest {
	if d.Options.NoUpgrade {
		return nil
	}
	return d.Previous
}
