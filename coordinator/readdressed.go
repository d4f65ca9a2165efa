package coordinator

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/disnix-go/disnix/models"
)

// checkReaddressed makes sure that targets which have another address than before
// are still the same machines. Services that both configurations have are not
// touched: on another machine they would be missing.
func (d *Deployment) checkReaddressed(ctx context.Context) error {
	previous := d.upgradedFrom()
	if previous == nil {
		return nil
	}
	services := make(map[string]map[models.Dependency]bool)
	for _, m := range previous.ServiceMappings {
		before, now := previous.Infrastructure[m.Target], d.Manifest.Infrastructure[m.Target]
		if now == nil || machineOrAddress(before) == machineOrAddress(now) {
			continue
		}
		if services[m.Target] == nil {
			services[m.Target] = make(map[models.Dependency]bool)
		}
		services[m.Target][m.Identity()] = true
	}
	return onEach(ctx, slices.Sorted(maps.Keys(services)), 0, func(target string) error {
		profile := ProfileName(previous.Infrastructure, d.profile(), target)
		installed, err := queryTarget(ctx, d.Targets, target, profile)
		if err != nil {
			return err
		}
		found := make(map[models.Dependency]bool)
		for _, m := range installed.ServiceMappings {
			found[m.Identity()] = true
		}
		if maps.Equal(found, services[target]) {
			return nil
		}
		return fmt.Errorf("it has another address than before, and profile %q there is not what was deployed to it: it is another machine. "+
			"Give it another name in the models, so that its services move there with their state; "+
			"or, if the former machine is gone for good, deploy with --no-upgrade", profile)
	})
}
