package coordinator

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/disnix-go/disnix/service"
)

// ProfilesError says that the profiles do not agree with what is deployed.
type ProfilesError struct {
	// NotSet and Set are the targets whose profile is the former one, and
	// those whose profile is the new one; sorted.
	NotSet, Set []string
	// Coordinator says that the coordinator profile is the former one.
	Coordinator bool
	// Converge is the command that sets what is not set yet.
	Converge string
	Err      error
}

// Error names every profile that is not set, and the command that sets it.
func (e *ProfilesError) Error() string {
	var parts []string
	if len(e.NotSet) > 0 {
		parts = append(parts, "not set on: "+strings.Join(e.NotSet, ", "))
	}
	if len(e.Set) > 0 {
		parts = append(parts, "set on: "+strings.Join(e.Set, ", "))
	}
	if e.Coordinator {
		parts = append(parts, "the coordinator profile is not set")
	}
	return fmt.Sprintf("set profiles: %v\nthe profiles do not agree with what is deployed (%s): to set them, run `%s`",
		e.Err, strings.Join(parts, "; "), e.Converge)
}

// Unwrap returns the reasons.
func (e *ProfilesError) Unwrap() error { return e.Err }

// SetProfiles makes the manifest's profiles current on all targets at once,
// and then the manifest itself in the coordinator profile. All targets are
// attempted; after a failure the coordinator profile stays as it is
// (transition, section 6). Nothing is changed that is current already. The
// error is a [*ProfilesError].
//
// Targets that the previous configuration used and this one does not get an
// empty profile.
func (d *Deployment) SetProfiles(ctx context.Context) error {
	problem := &ProfilesError{Converge: d.setCommand()}
	if !d.Options.NoTargetProfiles {
		problem.Set, problem.NotSet, problem.Err = d.setTargetProfiles(ctx)
		d.emptyProfiles(ctx)
	}
	if problem.Err == nil && !d.Options.NoCoordinatorProfile {
		problem.Err = d.setCoordinatorProfile(ctx)
	}
	if problem.Err == nil {
		return nil
	}
	problem.Coordinator = !d.Options.NoCoordinatorProfile
	return problem
}

func (d *Deployment) setTargetProfiles(ctx context.Context) (set, notSet []string, err error) {
	targets := slices.Sorted(maps.Keys(d.Manifest.Profiles))
	done := make(map[string]bool, len(targets))
	var mu sync.Mutex
	err = onEach(ctx, targets, 0, func(target string) error {
		if err := d.setTargetProfile(ctx, target); err != nil {
			return err
		}
		mu.Lock()
		defer mu.Unlock()
		done[target] = true
		return nil
	})
	for _, target := range targets {
		if done[target] {
			set = append(set, target)
		} else {
			notSet = append(notSet, target)
		}
	}
	return set, notSet, err
}

func (d *Deployment) setTargetProfile(ctx context.Context, target string) error {
	name, path := d.profileOn(target)
	d.Reporter.Progress(target, "Setting Disnix profile: "+path)
	t, err := d.Targets.Get(ctx, target)
	if err == nil {
		err = t.SetProfile(ctx, name, path)
	}
	if err != nil {
		d.Reporter.Problem(target, "Cannot set Disnix profile: "+path)
		return fmt.Errorf("set profile %q to %s: %w", name, path, err)
	}
	return nil
}

func (d *Deployment) setCoordinatorProfile(ctx context.Context) error {
	dir, err := d.coordinatorProfileDir()
	if err != nil {
		return err
	}
	if err := service.SetProfile(ctx, dir, d.profile(), d.ManifestPath); err != nil {
		return fmt.Errorf("coordinator: %w", err)
	}
	return nil
}

func (d *Deployment) coordinatorProfileDir() (string, error) {
	if d.Options.CoordinatorProfileDir != "" {
		return d.Options.CoordinatorProfileDir, nil
	}
	return service.CoordinatorProfileDir()
}
