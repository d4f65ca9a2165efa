package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/urfave/cli/v2"

	sshclient "github.com/disnix-go/disnix/client-ssh"
	"github.com/disnix-go/disnix/service"
	"github.com/disnix-go/disnix/service/activitycmd"
)

func sshClientProgram() *program {
	return &program{
		name:     "disnix-ssh-client",
		summary:  "Carries out one deployment activity on a target, through SSH",
		synopsis: []string{"OPERATION --target HOST[:PORT] [OPTION]... [PATH]..."},
		description: `
Carries out a single activity on a machine that is reached through SSH. As the
client interface of a deployment it is part of the coordinator, and keeps one
connection per target.

The host's key must be in known_hosts. The ssh configuration and the keys and
agent of the user are used; nothing is asked.`,
		groups: sshClientGroups(),
		environment: []entry{
			{"SSH_USER", "User on the target, if SSH_OPTS names none"},
			{"SSH_OPTS", "Options of ssh, separated by blanks: -i, -p, -F, -J, -l, -4, -6, and -o with the keywords that change how a host is reached"},
			{"DISNIX_REMOTE_CLIENT", "Program on the target, disnix-run-activity if not set; disnix-client hands activities over to disnix-service"},
			profileVariable, temporaryVariable,
		},
		examples: []entry{
			{"disnix-ssh-client --target test1.example.org --query-installed --profile default", "Show what is deployed to a machine:"},
			{"disnix-ssh-client --target '[2001:db8::1]:2222' --import --localfile closure", "Add a closure to the store of a machine:"},
		},
		action: runSSHClient,
	}
}

// sshClientGroups are the options of a client interface with a target that
// matters.
func sshClientGroups() []optionGroup {
	groups := clientInterfaceGroups()
	for i := range groups {
		if groups[i].title == "General options" {
			groups[i].flags = []cli.Flag{
				&cli.StringFlag{Name: "target", Aliases: []string{"t"}, Usage: "Address `TARGET` of the target: HOST, HOST:PORT or [IPV6]:PORT"},
			}
		}
	}
	return groups
}

func runSSHClient(inv *invocation) error {
	o, err := inv.activityOptions()
	if err != nil {
		return err
	}
	if o.Target == "" {
		return fail("ERROR: A target address must be specified!")
	}
	if o.Operation == "" {
		return fail("ERROR: No operation specified!")
	}
	remote := inv.Bool("remotefile")
	switch o.Operation {
	case "import", "export", "import-snapshots":
		if !remote && !o.LocalFile {
			return fail("ERROR: Either a remote or a localfile must be specified!")
		}
	}
	ctx, err := service.TakeClaim(inv.Context.Context)
	if err != nil {
		return err
	}
	client, err := sshclient.Dial(ctx, o.Target, sshclient.Config{Log: inv.stderr})
	if err != nil {
		return fmt.Errorf("target %s: %w", o.Target, err)
	}
	defer client.Close()
	switch {
	case o.Operation == "shell":
		ctx = withoutInterrupts(ctx)
	case o.Operation == "import" && remote:
		return onTarget(ctx, client, o, io.Discard)
	case o.Operation == "export" && o.LocalFile:
		return onTarget(ctx, client, o, inv.stdout)
	}
	status, err := activitycmd.Run(ctx, client, o, activitycmd.Streams{
		Stdin: inv.stdin, Stdout: inv.stdout, Stderr: inv.stderr,
	})
	if status == 0 {
		return err
	}
	return exitError{status, err}
}

// onTarget runs an operation whose files are on the target.
func onTarget(ctx context.Context, client *sshclient.Client, o activitycmd.Options, stdout io.Writer) error {
	if len(o.Paths) == 0 {
		return fail("ERROR: A Nix store component has to be specified!")
	}
	err := client.RunCommand(ctx, o.Operation, append([]string{"--" + o.Operation}, o.Paths...), stdout)
	if failed := (*sshclient.CommandError)(nil); errors.As(err, &failed) {
		return exitError{failed.ExitStatus(), err}
	}
	return err
}
