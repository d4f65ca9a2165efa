package coordinator

import (
	"fmt"
	"maps"
	"slices"

	"github.com/disnix-go/disnix/models"
)

// DefaultProfile is the name of the profile that is used when the user names
// none.
const DefaultProfile = "default"

// ProfileName returns the name of the profile of a target, which is also the
// name of its lock.
//
// Several targets of an infrastructure that are reached through the built-in
// clients disnix-run-activity and disnix-client are parts of one machine, this
// one. Each has a profile of its own there, <profile>@<target>; with one and
// the same name they would overwrite each other's profile and wait for each
// other's lock.
//
// The name depends on the infrastructure: a second target on this machine
// renames the profile of the first. A deployment empties the former one.
func ProfileName(infrastructure models.Infrastructure, profile, target string) string {
	if t, ok := infrastructure[target]; !ok || !t.ReachesThisMachine() {
		return profile
	}
	local := 0
	for _, t := range infrastructure {
		if t.ReachesThisMachine() {
			local++
		}
	}
	if local < 2 {
		return profile
	}
	return profile + "@" + target
}

// deployedProfile is a profile on a target, which is one thing to be locked.
type deployedProfile struct {
	target, name string
	path         string // in the store: what the profile is, or is going to be
}

// wrap says in an error what was attempted.
func (p deployedProfile) wrap(what string, err error) error {
	return fmt.Errorf("target %q: %s profile %q: %w", p.target, what, p.name, err)
}

// profiles returns the profiles of the manifest, sorted by target; not those on
// targets that are left out.
func (d *Deployment) profiles() []deployedProfile {
	return slices.DeleteFunc(profilesOf(d.Manifest, d.profile()), func(p deployedProfile) bool { return d.forgotten[p.target] })
}

func profilesOf(m *models.Manifest, profile string) []deployedProfile {
	var all []deployedProfile
	for _, target := range slices.Sorted(maps.Keys(m.Profiles)) {
		all = append(all, deployedProfile{target, ProfileName(m.Infrastructure, profile, target), m.Profiles[target]})
	}
	return all
}

// formerProfiles returns the profiles of the previous configuration that this
// one leaves: the target is not used any more, or the profile has another name
// now. They are sorted by target.
func (d *Deployment) formerProfiles() []deployedProfile {
	previous := d.upgradedFrom()
	if previous == nil {
		return nil
	}
	return slices.DeleteFunc(profilesOf(previous, d.profile()), func(p deployedProfile) bool {
		if _, stays := d.Manifest.Profiles[p.target]; stays {
			return ProfileName(d.Manifest.Infrastructure, d.profile(), p.target) == p.name ||
				!sameClient(d.Manifest, previous, p.target)
		}
		return !d.Targets.Has(p.target)
	})
}

// sameClient reports whether a target is reached in the same way in two
// configurations. Otherwise it may have become another machine.
func sameClient(a, b *models.Manifest, target string) bool {
	inA, inB := a.Infrastructure[target], b.Infrastructure[target]
	return inA != nil && inB != nil && inA.ClientInterface == inB.ClientInterface
}
