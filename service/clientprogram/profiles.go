package clientprogram

import (
	"bytes"
	"context"
	"strings"

	"github.com/disnix-go/disnix/service"
)

// SetProfile implements [service.Profiles].
func (c *Client) SetProfile(ctx context.Context, profile, path string) error {
	return c.run(ctx, call{operation: "set", args: []string{"--target", c.address, "--profile", profile, "--set", path}, ownGroup: true})
}

// QueryInstalled implements [service.Profiles].
func (c *Client) QueryInstalled(ctx context.Context, profile string) ([]byte, error) {
	manifest, err := c.result(ctx, "query-installed", "--target", c.address, "--profile", profile, "--query-installed")
	if err != nil || len(bytes.TrimSpace(manifest)) == 0 {
		return nil, err
	}
	return manifest, nil
}

// Lock implements [service.Profiles].
func (c *Client) Lock(ctx context.Context, profile string) error {
	return c.run(ctx, call{operation: "lock", args: []string{"--lock", "--target", c.address, "--profile", profile}, ownGroup: true})
}

// Unlock implements [service.Profiles].
func (c *Client) Unlock(ctx context.Context, profile string) error {
	return c.run(ctx, call{operation: "unlock", args: []string{"--unlock", "--target", c.address, "--profile", profile}, ownGroup: true})
}

// Activate implements [service.Activities].
func (c *Client) Activate(ctx context.Context, a service.Activity) error {
	return c.activity(ctx, "activate", a)
}

// Deactivate implements [service.Activities].
func (c *Client) Deactivate(ctx context.Context, a service.Activity) error {
	return c.activity(ctx, "deactivate", a)
}

// Snapshot implements [service.Activities].
func (c *Client) Snapshot(ctx context.Context, a service.Activity) error {
	return c.activity(ctx, "snapshot", a)
}

// Restore implements [service.Activities].
func (c *Client) Restore(ctx context.Context, a service.Activity) error {
	return c.activity(ctx, "restore", a)
}

// DeleteState implements [service.Activities].
func (c *Client) DeleteState(ctx context.Context, a service.Activity) error {
	return c.activity(ctx, "delete-state", a)
}

func (c *Client) activity(ctx context.Context, operation string, a service.Activity) error {
	call := call{operation: operation, args: append(c.activityArguments(operation, a), a.Component), ownGroup: true}
	call.stdout, call.stderr = a.Writers()
	return c.run(ctx, call)
}

func (c *Client) activityArguments(operation string, a service.Activity) []string {
	container := a.Container
	if container == "" {
		container = a.Type
	}
	args := []string{"--" + operation, "--target", c.address, "--container", container, "--type", a.Type}
	for _, argument := range a.Arguments {
		args = append(args, "--arguments", argument)
	}
	return args
}

// Shell implements [service.Activities]. The program stays in the group of
// processes that the terminal serves.
func (c *Client) Shell(ctx context.Context, a service.Activity, s service.ShellSession) error {
	args := append(c.activityArguments("shell", a), a.Component)
	if strings.TrimSpace(s.Command) != "" {
		args = append(args, "--command", s.Command)
	}
	return c.run(ctx, call{operation: "shell", args: args, stdin: s.Stdin, stdout: s.Stdout, stderr: s.Stderr, terminal: true})
}
