package coordinator_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/disnix-go/disnix/coordinator"
	"github.com/disnix-go/disnix/models"
	"github.com/disnix-go/disnix/service/servicetest"
)

// TestDeployInterrupted interrupts every kind of operation, the first and the
// second time that it is called.
func TestDeployInterrupted(t *testing.T) {
	for _, test := range []struct {
		operation string
		outcome   coordinator.Outcome
		code      int
		active    *models.Manifest
	}{
		{"print-invalid", coordinator.OldStands, 1, versionOne},
		{"import", coordinator.OldStands, 1, versionOne},
		{"lock", coordinator.OldStands, 1, versionOne},
		{"deactivate", coordinator.OldStands, 1, versionOne},
		{"activate", coordinator.OldStands, 1, versionOne},
		{"snapshot", coordinator.NotMigrated, 2, versionTwo},
		{"export-snapshots", coordinator.NotMigrated, 2, versionTwo},
		{"import-snapshots", coordinator.NotMigrated, 2, versionTwo},
		{"set", "", 0, versionTwo},
		{"unlock", "", 0, versionTwo},
	} {
		for nth := 1; nth <= 2; nth++ {
			t.Run(fmt.Sprintf("%s %d", test.operation, nth), func(t *testing.T) {
				s := newSite(t)
				s.mustDeploy(versionOne, nil)
				s.setData("a/process/db", "1001")
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				calls := 0
				s.onCall = func(_ context.Context, _ string, call servicetest.Call) error {
					s.mu.Lock()
					defer s.mu.Unlock()
					if call.Operation == test.operation {
						if calls++; calls == nth {
							cancel()
						}
					}
					return nil
				}
				err := s.deployment(versionTwo, versionOne).Deploy(ctx)
				if calls < nth && err == nil {
					return // it is called less often
				}
				got, code := outcome(t, err)
				equal(t, "outcome", got, test.outcome)
				equal(t, "exit code", code, test.code)
				equal(t, "active services", s.active(), expected(test.active))
				s.assertUnlocked()
				equal(t, "locks and unlocks", len(s.operations("lock")) == len(s.operations("unlock")), true)
				if code != 0 {
					for target, path := range versionOne.Profiles {
						equal(t, "profile of "+target, s.target(target).Profile("default"), path)
					}
				} else {
					s.assertDeployed(versionTwo)
					contains(t, s.report.problems, "The interrupt came too late")
				}
				equal(t, "data on a", s.allData()["a/process/db"], "1001")
			})
		}
	}
}

func TestDeployInterruptedBeforehand(t *testing.T) {
	s := newSite(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	got, _ := outcome(t, s.deployment(versionOne, nil).Deploy(ctx))
	equal(t, "outcome", got, coordinator.OldStands)
	equal(t, "operations", len(s.operations()), 0)
}

func TestDeployDepartedTargets(t *testing.T) {
	old := configuration("a b", part{name: "db", on: "b", stateful: true}, part{name: "web", on: "a", dependsOn: []string{"db"}})
	new := configuration("a", part{name: "db", on: "a", stateful: true}, part{name: "web", on: "a", dependsOn: []string{"db"}})
	t.Run("observed 9: services on a target that left the infrastructure are deactivated, their state is moved", func(t *testing.T) {
		s := newSite(t)
		s.mustDeploy(old, nil)
		s.setData("b/process/db", "1001")
		if err := s.deployment(new, old).Deploy(t.Context()); err != nil {
			t.Fatal(err)
		}
		s.assertDeployed(new)
		s.assertUnlocked()
		locks := s.operations("lock", "unlock")
		slices.Sort(locks)
		equal(t, "locks", locks, []string{"a lock", "a unlock", "b lock", "b unlock"})
		equal(t, "db", s.allData()["a/process/db"], "1001")
	})
	t.Run("transition 5: a machine that does not exist any more is passed over", func(t *testing.T) {
		s := newSite(t)
		s.mustDeploy(old, nil)
		s.unreachable["b"] = true
		delete(s.targets, "b")
		if err := s.deployment(new, old).Deploy(t.Context()); err != nil {
			t.Fatal(err)
		}
		s.assertDeployed(new)
		s.assertUnlocked()
		contains(t, s.report.problems, "b: Skip target since machine is no longer present!")
	})
	t.Run("an interrupt while it is asked", func(t *testing.T) {
		s := newSite(t)
		s.mustDeploy(old, nil)
		ctx, cancel := context.WithCancel(t.Context())
		s.onCall = func(ctx context.Context, _ string, call servicetest.Call) error {
			if call.Operation == "query-installed" {
				cancel()
				<-ctx.Done()
			}
			return nil
		}
		got, _ := outcome(t, s.deployment(new, old).Deploy(ctx))
		equal(t, "outcome", got, coordinator.OldStands)
		containsNot(t, s.report.problems, "no longer present")
		s.assertDeployed(old)
	})
}

// TestDeployNeverLeavesAMixture deploys and fails at random: then either the
// old or the new services are active, and no lock is held.
func TestDeployNeverLeavesAMixture(t *testing.T) {
	random := func(rt *rapid.T, label string) *models.Manifest {
		var parts []part
		names := []string{"one", "two", "three", "four"}
		for i, name := range names {
			p := part{
				name:     name,
				on:       strings.Join(rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"a", "b", "c"}), 0, 2, rapid.ID[string]).Draw(rt, label+name), " "),
				version:  rapid.IntRange(1, 2).Draw(rt, label+name+" version"),
				stateful: i%2 == 0,
			}
			if i > 0 && rapid.Bool().Draw(rt, label+name+" depends") {
				p.dependsOn = names[i-1 : i]
			}
			parts = append(parts, p)
		}
		return configuration("a b c", parts...)
	}
	rapid.Check(t, func(rt *rapid.T) {
		old, new := random(rt, "old "), random(rt, "new ")
		s := newSite(t)
		s.mustDeploy(old, nil)
		operations := []string{"print-invalid", "import", "lock", "deactivate", "activate", "snapshot", "restore", "set", "unlock"}
		operation := rapid.SampledFrom(operations).Draw(rt, "operation")
		nth := rapid.IntRange(1, 5).Draw(rt, "nth")
		interrupt := rapid.Bool().Draw(rt, "interrupt")
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		calls := 0
		s.onCall = func(_ context.Context, _ string, call servicetest.Call) error {
			s.mu.Lock()
			defer s.mu.Unlock()
			if call.Operation != operation {
				return nil
			}
			if calls++; calls != nth {
				return nil
			}
			if interrupt {
				cancel()
				return nil
			}
			return errInjected
		}
		err := s.deployment(new, old).Deploy(ctx)
		got, code := outcome(t, err)
		want := new
		if got == coordinator.OldStands {
			want = old
		}
		if fmt.Sprint(s.active()) != fmt.Sprint(expected(want)) {
			rt.Fatalf("outcome %q, exit code %d, but active are %v", got, code, s.active())
		}
		held := 0
		for _, fake := range s.targets {
			held += len(fake.Locked())
		}
		if held > 0 && (operation != "unlock" || interrupt) {
			rt.Fatalf("%d locks are still held", held)
		}
	})
}
