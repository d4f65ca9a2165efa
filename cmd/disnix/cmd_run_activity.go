package main

import (
	"github.com/urfave/cli/v2"

	"github.com/disnix-go/disnix/service"
	"github.com/disnix-go/disnix/service/activitycmd"
)

// lockPurpose is recorded in the locks that disnix-run-activity acquires. They
// outlive it.
const lockPurpose = "disnix-run-activity --lock"

func runActivityProgram() *program {
	return &program{
		name:     "disnix-run-activity",
		summary:  "Carries out one deployment activity on this machine",
		synopsis: []string{"OPERATION [OPTION]... [PATH]...", "--serve"},
		description: `
Carries out a single activity on this machine, in this process. As a client
interface it deploys to the machine of the coordinator; on a target it is what
a remote client calls. With --serve it carries out any number of activities for
a client that speaks a protocol of its own on the standard input and output.`,
		groups: append(clientInterfaceGroups(), optionGroup{"Session options", []cli.Flag{
			serveFlag(),
		}}),
		environment: []entry{profileVariable, nixStateVariable, stateDirVariable, temporaryVariable},
		examples: []entry{
			{"disnix-run-activity --activate --type process --container process --arguments runtimeDir=/run /nix/store/...-server", "Activate a component:"},
			{"disnix-run-activity --query-installed --profile default", "Show what is deployed to this machine:"},
		},
		action: runActivity,
	}
}

// clientInterfaceGroups are the options of a client interface (commands, 1.7).
func clientInterfaceGroups() []optionGroup {
	return []optionGroup{
		{"Operations", operationFlags()},
		{"General options", []cli.Flag{
			&cli.StringFlag{Name: "target", Aliases: []string{"t"}, Usage: "Address `TARGET` of the target; ignored, since it is this machine"},
		}},
		{"Import/Export/Import snapshots/Export snapshots options", []cli.Flag{
			&cli.BoolFlag{Name: "localfile", Usage: "The paths are on the machine of the caller"},
			&cli.BoolFlag{Name: "remotefile", Usage: "The paths are on the target"},
		}},
		{"Shell options", []cli.Flag{
			&cli.StringFlag{Name: "command", Usage: "Runs `COMMAND` instead of an interactive session"},
		}},
		{"Set/Query installed/Lock/Unlock options", []cli.Flag{profileFlag()}},
		{"Collect garbage options", []cli.Flag{
			&cli.BoolFlag{Name: "delete-old", Aliases: []string{"d"}, Usage: "Deletes the old generations of all profiles, too"},
		}},
		{"Activation/Deactivation/Snapshot/Restore/Delete state/Shell options", []cli.Flag{
			&cli.StringFlag{Name: "type", Usage: "Dysnomia module `TYPE`, or the package of the service that provides the container"},
			&cli.StringSliceFlag{Name: "arguments", KeepSpace: true, Usage: "Container property `ARGUMENTS` as key=value; may be given several times"},
			&cli.StringFlag{Name: "container", Aliases: []string{"C"}, Usage: "Container `CONTAINER` of the component, the type if not given"},
		}},
		{"Snapshot query and clean options", []cli.Flag{
			&cli.StringFlag{Name: "component", Aliases: []string{"c"}, Usage: "Component `COMPONENT` whose snapshots are meant"},
			keepFlag(),
		}},
	}
}

// operationHelp explains the operations, in the order of the help text.
var operationHelp = []entry{
	{"import", "Adds the closures in files to the Nix store"},
	{"export", "Writes store paths to a file and prints its name"},
	{"print-invalid", "Prints those of the paths that are not in the Nix store"},
	{"realise", "Builds derivations and prints the results"},
	{"set", "Sets the profile to a store path"},
	{"query-installed", "Prints the manifest of the profile"},
	{"query-requisites", "Prints the closure of store paths"},
	{"collect-garbage", "Deletes what is not needed any more from the Nix store"},
	{"activate", "Activates a component"},
	{"deactivate", "Deactivates a component"},
	{"delete-state", "Deletes the state of a deactivated component"},
	{"lock", "Locks the profile"},
	{"unlock", "Unlocks the profile"},
	{"snapshot", "Captures the state of a component"},
	{"restore", "Restores the state of a component"},
	{"query-all-snapshots", "Prints all snapshots, oldest first"},
	{"query-latest-snapshot", "Prints the latest snapshot of each component"},
	{"print-missing-snapshots", "Prints those of the snapshots that are not stored"},
	{"import-snapshots", "Stores snapshots"},
	{"export-snapshots", "Copies snapshots to temporary directories and prints their names"},
	{"resolve-snapshots", "Prints the absolute paths of snapshots"},
	{"clean-snapshots", "Deletes old generations of snapshots"},
	{"capture-config", "Writes the configuration of this machine to a file and prints its name"},
	{"shell", "Opens a shell for a component"},
}

// operationAliases are the short names that two of the operations have.
var operationAliases = map[string]string{"realise": "r", "query-installed": "q"}

func operationFlags() []cli.Flag {
	flags := make([]cli.Flag, len(operationHelp))
	for i, operation := range operationHelp {
		flag := &cli.BoolFlag{Name: operation.term, Usage: operation.text}
		if alias := operationAliases[operation.term]; alias != "" {
			flag.Aliases = []string{alias}
		}
		flags[i] = flag
	}
	return flags
}

func runActivity(inv *invocation) error {
	if inv.Bool("serve") {
		return inv.serveSession(func() (service.Service, error) {
			host, err := newHost()
			return service.NewLocal(host, service.LocalConfig{Log: inv.stderr, Link: true, Purpose: lockPurpose}), err
		})
	}
	o, err := inv.activityOptions()
	if err != nil {
		return err
	}
	ctx, err := service.TakeClaim(inv.Context.Context)
	if err != nil {
		return err
	}
	host, err := newHost()
	if err != nil {
		return err
	}
	here := service.NewLocal(host, service.LocalConfig{Log: inv.stderr, Purpose: lockPurpose})
	if o.Operation == "shell" {
		ctx = withoutInterrupts(ctx)
	}
	status, err := activitycmd.Run(ctx, here, o, activitycmd.Streams{
		Stdin: inv.stdin, Stdout: inv.stdout, Stderr: inv.stderr,
	})
	if status == 0 {
		return err
	}
	return exitError{status, err}
}

func (inv *invocation) activityOptions() (activitycmd.Options, error) {
	var operations []string
	for _, operation := range operationHelp {
		operations = append(operations, operation.term)
	}
	keep, err := inv.number("keep", 0)
	if err != nil {
		return activitycmd.Options{}, err
	}
	return activitycmd.Options{
		Operation: inv.last(operations...),
		Target:    inv.String("target"),
		LocalFile: inv.Bool("localfile"),
		Profile:   inv.setting("profile", "DISNIX_PROFILE", ""),
		DeleteOld: inv.Bool("delete-old"),
		Type:      inv.String("type"),
		Container: inv.String("container"),
		Component: inv.String("component"),
		Arguments: inv.StringSlice("arguments"),
		Keep:      keep,
		Command:   inv.String("command"),
		Paths:     inv.Args().Slice(),
	}, nil
}
