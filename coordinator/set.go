package coordinator

import (
	"context"
	"fmt"
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
// Profiles that the previous configuration used and this one does not become
// empty.
func (d *Deployment) SetProfiles(ctx context.Context) error {
	problem := &ProfilesError{Converge: d.setCommand()}
	if d.journal != nil {
		problem.Converge = d.recoveryCommand("--resume")
	}
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
	profiles := d.profiles()
	done := make(map[string]bool, len(profiles))
	var mu sync.Mutex
	err = inParallel(ctx, profiles, 0, func(p deployedProfile) error {
		if err := d.setTargetProfile(ctx, p); err != nil {
			return err
		}
		mu.Lock()
		defer mu.Unlock()
		done[p.target] = true
		return nil
	})
	for _, p := range profiles {
		if done[p.target] {
			set = append(set, p.target)
		} else {
			notSet = append(notSet, p.target)
		}
	}
	return set, notSet, err
}

func (d *Deployment) setTargetProfile(ctx context.Context, p deployedProfile) error {
	d.Reporter.Progress(p.target, "Setting Disnix profile: "+p.path)
	t, err := d.Targets.Get(ctx, p.target)
	if err == nil {
		err = t.SetProfile(ctx, p.name, p.path)
	}
	if err != nil {
		d.Reporter.Problem(p.target, "Cannot set Disnix profile: "+p.path)
		return p.wrap("set", err)
	}
	return nil
}

func (d *Deployment) setCoordinatorProfile(ctx context.Context) error {
	dir, err := d.coordinatorProfileDir()
	if err != nil {
		return err
	}
	path, err := d.recordedAs(ctx, d.Manifest, d.ManifestPath)
	if err != nil {
		return err
	}
	if err := service.SetProfile(ctx, dir, d.profile(), path); err != nil {
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
