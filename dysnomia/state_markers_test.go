package dysnomia

import (
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
)

func newState(t *testing.T) *State {
	t.Helper()
	return &State{Dir: filepath.Join(t.TempDir(), "state")}
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func writeTree(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	for name, content := range files {
		path := filepath.Join(dir, name)
		check(t, os.MkdirAll(filepath.Dir(path), 0o755))
		check(t, os.WriteFile(path, []byte(content), 0o644))
	}
}

func marked(t *testing.T, s *State, container, component string) string {
	t.Helper()
	active, err := s.IsActive(container, component)
	check(t, err)
	garbage, err := s.IsGarbage(container, component)
	check(t, err)
	return map[[2]bool]string{{false, false}: "", {true, false}: "active", {false, true}: "garbage", {true, true}: "both"}[[2]bool{active, garbage}]
}

func TestMarkers(t *testing.T) {
	activate := func(s *State) error { return s.MarkActive("c", "k", "/p") }
	steps := map[string]func(*State) error{
		"activate":   activate,
		"deactivate": func(s *State) error { return s.UnmarkActive("c", "k") },
		"discard":    func(s *State) error { return s.MarkGarbage("c", "k") },
		"collect":    func(s *State) error { return s.UnmarkGarbage("c", "k") },
	}
	for _, test := range []struct{ steps, want string }{
		{"activate", "active"},
		{"activate activate", "active"},
		{"activate deactivate", ""},
		{"activate deactivate deactivate", ""},
		{"deactivate", ""},
		{"activate discard", "garbage"},
		{"activate discard discard", "garbage"},
		{"activate discard activate", "active"},
		{"activate discard collect", ""},
		{"activate discard collect discard", ""},
		{"discard", ""},
		{"collect", ""},
	} {
		t.Run(test.steps, func(t *testing.T) {
			s := newState(t)
			for step := range strings.FieldsSeq(test.steps) {
				check(t, steps[step](s))
			}
			if got := marked(t, s, "c", "k"); got != test.want {
				t.Errorf("marked %q, want %q", got, test.want)
			}
		})
	}
}

func TestRoughEdge_host17_deactivatingWhatWasNeverActivated(t *testing.T) {
	s := newState(t)
	if err := s.MarkGarbage("c", "k"); err != nil {
		t.Errorf("mark garbage: %v", err)
	}
	if err := s.UnmarkActive("c", "k"); err != nil {
		t.Errorf("unmark active: %v", err)
	}
}

func TestMarkersListPathsSorted(t *testing.T) {
	s := newState(t)
	check(t, s.MarkActive("web", "b", "/nix/store/b"))
	check(t, s.MarkActive("web", "a", "/nix/store/a"))
	check(t, s.MarkActive("db", "x y", "/nix/store/x"))
	check(t, s.MarkActive("web", "gone", "/nix/store/gone"))
	check(t, s.MarkGarbage("web", "gone"))
	writeTree(t, s.Dir, map[string]string{"activated/web/original": ""})

	all, err := s.Activated("")
	check(t, err)
	want := []Marker{{"db", "x y", "/nix/store/x"}, {"web", "a", "/nix/store/a"}, {"web", "b", "/nix/store/b"}, {"web", "original", ""}}
	if !reflect.DeepEqual(all, want) {
		t.Errorf("activated: %v, want %v", all, want)
	}
	web, err := s.Garbage("web")
	check(t, err)
	if want := []Marker{{"web", "gone", "/nix/store/gone"}}; !reflect.DeepEqual(web, want) {
		t.Errorf("garbage: %v, want %v", web, want)
	}
	none, err := s.Activated("missing")
	check(t, err)
	if len(none) != 0 {
		t.Errorf("activated in a missing container: %v", none)
	}
}

func TestMarkActiveReplacesThePath(t *testing.T) {
	s := newState(t)
	for _, step := range []struct{ path, want string }{{"/old", "/old"}, {"/new", "/new"}, {"", "/new"}} {
		check(t, s.MarkActive("c", "k", step.path))
		markers, err := s.Activated("c")
		check(t, err)
		if len(markers) != 1 || markers[0].Path != step.want {
			t.Errorf("after %q: %v", step.path, markers)
		}
	}
}

func TestRoughEdge_host18_namesWithBlanksAndGlobs(t *testing.T) {
	s := newState(t)
	for _, name := range []string{"a b", "*", "-x", " lead", "q'uo\"te", "a..b", "ünï"} {
		check(t, s.MarkActive(name, name, "/p"))
		if got := marked(t, s, name, name); got != "active" {
			t.Errorf("%q is marked %q", name, got)
		}
	}
	for _, name := range []string{"", ".", "..", "a/b", "/", "../x", "a\nb", "a\x00b"} {
		if err := s.MarkActive(name, "k", "/p"); err == nil {
			t.Errorf("container %q was accepted", name)
		}
		if err := s.MarkGarbage("c", name); err == nil {
			t.Errorf("component %q was accepted", name)
		}
	}
}

func TestMarkersFromManyProcesses(t *testing.T) {
	s := newState(t)
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			for range 20 {
				if err := s.MarkActive("c", "k", "/p"); err != nil {
					t.Error(err)
				}
				if err := s.MarkGarbage("c", "k"); err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
	if got := marked(t, s, "c", "k"); got != "garbage" {
		t.Errorf("marked %q", got)
	}
}

func TestMarkActiveReportsAnUnusableStateDirectory(t *testing.T) {
	dir := t.TempDir()
	writeTree(t, dir, map[string]string{"file": ""})
	err := (&State{Dir: filepath.Join(dir, "file", "state")}).MarkActive("c", "k", "/p")
	if err == nil || !strings.Contains(err.Error(), "DYSNOMIA_STATEDIR") {
		t.Errorf("error: %v", err)
	}
}

func TestMarkersOfAnotherComponent(t *testing.T) {
	s := &State{Dir: t.TempDir()}
	other := s.MarkedAs("described", "/path/of/described")
	check(t, other.MarkActive("box", "generated", "/path/of/generated"))
	markers, err := s.Activated("")
	want := Marker{Container: "box", Component: "described", Path: "/path/of/described"}
	if err != nil || len(markers) != 1 || markers[0] != want {
		t.Errorf("%+v, %v", markers, err)
	}
	if active, err := other.IsActive("box", "generated"); err != nil || !active {
		t.Errorf("active: %t, %v", active, err)
	}
	check(t, other.MarkGarbage("box", "generated"))
	if garbage, err := s.IsGarbage("box", "described"); err != nil || !garbage {
		t.Errorf("garbage: %t, %v", garbage, err)
	}
	check(t, other.UnmarkGarbage("box", "generated"))
	if markers, err := s.Garbage(""); err != nil || len(markers) != 0 {
		t.Errorf("%+v, %v", markers, err)
	}
}

func TestContainersOf(t *testing.T) {
	s := &State{Dir: t.TempDir()}
	for _, m := range [][2]string{{"b", "k"}, {"a", "k"}, {"c", "other"}, {"d", "k"}} {
		check(t, s.MarkActive(m[0], m[1], "/p"))
	}
	check(t, s.MarkGarbage("d", "k"))
	found, err := s.ContainersOf("k")
	check(t, err)
	if !slices.Equal(found, []string{"a", "b"}) {
		t.Errorf("containers: %q", found)
	}
	if _, err := s.ContainersOf(".."); err == nil {
		t.Error(".. is taken for the name of a component")
	}
}
