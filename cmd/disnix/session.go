package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"github.com/disnix-go/disnix/coordinator"
	"github.com/disnix-go/disnix/models"
	"github.com/disnix-go/disnix/service"
)

// session is what a coordinator command works with: the user's choices, and
// how progress is shown. Close ends it.
type session struct {
	*invocation
	reporter   coordinator.Reporter
	profile    string
	profileDir string // where the generations of the coordinator profile are
	keepLocks  bool   // locks outlive this process
	closers    []func()
}

// newSession reads the options that all coordinator commands have.
func (inv *invocation) newSession() (*session, error) {
	profile, err := inv.profile()
	if err != nil {
		return nil, err
	}
	dir := inv.String("coordinator-profile-path")
	if dir == "" {
		if dir, err = service.CoordinatorProfileDir(); err != nil {
			return nil, err
		}
	}
	reporter, stop := newReporter(inv.progress, inv.stderr)
	forget := context.AfterFunc(inv.Context.Context, func() {
		undoing := ""
		if inv.undoes() {
			undoing = " and undoing what was done"
		}
		reporter.Problem("", "Interrupted: completing what is under way"+undoing+". "+
			"A second interrupt ends this program at once and leaves everything as it is.")
	})
	return &session{
		invocation: inv,
		reporter:   reporter,
		profile:    profile,
		profileDir: dir,
		closers:    []func(){stop, func() { forget() }},
	}, nil
}

// undoes tells whether the command takes back what it has begun when it is
// interrupted: a transition or locks.
func (inv *invocation) undoes() bool {
	if inv.Bool("resume") || inv.Bool("abort") {
		return false
	}
	return inv.hasFlag("no-lock") || inv.hasFlag("no-rollback") || inv.hasFlag("unlock")
}

// withSession returns the action of a command that works in a session.
func withSession(do func(context.Context, *session) error) func(*invocation) error {
	return func(inv *invocation) error {
		s, err := inv.newSession()
		if err != nil {
			return err
		}
		defer s.Close()
		ctx := inv.Context.Context
		return interrupted(ctx, do(ctx, s))
	}
}

// reach returns the connections to targets, which are closed with the session.
func (s *session) reach(infrastructure models.Infrastructure, connect coordinator.Connect) *coordinator.Targets {
	targets := coordinator.NewTargets(infrastructure, connect)
	s.closers = append(s.closers, func() { _ = targets.Close() })
	return targets
}

// Close closes all connections and ends the display.
func (s *session) Close() {
	for len(s.closers) > 0 {
		last := len(s.closers) - 1
		s.closers[last]()
		s.closers = s.closers[:last]
	}
}

// readManifest reads a manifest and checks that it can be worked with.
func readManifest(path string) (*models.Manifest, error) {
	m, err := models.ReadManifestFile(path)
	if err != nil {
		return nil, err
	}
	if err := m.Validate(); err != nil {
		return nil, fmt.Errorf("manifest %s is not valid:\n%w", path, err)
	}
	return m, nil
}

// previousManifest reads the manifest that is given with --old-manifest,
// otherwise the one at standard. It returns nil if there is neither: nothing
// has been deployed yet. It is not checked as a whole: a deployed system with a
// mistake can only be mended by an upgrade.
func (s *session) previousManifest(standard string) (*models.Manifest, string, error) {
	given := s.String("old-manifest")
	path := cmp.Or(given, standard)
	if path == "" {
		return nil, "", nil
	}
	m, err := models.ReadManifestFile(path)
	if err != nil && given == "" {
		return nil, "", fmt.Errorf("old manifest: %w: %s", err, coordinator.LostManifestAdvice)
	}
	if err != nil {
		return nil, "", fmt.Errorf("old manifest: %w", err)
	}
	return m, path, nil
}

// deployment assembles what the phases of a deployment need. The previous
// manifest may be nil.
func (s *session) deployment(manifest, previous *models.Manifest, options coordinator.Options) (*coordinator.Deployment, error) {
	config := service.LocalConfig{OwnLocks: !s.keepLocks, Purpose: s.name}
	host, err := newHost()
	if err != nil {
		return nil, err
	}
	targets := s.reach(coordinator.ReachableInfrastructure(manifest, previous), connector(host, s.reporter, config))
	config.Log = s.reporter.Output("")
	here := service.NewLocal(host, config)
	options.Profile = s.profile
	options.CoordinatorProfileDir = s.String("coordinator-profile-path")
	return &coordinator.Deployment{
		Manifest:     manifest,
		Previous:     previous,
		Targets:      targets,
		Store:        here,
		Snapshots:    here,
		EmptyProfile: service.AddEmptyProfile,
		Purpose:      s.name,
		KeepLocks:    s.keepLocks,
		Reporter:     s.reporter,
		Options:      options,
	}, nil
}

// transitionOptions reads the options about activation.
func (s *session) transitionOptions(o *coordinator.Options) error {
	var err error
	if s.hasFlag("max-concurrent-transfers") {
		if o.Transfers, err = s.number("max-concurrent-transfers", 1); err != nil {
			return err
		}
	}
	if s.hasFlag("max-concurrent-activities") {
		if o.Concurrency, err = s.number("max-concurrent-activities", 1); err != nil {
			return err
		}
	}
	o.NoUpgrade = s.Bool("no-upgrade")
	o.NoRollback = s.Bool("no-rollback")
	o.NoLock = s.Bool("no-lock")
	o.ForceLock = s.Bool("force-lock")
	o.NoCoordinatorProfile = s.Bool("no-coordinator-profile")
	o.NoTargetProfiles = s.Bool("no-target-profiles")
	o.NoMigration = s.Bool("no-migration")
	return nil
}

// migrationOptions reads the options about state.
func (s *session) migrationOptions() (coordinator.MigrationOptions, error) {
	keep, err := s.number("keep", 0)
	if err != nil {
		return coordinator.MigrationOptions{}, err
	}
	return coordinator.MigrationOptions{
		Container:    s.String("container"),
		Component:    s.String("component"),
		TransferOnly: s.Bool("transfer-only"),
		DepthFirst:   s.Bool("depth-first"),
		All:          s.Bool("all"),
		Keep:         keep,
		DeleteState:  s.enabled("delete-state", "DISNIX_DELETE_STATE"),
	}, nil
}

// hasFlag tells whether the program has an option of that name.
func (inv *invocation) hasFlag(name string) bool {
	for _, flag := range inv.App.Flags {
		if flag.Names()[0] == name {
			return true
		}
	}
	return false
}

// interrupted turns the error of a cancelled context into what the user did.
func interrupted(ctx context.Context, err error) error {
	if err != nil && errors.Is(err, context.Canceled) && ctx.Err() != nil {
		return fmt.Errorf("interrupted: %w", err)
	}
	return err
}
