package main

import (
	"context"

	"github.com/urfave/cli/v2"

	"github.com/disnix-go/disnix/coordinator"
	"github.com/disnix-go/disnix/models"
)

// The commands for systems that were deployed by Disnix before 0.10, whose
// manifests have version 1.

func convertFlags(more ...cli.Flag) []optionGroup {
	return options(append([]cli.Flag{
		&cli.StringFlag{Name: "infrastructure", Aliases: []string{"i"}, Usage: "Infrastructure model with the targets of the system, in the file `infrastructure_nix`"},
		interfaceFlag(),
		targetPropertyFlag(),
		profileFlag(),
		coordinatorProfilePathFlag(),
		showTraceFlag(),
	}, more...)...)
}

func convertManifestProgram() *program {
	return &program{
		name:     "disnix-convert-manifest",
		summary:  "Converts a manifest of version 1",
		synopsis: []string{"-i infrastructure_nix [OPTION]... [MANIFEST]"},
		description: `
Prints a manifest that Disnix before 0.10 wrote as a deployment model, which
disnix-manifest takes with the option -D. Targets are recognised by their
addresses. Without MANIFEST, the configuration deployed last is meant.`,
		groups:      convertFlags(),
		environment: []entry{profileVariable, interfaceVariable, targetPropertyVariable, nixStateVariable, temporaryVariable},
		examples:    []entry{{"disnix-convert-manifest -i infrastructure.nix > deployment.nix", "See what becomes of the deployed system:"}},
		document:    true,
		action: withSession(func(_ context.Context, s *session) error {
			manifest, err := s.convertManifest("An infrastructure model is required!")
			if err != nil {
				return err
			}
			return manifest.WriteNix(s.stdout)
		}),
	}
}

func convertProgram() *program {
	return &program{
		name:     "disnix-convert",
		summary:  "Takes over a system with a manifest of version 1",
		synopsis: []string{"-i infrastructure_nix [OPTION]... [MANIFEST]"},
		description: `
Converts a manifest that Disnix before 0.10 wrote, and records the result as
the current generation, so that the system can be upgraded. Nothing is
activated or deactivated. Without MANIFEST, the configuration deployed last is
meant.

The targets do not know yet which services they have. Deploy for the first time
with disnix-env --no-lock.`,
		groups:      convertFlags(noCoordinatorProfileFlag(), noTargetProfilesFlag()),
		environment: []entry{profileVariable, interfaceVariable, targetPropertyVariable, nixStateVariable, temporaryVariable},
		examples:    []entry{{"disnix-convert -i infrastructure.nix", "Convert what is deployed:"}},
		document:    true,
		action:      withSession(runConvert),
	}
}

func runConvert(ctx context.Context, s *session) error {
	if err := s.checkUnfinished(); err != nil {
		return err
	}
	s.reporter.Progress("", "Converting old profile manifest...")
	converted, err := s.convertManifest("ERROR: An infrastructure expression must be specified!")
	if err != nil {
		return err
	}
	s.reporter.Progress("", "Building converted deployment model...")
	path, manifest, err := s.buildManifest(ctx, converted)
	if err != nil {
		return err
	}
	s.reporter.Progress("", "Setting profiles...")
	d, err := s.single(manifest, path)
	if err != nil {
		return err
	}
	if err := d.SetProfiles(ctx); err != nil {
		return err
	}
	s.reporter.Notice("The system has been converted. Deploy for the first time with: disnix-env --no-lock")
	return nil
}

// convertManifest converts the manifest that is the operand or, without one, the
// one deployed last. Complaint is what the original says if there is no
// infrastructure model.
func (s *session) convertManifest(complaint string) (*models.Manifest, error) {
	model := s.String("infrastructure")
	if model == "" {
		return nil, fail("%s", complaint)
	}
	old, err := s.manifestV1()
	if err != nil {
		return nil, err
	}
	infrastructure, err := s.readInfrastructure(model)
	if err != nil {
		return nil, fail("%w\n[coordinator]: Error retrieving targets from infrastructure model!", err)
	}
	return old.Convert(infrastructure)
}

func (s *session) manifestV1() (*models.ManifestV1, error) {
	given, err := s.operand()
	if err != nil {
		return nil, err
	}
	path, err := coordinator.SelectManifest(given, s.profileDir, s.profile, s.reporter)
	if err != nil {
		return nil, fail("[coordinator]: Error opening manifest file! %w", err)
	}
	if path == "" {
		return nil, s.noManifest()
	}
	old, err := models.ReadManifestV1File(path)
	if err != nil {
		return nil, fail("%w\nThe provided manifest file is invalid!", err)
	}
	return old, nil
}
