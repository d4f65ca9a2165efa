package main

import (
	"bytes"
	"context"
	"errors"
	"io"

	"github.com/urfave/cli/v2"

	dbusclient "github.com/disnix-go/disnix/client-dbus"
	"github.com/disnix-go/disnix/service"
	"github.com/disnix-go/disnix/service/activitycmd"
)

func clientProgram() *program {
	groups := clientInterfaceGroups()
	for i := range groups {
		if groups[i].title == "General options" {
			groups[i].flags = append(groups[i].flags,
				&cli.BoolFlag{Name: "session-bus", Usage: "Uses the session bus instead of the system bus"})
		}
	}
	groups = append(groups, optionGroup{"Session options", []cli.Flag{serveFlag()}})
	return &program{
		name:     "disnix-client",
		summary:  "Carries out one deployment activity through disnix-service",
		synopsis: []string{"OPERATION [OPTION]... [PATH]...", "--serve"},
		description: `
Asks the disnix-service of this machine over D-Bus for a single activity, and
waits until it has ended. If it failed, its log is printed; that of locks also
says who is notified, and whose lock was released. Only root and the members of
the group 'disnix' may do that. With --serve it carries out any number of
activities for a client that speaks a protocol of its own on the standard input
and output.

There are no shells through the service: use disnix-run-activity --shell.`,
		groups: groups,
		exitStatus: []entry{
			{"0", "The activity succeeded"},
			{"1", "It failed, or the service could not be asked"},
		},
		environment: []entry{
			profileVariable, temporaryVariable,
			{"DBUS_SYSTEM_BUS_ADDRESS", "Address of the system bus"},
		},
		examples: []entry{
			{"disnix-client --activate --type process --container process --arguments runtimeDir=/run /nix/store/...-server", "Activate a component:"},
			{"disnix-client --query-installed --profile default", "Show what is deployed to this machine:"},
		},
		action: runClient,
	}
}

func runClient(inv *invocation) error {
	if inv.Bool("serve") {
		return inv.serveSession(func() (service.Service, error) { return inv.connectToService(inv.Context.Context) })
	}
	o, err := inv.activityOptions()
	if err != nil {
		return err
	}
	if err := o.Check(); err != nil {
		return fail("%w", err)
	}
	ctx, err := service.TakeClaim(inv.Context.Context)
	if err != nil {
		return err
	}
	client, err := inv.connectToService(ctx)
	if err != nil {
		return err
	}
	defer client.Close()
	status, err := activitycmd.Run(ctx, client, o, activitycmd.Streams{
		Stdin: inv.stdin, Stdout: inv.clientOutput(o.Operation), Stderr: inv.stderr,
	})
	if status == 0 {
		return err
	}
	var failure *dbusclient.FailureError
	if errors.As(err, &failure) {
		text := append(bytes.TrimSuffix(failure.Log, []byte("\n")), '\n')
		_, err := inv.stderr.Write(append(text, service.RefusalLine(err)...))
		return errors.Join(quiet(1), err)
	}
	return exitError{1, err}
}

func (inv *invocation) connectToService(ctx context.Context) (*dbusclient.Client, error) {
	client, err := dbusclient.Connect(ctx, dbusclient.Config{SessionBus: inv.Bool("session-bus"), Log: inv.stderr})
	if err != nil {
		return nil, fail("%w", err)
	}
	return client, nil
}

// clientOutput is where an operation prints. The output of activities is in
// their logs (protocol, section 6).
func (inv *invocation) clientOutput(operation string) io.Writer {
	switch operation {
	case "activate", "deactivate", "snapshot", "restore", "delete-state":
		return io.Discard
	default:
		return inv.stdout
	}
}
