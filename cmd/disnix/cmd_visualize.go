package main

import (
	"bytes"
	"fmt"

	"github.com/urfave/cli/v2"
)

func visualizeProgram() *program {
	return &program{
		name:     "disnix-visualize",
		summary:  "Draws a deployed system as a graph",
		synopsis: []string{"[OPTION]... [MANIFEST]"},
		description: `
Prints a graph of the services of a system, the targets and containers that
they are deployed to, and their dependencies, in the language of Graphviz or as
a picture. Without MANIFEST, the configuration deployed last is meant.`,
		groups: options(
			&cli.BoolFlag{Name: "no-containers", Usage: "Does not draw the containers"},
			&cli.StringFlag{Name: "format", Aliases: []string{"f"}, Value: "dot", Usage: "Output `FORMAT`: dot, svg or png; 'dot' if not given"},
			profileFlag(),
			coordinatorProfilePathFlag(),
		),
		environment: []entry{profileVariable, nixStateVariable},
		examples:    []entry{{"disnix-visualize --format svg > system.svg", "Draw what is deployed:"}},
		action:      runVisualize,
	}
}

func runVisualize(inv *invocation) error {
	format := inv.String("format")
	switch format {
	case "dot", "svg", "png":
	default:
		return usageError{fmt.Errorf("unknown format %q: it must be dot, svg or png", format)}
	}
	s, err := inv.newSession()
	if err != nil {
		return err
	}
	defer s.Close()
	manifest, _, err := s.givenOrDeployedManifest()
	if err != nil {
		return err
	}
	var dot, picture bytes.Buffer
	if err := manifest.WriteDot(&dot, s.Bool("no-containers")); err != nil {
		return err
	}
	if format == "dot" {
		_, err = dot.WriteTo(inv.stdout)
		return err
	}
	if err := drawGraph(inv.Context.Context, dot.Bytes(), format, &picture); err != nil {
		return interrupted(inv.Context.Context, err)
	}
	_, err = picture.WriteTo(inv.stdout)
	return err
}
