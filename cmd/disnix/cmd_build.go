package main

import (
	"fmt"

	"github.com/urfave/cli/v2"

	"github.com/disnix-go/disnix/models/evaluation"
)

// The commands that evaluate models without building the system.

func gendistRoundRobinProgram() *program {
	return &program{
		name:     "disnix-gendist-roundrobin",
		summary:  "Generates a distribution model",
		synopsis: []string{"-s services_nix -i infrastructure_nix [OPTION]..."},
		description: `
Assigns the services to the targets in turn, both in alphabetical order, and
prints the store path of the distribution model.`,
		groups: options(
			&cli.StringFlag{Name: "services", Aliases: []string{"s"}, Usage: "Services model, in the file `services_nix`"},
			&cli.StringFlag{Name: "infrastructure", Aliases: []string{"i"}, Usage: "Infrastructure model, in the file `infrastructure_nix`"},
			&cli.StringFlag{Name: "extra-params", Usage: "Nix attribute set with `PARAMS` for the models that ask for them"},
			noOutLinkFlag(),
			showTraceFlag(),
		),
		environment: []entry{temporaryVariable},
		examples:    []entry{{"disnix-gendist-roundrobin -s services.nix -i infrastructure.nix", "Leave a link 'result' to the model:"}},
		action: func(inv *invocation) error {
			if _, err := inv.operands(0); err != nil {
				return err
			}
			path, err := evaluation.RoundRobin(inv.Context.Context, inv.inputs())
			if err != nil {
				return err
			}
			return inv.printResult(path)
		},
	}
}

func instantiateProgram() *program {
	return &program{
		name:    "disnix-instantiate",
		summary: "Lists which store derivations are built on which targets",
		synopsis: []string{
			"-s services_nix -i infrastructure_nix -d distribution_nix [-P packages_nix] [OPTION]...",
			"-P packages_nix -i infrastructure_nix [OPTION]...",
			"-A architecture_nix [OPTION]...",
			"-B build_nix [OPTION]...",
		},
		description: `
Evaluates the models of a system without building anything, and prints the
store path of the distributed derivation, which disnix-build takes.`,
		groups: options(append(buildModelFlags(),
			interfaceFlag(),
			targetPropertyFlag(),
			noOutLinkFlag(),
		)...),
		environment: []entry{interfaceVariable, targetPropertyVariable, temporaryVariable},
		examples:    []entry{{"disnix-instantiate -s services.nix -i infrastructure.nix -d distribution.nix", "Leave a link 'result' to the document:"}},
		action: func(inv *invocation) error {
			if _, err := inv.operands(0); err != nil {
				return err
			}
			in, err := inv.selectModels()
			if err != nil {
				return err
			}
			path, _, err := evaluation.BuildDistributedDerivation(inv.Context.Context, in)
			if err != nil {
				return err
			}
			return inv.printResult(path)
		},
	}
}

// buildModelFlags are the options of modelFlags that a distributed derivation
// can be made from, and that of the build model.
func buildModelFlags() []cli.Flag {
	flags := []cli.Flag{
		&cli.StringFlag{Name: "build", Aliases: []string{"B"}, Usage: "Build model: the distributed derivation as a Nix expression, in the file `build_nix`"},
	}
	for _, flag := range modelFlags() {
		switch flag.Names()[0] {
		case "deployment", "undeploy", "deploy-state":
		default:
			flags = append(flags, flag)
		}
	}
	return flags
}

// printResult prints a store path and, unless the user does not want it, links
// to it.
func (inv *invocation) printResult(path string) error {
	if !inv.Bool("no-out-link") {
		if err := evaluation.Link(inv.Context.Context, path, "result"); err != nil {
			return err
		}
	}
	fmt.Fprintln(inv.stdout, path)
	return nil
}
