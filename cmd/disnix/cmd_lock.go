package main

import (
	"context"

	"github.com/urfave/cli/v2"
)

func lockProgram() *program {
	return &program{
		name:     "disnix-lock",
		summary:  "Locks or unlocks the targets of a manifest",
		synopsis: []string{"[OPTION]... [MANIFEST]"},
		description: `
Notifies the services of a deployed system and locks its targets, so that no
other deployment can change them, until they are unlocked with --unlock.
Without MANIFEST, the configuration deployed last is meant.

A deployment locks and unlocks by itself. Use this command to keep others out
for longer, or to remove locks that a deployment left behind.

If a target is locked already, the message says who holds the lock since when,
and whether that was a deployment that was interrupted. With --force the lock is
taken away: once nothing is under way on the target any more that was begun on
behalf of the former holder, that one can change nothing.`,
		groups: options(
			&cli.BoolFlag{Name: "unlock", Aliases: []string{"u"}, Usage: "Releases the locks, whoever holds them"},
			&cli.BoolFlag{Name: "force", Usage: "Takes the locks away from others who hold them, and says who that was; with --unlock, releases them then"},
			profileFlag(),
			coordinatorProfilePathFlag(),
		),
		environment: []entry{profileVariable, nixStateVariable, temporaryVariable},
		examples: []entry{
			{"disnix-lock", "Lock all targets of the deployed system:"},
			{"disnix-lock --unlock", "Release the locks again:"},
			{"disnix-lock --force --unlock", "Break the locks of a deployment that is gone for good:"},
		},
		action: withSession(func(ctx context.Context, s *session) error {
			s.keepLocks = true
			manifest, path, err := s.givenOrDeployedManifest()
			if err != nil {
				return err
			}
			d, err := s.single(manifest, path)
			if err != nil {
				return err
			}
			d.Options.ForceLock = s.Bool("force")
			if s.Bool("unlock") && !s.Bool("force") {
				return d.Unlock(ctx)
			}
			locks, err := d.Lock(ctx)
			if err == nil && s.Bool("unlock") {
				return locks.Release(ctx)
			}
			return err
		}),
	}
}
