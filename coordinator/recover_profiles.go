package coordinator

import (
	"context"
	"errors"
	"slices"

	"github.com/disnix-go/disnix/coordinator/journal"
	"github.com/disnix-go/disnix/models"
	"github.com/disnix-go/disnix/service"
)

// resetProfiles makes the profiles those of the old configuration, if they may
// have been changed.
func (d *Deployment) resetProfiles(ctx context.Context) error {
	if !d.journal.State().Begun(journal.Profiles) {
		if len(d.forgotten) == 0 {
			return nil
		}
		return d.resetCoordinatorProfile(ctx)
	}
	d.Reporter.Progress("", "Setting profiles...")
	ctx, cancel := outlast(ctx, profilesGrace)
	defer cancel()
	back := *d
	back.Manifest, back.Previous = d.Previous, d.Manifest
	back.ManifestPath, back.PreviousPath = d.PreviousPath, d.ManifestPath
	back.Options.NoUpgrade = false
	back.Options.NoCoordinatorProfile = true // see below
	if back.Manifest == nil {
		back.Manifest = &models.Manifest{Infrastructure: d.Manifest.Infrastructure}
	}
	err := back.SetProfiles(ctx)
	var problem *ProfilesError
	if errors.As(err, &problem) {
		problem.Converge = d.recoveryCommand("--abort")
	}
	if err != nil {
		return err
	}
	return d.resetCoordinatorProfile(ctx)
}

// resetCoordinatorProfile makes the old configuration the newest generation,
// if the new one is. If there was none before, there is none again. After targets
// were left out, what is there becomes the newest generation.
func (d *Deployment) resetCoordinatorProfile(ctx context.Context) error {
	if d.Options.NoCoordinatorProfile {
		return nil
	}
	dir, err := d.coordinatorProfileDir()
	if err != nil {
		return err
	}
	old := d.Previous
	if old == nil {
		old = &models.Manifest{Infrastructure: d.Manifest.Infrastructure}
	}
	if path, err := d.recordedAs(ctx, old, d.PreviousPath); err != nil {
		return err
	} else if path != d.PreviousPath {
		return service.SetProfile(ctx, dir, d.profile(), path)
	}
	generations, err := service.Generations(dir, d.profile())
	if err != nil {
		return err
	}
	isNew := func(g service.Generation) bool { return sameFile(g.Path, d.ManifestPath) }
	switch {
	case len(generations) == 0 || !isNew(generations[len(generations)-1]):
		return nil
	case d.Previous != nil:
		return service.SetProfile(ctx, dir, d.profile(), d.PreviousPath)
	case !slices.ContainsFunc(generations, func(g service.Generation) bool { return !isNew(g) }):
		return service.DeleteAllGenerations(dir, d.profile())
	default:
		return nil
	}
}
