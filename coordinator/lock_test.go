package coordinator_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"github.com/disnix-go/disnix/service/servicetest"
)

func TestLock(t *testing.T) {
	m := configuration("a b")
	s := newSite(t)
	d := s.deployment(m, nil)
	d.Options.Profile = "production"
	locks, err := d.Lock(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, target := range []string{"a", "b"} {
		equal(t, "locked on "+target, s.target(target).Locked(), []string{"production"})
		contains(t, s.report.progress, target+": Acquiring a lock on profile: "+m.Profiles[target])
	}
	if err := locks.Release(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.assertUnlocked()
	contains(t, s.report.progress, "b: Releasing a lock on profile: "+m.Profiles["b"])
}

// TestLockAllAtOnce needs all targets to be asked before one answers.
func TestLockAllAtOnce(t *testing.T) {
	m := configuration("a b c d e f g h")
	s := newSite(t)
	var all sync.WaitGroup
	all.Add(len(m.Profiles))
	s.onCall = func(context.Context, string, servicetest.Call) error {
		all.Done()
		all.Wait()
		return nil
	}
	if _, err := s.deployment(m, nil).Lock(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func TestLockFailureReleasesWhatWasLocked(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		names := strings.Fields("a b c d e")
		refusing := rapid.SliceOfNDistinct(rapid.SampledFrom(names), 1, len(names), rapid.ID[string]).Draw(rt, "refusing")
		s := newSite(t)
		var failures []string
		for _, name := range refusing {
			failures = append(failures, name+" lock")
		}
		s.failOn(failures...)
		locks, err := s.deployment(configuration("a b c d e"), nil).Lock(t.Context())
		if err == nil || locks != nil {
			rt.Fatal("locked although targets refused")
		}
		s.assertUnlocked()
		for _, name := range names {
			refused := slices.Contains(refusing, name)
			if unlocked := s.count(name+" unlock") == 1; unlocked == refused {
				rt.Errorf("target %s: refused %v, unlocked %v", name, refused, unlocked)
			}
			if refused != strings.Contains(err.Error(), fmt.Sprintf("target %q", name)) {
				rt.Errorf("the error does not tell who refused: %v", err)
			}
		}
	})
}

func TestLockHeldByAnotherDeployment(t *testing.T) {
	s := newSite(t)
	m := configuration("a b")
	if err := s.target("b").Lock(t.Context(), "default"); err != nil {
		t.Fatal(err)
	}
	s.forget()
	_, err := s.deployment(m, nil).Lock(t.Context())
	errorContains(t, err, `target "b"`, "is locked by somebody")
	contains(t, s.report.problems, "b: Cannot lock profile: "+m.Profiles["b"])
	equal(t, "locks of the other deployment", s.target("b").Locked(), []string{"default"})
	equal(t, "locks of ours", len(s.target("a").Locked()), 0)
	equal(t, "unlocked on b", s.count("b unlock"), 0)
}

// TestLockOfOneMachineUnderTwoNames locks targets that are one machine, which
// their addresses do not show. With one profile for both, that of one would
// replace that of the other; nobody's lock is in the way, also not when locks
// are forced.
func TestLockOfOneMachineUnderTwoNames(t *testing.T) {
	for _, force := range []bool{false, true} {
		s := newSite(t)
		machine := &servicetest.Fake{}
		s.targets["a"], s.targets["b"] = machine, machine
		d := s.deployment(configuration("a b", part{name: "web", on: "a b"}), nil)
		d.Options.ForceLock = force
		_, err := d.Lock(t.Context())
		errorContains(t, err, "it is the same machine as target \"", "name the same host in both addresses")
		if text := err.Error(); strings.Contains(text, "locked by") || strings.Contains(text, "disnix-lock") {
			t.Errorf("the error leads astray: %s", text)
		}
		equal(t, "locks", machine.Locked(), nil)
	}
}

// TestLockInterrupted interrupts while some locks are under way, which still
// succeed: their outcome must be known, so that they can be released.
func TestLockInterrupted(t *testing.T) {
	s := newSite(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	s.onCall = func(_ context.Context, _ string, call servicetest.Call) error {
		if call.Operation == "lock" {
			cancel()
		}
		return nil
	}
	_, err := s.deployment(configuration("a b c"), nil).Lock(ctx)
	errorContains(t, err, "context canceled")
	contains(t, s.report.problems, "The lock phase has been interrupted, unlocking all targets again...")
	s.assertUnlocked()
	if n := len(s.operations("lock")); n == 0 || n != len(s.operations("unlock")) {
		t.Errorf("locks and unlocks are not balanced: %v", s.operations())
	}
}

func TestUnlock(t *testing.T) {
	s := newSite(t)
	m := configuration("a b c")
	d := s.deployment(m, nil)
	if _, err := d.Lock(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := s.target("b").Unlock(t.Context(), "default"); err != nil {
		t.Fatal(err)
	}
	err := d.Unlock(t.Context())
	errorContains(t, err, `target "b": unlock profile "default": it is not locked`)
	contains(t, s.report.problems, "b: Cannot unlock profile: "+m.Profiles["b"])
	s.assertUnlocked()
}

func TestUnlockAfterCancellation(t *testing.T) {
	s := newSite(t)
	locks, err := s.deployment(configuration("a b"), nil).Lock(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := locks.Release(ctx); err != nil {
		t.Fatal(err)
	}
	s.assertUnlocked()
}

func TestRoughEdge_OldTargetsAreLocked(t *testing.T) {
	old := configuration("a b", part{name: "web", on: "b"})
	new := configuration("a")
	s := newSite(t)
	t.Run("transition 12: targets of the old configuration are locked and unlocked", func(t *testing.T) {
		locks, err := s.deployment(new, old).Lock(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		equal(t, "locked on b", s.target("b").Locked(), []string{"default"})
		contains(t, s.report.progress, "b: Acquiring a lock on profile: "+old.Profiles["b"])
		if err := locks.Release(t.Context()); err != nil {
			t.Fatal(err)
		}
		s.assertUnlocked()
	})
	t.Run("not if the old configuration is ignored", func(t *testing.T) {
		s.forget()
		d := s.deployment(new, old)
		d.Options.NoUpgrade = true
		if _, err := d.Lock(t.Context()); err != nil {
			t.Fatal(err)
		}
		equal(t, "locks", s.operations(), []string{"a lock"})
	})
}

func TestRoughEdge_LogicalTargetsOfThisMachine(t *testing.T) {
	t.Run("observed 11: two targets on one machine share neither profile nor lock", testLogicalTargets)
}

func testLogicalTargets(t *testing.T) {
	m := configuration("a b")
	for _, target := range m.Infrastructure {
		target.ClientInterface = "disnix-run-activity"
	}
	machine := new(servicetest.Fake)
	s := newSite(t)
	s.targets["a"], s.targets["b"] = machine, machine
	d := s.deployment(m, nil)
	locks, err := d.Lock(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "locks", machine.Locked(), []string{"default@a", "default@b"})
	if err := d.SetProfiles(t.Context()); err != nil {
		t.Fatal(err)
	}
	for target, path := range m.Profiles {
		equal(t, "profile of "+target, machine.Profile("default@"+target), path)
	}
	if err := locks.Release(t.Context()); err != nil {
		t.Fatal(err)
	}
	equal(t, "locks", len(machine.Locked()), 0)
}

// TestUnlockErrorSaysOnce what was attempted, also if the target says it, too.
func TestUnlockErrorSaysOnce(t *testing.T) {
	s := newSite(t)
	s.onCall = func(context.Context, string, servicetest.Call) error {
		return errors.New(`unlock profile "default": a service objects`)
	}
	err := s.deployment(configuration("a"), nil).Unlock(t.Context())
	if err == nil || err.Error() != `release locks: target "a": unlock profile "default": a service objects` {
		t.Errorf("error %v", err)
	}
}
