package main

import (
	"errors"
	"fmt"
	"path/filepath"

	"github.com/urfave/cli/v2"

	"github.com/disnix-go/disnix/dysnomia"
)

func snapshotsProgram() *program {
	return &program{
		name:    "dysnomia-snapshots",
		summary: "Queries and maintains the snapshots on this machine",
		synopsis: []string{
			"--query-all [-C CONTAINER] [-c COMPONENT] [--check]",
			"--query-latest [-C CONTAINER] [-c COMPONENT] [--check]",
			"--print-missing SNAPSHOT...",
			"--resolve SNAPSHOT...",
			"--import -C CONTAINER -c COMPONENT PATH...",
			"--gc [--keep NUM] [-C CONTAINER] [-c COMPONENT]",
		},
		description: `
Works on the snapshot repository, which holds the state of components that was
captured on this machine or moved to it. A snapshot is named by its relative
path CONTAINER/COMPONENT/ID; all snapshots of a component that were taken one
after the other are its generations.`,
		groups: []optionGroup{
			{"Operations", []cli.Flag{
				&cli.BoolFlag{Name: "query-all", Usage: "Prints all generations, oldest first"},
				&cli.BoolFlag{Name: "query-latest", Usage: "Prints the latest generation of each component"},
				&cli.BoolFlag{Name: "print-missing", Usage: "Prints those of the given snapshots that are not stored here"},
				&cli.BoolFlag{Name: "resolve", Usage: "Prints the absolute paths of snapshots"},
				&cli.BoolFlag{Name: "import", Usage: "Stores snapshots and makes them the latest generations, in the given order"},
				&cli.BoolFlag{Name: "gc", Usage: "Deletes all but the latest generations"},
			}},
			{"Options", []cli.Flag{
				&cli.StringFlag{Name: "container", Aliases: []string{"C"}, Usage: "Only the container `CONTAINER`"},
				&cli.StringFlag{Name: "component", Aliases: []string{"c"}, Usage: "Only the component `COMPONENT`: a name, or a path whose name counts"},
				keepFlag(),
				&cli.BoolFlag{Name: "check", Usage: "Compares the snapshots that are printed with their checksums"},
			}},
		},
		environment: []entry{stateDirVariable},
		examples: []entry{
			{"dysnomia-snapshots --query-all --check", "List everything and check that it is intact:"},
			{"dysnomia-snapshots --gc --keep 3", "Keep three generations of each component:"},
		},
		action: runSnapshots,
	}
}

// repository is one run of dysnomia-snapshots.
type repository struct {
	*invocation
	state                *dysnomia.State
	container, component string
}

func runSnapshots(inv *invocation) error {
	host, err := newHost()
	if err != nil {
		return err
	}
	r := &repository{invocation: inv, state: host.State(), container: inv.String("container")}
	if component := inv.String("component"); component != "" {
		r.component = host.ComponentName(component)
	}
	switch inv.last("query-all", "query-latest", "print-missing", "resolve", "import", "gc") {
	case "query-all":
		return r.query(r.state.QueryAll)
	case "query-latest":
		return r.query(r.state.QueryLatest)
	case "print-missing":
		return r.printLines(r.state.PrintMissing)
	case "resolve":
		return r.printLines(r.state.Resolve)
	case "import":
		r.container = host.ContainerName(r.container, "")
		return r.importSnapshots()
	case "gc":
		return r.collect()
	default:
		return fail("No operation specified!")
	}
}

// query prints generations; with --check, all damaged ones are reported.
func (r *repository) query(find func(container, component string) ([]dysnomia.Generation, error)) error {
	if _, err := r.operands(0); err != nil {
		return err
	}
	generations, err := find(r.container, r.component)
	if err != nil {
		return err
	}
	damaged := 0
	for _, g := range generations {
		fmt.Fprintln(r.stdout, g.Snapshot())
		if !r.Bool("check") {
			continue
		}
		if err := r.state.Check(g); errors.Is(err, dysnomia.ErrNoChecksum) {
			fmt.Fprintln(r.stderr, "WARNING: no checksum found for snapshot: "+g.Snapshot())
		} else if err != nil {
			fmt.Fprintln(r.stderr, err)
			damaged++
		}
	}
	if damaged > 0 {
		return quiet(1)
	}
	return nil
}

func (r *repository) printLines(find func(snapshots []string) ([]string, error)) error {
	lines, err := find(r.Args().Slice())
	if err != nil {
		return err
	}
	for _, line := range lines {
		fmt.Fprintln(r.stdout, line)
	}
	return nil
}

func (r *repository) importSnapshots() error {
	if r.container == "" {
		return fail("ERROR: No container specified!")
	}
	if r.component == "" {
		return fail("ERROR: No component specified!")
	}
	for _, path := range r.Args().Slice() {
		absolute, err := filepath.Abs(path)
		if err != nil {
			return err
		}
		if err := r.state.Import(r.Context.Context, r.container, r.component, absolute); err != nil {
			return err
		}
	}
	return nil
}

func (r *repository) collect() error {
	if _, err := r.operands(0); err != nil {
		return err
	}
	keep, err := r.number("keep", 0)
	if err != nil {
		return err
	}
	removed, err := r.state.CleanSnapshots(r.container, r.component, keep)
	for _, g := range removed.Generations {
		fmt.Fprintf(r.stderr, "Removing old generation symlink: %s/%s/%d\n", g.Container, g.Component, g.Number)
	}
	for _, snapshot := range removed.Snapshots {
		fmt.Fprintln(r.stderr, "Removing old snapshot: "+snapshot)
	}
	return err
}
