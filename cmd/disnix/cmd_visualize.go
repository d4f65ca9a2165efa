package main

import (
	"github.com/urfave/cli/v2"
)

func visualizeProgram() *program {
	return &program{
		name:     "disnix-visualize",
		summary:  "Draws a deployed system as a graph",
		synopsis: []string{"[OPTION]... [MANIFEST]"},
		description: `
Prints a graph of the services of a system, the targets and containers that
they are deployed to, and their dependencies, in the language of Graphviz.
Without MANIFEST, the configuration deployed last is meant.`,
		groups: options(
			&cli.BoolFlag{Name: "no-containers", Usage: "Does not draw the containers"},
			profileFlag(),
			coordinatorProfilePathFlag(),
		),
		environment: []entry{profileVariable, nixStateVariable},
		examples:    []entry{{"disnix-visualize | dot -Tsvg > system.svg", "Draw what is deployed, with Graphviz:"}},
		action:      runVisualize,
	}
}

func runVisualize(inv *invocation) error {
	s, err := inv.newSession()
	if err != nil {
		return err
	}
	defer s.Close()
	manifest, _, err := s.givenOrDeployedManifest()
	if err != nil {
		return err
	}
	return manifest.WriteDot(inv.stdout, s.Bool("no-containers"))
}
