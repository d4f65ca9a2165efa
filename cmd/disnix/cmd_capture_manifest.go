package main

import (
	"context"

	"github.com/disnix-go/disnix/coordinator"
	"github.com/disnix-go/disnix/models"
	"github.com/disnix-go/disnix/service"
)

func captureManifestProgram() *program {
	return &program{
		name:     "disnix-capture-manifest",
		summary:  "Asks the targets for a deployment model",
		synopsis: siteSynopsis,
		description: `
Asks all targets of an infrastructure for what is deployed to them, copies it to
the Nix store of this machine, and prints it as a deployment model, which
disnix-manifest and disnix-env take with the option -D. Nothing is printed
unless every target answers.`,
		groups:      siteOptions(profileFlag(), transfersFlag()),
		environment: []entry{profileVariable, interfaceVariable, targetPropertyVariable, nixStateVariable, temporaryVariable},
		examples:    []entry{{"disnix-capture-manifest infrastructure.nix > deployment.nix", "Write down what is deployed:"}},
		document:    true,
		action: onSite(func(ctx context.Context, s *site) error {
			manifest, err := s.captureManifest(ctx)
			if err != nil {
				return err
			}
			return manifest.WriteNix(s.stdout)
		}),
	}
}

// captureManifest makes a manifest from what the targets have.
func (s *site) captureManifest(ctx context.Context) (*models.Manifest, error) {
	transfers, err := s.number("max-concurrent-transfers", 1)
	if err != nil {
		return nil, err
	}
	capture := &coordinator.ManifestCapture{
		Targets:        s.targets,
		Infrastructure: s.infrastructure,
		Profile:        s.profile,
		Store:          service.NixStore{Log: s.reporter.Output("")},
		Transfers:      transfers,
		Reporter:       s.reporter,
	}
	return capture.Run(ctx)
}
