package coordinator

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// forget leaves out targets that will never answer again, so that an unfinished
// deployment can be ended on all others. It fails if there is no such target.
func (d *Deployment) forget() error {
	d.forgotten = make(map[string]bool)
	for _, target := range d.Forget {
		if !d.Targets.Has(target) {
			all := ReachableInfrastructure(d.Manifest, d.Previous)
			return fmt.Errorf("forget target %q: the deployment has only the targets %s",
				target, strings.Join(slices.Sorted(maps.Keys(all)), ", "))
		}
		d.forgotten[target] = true
	}
	for target := range d.forgotten {
		d.Targets.Drop(target)
	}
	return nil
}

// adviseAboutForgotten says what has to be done about targets that were left
// out of a deployment that has ended.
func (d *Deployment) adviseAboutForgotten() {
	if len(d.forgotten) == 0 {
		return
	}
	names := strings.Join(slices.Sorted(maps.Keys(d.forgotten)), ", ")
	d.Reporter.Notice(fmt.Sprintf(`
Nothing was changed on these targets, which were left out: %s.
The new generation says what is on them, as far as it is known.
If they are gone for good, remove them from the infrastructure and distribution
models and deploy again. If one of them comes back, deploy again, too: that
completes it. As its profile may still be locked, add --force-lock then.
`, names))
}
