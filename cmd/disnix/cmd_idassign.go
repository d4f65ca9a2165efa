package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/urfave/cli/v2"

	"github.com/disnix-go/disnix/models"
	"github.com/disnix-go/disnix/models/evaluation"
	"github.com/disnix-go/disnix/models/idassign"
)

// The commands that assign unique numbers to services (process management
// page, section 8).

func idAssignProgram() *program {
	return &program{
		name:    "dydisnix-id-assign",
		summary: "Assigns unique numbers to services",
		synopsis: []string{
			"-s services_nix --id-resources id_resources_nix [OPTION]...",
			"-s services_nix -i infrastructure_nix -d distribution_nix --id-resources id_resources_nix [OPTION]...",
		},
		description: `
Assigns to each service a number of every resource that it lists in its
attribute requiresUniqueIdsFor, such as a port or a user id, and prints an
expression with all of them. The ID resources are ranges:

  { ports = { min = 3000; max = 4000; scope = "machine"; step = 1; }; }

With the scope "global", which is the default, a number is assigned once; with
"machine", once on each machine, which needs a distribution model. With one,
only services that are distributed get numbers.

With --ids, the expression of an earlier run, services keep their numbers as
long as they need them and the range allows it. Numbers that become free are
used again as late as possible.`,
		groups: options(append([]cli.Flag{
			&cli.StringFlag{Name: "services", Aliases: []string{"s"}, Usage: "Services model, in the file `services_nix`"},
			&cli.StringFlag{Name: "infrastructure", Aliases: []string{"i"}, Usage: "Infrastructure model, in the file `infrastructure_nix`"},
			&cli.StringFlag{Name: "distribution", Aliases: []string{"d"}, Usage: "Distribution model, in the file `distribution_nix`"},
			&cli.StringFlag{Name: "extra-params", Usage: "Nix attribute set with `PARAMS` for the models that ask for them"},
			&cli.BoolFlag{Name: "xml", Usage: "Reads XML documents instead of Nix expressions"},
			targetPropertyFlag(),
		}, idFlags()...)...),
		environment: []entry{targetPropertyVariable, temporaryVariable},
		examples: []entry{{
			"dydisnix-id-assign -s services.nix --id-resources idresources.nix --ids ids.nix --output-file ids.nix",
			"Assign numbers to new services:",
		}},
		action: runIDAssign,
	}
}

// idFlags are the options that both programs have.
func idFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "id-resources", Usage: "Ranges of numbers, in the file `id_resources_nix`"},
		&cli.StringFlag{Name: "ids", Usage: "Numbers of the last run, in the file `ids_nix`"},
		&cli.StringFlag{Name: "service-property", Value: "requiresUniqueIdsFor", Usage: "Attribute `PROPERTY` of services that lists resources, 'requiresUniqueIdsFor' if not given"},
		&cli.StringFlag{Name: "output-file", Usage: "Writes to `FILE` instead of standard output"},
		&cli.BoolFlag{Name: "output-xml", Usage: "Prints XML instead of a Nix expression"},
		showTraceFlag(),
	}
}

// idInputs reads the options of idFlags.
func (inv *invocation) idInputs(missing string) (evaluation.IDInputs, error) {
	in := evaluation.IDInputs{
		Resources:       inv.String("id-resources"),
		IDs:             inv.String("ids"),
		ServiceProperty: inv.String("service-property"),
	}
	if in.Resources == "" {
		return in, fail("%s", missing)
	}
	if in.ServiceProperty == "" {
		return in, usageError{errors.New("option '--service-property' needs the name of an attribute")}
	}
	return in, nil
}

func runIDAssign(inv *invocation) error {
	if _, err := inv.operands(0); err != nil {
		return err
	}
	if inv.String("services") == "" {
		return fail("%w", evaluation.ErrNoServices)
	}
	in, err := inv.idInputs("An ID resources expression must be specified!")
	if err != nil {
		return err
	}
	if inv.Bool("xml") {
		m, err := readIDModels(inv, in)
		if err != nil {
			return err
		}
		return inv.assignIDs(m)
	}
	in.Inputs = inv.inputs()
	return inv.evaluateAndAssign(in)
}

// readIDModels reads everything that ids are assigned by from XML documents.
func readIDModels(inv *invocation, in evaluation.IDInputs) (m idassign.Models, err error) {
	var problems models.Problems
	note := func(err error) {
		if err != nil {
			problems = append(problems, err)
		}
	}
	m.Services, err = models.ReadServicesPropertyFile(inv.String("services"), in.ServiceProperty)
	note(err)
	if distribution := inv.String("distribution"); distribution != "" {
		m.Distribution, err = models.ReadDistributionFile(distribution)
		note(err)
	}
	m.Resources, err = models.ReadIDResourcesFile(in.Resources)
	note(err)
	if in.IDs != "" {
		m.Previous, err = models.ReadIDsFile(in.IDs)
		note(err)
	}
	return m, problems.Err()
}

func nixprocIDAssignProgram() *program {
	return &program{
		name:     "nixproc-id-assign",
		summary:  "Assigns unique numbers to processes",
		synopsis: []string{"--id-resources id_resources_nix [OPTION]... [processes_nix]"},
		description: `
Assigns to each process of a processes model a number of every resource that it
lists in its attribute requiresUniqueIdsFor, in the manner of
dydisnix-id-assign without a distribution model. Without processes_nix, the
model is that of the variable NIXPROC_PROCESSES.`,
		groups: []optionGroup{
			{title: "Options", flags: append(idFlags(),
				&cli.StringFlag{Name: "extra-params", Usage: "Nix attribute set with `PARAMS` for the model if it asks for them"})},
			{title: "Parameters of the processes model", flags: processDirectoryFlags()},
		},
		environment: append([]entry{{"NIXPROC_PROCESSES", "Processes model, if none is given"}}, append(processDirectoryVariables(), temporaryVariable)...),
		examples: []entry{{
			"nixproc-id-assign --id-resources idresources.nix --ids ids.nix --output-file ids.nix processes.nix",
			"Assign numbers to new processes:",
		}},
		action: runNixprocIDAssign,
	}
}

func runNixprocIDAssign(inv *invocation) error {
	processes, err := inv.operand()
	if err != nil {
		return err
	}
	if processes == "" {
		processes = os.Getenv("NIXPROC_PROCESSES")
	}
	in, err := inv.idInputs("An ID resources configuration must be provided!")
	if err != nil {
		return err
	}
	if processes == "" {
		return fail("A processes Nix expression must be provided!")
	}
	in.ExtraParams, in.ShowTrace, in.Log = inv.String("extra-params"), inv.Bool("show-trace"), inv.stderr
	in.Processes, in.ProcessParams = processes, inv.processParams()
	return inv.evaluateAndAssign(in)
}

func (inv *invocation) evaluateAndAssign(in evaluation.IDInputs) error {
	m, err := evaluation.IDModels(inv.Context.Context, in)
	if err != nil {
		return err
	}
	return inv.assignIDs(m)
}

func (inv *invocation) assignIDs(m idassign.Models) error {
	for _, warning := range m.Warnings() {
		inv.printDiagnostic("warning: " + warning)
	}
	ids, err := m.Assign()
	if err != nil {
		return err
	}
	write := ids.WriteNix
	if inv.Bool("output-xml") {
		write = ids.WriteXML
	}
	file := inv.String("output-file")
	if file == "" {
		return write(inv.stdout)
	}
	if err := replaceFile(file, write); err != nil {
		return fmt.Errorf("write IDs: %w", err)
	}
	return nil
}

// replaceFile writes a file that, whatever happens, has the old content or
// all of the new: it may be the only record of what was assigned.
func replaceFile(path string, write func(io.Writer) error) error {
	if resolved, err := filepath.EvalSymlinks(path); err == nil {
		path = resolved
	}
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".")
	if err != nil {
		return err
	}
	mode := os.FileMode(0o644)
	if info, err := os.Stat(path); err == nil {
		mode = info.Mode().Perm()
	}
	err = errors.Join(write(f), f.Chmod(mode), f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		os.Remove(f.Name())
	}
	return err
}
