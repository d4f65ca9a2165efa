package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/urfave/cli/v2"

	soapclient "github.com/disnix-go/disnix/client-soap"
	"github.com/disnix-go/disnix/service"
	"github.com/disnix-go/disnix/service/activitycmd"
	"github.com/disnix-go/disnix/service/soapwire"
)

func soapClientProgram() *program {
	return &program{
		name:     "disnix-soap-client",
		summary:  "Carries out one deployment activity on a target, through HTTP",
		synopsis: []string{"OPERATION --target URL [OPTION]... [PATH]..."},
		description: `
Carries out a single activity on a machine that is reached through HTTP or
HTTPS, where disnix-webservice or the original's DisnixWebService is running. As
the client interface of a deployment it is part of the coordinator, and keeps
the connections to a target.

The address of a target is the URL of the service, usually

    http[s]://HOST[:PORT]/DisnixWebService/services/DisnixWebService

Infrastructure models usually have it in the property targetEPR, which
'targetProperty' has to name.

Passwords are sent with the first request, so use https. Those of several
targets belong into a file in the format of .netrc.

There are no shells through HTTP: use disnix-ssh-client.`,
		groups: soapClientGroups(),
		exitStatus: []entry{
			{"0", "The activity succeeded"},
			{"1", "It failed, or the service could not be asked"},
		},
		environment: slices.Concat(soapClientVariables(), []entry{
			{"HTTP_PROXY, HTTPS_PROXY, NO_PROXY", "Proxy on the way to the target, and hosts that are reached without it"},
			profileVariable, temporaryVariable,
		}),
		examples: []entry{
			{"disnix-soap-client --target https://test1.example.org" + soapwire.ServicePath + " --query-installed", "Show what is deployed to a machine:"},
			{"DISNIX_SOAP_CLIENT_USERNAME=admin DISNIX_SOAP_CLIENT_PASSWORD_FILE=/run/secrets/admin disnix-soap-client --target http://localhost:8080" + soapwire.ServicePath + " --capture-config", "Authenticate with a password from a file:"},
		},
		action: runSOAPClient,
	}
}

// soapClientVariables explain the environment of the client.
func soapClientVariables() []entry {
	return []entry{
		{"DISNIX_SOAP_CLIENT_USERNAME", "User name for HTTP basic authentication"},
		{"DISNIX_SOAP_CLIENT_PASSWORD", "Its password"},
		{"DISNIX_SOAP_CLIENT_PASSWORD_FILE", "File whose first line is the password"},
		{"DISNIX_SOAP_CLIENT_NETRC", "File with the user names and passwords of several hosts (machine HOST login USER password PASSWORD), if there is no DISNIX_SOAP_CLIENT_USERNAME"},
		{"DISNIX_SOAP_CLIENT_CA_FILE", "File with the authorities that are trusted instead of those of the system (PEM)"},
		{"DISNIX_SOAP_CLIENT_CERT_FILE", "File with a client certificate (PEM)"},
		{"DISNIX_SOAP_CLIENT_KEY_FILE", "File with its key, if it is in another one (PEM)"},
		{"DISNIX_SOAP_CLIENT_COMPRESSION", "gzip compresses what is sent, for slow links"},
	}
}

func soapClientGroups() []optionGroup {
	groups := clientInterfaceGroups()
	for i := range groups {
		if groups[i].title == "General options" {
			groups[i].flags = []cli.Flag{
				&cli.StringFlag{Name: "target", Aliases: []string{"t"}, Usage: "`URL` of the service on the target"},
			}
		}
	}
	return groups
}

// soapOperations is the order in which the original looks for the operation
// (SOAP page, 8.1).
var soapOperations = []string{
	"import", "export", "print-invalid", "realise", "set", "query-installed", "query-requisites", "collect-garbage",
	"activate", "deactivate", "lock", "unlock", "snapshot", "restore", "delete-state", "query-all-snapshots",
	"query-latest-snapshot", "print-missing-snapshots", "resolve-snapshots", "import-snapshots", "export-snapshots",
	"clean-snapshots", "capture-config", "shell",
}

func runSOAPClient(inv *invocation) error {
	o, remote, err := inv.soapOptions()
	if err != nil {
		return err
	}
	if o.Operation == "shell" {
		return fail("ERROR: This operation is unsupported by this client!")
	}
	ctx, err := service.TakeClaim(inv.Context.Context)
	if err != nil {
		return err
	}
	client, err := soapclient.Dial(o.Target, soapclient.Config{Log: inv.stderr})
	if err != nil {
		return fail("%s: %w", inv.name, err)
	}
	defer client.Close()
	if err := inv.soapOperation(ctx, client, o, remote); err != nil {
		var exit exitError
		if errors.As(err, &exit) {
			return err
		}
		return fail("target %s: %w", o.Target, err)
	}
	return nil
}

// soapOptions reads the options. The complaints are the original's.
func (inv *invocation) soapOptions() (o activitycmd.Options, remote bool, err error) {
	if o, err = inv.activityOptions(); err != nil {
		return o, false, err
	}
	o.Operation = ""
	for _, operation := range soapOperations {
		if o.Operation == "" && inv.Bool(operation) {
			o.Operation = operation
		}
	}
	if o.Profile == "" {
		o.Profile = "default"
	}
	remote = inv.Bool("remotefile")
	o.LocalFile = o.LocalFile && !remote
	if o.Target == "" {
		return o, remote, fail("ERROR: A targetEPR must be specified!")
	}
	if o.Operation == "" {
		return o, remote, fail("ERROR: An operation must be specified!")
	}
	switch o.Operation {
	case "import", "export", "import-snapshots":
		if !remote && !o.LocalFile {
			return o, remote, fail("ERROR: Either --localfile or --remotefile should be specified!")
		}
	}
	if err := o.Check(); err != nil {
		return o, remote, fail("%w", err)
	}
	return o, remote, nil
}

// soapOperation carries out an operation, and says on the standard error what
// the original says.
func (inv *invocation) soapOperation(ctx context.Context, client *soapclient.Client, o activitycmd.Options, remote bool) error {
	stdout := inv.stdout
	switch o.Operation {
	case "import":
		if remote {
			return importFiles(ctx, client, o.Paths)
		}
		stdout = io.Discard // the original prints nothing
	case "export":
		if !remote {
			file, err := client.ExportFile(ctx, o.Paths)
			if err == nil {
				_, err = fmt.Fprintln(inv.stdout, file)
			}
			return err
		}
	case "activate", "deactivate", "snapshot", "restore", "delete-state":
		stdout = inv.stderr // it is no result
	case "collect-garbage":
		fmt.Fprintf(inv.stderr, "Collect garbage. Delete old: %t\n", o.DeleteOld)
	case "lock":
		fmt.Fprintf(inv.stderr, "Acquiring lock on profile: %s\n", o.Profile)
	case "unlock":
		fmt.Fprintf(inv.stderr, "Releasing lock on profile: %s\n", o.Profile)
	}
	status, err := activitycmd.Run(ctx, client, o, activitycmd.Streams{Stdin: inv.stdin, Stdout: stdout, Stderr: inv.stderr})
	if err != nil {
		return err
	}
	if status != 0 {
		return quiet(status)
	}
	return nil
}

// importFiles imports closures that are in files of the target.
func importFiles(ctx context.Context, client *soapclient.Client, paths []string) error {
	for _, path := range paths {
		if err := client.ImportFile(ctx, path); err != nil {
			return err
		}
	}
	return nil
}
