package main

import (
	"context"
)

// The commands that carry out a single phase of a deployment.

func distributeProgram() *program {
	return &program{
		name:     "disnix-distribute",
		summary:  "Copies the closures of a manifest to its targets",
		synopsis: []string{"[OPTION]... MANIFEST"},
		description: `
Copies the profile of every target in the manifest, with everything it refers
to, to the Nix store of that target. What is there already is not copied, and
nothing is activated.`,
		groups:      options(transfersFlag(), profileFlag()),
		environment: []entry{profileVariable, temporaryVariable},
		examples: []entry{
			{"disnix-distribute $(disnix-manifest -s services.nix -i infrastructure.nix -d distribution.nix)", "Prepare a deployment:"},
		},
		action: withSession(func(ctx context.Context, s *session) error {
			manifest, path, err := s.givenManifest("ERROR: No manifest specified!")
			if err != nil {
				return err
			}
			d, err := s.single(manifest, path)
			if err != nil {
				return err
			}
			return d.Distribute(ctx)
		}),
	}
}

func setProgram() *program {
	return &program{
		name:     "disnix-set",
		summary:  "Makes a manifest the current generation",
		synopsis: []string{"[OPTION]... MANIFEST"},
		description: `
Sets the profiles of all targets to those of the manifest, and then the
coordinator profile to the manifest itself. Nothing is activated: a deployment
does this as its last step.`,
		groups:      options(profileFlag(), coordinatorProfilePathFlag(), noCoordinatorProfileFlag(), noTargetProfilesFlag()),
		environment: []entry{profileVariable, nixStateVariable},
		examples: []entry{
			{"disnix-set /nix/store/...-manifest.xml", "Record a manifest whose services are active already:"},
		},
		action: withSession(func(ctx context.Context, s *session) error {
			if err := s.checkUnfinished(); err != nil {
				return err
			}
			manifest, path, err := s.givenManifest("ERROR: No manifest specified!")
			if err != nil {
				return err
			}
			if path, err = manifestPath(path); err != nil {
				return err
			}
			d, err := s.single(manifest, path)
			if err != nil {
				return err
			}
			return d.SetProfiles(ctx)
		}),
	}
}
