package coordinator

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/disnix-go/disnix/models"
	"github.com/disnix-go/disnix/service"
)

// ReachableInfrastructure returns the targets that a deployment may have to
// talk to: those of the configuration to be deployed, and those that have
// left the infrastructure since the previous one (which may be nil). The
// latter are still reached, if they can be, to deactivate what runs there and
// to rescue its state.
func ReachableInfrastructure(manifest, previous *models.Manifest) models.Infrastructure {
	all := make(models.Infrastructure)
	if previous != nil {
		maps.Copy(all, previous.Infrastructure)
	}
	maps.Copy(all, manifest.Infrastructure)
	return all
}

// presenceTimeout bounds the wait for the answer of a target that has left
// the infrastructure.
const presenceTimeout = 30 * time.Second

// dropAbsent finds out which targets that have left the infrastructure do not
// exist any more, and makes all phases pass over them.
func (d *Deployment) dropAbsent(ctx context.Context) error {
	return onEach(ctx, d.departed(), 0, func(target string) error {
		askCtx, cancel := context.WithTimeout(ctx, presenceTimeout)
		defer cancel()
		err := d.ask(askCtx, target)
		if ctx.Err() != nil {
			return ctx.Err() // the user has lost patience, not the target
		}
		if err != nil {
			d.Reporter.Problem(target, fmt.Sprintf("Skip target since machine is no longer present! (%v)", err))
			d.Targets.Drop(target)
		}
		return nil
	})
}

// ask makes a target that has left the infrastructure answer something.
func (d *Deployment) ask(ctx context.Context, target string) error {
	t, err := d.Targets.Get(ctx, target)
	if err != nil {
		return err
	}
	_, err = t.QueryInstalled(ctx, ProfileName(d.Previous.Infrastructure, d.profile(), target))
	return err
}

// departed returns the targets that have left the infrastructure and to which
// something was deployed, sorted.
func (d *Deployment) departed() []string {
	previous := d.upgradedFrom()
	if previous == nil {
		return nil
	}
	used := make(map[string]bool)
	for name := range previous.Profiles {
		used[name] = true
	}
	for _, m := range previous.ServiceMappings {
		used[m.Target] = true
	}
	for _, m := range previous.SnapshotMappings {
		used[m.Target] = true
	}
	maps.DeleteFunc(used, func(name string, _ bool) bool {
		_, stays := d.Manifest.Infrastructure[name]
		return stays || !d.Targets.Has(name)
	})
	return slices.Sorted(maps.Keys(used))
}

// emptyProfiles empties the profiles that this configuration leaves: what they
// describe is deactivated, or in another profile. They are no part of the
// system any more, so that a failure there is reported but does not concern
// the deployment.
func (d *Deployment) emptyProfiles(ctx context.Context) {
	former := d.formerProfiles()
	if len(former) == 0 || d.EmptyProfile == nil {
		return
	}
	path, err := d.EmptyProfile(ctx)
	if err != nil {
		d.Reporter.Problem("", fmt.Sprintf("Cannot make an empty profile for the targets that are no longer used: %v", err))
		return
	}
	_ = inParallel(ctx, former, 0, func(p deployedProfile) error {
		d.Reporter.Progress(p.target, "Setting Disnix profile: "+path)
		if err := d.setEmptyProfile(ctx, p, path); err != nil {
			d.Reporter.Problem(p.target, fmt.Sprintf("Cannot set Disnix profile: %s (%v)", path, err))
		}
		return nil
	})
}

func (d *Deployment) setEmptyProfile(ctx context.Context, p deployedProfile, path string) error {
	t, err := d.Targets.Get(ctx, p.target)
	if err != nil {
		return err
	}
	if _, err := service.CopyClosure(ctx, d.Store, t, []string{path}); err != nil {
		return err
	}
	return t.SetProfile(ctx, p.name, path)
}
