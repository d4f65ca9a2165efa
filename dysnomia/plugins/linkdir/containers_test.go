package linkdir

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestRoughEdge_modules29_14_containers: containers that use one directory do
// not take each other's files, although their components have one name.
func TestRoughEdge_modules29_14_containers(t *testing.T) {
	t.Run("modules 29.14: a component of the same name in another container is not another version", func(t *testing.T) {
		first, dir := request(t, "app", nil), t.TempDir()
		second := request(t, "app", first)
		second.Container = "other box"
		install(t, first, entries(t, first, dir))
		if err := first.State.MarkActive(first.Container, "app", first.Component); err != nil {
			t.Fatal(err)
		}
		err := Install(second, entries(t, second, dir))
		if err == nil || !strings.Contains(err.Error(), `"box"`) || !strings.Contains(err.Error(), filepath.Join(dir, "a")) {
			t.Fatalf("error: %v", err)
		}
		if target, _ := os.Readlink(filepath.Join(dir, "a")); target != filepath.Join(first.Component, "conf/a") {
			t.Errorf("the link of the first container leads to %s", target)
		}
		if err := first.State.UnmarkActive(first.Container, "app"); err != nil {
			t.Fatal(err)
		}
		install(t, second, entries(t, second, dir)) // a crash has left it
	})
	t.Run("modules 29.14: what two containers share goes with the last of them", func(t *testing.T) {
		first, dir := request(t, "app", nil), t.TempDir()
		again := *first
		second := &again
		second.Container = "other box"
		list := entries(t, first, dir)
		install(t, first, list)
		install(t, second, list)
		for _, container := range []string{"box", "other box"} {
			if err := first.State.MarkActive(container, "app", first.Component); err != nil {
				t.Fatal(err)
			}
		}
		if placed := removeInstalled(t, second, list); len(placed) != 0 {
			t.Errorf("to be stopped: %v", placed)
		}
		expect(t, dir, "a=a of app", "b=b of app")
		if err := second.State.UnmarkActive(second.Container, "app"); err != nil {
			t.Fatal(err)
		}
		removeInstalled(t, first, list)
		expect(t, dir)
	})
}
