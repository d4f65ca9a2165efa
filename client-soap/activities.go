package soapclient

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/disnix-go/disnix/service"
	"github.com/disnix-go/disnix/service/soapwire"
)

// Activate implements [service.Activities].
func (c *Client) Activate(ctx context.Context, a service.Activity) error {
	w := wired(a)
	return c.activity(ctx, a, &soapwire.Activate{Derivation: w.component, Container: w.container, Type_: w.kind, Arguments: w.arguments}, new(soapwire.ActivateResponse))
}

// Deactivate implements [service.Activities].
func (c *Client) Deactivate(ctx context.Context, a service.Activity) error {
	w := wired(a)
	return c.activity(ctx, a, &soapwire.Deactivate{Derivation: w.component, Container: w.container, Type_: w.kind, Arguments: w.arguments}, new(soapwire.DeactivateResponse))
}

// Snapshot implements [service.Activities].
func (c *Client) Snapshot(ctx context.Context, a service.Activity) error {
	w := wired(a)
	return c.activity(ctx, a, &soapwire.Snapshot{Derivation: w.component, Container: w.container, Type_: w.kind, Arguments: w.arguments}, new(soapwire.SnapshotResponse))
}

// Restore implements [service.Activities].
func (c *Client) Restore(ctx context.Context, a service.Activity) error {
	w := wired(a)
	return c.activity(ctx, a, &soapwire.Restore{Derivation: w.component, Container: w.container, Type_: w.kind, Arguments: w.arguments}, new(soapwire.RestoreResponse))
}

// DeleteState implements [service.Activities].
func (c *Client) DeleteState(ctx context.Context, a service.Activity) error {
	w := wired(a)
	return c.activity(ctx, a, &soapwire.DeleteState{Derivation: w.component, Container: w.container, Type_: w.kind, Arguments: w.arguments}, new(soapwire.DeleteStateResponse))
}

// Shell implements [service.Activities]: it always fails.
func (c *Client) Shell(context.Context, service.Activity, service.ShellSession) error {
	return fmt.Errorf("ERROR: This operation is unsupported by this client! Use disnix-run-activity on the target, or disnix-ssh-client: %w", errors.ErrUnsupported)
}

// wiredActivity are the arguments of an activity as messages have them.
type wiredActivity struct {
	component, container, kind *string
	arguments                  []*string
}

func wired(a service.Activity) wiredActivity {
	if a.Container == "" {
		a.Container = a.Type
	}
	return wiredActivity{&a.Component, &a.Container, &a.Type, pointers(a.Arguments)}
}

// activity runs a plugin. What it prints comes with the reply, if the service
// can do that; otherwise it is in the text of the fault, if there is one.
func (c *Client) activity(ctx context.Context, a service.Activity, request, response any) error {
	call := call{request: request, response: response}
	if a.Output != nil {
		call.features = soapwire.FeatureOutput
	}
	answer, err := c.call(ctx, call)
	var failure *FailureError
	failed := errors.As(err, &failure)
	if a.Output == nil || err != nil && !failed {
		return err
	}
	output := answer.Output
	if failed {
		failure.Log = without(failure.Log, output)
	}
	if len(output) > 0 {
		_, writeErr := a.Output.Write(output)
		err = errors.Join(err, writeErr)
	}
	return err
}

// without leaves out of a log what was passed on already.
func without(log string, output []byte) string {
	if len(bytes.TrimSpace(output)) == 0 {
		return log
	}
	rest := strings.TrimSpace(strings.Replace(log, strings.TrimSpace(printable(string(output))), "", 1))
	if rest == "" {
		return log
	}
	return rest
}
