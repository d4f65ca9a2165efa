package main

import (
	"fmt"
	"os"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/disnix-go/disnix/service"
)

// Flags that several programs share. Each call returns a new flag, because
// the cli library keeps state in them.

func profileFlag() cli.Flag {
	return &cli.StringFlag{Name: "profile", Aliases: []string{"p"}, Usage: "Name of the `PROFILE` that is deployed, 'default' if not given"}
}

func coordinatorProfilePathFlag() cli.Flag {
	return &cli.StringFlag{Name: "coordinator-profile-path", Usage: "`PATH` of the directory with the generations of the coordinator profile"}
}

func interfaceFlag() cli.Flag {
	return &cli.StringFlag{Name: "interface", Usage: "Client `INTERFACE` for targets that name none: a built-in client or a program, 'disnix-ssh-client' if not given"}
}

func targetPropertyFlag() cli.Flag {
	return &cli.StringFlag{Name: "target-property", Usage: "Target `PROP`erty that holds the address, for targets that name none, 'hostname' if not given"}
}

func transfersFlag() cli.Flag {
	return &cli.IntFlag{Name: "max-concurrent-transfers", Aliases: []string{"m"}, Value: 2, Usage: "Copies closures and snapshots to or from at most `NUM` targets at once, 2 if not given"}
}

func concurrencyFlag() cli.Flag {
	return &cli.IntFlag{Name: "max-concurrent-activities", Usage: "Runs at most `NUM` activities at once on all targets together; without it, only the targets' own numbers of cores are the limit"}
}

func oldManifestFlag() cli.Flag {
	return &cli.StringFlag{Name: "old-manifest", Aliases: []string{"o"}, Usage: "Compares with this `MANIFEST` instead of the one deployed last"}
}

func noUpgradeFlag() cli.Flag {
	return &cli.BoolFlag{Name: "no-upgrade", Usage: "Ignores what is deployed: activates everything and deactivates nothing"}
}

func noRollbackFlag() cli.Flag {
	return &cli.BoolFlag{Name: "no-rollback", Usage: "Leaves a failed transition as it is, instead of going back"}
}

func noLockFlag() cli.Flag {
	return &cli.BoolFlag{Name: "no-lock", Usage: "Does not lock the targets"}
}

func forceLockFlag() cli.Flag {
	return &cli.BoolFlag{Name: "force-lock", Usage: "Takes the locks of targets away from others who hold them, and says who that was"}
}

func noCoordinatorProfileFlag() cli.Flag {
	return &cli.BoolFlag{Name: "no-coordinator-profile", Usage: "Does not record the deployment as a generation on this machine"}
}

func noTargetProfilesFlag() cli.Flag {
	return &cli.BoolFlag{Name: "no-target-profiles", Usage: "Does not set the profiles of the targets"}
}

func showTraceFlag() cli.Flag {
	return &cli.BoolFlag{Name: "show-trace", Usage: "Shows where in the models an evaluation error comes from"}
}

func noOutLinkFlag() cli.Flag {
	return &cli.BoolFlag{Name: "no-out-link", Usage: "Does not create the link 'result'"}
}

func deleteStateFlag() cli.Flag {
	return &cli.BoolFlag{Name: "delete-state", Usage: "Deletes the state of moved services after it was restored at the new place"}
}

func migrationFlags() []cli.Flag {
	return []cli.Flag{
		&cli.BoolFlag{Name: "transfer-only", Usage: "Copies existing snapshots, without taking or restoring any"},
		&cli.BoolFlag{Name: "depth-first", Usage: "Migrates one component after the other, to save room for snapshots"},
		&cli.BoolFlag{Name: "all", Usage: "Copies all generations of the snapshots, not only the latest"},
		keepFlag(),
	}
}

func keepFlag() cli.Flag {
	return &cli.IntFlag{Name: "keep", Value: 1, Usage: "Keeps `NUM` generations of snapshots when cleaning up, 1 if not given"}
}

// Environment variables, as the help texts explain them.
var (
	profileVariable        = entry{"DISNIX_PROFILE", "Name of the profile, if --profile is not given"}
	interfaceVariable      = entry{"DISNIX_CLIENT_INTERFACE", "Client interface, if --interface is not given"}
	targetPropertyVariable = entry{"DISNIX_TARGET_PROPERTY", "Target property, if --target-property is not given"}
	deployStateVariable    = entry{"DISNIX_DEPLOY_STATE", "1 has the effect of --deploy-state"}
	deleteStateVariable    = entry{"DISNIX_DELETE_STATE", "1 has the effect of --delete-state"}
	temporaryVariable      = entry{"TMPDIR", "Directory for temporary files, /tmp if not set"}
	nixStateVariable       = entry{"NIX_STATE_DIR", "Nix' state directory, which holds the profiles, /nix/var/nix if not set"}
	stateDirVariable       = entry{"DYSNOMIA_STATEDIR", "State directory of the plugin host: markers and snapshots; /var/state/dysnomia for root, ~/.dysnomia for others if not set"}
)

// setting returns the value of an option; if it is not given, that of an
// environment variable; if that is not set or empty, the standard value.
func (inv *invocation) setting(option, variable, standard string) string {
	if inv.IsSet(option) {
		return inv.String(option)
	}
	if value := os.Getenv(variable); value != "" {
		return value
	}
	return standard
}

// enabled tells whether an option is given or its variable is 1.
func (inv *invocation) enabled(option, variable string) bool {
	return inv.Bool(option) || os.Getenv(variable) == "1"
}

// profile returns the name of the profile, which is part of file names.
func (inv *invocation) profile() (string, error) {
	name := inv.setting("profile", "DISNIX_PROFILE", "default")
	if err := service.CheckProfileName(name); err != nil {
		return "", usageError{err}
	}
	if strings.HasPrefix(name, ".") {
		return "", usageError{fmt.Errorf("profile name %q is not usable: it begins with a dot", name)}
	}
	return name, nil
}

func (inv *invocation) clientInterface() string {
	return inv.setting("interface", "DISNIX_CLIENT_INTERFACE", "disnix-ssh-client")
}

func (inv *invocation) targetProperty() string {
	return inv.setting("target-property", "DISNIX_TARGET_PROPERTY", "hostname")
}

// number returns the value of an option that must be at least minimum.
func (inv *invocation) number(option string, minimum int) (int, error) {
	n := inv.Int(option)
	if inv.IsSet(option) && n < minimum {
		return 0, usageError{fmt.Errorf("invalid value %d for option '--%s': it must be at least %d", n, option, minimum)}
	}
	return n, nil
}

// operands returns the operands if there are at most limit.
func (inv *invocation) operands(limit int) ([]string, error) {
	operands := inv.Args().Slice()
	if len(operands) > limit {
		return nil, usageError{fmt.Errorf("unexpected operand %q", operands[limit])}
	}
	return operands, nil
}

// operand returns the only operand, or nothing if there is none.
func (inv *invocation) operand() (string, error) {
	operands, err := inv.operands(1)
	if err != nil || len(operands) == 0 {
		return "", err
	}
	return operands[0], nil
}
