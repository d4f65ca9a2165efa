package coordinator_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

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

// TestDeployNothingThatCannotBeRecorded checks that a generation that cannot
// be written is found out before anything is touched.
func TestDeployNothingThatCannotBeRecorded(t *testing.T) {
	root := nixtest.Store(t)
	manifest := storeFile(t, root, "manifest.xml")
	blocked := nixtest.File(t, root, "file", "in the way")
	for _, test := range []struct{ name, path, dir, problem string }{
		{"the manifest is not in the store", blocked, root, "build it with disnix-manifest"},
		{"the profile directory cannot be created", manifest, blocked + "/profiles", "not a directory"},
		{"the disk is full", manifest, fullDirectory(t), "no space left on device"},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := newSite(t)
			s.mustDeploy(versionOne, nil)
			s.forget()
			d := s.deployment(versionTwo, versionOne)
			d.ManifestPath = test.path
			d.Options.NoCoordinatorProfile = false
			d.Options.CoordinatorProfileDir = test.dir
			got, code := outcome(t, d.Deploy(t.Context()))
			equal(t, "outcome", got, coordinator.OldStands)
			equal(t, "exit code", code, 1)
			equal(t, "active services", s.active(), expected(versionOne))
			equal(t, "number of operations", len(s.operations()), 0)
			contains(t, s.report.problems, test.problem)
		})
	}
}

// TestDeployAfterSomebodyElse completes another deployment between the reading
// of the previous manifest and the locks.
func TestDeployAfterSomebodyElse(t *testing.T) {
	for _, test := range []struct {
		name              string
		before            string // the generation that is read
		change, noUpgrade bool
		fails             bool
	}{
		{name: "nothing is deployed"},
		{name: "the first deployment", change: true, fails: true},
		{name: "nobody", before: "default-1-link"},
		{name: "an upgrade", before: "default-1-link", change: true, fails: true},
		{name: "an upgrade that is ignored", before: "default-1-link", change: true, noUpgrade: true},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := newSite(t)
			dir := t.TempDir()
			generation := func(link string) {
				manifest := nixtest.File(t, dir, "manifest of "+link, link)
				if err := os.Symlink(manifest, filepath.Join(dir, link)); err != nil {
					t.Error(err)
				}
			}
			var previous *models.Manifest
			if test.before != "" {
				s.mustDeploy(versionOne, nil)
				generation(test.before)
				previous = versionOne
			}
			if test.change {
				s.onCall = func(_ context.Context, target string, call servicetest.Call) error {
					if target == "a" && call.Operation == "lock" {
						generation("default-2-link")
					}
					return nil
				}
			}
			d := s.deployment(versionTwo, previous)
			d.Options.CoordinatorProfileDir = dir
			d.Options.NoUpgrade = test.noUpgrade
			d.PreviousIsLatest = true
			if previous != nil {
				d.PreviousPath = filepath.Join(dir, test.before)
			}
			err := d.Deploy(t.Context())
			s.assertUnlocked()
			if !test.fails {
				if err != nil {
					t.Error(err)
				}
				return
			}
			got, _ := outcome(t, err)
			equal(t, "outcome", got, coordinator.OldStands)
			errorContains(t, err, "by somebody else", "default-2-link")
			equal(t, "activities", len(s.operations("activate", "deactivate", "set")), 0)
		})
	}
}

// fullDirectory returns a directory on a file system without free space.
func fullDirectory(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=4k,mode=0755"); err != nil {
		t.Fatalf("mount a small file system (needs root): %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return dir
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
	profiles := t.TempDir()
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
			set: func(d *coordinator.Deployment) {
				d.Options.NoCoordinatorProfile = false
				d.Options.CoordinatorProfileDir = profiles
				d.ManifestPath = "/nix/store/00000000000000000000000000000000-manifest.xml"
			},
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
