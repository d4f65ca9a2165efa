package coordinator

import "github.com/disnix-go/disnix/models"

// DefaultProfile is the name of the profile that is used when the user names
// none.
const DefaultProfile = "default"

// localClient is the built-in client interface that reaches this machine.
const localClient = "disnix-run-activity"

// ProfileName returns the name of the profile of a target, which is also the
// name of its lock.
//
// Several targets of an infrastructure that are reached through the built-in
// client disnix-run-activity are parts of one machine, this one. Each has a
// profile of its own there, <profile>@<target>; with one and the same name
// they would overwrite each other's profile and wait for each other's lock.
//
// The name depends on the infrastructure: a second target on this machine
// renames the profile of the first, which stays behind under its old name.
func ProfileName(infrastructure models.Infrastructure, profile, target string) string {
	if t, ok := infrastructure[target]; !ok || t.ClientInterface != localClient {
		return profile
	}
	local := 0
	for _, t := range infrastructure {
		if t.ClientInterface == localClient {
			local++
		}
	}
	if local < 2 {
		return profile
	}
	return profile + "@" + target
}
