package main

import (
	"github.com/urfave/cli/v2"

	"github.com/disnix-go/disnix/models/evaluation"
)

// modelFlags are the options that name model files (commands, section 2).
func modelFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "services", Aliases: []string{"s"}, Usage: "Services model: what there is to be deployed, in the file `services_nix`"},
		&cli.StringFlag{Name: "infrastructure", Aliases: []string{"i"}, Usage: "Infrastructure model: the machines and their containers, in the file `infrastructure_nix`"},
		&cli.StringFlag{Name: "distribution", Aliases: []string{"d"}, Usage: "Distribution model: which service goes where, in the file `distribution_nix`"},
		&cli.StringFlag{Name: "packages", Aliases: []string{"P"}, Usage: "Packages model: what is only installed, in the file `packages_nix`"},
		&cli.StringFlag{Name: "architecture", Aliases: []string{"A"}, Usage: "Deployment architecture model: all of the above in one file `architecture_nix`"},
		&cli.StringFlag{Name: "deployment", Aliases: []string{"D"}, Usage: "Deployment model: the manifest as a Nix expression, in the file `deployment_nix`"},
		&cli.BoolFlag{Name: "undeploy", Usage: "Describes the empty system on the infrastructure"},
		&cli.StringFlag{Name: "extra-params", Usage: "Nix attribute set with `PARAMS` for the models that ask for them, such as '{ prefix = \"test\"; }'"},
		&cli.BoolFlag{Name: "deploy-state", Usage: "Manages the state of all services that do not say otherwise"},
		showTraceFlag(),
	}
}

// inputs reads the options of modelFlags.
func (inv *invocation) inputs() evaluation.Inputs {
	return evaluation.Inputs{
		Services:        inv.String("services"),
		Infrastructure:  inv.String("infrastructure"),
		Distribution:    inv.String("distribution"),
		Packages:        inv.String("packages"),
		Architecture:    inv.String("architecture"),
		Deployment:      inv.String("deployment"),
		Build:           inv.String("build"),
		Undeploy:        inv.Bool("undeploy"),
		TargetProperty:  inv.targetProperty(),
		ClientInterface: inv.clientInterface(),
		DeployState:     inv.enabled("deploy-state", "DISNIX_DEPLOY_STATE"),
		ExtraParams:     inv.String("extra-params"),
		ShowTrace:       inv.Bool("show-trace"),
		Log:             inv.stderr,
	}
}

// selectModels checks that the given models describe a system.
func (inv *invocation) selectModels() (evaluation.Inputs, error) {
	in := inv.inputs()
	if _, err := in.Kind(); err != nil {
		return in, fail("%w", err)
	}
	return in, nil
}

// warn prints what is valid in the models, but probably not meant.
func (inv *invocation) warn(system *evaluation.System) {
	for _, warning := range system.Warnings {
		inv.printDiagnostic("warning: " + warning)
	}
}
