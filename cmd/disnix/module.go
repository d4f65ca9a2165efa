package main

import (
	"context"
	"fmt"
	"path/filepath"

	"github.com/disnix-go/disnix/dysnomia"
	"github.com/disnix-go/disnix/dysnomia/plugins"
)

// isModule reports whether the binary was called as a module: under the name of
// a built-in plugin, with the three arguments of the process protocol (host
// page, 3.4). So a package can bring a built-in plugin along as a link.
func isModule(args []string) bool {
	return len(args) == 4 && plugins.Builtin()[filepath.Base(args[0])] != nil
}

// runModule carries out one operation as an external module: the environment
// has the properties of the container.
func runModule(ctx context.Context, args []string, terminal *console) int {
	ctx, stop := cancelledBySignals(ctx, false)
	defer stop()
	host, err := newHost()
	if err == nil {
		host.ModulesPath = nil // it may be what is found there
		err = host.Run(ctx, dysnomia.Invocation{
			Operation:   dysnomia.Operation(args[1]),
			Component:   args[2],
			Container:   args[3],
			Type:        filepath.Base(args[0]),
			Environment: true,
			Stdout:      terminal.stdout,
			Stderr:      terminal.stderr,
		})
	}
	if err != nil {
		fmt.Fprintf(terminal.stderr, "%s: %v\n", filepath.Base(args[0]), err)
		return dysnomia.ExitStatus(err)
	}
	return 0
}
