package main

import (
	"bufio"
	"fmt"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/disnix-go/disnix/dysnomia"
)

func containersProgram() *program {
	return &program{
		name:     "dysnomia-containers",
		summary:  "Works on all containers and components of this machine",
		synopsis: []string{"ACTION [OPTION]..."},
		description: `
Works on all components of this machine at once, and describes its
configuration. Available components are the entries CONTAINER/COMPONENT of the
component directories; activated ones are those whose activation is recorded in
the state directory.

An action that fails for some components is carried out for the others
nevertheless; the exit status is then 1.`,
		groups: []optionGroup{
			{"Actions", []cli.Flag{
				&cli.BoolFlag{Name: "query-containers", Usage: "Prints the names of all containers"},
				&cli.BoolFlag{Name: "query-available-components", Usage: "Prints all available components"},
				&cli.BoolFlag{Name: "query-activated-components", Usage: "Prints all activated components"},
				&cli.BoolFlag{Name: "generate-expr", Usage: "Prints the configuration of the machine as a Nix expression"},
				&cli.BoolFlag{Name: "generate-dot", Usage: "Prints containers and available components as a graph for Graphviz"},
				&cli.BoolFlag{Name: "deploy", Usage: "Deactivates what is not available any more, and activates what is available"},
				&cli.StringFlag{Name: "operation", Aliases: []string{"o"}, Usage: "Runs the operation `OP` on all activated components"},
				&cli.BoolFlag{Name: "snapshot", Usage: "Captures the state of all activated components"},
				&cli.BoolFlag{Name: "restore", Usage: "Restores the latest snapshots of all activated components"},
				&cli.BoolFlag{Name: "collect-garbage", Usage: "Deletes the state of all deactivated components"},
			}},
			{"Options", []cli.Flag{
				&cli.StringFlag{Name: "container", Aliases: []string{"C"}, Usage: "Only the container `CONTAINER`"},
				&cli.BoolFlag{Name: "yes", Aliases: []string{"y"}, Usage: "Restores without asking"},
			}},
		},
		environment: append([]entry{{"DYSNOMIA_PROPERTIES", "File with the properties of the machine; /etc/dysnomia/properties if not set"}}, dysnomiaVariables...),
		examples: []entry{
			{"dysnomia-containers --deploy", "Activate what the configuration of the machine provides:"},
			{"dysnomia-containers --snapshot -C mysql-database", "Back up all databases of one container:"},
		},
		action: runContainers,
	}
}

func runContainers(inv *invocation) error {
	if _, err := inv.operands(0); err != nil {
		return err
	}
	host, err := newHost()
	if err != nil {
		return err
	}
	ctx := inv.Context.Context
	batch := dysnomia.Batch{Container: inv.String("container"), Stdout: inv.stdout, Stderr: inv.stderr}
	action := inv.last("query-containers", "query-available-components", "query-activated-components",
		"generate-expr", "generate-dot", "deploy", "operation", "snapshot", "restore", "collect-garbage")
	switch action {
	case "query-containers":
		return printEach(inv, host.QueryContainers, func(name string) string { return name })
	case "query-available-components":
		return printEach(inv, host.QueryAvailableComponents, dysnomia.Component.String)
	case "query-activated-components":
		return printEach(inv, host.QueryActivatedComponents, dysnomia.Marker.String)
	case "generate-expr":
		expression, err := host.GenerateExpr(ctx, batch.Container)
		return inv.printText(expression, err)
	case "generate-dot":
		graph, err := host.GenerateDot(batch.Container)
		return inv.printText(graph, err)
	case "deploy":
		return host.Deploy(ctx, batch)
	case "operation":
		return host.RunOperation(ctx, dysnomia.Operation(inv.String("operation")), batch)
	case "snapshot":
		return host.RunOperation(ctx, dysnomia.Snapshot, batch)
	case "restore":
		if ok, err := inv.confirmRestore(); !ok {
			return err
		}
		return host.RunOperation(ctx, dysnomia.Restore, batch)
	case "collect-garbage":
		return host.CollectGarbage(ctx, batch)
	default:
		return fail("No action specified!")
	}
}

func printEach[T any](inv *invocation, query func(container string) ([]T, error), text func(T) string) error {
	items, err := query(inv.String("container"))
	if err != nil {
		return err
	}
	for _, item := range items {
		fmt.Fprintln(inv.stdout, text(item))
	}
	return nil
}

func (inv *invocation) printText(text string, err error) error {
	if err != nil {
		return err
	}
	_, err = fmt.Fprint(inv.stdout, text)
	return err
}

// confirmRestore asks whether present state may be overwritten.
func (inv *invocation) confirmRestore() (bool, error) {
	if inv.Bool("yes") {
		return true, nil
	}
	fmt.Fprint(inv.stdout, "Restoring overwrites the present state of all activated components with their\n"+
		"latest snapshots. Whatever changed since these were taken is lost. If you want\n"+
		"to keep it, take new snapshots first: dysnomia-containers --snapshot\n\n"+
		"Are you sure you want to proceed? [n] ")
	answer, err := bufio.NewReader(inv.stdin).ReadString('\n')
	if strings.TrimSuffix(answer, "\n") == "y" {
		return true, nil
	}
	fmt.Fprintln(inv.stdout, "Not executing the restore operations!")
	if err != nil {
		return false, fail("there is no answer: use -y to restore without being asked")
	}
	return false, nil
}
