package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/disnix-go/disnix/models"
)

func visualizeProgram() *program {
	return &program{
		name:     "disnix-visualize",
		summary:  "Draws a deployed system as a graph",
		synopsis: []string{"[OPTION]... [MANIFEST]"},
		description: `
Prints a graph of the services of a system, the targets and containers that
they are deployed to, and their dependencies: in the language of Graphviz, or as
a picture. Without MANIFEST, the configuration deployed last is meant.`,
		groups: options(
			&cli.BoolFlag{Name: "no-containers", Usage: "Does not draw the containers"},
			&cli.StringFlag{Name: "format", Aliases: []string{"f"}, Value: "dot", Usage: "Output `FORMAT`: dot, svg or png; 'dot', the language of Graphviz, if not given"},
			profileFlag(),
			coordinatorProfilePathFlag(),
		),
		environment: []entry{profileVariable, nixStateVariable},
		examples: []entry{
			{"disnix-visualize --format svg > system.svg", "Draw what is deployed:"},
			{"disnix-visualize | neato -Tpdf > system.pdf", "Leave that to Graphviz, if it is installed:"},
		},
		document: true,
		action: func(inv *invocation) error {
			format := inv.String("format")
			switch format {
			case "dot", "svg", "png":
			default:
				return usageError{fmt.Errorf("unknown format %q: it must be dot, svg or png", format)}
			}
			return withSession(runVisualize)(inv)
		},
	}
}

func runVisualize(ctx context.Context, s *session) error {
	manifest, _, err := s.givenOrDeployedManifest()
	if err != nil {
		return err
	}
	if format := s.String("format"); format != "dot" {
		return s.draw(ctx, manifest, format)
	}
	return manifest.WriteDot(s.stdout, s.Bool("no-containers"))
}

// drawingProgram makes the pictures. It is a program of its own because the
// library that it is made with takes too long to start.
const drawingProgram = "disnix-draw"

// draw writes a manifest as a picture.
func (s *session) draw(ctx context.Context, manifest *models.Manifest, format string) error {
	var graph bytes.Buffer
	if err := manifest.WriteDot(&graph, s.Bool("no-containers")); err != nil {
		return err
	}
	if file, ok := s.stdout.(*os.File); ok && isTerminal(file) {
		return fmt.Errorf("a picture is of no use on a terminal: redirect the output to a file, such as system.%s", format)
	}
	path, err := besideThis(drawingProgram)
	if err != nil {
		return fmt.Errorf("draw as %s: %w", format, err)
	}
	var diagnostics strings.Builder
	cmd := exec.CommandContext(ctx, path, format)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = &graph, io.Writer(s.stdout), &diagnostics
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("draw as %s: %w: %s", format, err, strings.TrimSpace(diagnostics.String()))
	}
	return nil
}

// besideThis returns the path of a program that is installed in the directory
// of this one.
func besideThis(name string) (string, error) {
	own, err := os.Executable()
	if err == nil {
		own, err = filepath.EvalSymlinks(own)
	}
	if err != nil {
		return "", fmt.Errorf("find out where this program is installed: %w", err)
	}
	path := filepath.Join(filepath.Dir(own), name)
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("program %s is missing: it belongs beside %s; install it, or use --format dot and Graphviz", path, own)
	} else if err != nil {
		return "", err
	}
	return path, nil
}
