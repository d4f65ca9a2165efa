package coordinator

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/disnix-go/disnix/models"
	"github.com/disnix-go/disnix/service"
)

// CollectGarbage collects the garbage in the stores of all targets at once,
// with deleteOld after the old generations of all profiles were removed. All
// targets are attempted; the error names those that failed (commands,
// section 8).
func CollectGarbage(ctx context.Context, targets *Targets, infrastructure models.Infrastructure, deleteOld bool, r Reporter) error {
	return onEachTarget(ctx, targets, infrastructure, func(target string, t service.Service) error {
		r.Progress(target, "Running garbage collector")
		return t.CollectGarbage(ctx, deleteOld)
	}, func(target string) { r.Problem(target, "Garbage collection failed!") })
}

// CleanSnapshots removes all but the newest keep generations of snapshots on
// all targets at once. An empty container or component means all of them.
func CleanSnapshots(ctx context.Context, targets *Targets, infrastructure models.Infrastructure, keep int, container, component string, r Reporter) error {
	return onEachTarget(ctx, targets, infrastructure, func(target string, t service.Service) error {
		r.Progress(target, "Running snapshot garbage collector!")
		return t.CleanSnapshots(ctx, keep, container, component)
	}, func(target string) { r.Problem(target, "Snapshot garbage collection failed") })
}

// onEachTarget connects to every target of the infrastructure and does
// something there, without a limit. Failed is told of those where it failed.
func onEachTarget(ctx context.Context, targets *Targets, infrastructure models.Infrastructure, do func(target string, t service.Service) error, failed func(target string)) error {
	return inParallel(ctx, slices.Sorted(maps.Keys(infrastructure)), 0, func(target string) error {
		t, err := targets.Get(ctx, target)
		if err != nil {
			failed(target)
			return err // it names the target
		}
		if err := do(target, t); err != nil {
			failed(target)
			return fmt.Errorf("target %q: %w", target, err)
		}
		return nil
	})
}
