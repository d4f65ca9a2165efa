package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/disnix-go/disnix/models"
	"github.com/disnix-go/disnix/models/evaluation"
)

func reconstructProgram() *program {
	return &program{
		name:     "disnix-reconstruct",
		summary:  "Makes the coordinator profile again from the targets",
		synopsis: siteSynopsis,
		description: `
Asks all targets of an infrastructure for what is deployed to them, and records
it as the current generation on this machine: another machine becomes the
coordinator, or one that has lost its profile. The next deployment is an
upgrade then. The targets are not changed.`,
		groups: siteOptions(
			profileFlag(),
			coordinatorProfilePathFlag(),
			transfersFlag(),
			noCoordinatorProfileFlag(),
			&cli.BoolFlag{Name: "deploy-state", Usage: "Has no effect: the targets tell whose state is managed"},
		),
		environment: []entry{profileVariable, interfaceVariable, targetPropertyVariable, nixStateVariable, temporaryVariable},
		examples:    []entry{{"disnix-reconstruct infrastructure.nix", "Take over a system that was deployed from elsewhere:"}},
		document:    true,
		action: func(inv *invocation) error {
			if inv.Args().Len() == 0 {
				return fail("An infrastructure model must be provided!")
			}
			return onSite(reconstruct)(inv)
		},
	}
}

func reconstruct(ctx context.Context, s *site) error {
	if err := s.checkUnfinished(); err != nil {
		return err
	}
	captured, err := s.captureManifest(ctx)
	if err != nil {
		return err
	}
	s.reporter.Progress("", "Building captured deployment model...")
	path, manifest, err := s.buildManifest(ctx, captured)
	if err != nil {
		return err
	}
	if s.describesDeployed(manifest) {
		s.reporter.Progress("", "Not setting the profile as the manifest has not changed...")
		return nil
	}
	s.reporter.Progress("", "Setting profiles...")
	d, err := s.single(manifest, path)
	if err != nil {
		return err
	}
	d.Options.NoTargetProfiles = true
	return d.SetProfiles(ctx)
}

// describesDeployed tells whether the coordinator profile has an equal
// manifest. One that cannot be read is no reason to stop: it is to be replaced.
func (s *session) describesDeployed(manifest *models.Manifest) bool {
	previous, _, err := s.oldManifest()
	if err != nil {
		s.reporter.Problem("", strings.TrimPrefix(err.Error(), "[coordinator]: "))
		return false
	}
	return previous != nil && previous.Equal(manifest)
}

// buildManifest puts a manifest into the store, by way of a deployment model.
func (s *session) buildManifest(ctx context.Context, m *models.Manifest) (string, *models.Manifest, error) {
	dir, err := os.MkdirTemp("", "disnix-deployment.")
	if err != nil {
		return "", nil, fmt.Errorf("make room for the deployment model: %w", err)
	}
	defer os.RemoveAll(dir)
	model := filepath.Join(dir, "deployment.nix")
	f, err := os.OpenFile(model, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return "", nil, fmt.Errorf("write the deployment model: %w", err)
	}
	err = m.WriteNix(f)
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return "", nil, fmt.Errorf("write the deployment model: %w", err)
	}
	return evaluation.BuildManifest(ctx, evaluation.Inputs{
		Deployment:      model,
		TargetProperty:  s.targetProperty(),
		ClientInterface: s.clientInterface(),
		ShowTrace:       s.Bool("show-trace"),
		Log:             s.buildLog(),
	})
}
