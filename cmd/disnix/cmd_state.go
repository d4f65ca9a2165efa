package main

import (
	"context"
	"fmt"

	"github.com/urfave/cli/v2"

	"github.com/disnix-go/disnix/coordinator"
)

// The commands that move the state of services.

func selectionFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "container", Aliases: []string{"c"}, Usage: "Only the state in the container `CONTAINER`"},
		&cli.StringFlag{Name: "component", Aliases: []string{"C"}, Usage: "Only the state of the component `COMPONENT`"},
	}
}

func stateFlags(more ...cli.Flag) []optionGroup {
	flags := append(selectionFlags(), oldManifestFlag(), profileFlag(), coordinatorProfilePathFlag(), transfersFlag(), noUpgradeFlag())
	flags = append(flags, more...)
	return options(append(flags, migrationFlags()...)...)
}

func migrateProgram() *program {
	return &program{
		name:     "disnix-migrate",
		summary:  "Moves the state of services to where they are now",
		synopsis: []string{"[OPTION]... [MANIFEST]"},
		description: `
Takes snapshots of the services that left a target since the old manifest,
and restores them where the services are in MANIFEST. Without MANIFEST, the
configuration deployed last is meant.

A deployment does this by itself. Use this command to complete a migration
that failed.`,
		groups:      stateFlags(deleteStateFlag()),
		environment: []entry{profileVariable, deleteStateVariable, nixStateVariable, stateDirVariable, temporaryVariable},
		examples: []entry{
			{"disnix-migrate -o old.xml new.xml", "Move what changed its place between two manifests:"},
		},
		action: stateAction(func(ctx context.Context, d *coordinator.Deployment) error {
			_, err := d.Migrate(ctx)
			if err != nil {
				err = fmt.Errorf("%w%s", err, d.MigrationAdvice(err))
			}
			return err
		}),
	}
}

func snapshotProgram() *program {
	return &program{
		name:     "disnix-snapshot",
		summary:  "Backs up the state of services to this machine",
		synopsis: []string{"[OPTION]... [MANIFEST]"},
		description: `
Takes snapshots of the state of services and copies them to the snapshot
repository of this machine. Without MANIFEST, these are all services of the
configuration deployed last; with it, those that it does not have any more.`,
		groups:      stateFlags(),
		environment: []entry{profileVariable, nixStateVariable, stateDirVariable, temporaryVariable},
		examples:    []entry{{"disnix-snapshot", "Back up everything:"}},
		action:      stateAction(func(ctx context.Context, d *coordinator.Deployment) error { return d.Snapshot(ctx) }),
	}
}

func restoreProgram() *program {
	return &program{
		name:     "disnix-restore",
		summary:  "Restores the state of services from this machine",
		synopsis: []string{"[OPTION]... [MANIFEST]"},
		description: `
Copies the latest snapshots from this machine to the targets and restores
them: those of the services that MANIFEST has in other places than the old
manifest or, with --no-upgrade, of all its services. Without MANIFEST, the
configuration deployed last is meant.`,
		groups:      stateFlags(),
		environment: []entry{profileVariable, nixStateVariable, stateDirVariable, temporaryVariable},
		examples:    []entry{{"disnix-restore --no-upgrade", "Restore everything that was backed up:"}},
		action:      stateAction(func(ctx context.Context, d *coordinator.Deployment) error { return d.Restore(ctx) }),
	}
}

func deleteStateProgram() *program {
	return &program{
		name:     "disnix-delete-state",
		summary:  "Deletes the state that services left behind",
		synopsis: []string{"[OPTION]... [MANIFEST]"},
		description: `
Deletes the state of the services in MANIFEST (of those deployed last without
it) from their targets. The state of services that are active is not deleted.`,
		groups:      options(append(selectionFlags(), profileFlag(), coordinatorProfilePathFlag())...),
		environment: []entry{profileVariable, nixStateVariable},
		examples:    []entry{{"disnix-delete-state old.xml", "Delete what is left of a former configuration:"}},
		action:      stateAction(func(ctx context.Context, d *coordinator.Deployment) error { return d.DeleteState(ctx) }),
	}
}

// stateAction runs a phase of a migration on the manifests that the arguments
// name.
func stateAction(run func(ctx context.Context, d *coordinator.Deployment) error) func(*invocation) error {
	return withSession(func(ctx context.Context, s *session) error {
		if s.name != "disnix-snapshot" { // a backup is useful at any time
			if err := s.checkUnfinished(); err != nil {
				return err
			}
		}
		d, err := s.stateDeployment()
		if err != nil {
			return err
		}
		return run(ctx, d)
	})
}

func (s *session) stateDeployment() (*coordinator.Deployment, error) {
	manifest, path, err := s.givenOrDeployedManifest()
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
	// A backup without a manifest is of everything that is deployed.
	options.NoUpgrade = options.NoUpgrade || s.Args().Len() == 0 && s.name == "disnix-snapshot"
	if options.Migration, err = s.migrationOptions(); err != nil {
		return nil, err
	}
	d, err := s.deployment(manifest, previous, options)
	if err != nil {
		return nil, err
	}
	d.ManifestPath, d.PreviousPath = path, previousPath
	return d, nil
}
