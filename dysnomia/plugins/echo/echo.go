// Package echo is the plugin that only says what it is asked to do, for tests
// and first steps (modules page, section 1).
package echo

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/disnix-go/disnix/dysnomia"
)

// Plugin prints every operation and the environment. Unlike the original it
// marks components as active, so that what is active already is known.
type Plugin struct{}

var _ dysnomia.Runner = Plugin{}
var _ dysnomia.ShellGuide = Plugin{}

// Activate prints that the component is activated.
func (p Plugin) Activate(ctx context.Context, r *dysnomia.Request) error {
	return p.Run(ctx, dysnomia.Activate, r)
}

// Deactivate prints that the component is deactivated.
func (p Plugin) Deactivate(ctx context.Context, r *dysnomia.Request) error {
	return p.Run(ctx, dysnomia.Deactivate, r)
}

// Run prints the operation, unless it is unknown, and the environment. Values
// of variables whose names speak of secrets are hidden.
func (p Plugin) Run(_ context.Context, op dysnomia.Operation, r *dysnomia.Request) error {
	if op == dysnomia.Shell {
		return printTo(r.Stderr, p.ShellHelp(r))
	}
	text := ""
	if says, ok := announcements[op]; ok {
		text = fmt.Sprintf("Echo module: %s: %s\n", says, r.Component)
	}
	if err := printTo(r.Stdout, text+describe(r.Environment)); err != nil {
		return err
	}
	switch op {
	case dysnomia.Activate:
		return r.State.MarkActive(r.Container, r.ComponentName, r.Component)
	case dysnomia.Deactivate:
		return r.State.UnmarkActive(r.Container, r.ComponentName)
	}
	return nil
}

// ShellHelp says which session it is.
func (Plugin) ShellHelp(*dysnomia.Request) string { return "This is the echo shell session\n" }

var announcements = map[dysnomia.Operation]string{
	dysnomia.Activate:       "Activate service",
	dysnomia.Deactivate:     "Deactivate service",
	dysnomia.Lock:           "Lock service",
	dysnomia.Unlock:         "Unlock service",
	dysnomia.Snapshot:       "Snapshot state of service",
	dysnomia.Restore:        "Restore state of service",
	dysnomia.CollectGarbage: "Collect garbage of service",
}

func describe(environment []string) string {
	var text strings.Builder
	text.WriteString("Environment variables:\n")
	for _, entry := range slices.Sorted(slices.Values(environment)) {
		name, value, _ := strings.Cut(entry, "=")
		if isSecret(name) && value != "" {
			value = "(hidden)"
		}
		fmt.Fprintf(&text, "%s=%s\n", name, value)
	}
	return text.String()
}

// isSecret guesses from the name of a variable.
func isSecret(name string) bool {
	name = strings.ToLower(name)
	return slices.ContainsFunc([]string{"passw", "pwd", "secret", "token", "credential", "apikey", "api_key", "privatekey", "private_key"},
		func(word string) bool { return strings.Contains(name, word) && name != "pwd" && name != "oldpwd" })
}

func printTo(w io.Writer, text string) error {
	if _, err := io.WriteString(w, text); err != nil {
		return fmt.Errorf("print the operation: %w", err)
	}
	return nil
}
