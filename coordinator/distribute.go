package coordinator

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/disnix-go/disnix/service"
)

// logins is how many connections are opened at once: less than the ten from
// which on the SSH server of a machine with several targets refuses some.
const logins = 8

// Distribute copies the closure of every profile of the manifest to its
// target: only the paths that are not there yet (transition, section 2).
//
// After a failure the other targets are still served, and Distribute fails.
// Nothing but the stores of the targets is changed.
func (d *Deployment) Distribute(ctx context.Context) error {
	targets := slices.DeleteFunc(slices.Sorted(maps.Keys(d.Manifest.Profiles)), func(target string) bool { return d.forgotten[target] })
	// Logging in is mostly waiting, so that more can do it at once than can
	// share a link. Who cannot be reached is told with its turn.
	_ = onEach(ctx, targets, logins, func(target string) error {
		_, err := d.Targets.Get(ctx, target)
		return err
	})
	err := onEach(ctx, targets, d.transfers(), func(target string) error {
		profile := d.Manifest.Profiles[target]
		d.Reporter.Progress(target, "Receiving intra-dependency closure of profile: "+profile)
		err := d.copyTo(ctx, target, profile)
		if err != nil {
			d.Reporter.Problem(target, "Cannot receive intra-dependency closure of profile: "+profile)
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("distribute intra-dependency closures: %w", err)
	}
	return nil
}

func (d *Deployment) copyTo(ctx context.Context, target, path string) error {
	to, err := d.Targets.Get(ctx, target)
	if err != nil {
		return err
	}
	if d.Previous != nil && d.Previous.Profiles[target] == path {
		// It should be there; a path that is valid has its whole closure.
		invalid, err := to.PrintInvalid(ctx, []string{path})
		if err == nil && len(invalid) == 0 {
			return nil
		}
	}
	imported, err := service.CopyClosure(ctx, d.Store, to, []string{path})
	for _, path := range imported {
		if _, err := fmt.Fprintln(d.Reporter.Output(target), path); err != nil {
			return fmt.Errorf("print the imported paths: %w", err)
		}
	}
	if err != nil {
		return fmt.Errorf("copy the closure of %s: %w", path, err)
	}
	return nil
}
