package coordinator_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/disnix-go/disnix/coordinator"
	"github.com/disnix-go/disnix/models"
	"github.com/disnix-go/disnix/models/nix"
	"github.com/disnix-go/disnix/service"
	"github.com/disnix-go/disnix/service/servicetest"
	"github.com/disnix-go/disnix/test/nixtest"
)

// mustDeploy deploys, and forgets what was called and reported.
func (s *site) mustDeploy(manifest, previous *models.Manifest) {
	s.t.Helper()
	if err := s.deployment(manifest, previous).Deploy(s.t.Context()); err != nil {
		s.t.Fatalf("deploy: %v", err)
	}
	s.forget()
}

// assertDeployed checks that services and profiles are those of a manifest.
func (s *site) assertDeployed(m *models.Manifest) {
	s.t.Helper()
	equal(s.t, "active services", s.active(), expected(m))
	for target, path := range m.Profiles {
		equal(s.t, "profile of "+target, s.target(target).Profile("default"), path)
	}
}

func outcome(t *testing.T, err error) (coordinator.Outcome, int) {
	t.Helper()
	if err == nil {
		return "", 0
	}
	var failure *coordinator.DeployError
	if !errors.As(err, &failure) {
		t.Fatalf("got %v", err)
	}
	return failure.Outcome, failure.ExitCode()
}

var (
	versionOne = configuration("a b",
		part{name: "db", on: "a", version: 1, stateful: true},
		part{name: "web", on: "a b", version: 1, dependsOn: []string{"db"}})
	versionTwo = configuration("a b",
		part{name: "db", on: "b", version: 2, stateful: true},
		part{name: "web", on: "a b", version: 2, dependsOn: []string{"db"}})
)

// coordinatorLines are the messages of the coordinator itself.
func coordinatorLines(progress []string) []string {
	return slices.DeleteFunc(slices.Clone(progress), func(line string) bool {
		return len(line) > 2 && line[1] == ':'
	})
}

func TestDeploy(t *testing.T) {
	s := newSite(t)
	if err := s.deployment(versionOne, nil).Deploy(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.assertDeployed(versionOne)
	s.assertUnlocked()
	equal(t, "headings", coordinatorLines(s.report.progress), []string{
		"Distributing intra-dependency closures...",
		"Acquiring locks...",
		"Activating new configuration...",
		"Executing the transition to the new deployment state",
		"Doing an installation from scratch",
		"Executing deactivation of services:",
		"Executing activation of services:",
		"Migrating data...",
		"No snapshots are taken since an upgrade is requested and no previous deployment state is known",
		"Sending snapshots of all components...",
		"Restoring state of services...",
		"Setting profiles...",
		"Releasing locks...",
	})

	s.setData("a/process/db", "1001")
	s.forget()
	if err := s.deployment(versionTwo, versionOne).Deploy(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.assertDeployed(versionTwo)
	s.assertUnlocked()
	equal(t, "data", s.allData(), map[string]string{"a/process/db": "1001", "b/process/db": "1001"})
	containsNot(t, s.report.problems, "failed")
}

func TestDeployWithoutSomePhases(t *testing.T) {
	s := newSite(t)
	s.mustDeploy(versionOne, nil)
	s.setData("a/process/db", "1001")
	d := s.deployment(versionTwo, versionOne)
	d.Options.NoLock = true
	d.Options.NoMigration = true
	d.Options.NoTargetProfiles = true
	if err := d.Deploy(t.Context()); err != nil {
		t.Fatal(err)
	}
	contains(t, s.report.progress, "Not acquiring any locks...")
	contains(t, s.report.progress, "Not releasing any locks...")
	containsNot(t, s.report.progress, "Migrating data...")
	equal(t, "operations", len(s.operations("lock", "unlock", "set", "snapshot", "restore")), 0)
	equal(t, "active services", s.active(), expected(versionTwo))
}

func TestDeployUnchanged(t *testing.T) {
	root := nixtest.Store(t)
	manifest := storeFile(t, root, "manifest.xml")
	dir := filepath.Join(root, "coordinator")
	s := newSite(t)
	for i := range 3 {
		previous := versionOne
		if i == 0 {
			previous = nil
		}
		s.forget()
		d := s.deployment(versionOne, previous)
		d.ManifestPath = manifest
		d.Options.NoCoordinatorProfile = false
		d.Options.CoordinatorProfileDir = dir
		if err := d.Deploy(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	t.Run("nothing is done again", func(t *testing.T) {
		for _, op := range s.operations() {
			if !slices.Contains([]string{"lock", "unlock", "print-invalid", "set"}, strings.Fields(op)[1]) {
				t.Errorf("did %q although nothing has changed", op)
			}
		}
		equal(t, "number of operations", len(s.operations()), 8)
	})
	t.Run("no generation is added", func(t *testing.T) {
		generations, err := service.Generations(dir, "default")
		if err != nil || len(generations) != 1 {
			t.Errorf("generations: %v, %v", generations, err)
		}
	})
	t.Run("transition 14, observed 16: no note about state that was not moved", func(t *testing.T) {
		equal(t, "notices", len(s.report.notices), 0)
	})
}

func TestDeployNote(t *testing.T) {
	deploy := func(t *testing.T, set func(d *coordinator.Deployment)) *site {
		s := newSite(t)
		s.mustDeploy(versionOne, nil)
		s.setData("a/process/db", "1001")
		d := s.deployment(versionTwo, versionOne)
		set(d)
		if err := d.Deploy(t.Context()); err != nil {
			t.Fatal(err)
		}
		return s
	}
	s := deploy(t, func(d *coordinator.Deployment) {
		d.Options.Profile = "production"
		d.Options.CoordinatorProfileDir = "/some dir"
	})
	contains(t, s.report.notices, "\nNOTE: ")
	contains(t, s.report.notices, "\n\n$ disnix-delete-state -p production --coordinator-profile-path '/some dir' old.xml\n")

	s = deploy(t, func(d *coordinator.Deployment) { d.Options.Migration.DeleteState = true })
	equal(t, "notices", len(s.report.notices), 0)
	_, there := s.allData()["a/process/db"]
	equal(t, "obsolete state is there", there, false)
}

func TestDeployFailures(t *testing.T) {
	const sorry = "The deployment failed! Please inspect the output to diagnose any problems!"
	for _, test := range []struct {
		name    string
		fail    []string
		set     func(d *coordinator.Deployment)
		outcome coordinator.Outcome
		code    int
		active  *models.Manifest // nil: a mixture
		notice  string
		problem string
	}{
		{
			name: "distribution", fail: []string{"b import"},
			outcome: coordinator.OldStands, code: 1, active: versionOne, notice: sorry,
			problem: "b: Cannot receive intra-dependency closure of profile",
		},
		{
			name: "lock", fail: []string{"b lock"},
			outcome: coordinator.OldStands, code: 1, active: versionOne, notice: sorry,
			problem: "b: Cannot lock profile",
		},
		{
			name: "deactivation", fail: []string{"a deactivate db"},
			outcome: coordinator.OldStands, code: 1, active: versionOne, notice: sorry,
			problem: "Deactivation failed! Doing a rollback...",
		},
		{
			name: "snapshot", fail: []string{"a snapshot db"},
			outcome: coordinator.NotMigrated, code: 2, active: versionTwo,
			notice:  "\n\n$ disnix-migrate -o old.xml new.xml\n",
			problem: "nothing was restored or deleted: all state is still where it was",
		},
		{
			name: "restore", fail: []string{"b restore db"},
			set: func(d *coordinator.Deployment) {
				d.Options.Profile = "production"
				d.Options.Migration = coordinator.MigrationOptions{DeleteState: true, DepthFirst: true, All: true, Keep: 5}
			},
			outcome: coordinator.NotMigrated, code: 2, active: versionTwo,
			notice:  "\n\n$ disnix-migrate -p production --delete-state --depth-first --all --keep 5 -o old.xml new.xml\n",
			problem: "nothing was deleted",
		},
		{
			name: "restore: then the profiles", fail: []string{"b restore db"},
			outcome: coordinator.NotMigrated, code: 2, active: versionTwo,
			notice: "\n\n$ disnix-set --no-coordinator-profile new.xml\n",
		},
		{
			// Migrating again would capture what is partly deleted.
			name: "deletion of state", fail: []string{"a delete-state db"},
			set:     func(d *coordinator.Deployment) { d.Options.Migration.DeleteState = true },
			outcome: coordinator.NotMigrated, code: 2, active: versionTwo,
			notice:  "\n\n$ disnix-delete-state old.xml\n",
			problem: "all state was restored",
		},
		{
			name: "profiles", fail: []string{"b set"},
			set:     func(d *coordinator.Deployment) { d.Options.NoCoordinatorProfile = false },
			outcome: coordinator.NotRecorded, code: 1, active: versionTwo, notice: sorry,
			problem: "not set on: b; set on: a; the coordinator profile is not set",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := newSite(t)
			s.mustDeploy(versionOne, nil)
			s.setData("a/process/db", "1001")
			s.failOn(test.fail...)
			d := s.deployment(versionTwo, versionOne)
			if test.set != nil {
				test.set(d)
			}
			gotOutcome, code := outcome(t, d.Deploy(t.Context()))
			equal(t, "outcome", gotOutcome, test.outcome)
			equal(t, "exit code", code, test.code)
			equal(t, "active services", s.active(), expected(test.active))
			contains(t, s.report.notices, test.notice)
			contains(t, s.report.problems, test.problem)
			contains(t, s.report.problems, "injected failure")
			if code == 2 {
				containsNot(t, s.report.notices, sorry)
			}
			s.assertUnlocked()
			locked, unlocked := len(s.operations("lock")), len(s.operations("unlock"))
			if test.name == "lock" {
				locked--
			}
			equal(t, "locks and unlocks", fmt.Sprint(locked), fmt.Sprint(unlocked))
		})
	}
}

func TestDeployActivationFails(t *testing.T) {
	newWeb := ""
	for _, service := range versionTwo.Services {
		if service.Name == "web" {
			newWeb = service.Package
		}
	}
	s := newSite(t)
	s.mustDeploy(versionOne, nil)
	refuse := func(operation string) func(context.Context, string, servicetest.Call) error {
		return func(_ context.Context, target string, call servicetest.Call) error {
			broken := call.Operation == "activate" && call.Activity.Component == newWeb && target == "b"
			if broken || call.Operation == operation && nix.PackageName(call.Activity.Component) == "db" && target == "a" {
				return errInjected
			}
			return nil
		}
	}
	t.Run("and is rolled back", func(t *testing.T) {
		s.onCall = refuse("none")
		got, code := outcome(t, s.deployment(versionTwo, versionOne).Deploy(t.Context()))
		equal(t, "outcome", got, coordinator.OldStands)
		equal(t, "exit code", code, 1)
		s.assertDeployed(versionOne)
		s.assertUnlocked()
		equal(t, "state was touched", len(s.operations("snapshot", "restore", "set")), 0)
	})
	t.Run("transition 8: an incomplete rollback has its own exit code", func(t *testing.T) {
		s.forget()
		s.onCall = refuse("activate")
		got, code := outcome(t, s.deployment(versionTwo, versionOne).Deploy(t.Context()))
		equal(t, "outcome", got, coordinator.NotRolledBack)
		equal(t, "exit code", code, 3)
		contains(t, s.report.notices, "$ disnix-activate --no-upgrade --no-rollback -p default old.xml")
		contains(t, s.report.notices, "The deployment failed!")
		s.assertUnlocked()
	})
}

func TestDeployChecksFirst(t *testing.T) {
	server := part{name: "server", on: "a", provides: "db"}
	data := part{name: "data", on: "a", container: "db", in: "server", stateful: true}
	broken := configuration("a", part{name: "web", on: "a"})
	broken.ServiceMappings[0].Target = "x"
	for _, test := range []struct {
		name     string
		old, new *models.Manifest
		problem  string
	}{
		{"safety check", configuration("a", server, data), configuration("a"), "provided by service"},
		{"invalid manifest", nil, broken, `"x"`},
		{"invalid previous manifest", broken, configuration("a"), `"x"`},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := newSite(t)
			got, code := outcome(t, s.deployment(test.new, test.old).Deploy(t.Context()))
			equal(t, "outcome", got, coordinator.OldStands)
			equal(t, "exit code", code, 1)
			contains(t, s.report.problems, test.problem)
			equal(t, "operations", len(s.operations()), 0)
			equal(t, "progress", len(s.report.progress), 0)
		})
	}
}

func TestRoughEdge_UnlockFailureAfterSuccess(t *testing.T) {
	t.Run("transition 16: a lock that cannot be released is reported, but the deployment has succeeded", func(t *testing.T) {
		s := newSite(t)
		s.failOn("b unlock")
		d := s.deployment(versionOne, nil)
		d.Options.Profile = "production"
		if err := d.Deploy(t.Context()); err != nil {
			t.Fatal(err)
		}
		equal(t, "active services", s.active(), expected(versionOne))
		contains(t, s.report.problems, "b: Cannot unlock profile: "+versionOne.Profiles["b"])
		contains(t, s.report.problems, "disnix-lock -p production --unlock new.xml")
		containsNot(t, s.report.notices, "failed")
		equal(t, "locked on a", len(s.target("a").Locked()), 0)
	})
}

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
