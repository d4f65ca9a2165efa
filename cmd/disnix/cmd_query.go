package main

import (
	"context"
	"fmt"
	"io"

	"github.com/urfave/cli/v2"

	"github.com/disnix-go/disnix/coordinator"
	"github.com/disnix-go/disnix/models"
	"github.com/disnix-go/disnix/models/evaluation"
)

func queryProgram() *program {
	return &program{
		name:     "disnix-query",
		summary:  "Shows which services are installed on which target",
		synopsis: []string{"[OPTION]... infrastructure_nix", "--xml [OPTION]... infrastructure_xml"},
		description: `
Asks all targets of an infrastructure what is deployed to them, and prints
their answers. Nothing is printed unless every target answers.`,
		groups: options(append(infrastructureFlags(),
			profileFlag(),
			&cli.StringFlag{Name: "format", Aliases: []string{"f"}, Value: "services", Usage: "Output `FORMAT`: services, containers, nix, xml or json; 'services' if not given"},
			showTraceFlag(),
		)...),
		environment: []entry{profileVariable, interfaceVariable, targetPropertyVariable},
		examples: []entry{
			{"disnix-query infrastructure.nix", "What is installed?"},
			{"disnix-query -f nix infrastructure.nix > installed.nix", "The complete manifests of the targets, as a Nix expression:"},
			{"disnix-query -f json infrastructure.nix", "The same for other programs:"},
		},
		document: true,
		action:   runQuery,
	}
}

func runQuery(inv *invocation) error {
	write, err := queryWriter(inv.String("format"))
	if err != nil {
		return err
	}
	return onSite(func(ctx context.Context, s *site) error {
		installed, err := coordinator.Query(ctx, s.targets, s.infrastructure, s.profile, s.reporter)
		if err != nil {
			return err
		}
		return write(installed, s.stdout)
	})(inv)
}

// queryWriter returns the writer of an output format.
func queryWriter(format string) (func(models.QueryResult, io.Writer) error, error) {
	switch format {
	case "services":
		return models.QueryResult.WriteServices, nil
	case "containers":
		return models.QueryResult.WriteContainers, nil
	case "nix":
		return models.QueryResult.WriteNix, nil
	case "xml":
		return models.QueryResult.WriteXML, nil
	case "json":
		return models.QueryResult.WriteJSON, nil
	default:
		return nil, usageError{fmt.Errorf("unknown format %q: it must be services, containers, nix, xml or json", format)}
	}
}

func normalizeInfraProgram() *program {
	return &program{
		name:     "disnix-normalize-infra",
		summary:  "Converts an infrastructure model to XML",
		synopsis: []string{"[OPTION]... infrastructure_nix"},
		description: `
Evaluates an infrastructure model, fills in what its targets leave out, and
prints it as XML, for programs that take it with their option --xml.`,
		groups: options(
			interfaceFlag(),
			targetPropertyFlag(),
			&cli.BoolFlag{Name: "raw", Usage: "Prints the XML notation of Nix instead"},
			showTraceFlag(),
		),
		environment: []entry{interfaceVariable, targetPropertyVariable},
		examples: []entry{
			{"disnix-normalize-infra infrastructure.nix > infrastructure.xml", "Evaluate once, and use the result often:"},
		},
		action: runNormalizeInfra,
	}
}

func runNormalizeInfra(inv *invocation) error {
	path, err := inv.operand()
	if err != nil {
		return err
	}
	if path == "" {
		return fail("An infrastructure model must be provided!")
	}
	in := inv.infrastructureInputs(path)
	if inv.Bool("raw") {
		document, err := evaluation.RawInfrastructure(inv.Context.Context, in)
		if err != nil {
			return err
		}
		_, err = inv.stdout.Write(document)
		return err
	}
	infrastructure, err := evaluation.Infrastructure(inv.Context.Context, in)
	if err != nil {
		return err
	}
	return infrastructure.WriteXML(inv.stdout)
}
