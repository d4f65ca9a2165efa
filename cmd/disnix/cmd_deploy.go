package main

import (
	"context"

	"github.com/urfave/cli/v2"
)

func deployProgram() *program {
	return &program{
		name:     "disnix-deploy",
		summary:  "Deploys a manifest that was built before",
		synopsis: []string{"[OPTION]... MANIFEST"},
		description: `
Carries out all phases of a deployment: copies the closures to the targets,
locks them, stops what is obsolete, starts what is new, migrates state, sets
the profiles, and releases the locks. If a service cannot be started,
everything is put back as it was.`,
		groups: options(append([]cli.Flag{
			oldManifestFlag(),
			profileFlag(),
			coordinatorProfilePathFlag(),
			transfersFlag(),
			concurrencyFlag(),
			noUpgradeFlag(),
			noLockFlag(),
			forceLockFlag(),
			noCoordinatorProfileFlag(),
			noTargetProfilesFlag(),
			&cli.BoolFlag{Name: "no-migration", Usage: "Does not migrate state, nor checks whether that is possible"},
			deleteStateFlag(),
		}, migrationFlags()...)...),
		exitStatus:  deployExitStatus(),
		environment: []entry{profileVariable, deleteStateVariable, nixStateVariable, temporaryVariable},
		examples: []entry{
			{"disnix-deploy $(disnix-manifest -s services.nix -i infrastructure.nix -d distribution.nix)", "Build and deploy in two steps:"},
		},
		action: withSession(func(_ context.Context, s *session) error {
			if err := s.checkUnfinished(); err != nil {
				return err
			}
			manifest, path, err := s.givenManifest("A manifest file has to be specified!")
			if err != nil {
				return err
			}
			previous, previousPath, err := s.oldManifest()
			if err != nil {
				return err
			}
			if path, err = manifestPath(path); err != nil {
				return err
			}
			return s.deploy(manifest, path, previous, previousPath)
		}),
	}
}
