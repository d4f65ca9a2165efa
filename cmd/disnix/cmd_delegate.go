package main

import (
	"context"
	"fmt"

	"github.com/urfave/cli/v2"

	"github.com/disnix-go/disnix/coordinator"
	"github.com/disnix-go/disnix/models"
	"github.com/disnix-go/disnix/models/evaluation"
	"github.com/disnix-go/disnix/service"
)

// The commands that build packages on the targets.

func delegateProgram() *program {
	return &program{
		name:    "disnix-delegate",
		summary: "Builds the packages of a system on its targets",
		synopsis: []string{
			"-s services_nix -i infrastructure_nix -d distribution_nix [-P packages_nix] [OPTION]...",
			"-P packages_nix -i infrastructure_nix [OPTION]...",
			"-A architecture_nix [OPTION]...",
			"-B build_nix [OPTION]...",
		},
		description: `
Evaluates the models of a system here, builds each package on the targets that
it is for, and copies the results to this machine. A deployment then has
nothing left to build. A target builds as many packages at once as it has cores.`,
		groups: options(append(buildModelFlags(),
			interfaceFlag(),
			targetPropertyFlag(),
			transfersFlag(),
		)...),
		environment: []entry{interfaceVariable, targetPropertyVariable, temporaryVariable},
		examples: []entry{
			{"disnix-delegate -s services.nix -i infrastructure.nix -d distribution.nix", "Build everything where it will be used:"},
		},
		action: withSession(func(ctx context.Context, s *session) error {
			if _, err := s.operands(0); err != nil {
				return err
			}
			in, err := s.selectModels()
			if err != nil {
				return err
			}
			in.Log = s.buildLog()
			s.reporter.Progress("", "Instantiating store derivations...")
			_, document, err := evaluation.BuildDistributedDerivation(ctx, in)
			if err != nil {
				return err
			}
			s.reporter.Progress("", "Remotely building services...")
			return s.buildRemotely(ctx, document)
		}),
	}
}

func buildProgram() *program {
	return &program{
		name:     "disnix-build",
		summary:  "Builds store derivations on the targets",
		synopsis: []string{"[OPTION]... DISTRIBUTED_DERIVATION"},
		description: `
Copies the store derivations that a distributed derivation lists to their
targets, builds them there, and copies the results to this machine.
disnix-instantiate writes such a document.`,
		groups:      options(transfersFlag()),
		environment: []entry{temporaryVariable},
		examples: []entry{
			{"disnix-build $(disnix-instantiate --no-out-link -s services.nix -i infrastructure.nix -d distribution.nix)", "The two steps of disnix-delegate:"},
		},
		action: withSession(func(ctx context.Context, s *session) error {
			path, err := s.operand()
			if err != nil {
				return err
			}
			if path == "" {
				return fail("ERROR: No distributed derivation file specified!")
			}
			document, err := models.ReadDistributedDerivationFile(path)
			if err != nil {
				return fail("%w\n[coordinator]: Cannot open distributed derivation file!", err)
			}
			return s.buildRemotely(ctx, document)
		}),
	}
}

// buildRemotely builds a distributed derivation on the targets that it names.
func (s *session) buildRemotely(ctx context.Context, document *models.DistributedDerivation) error {
	host, err := newHost()
	if err != nil {
		return err
	}
	targets := s.reach(document.Infrastructure(), connector(host, s.reporter, service.LocalConfig{}))
	return s.build(ctx, document, targets)
}

// build builds a distributed derivation on targets that are reached already.
func (s *session) build(ctx context.Context, document *models.DistributedDerivation, targets *coordinator.Targets) error {
	transfers, err := s.number("max-concurrent-transfers", 1)
	if err != nil {
		return err
	}
	build := &coordinator.Build{
		Derivations: document,
		Targets:     targets,
		Store:       service.NixStore{Log: s.reporter.Output("")},
		Reporter:    s.reporter,
		Transfers:   transfers,
	}
	return build.Run(ctx)
}

func buildOnTargetsFlag() cli.Flag {
	return &cli.BoolFlag{Name: "build-on-targets", Usage: "Builds the packages on the targets that they are for, not here"}
}

// delegate builds the packages of a system on its targets, if the user wants
// that.
func (s *session) delegate(ctx context.Context, system *evaluation.System, targets *coordinator.Targets) error {
	if !s.Bool("build-on-targets") {
		return nil
	}
	document, err := system.DistributedDerivation()
	if err != nil {
		return fmt.Errorf("build on the targets: %w", err)
	}
	s.reporter.Progress("", "Remotely building services...")
	return s.build(ctx, document, targets)
}
