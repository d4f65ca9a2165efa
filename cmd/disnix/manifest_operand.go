package main

import (
	"github.com/disnix-go/disnix/coordinator"
	"github.com/disnix-go/disnix/models"
)

// givenManifest reads the manifest that is the operand of a command;
// complaint is what the original says when there is none (commands, 1.5).
func (s *session) givenManifest(complaint string) (*models.Manifest, string, error) {
	path, err := s.operand()
	if err != nil {
		return nil, "", err
	}
	if path == "" {
		return nil, "", fail("%s", complaint)
	}
	return openManifest(path)
}

// givenOrDeployedManifest reads the manifest that is the operand of a command
// or, without one, the manifest deployed last.
func (s *session) givenOrDeployedManifest() (*models.Manifest, string, error) {
	given, err := s.operand()
	if err != nil {
		return nil, "", err
	}
	path, err := coordinator.SelectManifest(given, s.profileDir, s.profile, s.reporter)
	if err != nil {
		return nil, "", fail("[coordinator]: Error opening manifest file! %w", err)
	}
	if path == "" {
		return nil, "", s.noManifest()
	}
	return openManifest(path)
}

// noManifest says that no manifest is given and none is deployed.
func (s *session) noManifest() error {
	return fail("Cannot open any manifest file!\nNothing has been deployed in profile %q from here yet (%s): name a manifest.", s.profile, s.profileDir)
}

func openManifest(path string) (*models.Manifest, string, error) {
	m, err := readManifest(path)
	if err != nil {
		return nil, "", fail("[coordinator]: Error opening manifest file! %w", err)
	}
	return m, path, nil
}

// oldManifest reads the manifest that is given with --old-manifest or,
// without it, the manifest deployed last. It returns nil on the first
// deployment.
func (s *session) oldManifest() (*models.Manifest, string, error) {
	given := s.String("old-manifest")
	path, err := coordinator.SelectManifest(given, s.profileDir, s.profile, s.reporter)
	if err != nil {
		return nil, "", fail("[coordinator]: Error opening the old manifest file! %w", err)
	}
	return s.previousManifest(path)
}

// manifestPair reads the manifest that is the operand and the one that it
// replaces.
func (s *session) manifestPair(complaint string) (*coordinator.Deployment, error) {
	manifest, path, err := s.givenManifest(complaint)
	if err != nil {
		return nil, err
	}
	previous, previousPath, err := s.oldManifest()
	if err != nil {
		return nil, err
	}
	var options coordinator.Options
	if err := s.transitionOptions(&options); err != nil {
		return nil, err
	}
	d, err := s.deployment(manifest, previous, options)
	if err != nil {
		return nil, err
	}
	d.ManifestPath, d.PreviousPath = path, previousPath
	return d, nil
}

// single assembles a deployment of one manifest, for a command that carries
// out one phase of it.
func (s *session) single(manifest *models.Manifest, path string) (*coordinator.Deployment, error) {
	var options coordinator.Options
	if err := s.transitionOptions(&options); err != nil {
		return nil, err
	}
	d, err := s.deployment(manifest, nil, options)
	if err != nil {
		return nil, err
	}
	d.ManifestPath = path
	return d, nil
}
