package coordinator

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/disnix-go/disnix/models"
	"github.com/disnix-go/disnix/service"
)

// ManifestCapture makes the manifest of a deployed system from what its targets
// have, for a coordinator that does not know it (any more).
type ManifestCapture struct {
	Targets        *Targets
	Infrastructure models.Infrastructure
	// Profile is the profile's name; empty means [DefaultProfile].
	Profile string
	// Store is the Nix store of the coordinator, which gets the closures of the
	// profiles.
	Store service.Store
	// Transfers is the number of targets from which closures are copied at once;
	// below one means 2.
	Transfers int
	Reporter  Reporter
}

// installation is what is deployed to one target.
type installation struct {
	target   string
	document []byte // its profile manifest, as the target sent it
	manifest *models.ProfileManifest
	// candidates are the store paths of the profiles that may be meant; after
	// the retrieval profile is the one that is.
	candidates []string
	profile    string
}

// Run asks all targets for what is deployed to them, copies the closures of
// their profiles to the coordinator, and merges the profile manifests
// (commands, section 8). Targets to which nothing was ever deployed are part of
// the infrastructure only.
//
// It fails if one of the targets cannot be asked, because a manifest without its
// services would make the next deployment forget them, or if the profiles do not
// fit together.
func (c *ManifestCapture) Run(ctx context.Context) (*models.Manifest, error) {
	c.Reporter.Progress("", "Resolving target profile paths...")
	installed, err := c.resolveAll(ctx)
	if err != nil {
		return nil, fmt.Errorf("find the profiles of the targets: %w", err)
	}
	c.Reporter.Progress("", "Retrieving intra-dependency closures of the profiles...")
	if err := inParallel(ctx, installed, transfersOr(c.Transfers), func(i *installation) error { return c.retrieve(ctx, i) }); err != nil {
		return nil, fmt.Errorf("retrieve the profiles of the targets: %w", err)
	}
	profiles := make(map[string]string, len(installed))
	answers := make(models.QueryResult, len(installed))
	for n, i := range installed {
		profiles[i.target] = i.profile
		answers[n] = models.TargetProfile{Target: i.target, Manifest: i.manifest}
	}
	manifest := answers.Merge(profiles, c.Infrastructure)
	if err := manifest.Validate(); err != nil {
		return nil, fmt.Errorf("the profiles of the targets do not fit together: one is of another deployment, or a target is missing in the infrastructure model:\n%w", err)
	}
	return manifest, nil
}

// resolveAll returns what is deployed, sorted by target.
func (c *ManifestCapture) resolveAll(ctx context.Context) ([]*installation, error) {
	targets := slices.Sorted(maps.Keys(c.Infrastructure))
	found := make([]*installation, len(targets))
	for n, target := range targets {
		found[n] = &installation{target: target}
	}
	err := inParallel(ctx, found, 0, func(i *installation) error {
		if err := c.resolve(ctx, i); err != nil {
			c.Reporter.Problem(i.target, "Cannot query the requisites of the profile!")
			return fmt.Errorf("target %q: %w", i.target, err)
		}
		return nil
	})
	return slices.DeleteFunc(found, func(i *installation) bool { return i.manifest == nil }), err
}

// resolve finds out what is deployed to a target, and where in its store that
// is. Of all places where the profile may be, those count whose closure has all
// that the target says to have installed.
func (c *ManifestCapture) resolve(ctx context.Context, i *installation) error {
	profile := ProfileName(c.Infrastructure, cmp.Or(c.Profile, DefaultProfile), i.target)
	t, err := c.Targets.Get(ctx, i.target)
	if err != nil {
		return err
	}
	document, err := t.QueryInstalled(ctx, profile)
	if err != nil {
		return err
	}
	if len(bytes.TrimSpace(document)) == 0 {
		return nil // nothing was ever deployed
	}
	manifest, err := models.ReadProfileManifest(bytes.NewReader(document), i.target)
	if err != nil {
		return fmt.Errorf("read the manifest of profile %q: %w", profile, err)
	}
	var problems []error
	for _, path := range service.ProfilePaths(t, profile) {
		requisites, err := t.QueryRequisites(ctx, []string{path})
		switch {
		case err != nil:
			problems = append(problems, err)
		case len(requisites) == 0:
			problems = append(problems, fmt.Errorf("profile %s is not in the Nix store of the target", path))
		case !hasPackages(requisites, manifest):
			problems = append(problems, fmt.Errorf("profile %s is not the one that is installed", path))
		default:
			i.candidates = append(i.candidates, requisites[len(requisites)-1]) // dependencies come first
		}
	}
	if len(i.candidates) == 0 {
		return fmt.Errorf("find the store path of profile %q: %w", profile, errors.Join(problems...))
	}
	i.document, i.manifest = document, manifest
	return nil
}

// hasPackages reports whether a closure has the packages of all services.
func hasPackages(requisites []string, manifest *models.ProfileManifest) bool {
	present := make(map[string]bool, len(requisites))
	for _, path := range requisites {
		present[path] = true
	}
	for _, s := range manifest.Services {
		if !present[s.Package] {
			return false
		}
	}
	return true
}

// retrieve copies the closure of a target's profile to the coordinator. Only
// then it can be read there whether it is the right one.
func (c *ManifestCapture) retrieve(ctx context.Context, i *installation) error {
	err := c.retrieveOneOf(ctx, i)
	if err != nil {
		c.Reporter.Problem(i.target, "Cannot retrieve intra-dependency closure of profile!")
		return fmt.Errorf("target %q: %w", i.target, err)
	}
	return nil
}

func (c *ManifestCapture) retrieveOneOf(ctx context.Context, i *installation) error {
	t, err := c.Targets.Get(ctx, i.target)
	if err != nil {
		return err
	}
	for _, path := range i.candidates {
		if _, err := service.CopyClosure(ctx, t, c.Store, []string{path}); err != nil {
			return fmt.Errorf("copy the closure of %s: %w", path, err)
		}
		document, err := os.ReadFile(filepath.Join(path, "profilemanifest.xml"))
		if err == nil && bytes.Equal(bytes.TrimSpace(document), bytes.TrimSpace(i.document)) {
			i.profile = path
			return nil
		}
	}
	return fmt.Errorf("profile %s is not the one that is installed: it was changed meanwhile, so try again", i.candidates[0])
}
