package models

import (
	"fmt"
	"strings"
)

// ReachesThisMachine tells whether the target is this machine, because of its
// client: disnix-run-activity, or disnix-client, which asks the service here.
// Such logical targets may have one address: they are told apart by their names.
func (t *Target) ReachesThisMachine() bool {
	return t.ClientInterface == "disnix-run-activity" || t.ClientInterface == "disnix-client"
}

// Validate reports every mistake in the infrastructure, as [Problems]: targets
// without cores, client interface or address, and addresses that two targets
// have.
func (i Infrastructure) Validate() error {
	if problems := i.absent(); len(problems) > 0 {
		return problems
	}
	var problems Problems
	users := make(map[string][]string) // of an address
	var addresses []string
	for _, name := range sorted(i) {
		target := i[name]
		problems = append(problems, target.problems()...)
		address, err := target.Address()
		if err != nil || target.ReachesThisMachine() {
			continue
		}
		if users[address] == nil {
			addresses = append(addresses, address)
		}
		users[address] = append(users[address], fmt.Sprintf("%q", name))
	}
	for _, address := range addresses {
		if len(users[address]) > 1 {
			problems = append(problems, fmt.Errorf("targets %s have the same address %q: they would overwrite each other's profile",
				strings.Join(users[address], ", "), address))
		}
	}
	return problems.Err()
}

// absent reports targets that are nil.
func (i Infrastructure) absent() Problems {
	var problems Problems
	for _, name := range sorted(i) {
		if i[name] == nil {
			problems = append(problems, fmt.Errorf("target %q is not set", name))
		}
	}
	return problems
}
