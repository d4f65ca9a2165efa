package coordinator_test

import (
	"context"
	"errors"
	"testing"

	"github.com/disnix-go/disnix/coordinator"
	"github.com/disnix-go/disnix/coordinator/journal"
	"github.com/disnix-go/disnix/service"
	"github.com/disnix-go/disnix/service/servicetest"
)

// TestForcedLock lets a second coordinator take the locks away from a first
// one, which is in the middle of its transition and can change nothing any
// more.
func TestForcedLock(t *testing.T) {
	s := newSite(t)
	deployed := configuration("a b", part{name: "db", on: "b"}, part{name: "web", on: "a", dependsOn: []string{"db"}})
	upgraded := configuration("a b", part{name: "db", on: "b", version: 2}, part{name: "web", on: "a", version: 2, dependsOn: []string{"db"}})
	first, second := s.deployment(deployed, nil), s.deployment(upgraded, nil)
	second.Options.NoUpgrade = true
	dir := t.TempDir()
	first.Journal = &journal.Place{Dir: dir, Profile: "default"}
	first.ManifestPath = writeManifest(t, dir, "new.xml", deployed)
	first.Purpose, second.Purpose = "disnix-env", "disnix-env of the second"

	var once, forced error
	taken := false
	s.target("a").Hook = func(ctx context.Context, call servicetest.Call) error {
		if call.Operation != "activate" || taken {
			return nil
		}
		taken = true
		_, once = second.Lock(ctx)
		second.Options.ForceLock = true
		_, forced = second.Lock(ctx)
		return nil
	}
	err := first.Deploy(t.Context())

	errorContains(t, once, "is locked by", "disnix-env, process")
	must(t, forced)
	contains(t, s.report.problems, "a: Taking the lock of profile default away from ")
	var lost *service.LostLockError
	if !errors.As(err, &lost) || lost.Holder == nil || lost.Holder.Owner.Purpose != "disnix-env of the second" {
		t.Errorf("the first coordinator ended with: %v", err)
	}
	contains(t, s.report.notices, "Somebody else has taken the locks of this deployment away")
	contains(t, s.report.notices, "$ disnix-env --resume --force-lock\n")
	containsNot(t, s.report.problems, "--unlock") // it would release that of the second
	requireForce(t, first)
	equal(t, "active on a", s.target("a").Active(), nil)
	for _, target := range []string{"a", "b"} {
		equal(t, "profile of "+target, s.target(target).Profile("default"), "")
		equal(t, "locked on "+target, s.target(target).Locked(), []string{"default"})
	}
}

// requireForce checks that a deployment whose locks were lost is not completed or
// undone over that of whoever has taken them, unless that is said.
func requireForce(t *testing.T, d *coordinator.Deployment) {
	t.Helper()
	for name, end := range map[string]func(*coordinator.Deployment, context.Context, *journal.Journal) error{
		"resume": (*coordinator.Deployment).Resume, "abort": (*coordinator.Deployment).Abort,
	} {
		j, err := journal.Open(*d.Journal)
		must(t, err)
		var failed *coordinator.DeployError
		err = end(d, t.Context(), j)
		if !errors.As(err, &failed) || failed.Outcome != coordinator.Unfinished {
			t.Errorf("%s: %v", name, err)
		}
		errorContains(t, err, "was lost", "--force-lock")
	}
}

// TestForcedLockOfTheOriginal takes a lock away of which nothing is known.
func TestForcedLockOfTheOriginal(t *testing.T) {
	s := newSite(t)
	must(t, s.target("a").Lock(t.Context(), "default"))
	d := s.deployment(configuration("a", part{name: "web", on: "a"}), nil)
	d.Options.ForceLock = true
	must(t, d.Deploy(t.Context()))
	s.assertUnlocked()
}
