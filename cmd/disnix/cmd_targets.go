package main

import (
	"context"
	"errors"

	"github.com/urfave/cli/v2"

	"github.com/disnix-go/disnix/coordinator"
	"github.com/disnix-go/disnix/models"
	"github.com/disnix-go/disnix/service"
)

// The commands that do one thing on every target of an infrastructure.

// site is the targets of an infrastructure model and the connections to them.
type site struct {
	*session
	infrastructure models.Infrastructure
	targets        *coordinator.Targets
}

// onSite reads the infrastructure model that is the operand, and works with
// its targets.
func onSite(do func(context.Context, *site) error) func(*invocation) error {
	return withSession(func(ctx context.Context, s *session) error {
		infrastructure, err := s.infrastructure()
		if err != nil {
			return err
		}
		host, err := newHost()
		if err != nil {
			return err
		}
		targets := s.reach(infrastructure, connector(host, s.reporter, service.LocalConfig{}))
		return do(ctx, &site{s, infrastructure, targets})
	})
}

var siteSynopsis = []string{"[OPTION]... infrastructure_nix", "--xml [OPTION]... infrastructure_xml"}

func siteOptions(more ...cli.Flag) []optionGroup {
	return options(append(append(infrastructureFlags(), more...), showTraceFlag())...)
}

func collectGarbageProgram() *program {
	return &program{
		name:     "disnix-collect-garbage",
		summary:  "Collects the garbage in the Nix stores of all targets",
		synopsis: siteSynopsis,
		description: `
Removes from the Nix stores of all targets of an infrastructure what is not in
use any more. What a profile refers to, also an old generation of it, is in
use.`,
		groups: siteOptions(
			&cli.BoolFlag{Name: "delete-old", Aliases: []string{"d"}, Usage: "Removes the old generations of all profiles first: there is no way back to them then"},
		),
		environment: []entry{interfaceVariable, targetPropertyVariable},
		examples:    []entry{{"disnix-collect-garbage -d infrastructure.nix", "Keep only what is deployed now:"}},
		action: onSite(func(ctx context.Context, s *site) error {
			return coordinator.CollectGarbage(ctx, s.targets, s.infrastructure, s.Bool("delete-old"), s.reporter)
		}),
	}
}

func cleanSnapshotsProgram() *program {
	return &program{
		name:     "disnix-clean-snapshots",
		summary:  "Removes old snapshots on all targets",
		synopsis: siteSynopsis,
		description: `
Removes all but the newest generations of the snapshots that are stored on the
targets of an infrastructure.`,
		groups:      siteOptions(append(selectionFlags(), keepFlag())...),
		environment: []entry{interfaceVariable, targetPropertyVariable},
		examples:    []entry{{"disnix-clean-snapshots --keep 3 infrastructure.nix", "Keep three generations:"}},
		action: onSite(func(ctx context.Context, s *site) error {
			keep, err := s.number("keep", 0)
			if err != nil {
				return err
			}
			return coordinator.CleanSnapshots(ctx, s.targets, s.infrastructure, keep, s.String("container"), s.String("component"), s.reporter)
		}),
	}
}

func captureInfraProgram() *program {
	return &program{
		name:     "disnix-capture-infra",
		summary:  "Asks the targets for an infrastructure model",
		synopsis: siteSynopsis,
		description: `
Asks all targets of an infrastructure for their properties and containers, and
prints the answers as an infrastructure model. The given model has to say only
how the targets are reached. A target that fails is left out, and the exit
status is 1 then.`,
		groups:      siteOptions(),
		environment: []entry{interfaceVariable, targetPropertyVariable},
		examples:    []entry{{"disnix-capture-infra bootstrap.nix > infrastructure.nix", "Write the complete model:"}},
		document:    true,
		action: onSite(func(ctx context.Context, s *site) error {
			captured, err := coordinator.CaptureInfrastructure(ctx, s.targets, s.infrastructure, s.reporter)
			return errors.Join(err, captured.WriteNix(s.stdout))
		}),
	}
}
