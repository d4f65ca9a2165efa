package coordinator_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/disnix-go/disnix/coordinator"
)

// history is a directory with generations of the profile "default", whose
// manifests are files named by a letter.
type history struct {
	t    testing.TB
	dir  string
	next int
}

func newHistory(t testing.TB, dir, manifests string) *history {
	h := &history{t: t, dir: dir, next: 1}
	for _, name := range manifests {
		h.add(string(name))
	}
	return h
}

// add appends a generation, as nix-env --set does.
func (h *history) add(name string) {
	h.t.Helper()
	manifest := filepath.Join(h.dir, name)
	link := filepath.Join(h.dir, fmt.Sprintf("default-%d-link", h.next))
	h.next++
	if err := os.WriteFile(manifest, nil, 0o644); err != nil {
		h.t.Fatal(err)
	}
	if err := os.Symlink(manifest, link); err != nil {
		h.t.Fatal(err)
	}
	_ = os.Remove(filepath.Join(h.dir, "default"))
	if err := os.Symlink(filepath.Base(link), filepath.Join(h.dir, "default")); err != nil {
		h.t.Fatal(err)
	}
}

// rollBack deploys what RollbackManifest selects and returns its name, or
// nothing if there is no previous deployment.
func (h *history) rollBack() string {
	h.t.Helper()
	manifest, err := coordinator.RollbackManifest(h.dir, "default")
	if errors.Is(err, coordinator.ErrNoPreviousDeployment) {
		return ""
	}
	if err != nil {
		h.t.Fatal(err)
	}
	name := filepath.Base(manifest)
	h.add(name)
	return name
}

func TestRollbackManifest(t *testing.T) {
	for _, test := range []struct{ generations, rollbacks string }{
		{"", ""},
		{"A", ""},
		{"AB", "A"},
		{"ABC", "BA"},
		{"AABBCC", "BA"},
		{"ABCB", "A"},     // the last one was a rollback
		{"ABCBA", ""},     // two rollbacks
		{"ABCA", "CBA"},   // a switch to the first generation
		{"ABCBD", "BA"},   // a rollback, then something new: C is abandoned
		{"ABAB", "A"},     // back and forth
		{"ABCDCBE", "BA"}, // two rollbacks, then something new
	} {
		t.Run(test.generations, func(t *testing.T) {
			h := newHistory(t, t.TempDir(), test.generations)
			got := ""
			for {
				name := h.rollBack()
				if name == "" {
					break
				}
				got += name
			}
			equal(t, "configurations of repeated rollbacks", got, test.rollbacks)
		})
	}
}

func TestRoughEdge_RollbackWalksBack(t *testing.T) {
	t.Run("commands 7, observed 15: repeated rollbacks walk back instead of toggling", testRollbackWalksBack)
}

func testRollbackWalksBack(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		dir, err := os.MkdirTemp(t.TempDir(), "")
		if err != nil {
			rt.Fatal(err)
		}
		length := rapid.IntRange(1, 12).Draw(rt, "length")
		h := newHistory(t, dir, "")
		for i := range length {
			h.add(string(rune('a' + i)))
		}
		for i := length - 2; i >= 0; i-- {
			if got, want := h.rollBack(), string(rune('a'+i)); got != want {
				rt.Fatalf("rolled back to %q instead of %q", got, want)
			}
		}
		if got := h.rollBack(); got != "" {
			rt.Fatalf("rolled back to %q from the oldest configuration", got)
		}
	})
}

func TestRollbacksEnd(t *testing.T) {
	// Whatever the history is, rollbacks come to an end, and none leads to
	// the configuration that is active already.
	rapid.Check(t, func(rt *rapid.T) {
		dir, err := os.MkdirTemp(t.TempDir(), "")
		if err != nil {
			rt.Fatal(err)
		}
		names := rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b", "c", "d"}), 0, 10).Draw(rt, "names")
		h := newHistory(t, dir, "")
		for _, name := range names {
			h.add(name)
		}
		current := ""
		if len(names) > 0 {
			current = names[len(names)-1]
		}
		for range names {
			next := h.rollBack()
			if next == "" {
				return
			}
			if next == current {
				rt.Fatalf("rolled back from %q to itself", current)
			}
			current = next
		}
		if h.rollBack() != "" {
			rt.Fatal("more rollbacks than deployments")
		}
	})
}

func TestRoughEdge_GenerationsOfOtherProfiles(t *testing.T) {
	t.Run("commands 6: a generation of default-2 is none of default", func(t *testing.T) {
		h := newHistory(t, t.TempDir(), "AB")
		if err := os.Symlink(filepath.Join(h.dir, "A"), filepath.Join(h.dir, "default-2-9-link")); err != nil {
			t.Fatal(err)
		}
		newest, err := coordinator.NewestGeneration(h.dir, "default")
		if err != nil {
			t.Fatal(err)
		}
		equal(t, "newest generation", filepath.Base(newest), "default-2-link")
		equal(t, "rolled back to", h.rollBack(), "A")
	})
}

func TestNewestGenerationIsNumeric(t *testing.T) {
	h := newHistory(t, t.TempDir(), "ABCDEFGHIJ")
	newest, err := coordinator.NewestGeneration(h.dir, "default")
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "newest generation", filepath.Base(newest), "default-10-link")
	if newest, err := coordinator.NewestGeneration(t.TempDir(), "default"); newest != "" || err != nil {
		t.Errorf("without generations: got %q, %v", newest, err)
	}
}

func TestGenerationManifest(t *testing.T) {
	h := newHistory(t, t.TempDir(), "ABC")
	manifest, err := coordinator.GenerationManifest(h.dir, "default", 2)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "manifest", manifest, filepath.Join(h.dir, "B"))

	_, err = coordinator.GenerationManifest(h.dir, "default", 7)
	errorContains(t, err, "Cannot switch profile generations, because the requested profile: "+h.dir+"/default-7-link does not exist!")

	if err := os.Remove(filepath.Join(h.dir, "B")); err != nil {
		t.Fatal(err)
	}
	_, err = coordinator.GenerationManifest(h.dir, "default", 2)
	errorContains(t, err, "manifest of generation 2", "no such file")
	h.next = 5
	h.add("C")
	_, err = coordinator.RollbackManifest(h.dir, "default")
	errorContains(t, err, "manifest of generation 2", "no such file")
}

func TestRollbackWithoutHistory(t *testing.T) {
	_, err := coordinator.RollbackManifest(filepath.Join(t.TempDir(), "missing"), "default")
	if !errors.Is(err, coordinator.ErrNoPreviousDeployment) {
		t.Errorf("got %v", err)
	}
}

func TestSelectManifest(t *testing.T) {
	h := newHistory(t, t.TempDir(), "AB")
	other := filepath.Join(h.dir, "A")
	for _, test := range []struct {
		name, given, profile, want string
		announced                  bool
	}{
		{"given", other, "default", other, false},
		{"previous", "", "default", filepath.Join(h.dir, "B"), true},
		{"first deployment", "", "other", "", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			var r record
			path, err := coordinator.SelectManifest(test.given, h.dir, test.profile, &r)
			if err != nil {
				t.Fatal(err)
			}
			equal(t, "path", path, test.want)
			announcement := "Using previous manifest: " + filepath.Join(h.dir, test.profile)
			equal(t, "announced", slices.Contains(r.problems, announcement), test.announced)
		})
	}
}

func TestRoughEdge_UnreadableOldManifest(t *testing.T) {
	h := newHistory(t, t.TempDir(), "A")
	t.Run("commands 17: an unreadable -o file is no first deployment", func(t *testing.T) {
		_, err := coordinator.SelectManifest(filepath.Join(h.dir, "missing.xml"), h.dir, "default", new(record))
		errorContains(t, err, "open manifest file", "missing.xml", "no such file")
	})
	t.Run("commands 17: neither is a profile that leads nowhere", func(t *testing.T) {
		if err := os.Remove(filepath.Join(h.dir, "A")); err != nil {
			t.Fatal(err)
		}
		_, err := coordinator.SelectManifest("", h.dir, "default", new(record))
		errorContains(t, err, "open manifest file", "no such file", "disnix-reconstruct")
	})
}

func TestSelectManifestWithoutTheProfile(t *testing.T) {
	h := newHistory(t, t.TempDir(), "AB")
	if err := os.Remove(filepath.Join(h.dir, "default")); err != nil {
		t.Fatal(err)
	}
	path, err := coordinator.SelectManifest("", h.dir, "default", new(record))
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "path", path, filepath.Join(h.dir, "B"))
}
