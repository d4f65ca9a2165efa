package main

import (
	"context"

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
		action:      withSession(runVisualize),
	}
}

func runVisualize(_ context.Context, s *session) error {
	manifest, _, err := s.givenOrDeployedManifest()
	if err != nil {
		return err
	}
	return manifest.WriteDot(s.stdout, s.Bool("no-containers"))
}
