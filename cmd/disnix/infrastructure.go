package main

import (
	"github.com/urfave/cli/v2"

	"github.com/disnix-go/disnix/models"
	"github.com/disnix-go/disnix/models/evaluation"
)

// infrastructureFlags are the options of commands that work on an
// infrastructure model (commands, section 8).
func infrastructureFlags() []cli.Flag {
	return []cli.Flag{
		interfaceFlag(),
		targetPropertyFlag(),
		&cli.BoolFlag{Name: "xml", Usage: "The operand is infrastructure XML, as disnix-normalize-infra prints it, not a Nix expression"},
	}
}

// infrastructure reads the model that is the operand.
func (inv *invocation) infrastructure() (models.Infrastructure, error) {
	path, err := inv.operand()
	if err != nil {
		return nil, err
	}
	if path == "" {
		return nil, fail("An infrastructure Nix expression has to be specified!")
	}
	infrastructure, err := inv.readInfrastructure(path)
	if err == nil {
		err = infrastructure.Validate()
	}
	if err != nil {
		return nil, fail("%w\n[coordinator]: Error retrieving targets from infrastructure model!", err)
	}
	return infrastructure, nil
}

func (inv *invocation) readInfrastructure(path string) (models.Infrastructure, error) {
	if inv.Bool("xml") {
		return models.ReadInfrastructureFile(path, models.TargetDefaults{
			TargetProperty:  inv.targetProperty(),
			ClientInterface: inv.clientInterface(),
		})
	}
	return evaluation.Infrastructure(inv.Context.Context, inv.infrastructureInputs(path))
}

func (inv *invocation) infrastructureInputs(path string) evaluation.Inputs {
	return evaluation.Inputs{
		Infrastructure:  path,
		TargetProperty:  inv.targetProperty(),
		ClientInterface: inv.clientInterface(),
		ShowTrace:       inv.Bool("show-trace"),
	}
}
