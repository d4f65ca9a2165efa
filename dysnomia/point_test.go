package dysnomia

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// pointPlugin marks what it activates.
type pointPlugin struct{ err error }

func (p pointPlugin) Activate(_ context.Context, r *Request) error {
	if p.err != nil {
		return p.err
	}
	return r.State.MarkActive(r.Container, r.ComponentName, r.Component)
}

func (p pointPlugin) Deactivate(context.Context, *Request) error { return nil }

func TestFaultPoints(t *testing.T) {
	injected := errors.New("injected")
	all := []string{"plugin/activate", "marker", "marker/done", "plugin/activate/done"}
	for failing := range len(all) + 1 {
		h, err := NewHost([]string{"DYSNOMIA_STATEDIR=" + t.TempDir()}, map[string]Plugin{"marking": pointPlugin{}})
		if err != nil {
			t.Fatal(err)
		}
		component := filepath.Join(t.TempDir(), "k")
		if err := os.WriteFile(component, nil, 0o644); err != nil {
			t.Fatal(err)
		}
		var passed []string
		h.Point = func(name string) error {
			passed = append(passed, name)
			if len(passed) == failing+1 {
				return injected
			}
			return nil
		}
		err = h.Run(t.Context(), Invocation{Operation: Activate, Component: component, Container: "c", Type: "marking", Environment: true})
		if errors.Is(err, injected) != (failing < len(all)) {
			t.Errorf("fault at point %d: error %v", failing, err)
		}
		if want := all[:min(failing+1, len(all))]; !slices.Equal(passed, want) {
			t.Errorf("fault at point %d: passed %q, want %q", failing, passed, want)
		}
		active, err := h.State().IsActive("c", "k")
		if active != (failing >= 2) || err != nil {
			t.Errorf("fault at point %d: active %t, %v", failing, active, err)
		}
	}
}
