package coordinator

import (
	"errors"
	"fmt"
	"maps"
	"net"
	"slices"
	"strings"

	"github.com/disnix-go/disnix/models"
	"github.com/disnix-go/disnix/service"
)

// DefaultProfile is the name of the profile that is used when the user names
// none.
const DefaultProfile = "default"

// ProfileName returns the name of the profile of a target, which is also the
// name of its lock.
//
// Several targets of an infrastructure can be parts of one machine: those that
// are reached through the built-in clients disnix-run-activity and
// disnix-client of this one, those over SSH of one with the same host and port.
// Each has a profile of its own there, <profile>@<target>; with one and the
// same name they would overwrite each other's profile and wait for each other's
// lock.
//
// The name depends on the infrastructure: a second target on a machine renames
// the profile of the first. A deployment empties the former one.
func ProfileName(infrastructure models.Infrastructure, profile, target string) string {
	return profileName(infrastructure, machines(infrastructure), profile, target)
}

func profileName(infrastructure models.Infrastructure, parts map[string]int, profile, target string) string {
	if t, ok := infrastructure[target]; ok && parts[machine(t)] > 1 {
		return profile + "@" + target
	}
	return profile
}

// machines returns how many targets each machine is.
func machines(infrastructure models.Infrastructure) map[string]int {
	parts := make(map[string]int)
	for _, t := range infrastructure {
		if name := machine(t); name != "" {
			parts[name]++
		}
	}
	return parts
}

// machine returns what the targets of one machine have in common, or nothing if
// it is not known on which machine the target is.
func machine(t *models.Target) string {
	if t.ReachesThisMachine() {
		return "this machine"
	}
	address, err := t.Address()
	if t.ClientInterface != "disnix-ssh-client" || err != nil {
		return ""
	}
	_, host, named := strings.Cut(address, "@")
	if !named {
		host = address
	}
	if name, port, err := net.SplitHostPort(host); err == nil {
		return strings.ToLower(net.JoinHostPort(name, port))
	}
	const port = "22" // unless the ssh configuration says something else
	return strings.ToLower(net.JoinHostPort(strings.Trim(host, "[]"), port))
}

// machineOrAddress returns what a target, which may be nil, has in common with
// the same machine under another name in another configuration: at least the
// address. It returns nothing if that is not known.
func machineOrAddress(t *models.Target) string {
	if t == nil {
		return ""
	}
	if name := machine(t); name != "" {
		return name
	}
	address, err := t.Address()
	if err != nil {
		return ""
	}
	return t.ClientInterface + " " + address
}

// deployedProfile is a profile on a target, which is one thing to be locked.
type deployedProfile struct {
	target, name string
	path         string // in the store: what the profile is, or is going to be
}

// wrap says in an error what was attempted, unless that says it already.
func (p deployedProfile) wrap(what string, err error) error {
	attempt := fmt.Sprintf("%s profile %q: ", what, p.name)
	if strings.HasPrefix(err.Error(), attempt) || errors.As(err, new(*service.LockedError)) {
		attempt = ""
	}
	return fmt.Errorf("target %q: %s%w", p.target, attempt, err)
}

// profiles returns the profiles of the manifest, sorted by target; not those on
// targets that are left out.
func (d *Deployment) profiles() []deployedProfile {
	return slices.DeleteFunc(profilesOf(d.Manifest, d.profile()), func(p deployedProfile) bool { return d.forgotten[p.target] })
}

func profilesOf(m *models.Manifest, profile string) []deployedProfile {
	var all []deployedProfile
	parts := machines(m.Infrastructure)
	for _, target := range slices.Sorted(maps.Keys(m.Profiles)) {
		all = append(all, deployedProfile{target, profileName(m.Infrastructure, parts, profile, target), m.Profiles[target]})
	}
	return all
}

// formerProfiles returns the profiles of the previous configuration that this
// one leaves: the target is not used any more, or the profile has another name
// now. They are sorted by target. The profile of a target that has another name
// now is not left: it is set.
func (d *Deployment) formerProfiles() []deployedProfile {
	type place struct{ machine, profile string }
	set := make(map[place]bool)
	for _, p := range d.profiles() {
		set[place{machineOrAddress(d.Manifest.Infrastructure[p.target]), p.name}] = true
	}
	return slices.DeleteFunc(d.departedProfiles(), func(p deployedProfile) bool {
		machine := machineOrAddress(d.Previous.Infrastructure[p.target])
		return machine != "" && set[place{machine, p.name}]
	})
}

// departedProfiles returns the profiles of the previous configuration that are
// not those of the same targets in this one. They are sorted by target.
func (d *Deployment) departedProfiles() []deployedProfile {
	previous := d.upgradedFrom()
	if previous == nil {
		return nil
	}
	parts := machines(d.Manifest.Infrastructure)
	return slices.DeleteFunc(profilesOf(previous, d.profile()), func(p deployedProfile) bool {
		if _, stays := d.Manifest.Profiles[p.target]; stays {
			return profileName(d.Manifest.Infrastructure, parts, d.profile(), p.target) == p.name ||
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
