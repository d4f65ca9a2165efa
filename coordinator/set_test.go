package coordinator_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/disnix-go/disnix/coordinator"
	"github.com/disnix-go/disnix/models/nix"
	"github.com/disnix-go/disnix/service"
	"github.com/disnix-go/disnix/test/nixtest"
)

func TestSetProfiles(t *testing.T) {
	m := configuration("a b")
	s := newSite(t)
	d := s.deployment(m, nil)
	d.Options.Profile = "production"
	if err := d.SetProfiles(t.Context()); err != nil {
		t.Fatal(err)
	}
	for target, path := range m.Profiles {
		equal(t, "profile on "+target, s.target(target).Profile("production"), path)
		contains(t, s.report.progress, target+": Setting Disnix profile: "+path)
	}
}

func TestSetCoordinatorProfile(t *testing.T) {
	root := nixtest.Store(t)
	manifest := storeFile(t, root, "manifest.xml")
	s := newSite(t)
	d := s.deployment(configuration("a"), nil)
	d.ManifestPath = manifest
	d.Options.NoCoordinatorProfile = false
	for range 2 { // the second time, nothing changes
		if err := d.SetProfiles(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	dir, err := service.CoordinatorProfileDir()
	if err != nil {
		t.Fatal(err)
	}
	generations, err := service.Generations(dir, "default")
	if err != nil || len(generations) != 1 || generations[0].Path != manifest {
		t.Errorf("generations: %v, %v", generations, err)
	}

	t.Run("in another directory, without target profiles", func(t *testing.T) {
		s.forget()
		d.Options.NoTargetProfiles = true
		d.Options.CoordinatorProfileDir = filepath.Join(root, "elsewhere")
		if err := d.SetProfiles(t.Context()); err != nil {
			t.Fatal(err)
		}
		if path, err := filepath.EvalSymlinks(filepath.Join(root, "elsewhere", "default")); err != nil || path != manifest {
			t.Errorf("the coordinator profile leads to %q, %v", path, err)
		}
		equal(t, "operations on targets", len(s.operations()), 0)
	})
	t.Run("a failing target leaves the coordinator profile", func(t *testing.T) {
		d.ManifestPath = storeFile(t, root, "other.xml")
		d.Options.NoTargetProfiles = false
		s.failOn("a set")
		err := d.SetProfiles(t.Context())
		errorContains(t, err, "the coordinator profile is not set")
		if path, _ := filepath.EvalSymlinks(filepath.Join(root, "elsewhere", "default")); path != manifest {
			t.Errorf("the coordinator profile leads to %q", path)
		}
	})
	t.Run("an unusable directory", func(t *testing.T) {
		s.onCall = nil
		d.Options.CoordinatorProfileDir = filepath.Join(root, "file")
		nixtest.File(t, root, "file", "")
		err := d.SetProfiles(t.Context())
		errorContains(t, err, "coordinator", "set on: a", "the coordinator profile is not set",
			"disnix-set --coordinator-profile-path "+root+"/file "+d.ManifestPath)
	})
}

// storeFile adds a file to the Nix store.
func storeFile(t *testing.T, root, name string) string {
	t.Helper()
	out, err := nix.Output(t.Context(), "nix-store", "--add", nixtest.File(t, root, name, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(out[:len(out)-1])
}

func TestSetProfilesReportsExactlyWhich(t *testing.T) {
	m := configuration("a b c d")
	s := newSite(t)
	s.failOn("b set")
	s.unreachable["d"] = true
	d := s.deployment(m, nil)
	d.Options.Profile = "my profile"
	d.ManifestPath = "it's new.xml"
	err := d.SetProfiles(t.Context())
	var failure *coordinator.ProfilesError
	if !errors.As(err, &failure) {
		t.Fatalf("got %v", err)
	}
	equal(t, "not set", failure.NotSet, []string{"b", "d"})
	equal(t, "set", failure.Set, []string{"a", "c"})
	errorContains(t, err, `target "b"`, "injected failure", `target "d"`, "no route to host",
		"not set on: b, d", "set on: a, c",
		`disnix-set -p 'my profile' --no-coordinator-profile 'it'\''s new.xml'`)
	contains(t, s.report.problems, "b: Cannot set Disnix profile: "+m.Profiles["b"])
	equal(t, "profile on c", s.target("c").Profile("my profile"), m.Profiles["c"])
}

func TestSetProfilesInterrupted(t *testing.T) {
	s := newSite(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err := s.deployment(configuration("a b"), nil).SetProfiles(ctx)
	errorContains(t, err, "context canceled", "not set on: a, b")
	equal(t, "operations", len(s.operations()), 0)
}

func TestEmptyProfileOfAbandonedTargets(t *testing.T) {
	old := configuration("a b", part{name: "web", on: "a b"})
	new := configuration("a", part{name: "web", on: "a"})
	const empty = "/nix/store/00000000000000000000000000000000-empty"
	prepare := func(t *testing.T) (*site, *coordinator.Deployment) {
		s := newSite(t)
		s.here.AddValid(empty)
		d := s.deployment(new, old)
		d.EmptyProfile = func(context.Context) (string, error) { return empty, nil }
		return s, d
	}
	t.Run("is set", func(t *testing.T) {
		s, d := prepare(t)
		if err := d.SetProfiles(t.Context()); err != nil {
			t.Fatal(err)
		}
		equal(t, "profile on b", s.target("b").Profile("default"), empty)
		equal(t, "profile on a", s.target("a").Profile("default"), new.Profiles["a"])
		if invalid, _ := s.target("b").PrintInvalid(t.Context(), []string{empty}); len(invalid) > 0 {
			t.Error("the empty profile was not copied")
		}
	})
	t.Run("a failure is reported, but does not concern the deployment", func(t *testing.T) {
		s, d := prepare(t)
		s.failOn("b set")
		if err := d.SetProfiles(t.Context()); err != nil {
			t.Fatal(err)
		}
		contains(t, s.report.problems, "b: Cannot set Disnix profile: "+empty+" (injected failure)")
	})
	t.Run("it cannot be made", func(t *testing.T) {
		s, d := prepare(t)
		d.EmptyProfile = func(context.Context) (string, error) { return "", os.ErrPermission }
		if err := d.SetProfiles(t.Context()); err != nil {
			t.Fatal(err)
		}
		contains(t, s.report.problems, "Cannot make an empty profile")
		equal(t, "profile on b", s.target("b").Profile("default"), "")
	})
	t.Run("not without target profiles, nor if the old configuration is ignored", func(t *testing.T) {
		s, d := prepare(t)
		d.Options.NoTargetProfiles = true
		if err := d.SetProfiles(t.Context()); err != nil {
			t.Fatal(err)
		}
		d.Options.NoTargetProfiles = false
		d.Options.NoUpgrade = true
		if err := d.SetProfiles(t.Context()); err != nil {
			t.Fatal(err)
		}
		equal(t, "operations", s.operations(), []string{"a set"})
	})
}
