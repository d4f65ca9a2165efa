package main

import (
	"context"
	"os"

	"github.com/disnix-go/disnix/dysnomia"
)

// The programs that create and delete the users and groups of a component.

func addGroupsProgram() *program {
	return accountProgram("dysnomia-addgroups", "Creates", "groups", (*dysnomia.Accounts).AddGroups)
}

func addUsersProgram() *program {
	return accountProgram("dysnomia-addusers", "Creates", "users", (*dysnomia.Accounts).AddUsers)
}

func delGroupsProgram() *program {
	return accountProgram("dysnomia-delgroups", "Deletes", "groups", (*dysnomia.Accounts).DeleteGroups)
}

func delUsersProgram() *program {
	return accountProgram("dysnomia-delusers", "Deletes", "users", (*dysnomia.Accounts).DeleteUsers)
}

func accountProgram(name, verb, what string, act func(a *dysnomia.Accounts, ctx context.Context, path string) error) *program {
	return &program{
		name:     name,
		summary:  verb + " the " + what + " that a component needs",
		synopsis: []string{"PATH"},
		description: verb + ` the ` + what + ` that are specified in dysnomia-support/` + what + `
below PATH, or in PATH itself if that is a file. Accounts that others made are
neither changed nor deleted, and those that another component needs, too, stay.`,
		groups:      options(),
		environment: []entry{stateDirVariable},
		examples:    []entry{{name + " /nix/store/...-component", verb + " what a component needs:"}},
		action: func(inv *invocation) error {
			path, err := inv.operand()
			if err != nil {
				return err
			}
			host, err := newHost()
			if err != nil {
				return err
			}
			accounts := &dysnomia.Accounts{State: host.State(), Environment: os.Environ(), Log: inv.stderr}
			return act(accounts, inv.Context.Context, path)
		},
	}
}
