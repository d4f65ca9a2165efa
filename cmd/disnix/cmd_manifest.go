package main

import (
	"fmt"

	"github.com/disnix-go/disnix/models/evaluation"
)

func manifestProgram() *program {
	return &program{
		name:    "disnix-manifest",
		summary: "Builds the manifest of a system from its models",
		synopsis: []string{
			"-s services_nix -i infrastructure_nix -d distribution_nix [-P packages_nix] [OPTION]...",
			"-P packages_nix -i infrastructure_nix [OPTION]...",
			"-A architecture_nix [OPTION]...",
			"-D deployment_nix [OPTION]...",
			"--undeploy -i infrastructure_nix [OPTION]...",
		},
		description: `
Evaluates the models of a system, builds all of its packages with Nix, and
prints the store path of the manifest: the document that says which services
are activated where and in which order. Nothing is deployed.

The manifest keeps everything that it mentions alive, as long as it is itself
protected from the garbage collector by the link 'result' or by a profile.`,
		groups: options(append(modelFlags(),
			interfaceFlag(),
			targetPropertyFlag(),
			noOutLinkFlag(),
		)...),
		environment: []entry{interfaceVariable, targetPropertyVariable, deployStateVariable, temporaryVariable},
		examples: []entry{
			{"disnix-manifest -s services.nix -i infrastructure.nix -d distribution.nix", "Build the manifest and leave a link 'result' to it:"},
			{"disnix-manifest -s services.nix -i infrastructure.nix -d distribution.nix --extra-params '{ domain = \"example.org\"; }'", "Pass a parameter to the services model:"},
		},
		action: runManifest,
	}
}

func runManifest(inv *invocation) error {
	if _, err := inv.operands(0); err != nil {
		return err
	}
	in, err := inv.selectModels()
	if err != nil {
		return err
	}
	system, err := evaluation.Evaluate(inv.Context.Context, in)
	if err != nil {
		return err
	}
	inv.warn(system)
	path, _, err := system.Build(inv.Context.Context)
	if err != nil {
		return err
	}
	if !inv.Bool("no-out-link") {
		if err := evaluation.Link(inv.Context.Context, path, "result"); err != nil {
			return err
		}
	}
	fmt.Fprintln(inv.stdout, path)
	return nil
}
