package evaluation

import (
	"context"
	"maps"
	"slices"

	"github.com/disnix-go/disnix/models"
)

// BuildManifest evaluates the models, builds all packages and profiles and
// puts the manifest into the store. It returns the store path of the
// manifest, which keeps everything that the manifest mentions alive, and the
// manifest with its profiles.
//
// The errors are those of [Evaluate] and [System.Build]. The store path is
// not protected from the garbage collector until a profile or [Link] refers
// to it.
func BuildManifest(ctx context.Context, in Inputs) (string, *models.Manifest, error) {
	system, err := Evaluate(ctx, in)
	if err != nil {
		return "", nil, err
	}
	return system.Build(ctx)
}

// Build builds all packages and profiles, and puts the manifest into the
// store. Packages that can not be built are reported as a [*BuildError].
func (s *System) Build(ctx context.Context) (string, *models.Manifest, error) {
	realised, err := s.buildPackages(ctx)
	if err != nil {
		return "", nil, err
	}
	w, err := newWorkspace(s.in.Log)
	if err != nil {
		return "", nil, err
	}
	defer w.close()
	manifest := *s.Manifest
	if s.profiles != nil {
		manifest.Profiles, err = s.buildProfiles(ctx, w, realised)
		if err != nil {
			return "", nil, err
		}
	}
	path, err := w.addText(ctx, "manifest.xml", manifest.WriteXML, s.manifestReferences(&manifest, realised))
	if err != nil {
		return "", nil, err
	}
	return path, &manifest, nil
}

// buildPackages realises all that the manifest refers to.
func (s *System) buildPackages(ctx context.Context) (map[string]string, error) {
	needed := s.needed()
	var failures failureLines
	realised, err := realise(ctx, s.in.Log, needed.installables(), &failures)
	if err != nil {
		return nil, s.explainBuildFailure(ctx, err, failures.String())
	}
	return realised, nil
}

// needed is the context of the whole manifest.
func (s *System) needed() stringContext {
	needed := make(stringContext)
	needed.add(s.context)
	for _, context := range s.containers {
		needed.add(context)
	}
	for _, packages := range s.profiles {
		for _, pkg := range packages {
			needed.add(pkg.Context)
		}
	}
	return needed
}

// manifestReferences returns the store paths that the manifest mentions.
func (s *System) manifestReferences(manifest *models.Manifest, realised map[string]string) []string {
	references := s.needed().paths(realised)
	references = slices.AppendSeq(references, maps.Values(manifest.Profiles))
	slices.Sort(references)
	return slices.Compact(references)
}
