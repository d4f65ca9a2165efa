package main

import (
	"context"
	"errors"

	"github.com/urfave/cli/v2"

	"github.com/disnix-go/disnix/coordinator"
)

func activateProgram() *program {
	return &program{
		name:     "disnix-activate",
		summary:  "Stops what is obsolete and starts what is new",
		synopsis: []string{"[OPTION]... MANIFEST"},
		description: `
Deactivates the services that a manifest does not have any more, and activates
those that are new in it, in the order of their dependencies. The closures must
be on the targets already. If a service cannot be started, everything is put
back as it was.`,
		groups: options(
			oldManifestFlag(),
			profileFlag(),
			coordinatorProfilePathFlag(),
			concurrencyFlag(),
			noUpgradeFlag(),
			noRollbackFlag(),
			&cli.BoolFlag{Name: "dry-run", Usage: "Shows the activities without carrying them out"},
		),
		exitStatus: []entry{
			{"0", "The new configuration is active"},
			{"1", "The transition failed, and the old configuration is active again"},
			{"2", "The transition failed, and old services could not be started again"},
			{"3", "The transition failed, and new services could not be stopped again"},
		},
		environment: []entry{profileVariable, nixStateVariable},
		examples: []entry{
			{"disnix-activate --dry-run new.xml", "See what would be done:"},
			{"disnix-activate -o old.xml new.xml", "Go from one manifest to another:"},
		},
		action: withSession(runActivate),
	}
}

func runActivate(ctx context.Context, s *session) error {
	if !s.Bool("dry-run") {
		if err := s.checkUnfinished(); err != nil {
			return err
		}
	}
	d, err := s.manifestPair("A manifest file has to be specified!")
	if err != nil {
		return err
	}
	err = d.Activate(ctx, s.Bool("dry-run"))
	var failed *coordinator.TransitionError
	if errors.As(err, &failed) {
		s.reporter.Problem("", failed.Error())
		return quiet(failed.ExitCode())
	}
	return err
}
