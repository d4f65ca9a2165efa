package main

import (
	"context"
	"fmt"

	"github.com/urfave/cli/v2"

	"github.com/disnix-go/disnix/coordinator"
	"github.com/disnix-go/disnix/models"
	"github.com/disnix-go/disnix/service"
)

// The commands that copy between this machine and one target.

func copyFlags() []cli.Flag {
	return []cli.Flag{
		&cli.BoolFlag{Name: "to", Usage: "Copies to the target"},
		&cli.BoolFlag{Name: "from", Usage: "Copies from the target"},
		&cli.StringFlag{Name: "target", Aliases: []string{"t"}, Usage: "Address of the `TARGET`, as its client interface takes it"},
		interfaceFlag(),
	}
}

// copying connects this machine with the target of --target, and copies in the
// chosen direction.
func (inv *invocation) copying(do func(ctx context.Context, from, to service.Service) error) error {
	address := inv.String("target")
	switch {
	case inv.Bool("to") == inv.Bool("from"):
		return fail("ERROR: Either the --from or --to option must be used!")
	case address == "":
		return fail("ERROR: A target must be specified!\nName its address with --target.")
	}
	s, err := inv.newSession()
	if err != nil {
		return err
	}
	defer s.Close()
	host, err := newHost()
	if err != nil {
		return err
	}
	ctx := inv.Context.Context
	target, err := connector(host, s.reporter, service.LocalConfig{})(ctx, &models.Target{
		Name:            address,
		Properties:      models.Properties{"address": {Type: models.String, Text: address}},
		TargetProperty:  "address",
		ClientInterface: inv.clientInterface(),
		NumOfCores:      1,
	})
	if err != nil {
		return fmt.Errorf("connect to target %q: %w", address, err)
	}
	defer target.Close()
	from, to := service.Service(service.NewLocal(host, service.LocalConfig{Log: s.reporter.Output("")})), target
	if inv.Bool("from") {
		from, to = to, from
	}
	if err := do(ctx, from, to); err != nil {
		return interrupted(ctx, fmt.Errorf("target %q: %w", address, err))
	}
	return nil
}

func copyClosureProgram() *program {
	return &program{
		name:     "disnix-copy-closure",
		summary:  "Copies store paths to or from a target",
		synopsis: []string{"--to -t TARGET [OPTION]... PATH...", "--from -t TARGET [OPTION]... PATH..."},
		description: `
Copies paths of the Nix store, with everything that they refer to, between
this machine and a target, and prints what was copied. What the receiver has
already is not copied.`,
		groups:      options(copyFlags()...),
		environment: []entry{interfaceVariable, temporaryVariable},
		examples:    []entry{{"disnix-copy-closure --to -t node1.example.org $(readlink result)", "Copy a build result:"}},
		document:    true,
		action: func(inv *invocation) error {
			paths := inv.Args().Slice()
			if len(paths) == 0 {
				return fail("At least one path to the Nix store must be specified!")
			}
			return inv.copying(func(ctx context.Context, from, to service.Service) error {
				copied, err := service.CopyClosure(ctx, from, to, paths)
				for _, path := range copied {
					fmt.Fprintln(inv.stdout, path)
				}
				return err
			})
		},
	}
}

func copySnapshotsProgram() *program {
	return &program{
		name:     "disnix-copy-snapshots",
		summary:  "Copies snapshots to or from a target",
		synopsis: []string{"--to -t TARGET -c CONTAINER -C COMPONENT [OPTION]...", "--from -t TARGET -c CONTAINER -C COMPONENT [OPTION]..."},
		description: `
Copies the snapshots of a component between the snapshot repository of this
machine and that of a target. The latest becomes the newest generation of the
receiver.`,
		groups: options(append(copyFlags(),
			&cli.StringFlag{Name: "container", Aliases: []string{"c"}, Usage: "The `CONTAINER` of the component"},
			&cli.StringFlag{Name: "component", Aliases: []string{"C"}, Usage: "Name of the `COMPONENT`"},
			&cli.BoolFlag{Name: "all", Usage: "Copies all generations, not only the latest"},
		)...),
		environment: []entry{interfaceVariable, stateDirVariable, temporaryVariable},
		examples:    []entry{{"disnix-copy-snapshots --from -t node1.example.org -c mysql-database -C orders", "Fetch a backup:"}},
		action: func(inv *invocation) error {
			container, component := inv.String("container"), inv.String("component")
			switch _, err := inv.operands(0); {
			case err != nil:
				return err
			case container == "":
				return fail("ERROR: We need a container parameter!")
			case component == "":
				return fail("ERROR: We need a component parameter!")
			}
			return inv.copying(func(ctx context.Context, from, to service.Service) error {
				_, err := coordinator.CopySnapshots(ctx, from, to, container, component, inv.Bool("all"))
				return err
			})
		},
	}
}
