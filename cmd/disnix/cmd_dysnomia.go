package main

import (
	"github.com/urfave/cli/v2"

	"github.com/disnix-go/disnix/dysnomia"
)

func dysnomiaProgram() *program {
	return &program{
		name:    "dysnomia",
		summary: "Runs an operation of a component in a container",
		synopsis: []string{
			"-o OPERATION -c COMPONENT -C CONTAINER",
			"-o OPERATION -c COMPONENT -t TYPE --environment [-C CONTAINER]",
			"--shell -c COMPONENT -C CONTAINER [--command COMMANDS]",
		},
		description: `
Finds the module that manages components of a type, and lets it carry out an
operation on a component in a container: activate, deactivate, lock, unlock,
snapshot, restore or collect-garbage.

A container is a file with properties such as ports and directories, and with
the type of the components it takes. It is searched by name, or given as a path
that begins with / or ./. With --environment, the properties are those of the
environment instead.`,
		groups: options(
			&cli.StringFlag{Name: "operation", Aliases: []string{"o"}, Usage: "Operation `OP` to be carried out"},
			&cli.StringFlag{Name: "component", Aliases: []string{"c"}, Usage: "Name or path of the component `COMPONENT`"},
			&cli.StringFlag{Name: "container", Aliases: []string{"C"}, Usage: "Name or path of the container file `CONTAINER`"},
			&cli.BoolFlag{Name: "environment", Aliases: []string{"E"}, Usage: "Takes the properties of the container from the environment"},
			&cli.StringFlag{Name: "type", Aliases: []string{"t"}, Usage: "Module `TYPE`, if the container does not say it: a name, an executable, or a package with libexec/dysnomia"},
			&cli.BoolFlag{Name: "shell", Usage: "Opens a shell session in the environment of the module"},
			&cli.StringFlag{Name: "command", Usage: "Runs `COMMANDS` in the shell session"},
		),
		exitStatus: []entry{
			{"0", "The operation succeeded"},
			{"1", "The component, container or module was not found, or could not be run"},
			{"other", "The exit status of the module"},
		},
		environment: dysnomiaVariables,
		examples: []entry{
			{"dysnomia -o activate -c ./mydb -C mysql-database", "Activate a component in a configured container:"},
			{"runtimeDir=/run dysnomia -o activate -c $(readlink -f result) -t process -E", "Activate a component with properties from the environment:"},
		},
		action: runDysnomia,
	}
}

// dysnomiaVariables are the settings of the plugin host.
var dysnomiaVariables = []entry{
	{"DYSNOMIA_CONTAINERS_PATH", "Directories with container files, separated by colons; /etc/dysnomia/containers if not set"},
	{"DYSNOMIA_COMPONENTS_PATH", "Directories with components; /etc/dysnomia/components if not set"},
	{"DYSNOMIA_MODULES_PATH", "Directories with modules that are preferred to the built-in ones"},
	stateDirVariable,
}

func runDysnomia(inv *invocation) error {
	host, err := newHost()
	if err != nil {
		return err
	}
	request := dysnomia.Invocation{
		Operation:   dysnomia.Operation(inv.String("operation")),
		Component:   inv.String("component"),
		Container:   inv.String("container"),
		Type:        inv.String("type"),
		Environment: inv.Bool("environment"),
		Stdout:      inv.stdout,
		Stderr:      inv.stderr,
	}
	if inv.Bool("shell") {
		err = host.Shell(withoutInterrupts(inv.Context.Context), request, dysnomia.ShellSession{
			Command: inv.String("command"), Stdin: inv.stdin, Stdout: inv.stdout, Stderr: inv.stderr,
		})
	} else {
		err = host.Run(inv.Context.Context, request)
	}
	if err != nil {
		return exitError{dysnomia.ExitStatus(err), err}
	}
	return nil
}
