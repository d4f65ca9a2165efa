package evaluation

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/disnix-go/disnix/models"
	"github.com/disnix-go/disnix/models/nix"
)

// profile specifies one profile for glue/profiles.nix.
type profile struct {
	Name     string   `json:"name"`
	Manifest string   `json:"manifest"`
	Packages []string `json:"packages"`
	// References are further store paths that the profile manifest mentions.
	References []string `json:"references"`
}

// buildProfiles builds the profile of every target and returns their store
// paths. All packages are valid store paths already; realised gives the paths
// of what the containers refer to.
func (s *System) buildProfiles(ctx context.Context, w *workspace, realised map[string]string) (map[string]string, error) {
	targets := slices.Sorted(maps.Keys(s.profiles))
	manifests := s.Manifest.ProfileManifests()
	specifications := make([]profile, len(targets))
	for i, target := range targets {
		manifest, ok := manifests[target]
		if !ok {
			manifest = &models.ProfileManifest{}
		}
		dir := fmt.Sprintf("profile-%d", i)
		err := w.write(filepath.Join(dir, "profilemanifest.xml"), func(out io.Writer) error {
			return manifest.WriteXML(out, target)
		})
		if err != nil {
			return nil, fmt.Errorf("write profile manifest of target %q: %w", target, err)
		}
		specifications[i] = profile{
			Name:       storeName(target),
			Manifest:   filepath.Join(w.dir, dir),
			References: s.references(manifest, realised),
		}
		specifications[i].install(s.profiles[target])
	}
	specification, err := w.writeJSON("profiles.json", specifications)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	err = nix.Run(ctx, nix.Command{
		Name: "nix-build",
		Args: []string{"--no-out-link", w.expression("profiles.nix"), "--argstr", "specification", specification},

		Stdout: &out,
		Stderr: s.in.Log,
	})
	if err != nil {
		return nil, fmt.Errorf("build the profiles of the targets: %w", err)
	}
	paths := strings.Fields(out.String())
	if len(paths) != len(targets) {
		return nil, fmt.Errorf("build the profiles of %d targets: nix-build printed %d paths", len(targets), len(paths))
	}
	profiles := make(map[string]string, len(targets))
	for i, target := range targets {
		profiles[target] = paths[i]
	}
	return profiles, nil
}

// install adds packages without repetitions. Of a package that is not a
// directory no file can be linked, but the profile keeps it.
func (p *profile) install(packages []installable) {
	p.Packages = []string{}
	seen := make(map[string]bool, len(packages))
	for _, pkg := range packages {
		if seen[pkg.Path] {
			continue
		}
		seen[pkg.Path] = true
		if info, err := os.Stat(pkg.Path); err == nil && !info.IsDir() {
			p.References = append(p.References, pkg.Path)
			continue
		}
		p.Packages = append(p.Packages, pkg.Path)
	}
}

// references returns the store paths that the containers in a profile
// manifest refer to, sorted.
func (s *System) references(manifest *models.ProfileManifest, realised map[string]string) []string {
	needed := make(stringContext)
	for _, service := range manifest.Services {
		needed.add(s.containers[service.Name])
	}
	return needed.paths(realised)
}

// storeNameCharacters are those that the name of a store path may have.
var storeNameCharacters = regexp.MustCompile(`^[a-zA-Z0-9+_?=-][a-zA-Z0-9+._?=-]{0,199}$`)

// storeName returns the name of a target's profile in the store: the name of
// the target, if that is possible.
func storeName(target string) string {
	if storeNameCharacters.MatchString(target) {
		return target
	}
	sum := sha256.Sum256([]byte(target))
	return "target-" + hex.EncodeToString(sum[:8])
}
