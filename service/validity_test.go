package service_test

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/disnix-go/disnix/service"
)

// TestPrintInvalidOfWhatIsDeployed tells the current generation, for which Nix
// is not asked, from everything else.
func TestPrintInvalidOfWhatIsDeployed(t *testing.T) {
	m := newTarget(t, service.LocalConfig{})
	invalid := func(paths ...string) []string {
		t.Helper()
		list, err := m.PrintInvalid(t.Context(), paths)
		if err != nil {
			t.Fatal(err)
		}
		return list
	}
	old, current := addFile(t, "old", "1"), addFile(t, "current", "2")
	for _, path := range []string{old, current} {
		if err := m.SetProfile(t.Context(), "default", path); err != nil {
			t.Fatal(err)
		}
	}
	missing := missingPath("x")
	if list := invalid(old, current, missing); !slices.Equal(list, []string{missing}) {
		t.Errorf("with Nix: %q", list)
	}
	path := os.Getenv("PATH")
	t.Setenv("PATH", t.TempDir())
	if list := invalid(current); len(list) != 0 {
		t.Errorf("without Nix: %q", list)
	}
	if _, err := m.PrintInvalid(t.Context(), []string{old}); err == nil {
		t.Error("an old generation is not asked for")
	}
	t.Setenv("PATH", path)
	dir, err := service.ProfileDir()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(dir, "default")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(missing, filepath.Join(dir, "default")); err != nil {
		t.Fatal(err)
	}
	if list := invalid(missing); !slices.Equal(list, []string{missing}) {
		t.Errorf("a generation that is gone is valid: %q", list)
	}
}
