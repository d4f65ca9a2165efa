package coordinator

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/disnix-go/disnix/service"
)

// Distribute copies the closure of every profile of the manifest to its
// target: only the paths that are not there yet (transition, section 2).
//
// After a failure the other targets are still served, and Distribute fails.
// Nothing but the stores of the targets is changed.
func (d *Deployment) Distribute(ctx context.Context) error {
	err := onEach(ctx, slices.Sorted(maps.Keys(d.Manifest.Profiles)), d.transfers(), func(target string) error {
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
