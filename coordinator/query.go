package coordinator

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/disnix-go/disnix/models"
)

// Query asks all targets of an infrastructure at once what is deployed to
// them in a profile. The answers are sorted by target. Query fails if one of
// the targets cannot be asked, or if its answer cannot be understood.
func Query(ctx context.Context, targets *Targets, infrastructure models.Infrastructure, profile string, r Reporter) (models.QueryResult, error) {
	names := slices.Sorted(maps.Keys(infrastructure))
	answers := make(models.QueryResult, len(names))
	numbers := make([]int, len(names))
	for i := range numbers {
		numbers[i] = i
	}
	err := inParallel(ctx, numbers, 0, func(i int) error {
		target := names[i]
		manifest, err := queryTarget(ctx, targets, target, ProfileName(infrastructure, profile, target))
		if err != nil {
			r.Problem(target, "Cannot query the installed services!")
			return fmt.Errorf("query the installed services of target %q: %w", target, err)
		}
		answers[i] = models.TargetProfile{Target: target, Manifest: manifest}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return answers, nil
}

func queryTarget(ctx context.Context, targets *Targets, target, profile string) (*models.ProfileManifest, error) {
	t, err := targets.Get(ctx, target)
	if err != nil {
		return nil, err
	}
	document, err := t.QueryInstalled(ctx, profile)
	if err != nil {
		return nil, err
	}
	if len(bytes.TrimSpace(document)) == 0 {
		return &models.ProfileManifest{}, nil // nothing was ever deployed
	}
	manifest, err := models.ReadProfileManifest(bytes.NewReader(document), target)
	if err != nil {
		return nil, fmt.Errorf("read the manifest of profile %q: %w", profile, err)
	}
	return manifest, nil
}
