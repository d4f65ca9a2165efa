package main

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/disnix-go/disnix/coordinator"
	"github.com/disnix-go/disnix/models"
	"github.com/disnix-go/disnix/service"
	"github.com/disnix-go/disnix/service/activitycmd"
)

func diagnoseProgram() *program {
	return &program{
		name:     "disnix-diagnose",
		summary:  "Opens a shell for a deployed service",
		synopsis: []string{"-S NAME [OPTION]... [MANIFEST]"},
		description: `
Connects to the target of a service and opens a shell there, with the
properties of its container in the environment. Without MANIFEST, a service of
the configuration deployed last is meant.

If the service is mapped to several containers or targets, choose one with
--container and --target, or run a --command on all of them, one after the
other, until it fails.`,
		groups: options(
			&cli.StringFlag{Name: "service", Aliases: []string{"S"}, Usage: "`NAME` of the service in the services model"},
			&cli.BoolFlag{Name: "show-mappings", Usage: "Shows where the service is, without connecting to it"},
			&cli.StringFlag{Name: "container", Aliases: []string{"c"}, Usage: "Only in the container `CONTAINER`"},
			&cli.StringFlag{Name: "target", Aliases: []string{"t"}, Usage: "Only on the target with the name `TARGET`"},
			&cli.StringFlag{Name: "command", Usage: "Runs the shell `COMMAND` instead of an interactive shell"},
			profileFlag(),
			coordinatorProfilePathFlag(),
		),
		exitStatus:  []entry{{"1", "There is no such service, or the choice is not unique"}, {"N", "The exit status of the shell or the command"}},
		environment: []entry{profileVariable, nixStateVariable},
		examples: []entry{
			{"disnix-diagnose -S orders", "Look around where a service runs:"},
			{"disnix-diagnose -S orders --command 'env'", "See the properties of its containers, on all targets:"},
		},
		action: runDiagnose,
	}
}

func runDiagnose(inv *invocation) error {
	name := inv.String("service")
	if name == "" {
		return fail("ERROR: No service name provided!")
	}
	s, err := inv.newSession()
	if err != nil {
		return err
	}
	defer s.Close()
	manifest, path, err := s.givenOrDeployedManifest()
	if err != nil {
		return err
	}
	mappings := coordinator.ServicesNamed(manifest, name, s.String("container"), s.String("target"))
	command := s.String("command")
	switch {
	case s.Bool("show-mappings"):
		fmt.Fprintf(s.stderr, "This service has been mapped to:\n\n")
		printMappings(s.stderr, mappings)
		return nil
	case len(mappings) == 0:
		return noMapping(s.stderr, manifest, name)
	case len(mappings) > 1 && command == "":
		fmt.Fprintf(s.stderr, "Multiple mappings found! Choose one with --target and --container, or run a\n--command on all of them. This service has been mapped to:\n\n")
		printMappings(s.stderr, mappings)
		return quiet(1)
	}
	d, err := s.single(manifest, path)
	if err != nil {
		return err
	}
	ctx := s.Context.Context
	if command == "" {
		ctx = withoutInterrupts(ctx)
	}
	shell := service.ShellSession{Command: command, Stdin: s.stdin, Stdout: s.stdout, Stderr: s.stderr}
	for _, mapping := range mappings {
		if err := d.Diagnose(ctx, mapping, shell); err != nil {
			return exitError{activitycmd.ExitStatus(err), fmt.Errorf("%s: %w", s.name, interrupted(ctx, err))}
		}
	}
	return nil
}

// noMapping tells what there is instead of the mapping that was asked for.
func noMapping(w io.Writer, manifest *models.Manifest, name string) error {
	fmt.Fprintln(w, "No mapping found that matches the provided selection criteria!")
	if mappings := coordinator.ServicesNamed(manifest, name, "", ""); len(mappings) > 0 {
		fmt.Fprintf(w, "This service has been mapped to:\n\n")
		printMappings(w, mappings)
		return quiet(1)
	}
	names := make(map[string]bool)
	for _, mapping := range manifest.ServiceMappings {
		if service := manifest.Services[mapping.Service]; service != nil {
			names[service.Name] = true
		}
	}
	deployed := cmp.Or(strings.Join(slices.Sorted(maps.Keys(names)), ", "), "none")
	fmt.Fprintf(w, "There is no service %q. Services that are deployed: %s\n", name, deployed)
	return quiet(1)
}

func printMappings(w io.Writer, mappings []models.ServiceMapping) {
	for _, mapping := range mappings {
		fmt.Fprintf(w, "container: %s, target: %s\n", mapping.Container, mapping.Target)
	}
}
