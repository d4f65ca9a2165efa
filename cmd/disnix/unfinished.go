package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/disnix-go/disnix/coordinator"
	"github.com/disnix-go/disnix/coordinator/journal"
	"github.com/disnix-go/disnix/models"
	"github.com/disnix-go/disnix/service"
)

// journalPlace is where deployments of the profile are recorded while they
// are carried out.
func (s *session) journalPlace() *journal.Place {
	return &journal.Place{
		Dir:     s.profileDir,
		Profile: s.profile,
		Protect: func(link, path string) error { return service.ProtectFromGC(s.Context.Context, link, path) },
	}
}

// checkUnfinished fails if an earlier deployment must be completed or undone
// first.
func (s *session) checkUnfinished() error {
	return coordinator.CheckUnfinished(*s.journalPlace(), coordinator.Options{
		Profile:               s.profile,
		CoordinatorProfileDir: s.String("coordinator-profile-path"),
	})
}

// checkAlone refuses options that have no sense with the end of an unfinished
// deployment, of which everything is in the journal.
func (s *session) checkAlone(operation string) error {
	if s.Bool("resume") && s.Bool("abort") {
		return usageError{errors.New("options '--resume' and '--abort' exclude each other")}
	}
	for _, option := range []string{"dry-run", "services", "infrastructure", "distribution", "packages", "architecture", "deployment", "undeploy", "extra-params"} {
		if s.IsSet(option) {
			return usageError{fmt.Errorf("option '--%s' cannot be used with '--%s'", option, operation)}
		}
	}
	return nil
}

// endUnfinished completes an unfinished deployment, or undoes it.
func (s *session) endUnfinished(abort bool) error {
	j, err := journal.Open(*s.journalPlace())
	if errors.Is(err, journal.ErrNone) {
		return fail("[coordinator]: There is no unfinished deployment of profile %q in %s", s.profile, s.profileDir)
	}
	var running *journal.UnfinishedError
	if errors.As(err, &running) {
		return s.checkUnfinished()
	}
	if err != nil {
		return err
	}
	d, err := s.recordedDeployment(j)
	if err != nil {
		return errors.Join(err, j.Leave())
	}
	if abort {
		return deployStatus(d.Abort(s.Context.Context, j))
	}
	return deployStatus(d.Resume(s.Context.Context, j))
}

func (s *session) recordedDeployment(j *journal.Journal) (*coordinator.Deployment, error) {
	recorded, err := coordinator.ReadRecorded(j.State())
	if err != nil {
		return nil, err
	}
	d, err := s.deployment(recorded.Manifest, recorded.Previous, recorded.Options)
	if err != nil {
		return nil, err
	}
	d.ManifestPath, d.PreviousPath = recorded.ManifestPath, recorded.PreviousPath
	d.Options.ForceLock = s.Bool("force-lock")
	d.Forget = s.StringSlice("forget")
	d.AddManifest = func(ctx context.Context, m *models.Manifest) (string, error) {
		path, _, err := s.buildManifest(ctx, m)
		return path, err
	}
	return d, nil
}
