package coordinator_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/disnix-go/disnix/coordinator"
	"github.com/disnix-go/disnix/models"
	"github.com/disnix-go/disnix/service/servicetest"
)

// The system of these tests: web depends on api, which depends on db.
func threeTiers(version int) *models.Manifest {
	return configuration("node1 node2",
		part{name: "db", version: version, on: "node1"},
		part{name: "api", version: version, on: "node2", dependsOn: []string{"db"}},
		part{name: "web", version: version, on: "node1", dependsOn: []string{"api"}},
		part{name: "log", version: 1, on: "node2"})
}

// installed returns a site on which a configuration is active.
func installed(t *testing.T, m *models.Manifest) *site {
	t.Helper()
	s := newSite(t)
	if err := s.deployment(m, nil).Activate(t.Context(), false); err != nil {
		t.Fatal(err)
	}
	equal(t, "active services", s.active(), expected(m))
	s.forget()
	return s
}

// fails carries out a transition that fails with that result.
func fails(t *testing.T, d *coordinator.Deployment, result coordinator.TransitionResult) *coordinator.TransitionError {
	t.Helper()
	return failsIn(t.Context(), t, d, result)
}

func failsIn(ctx context.Context, t *testing.T, d *coordinator.Deployment, result coordinator.TransitionResult) *coordinator.TransitionError {
	t.Helper()
	err := d.Activate(ctx, false)
	var failure *coordinator.TransitionError
	if !errors.As(err, &failure) {
		t.Fatalf("error %v, want a TransitionError", err)
	}
	if failure.Result != result || failure.ExitCode() != int(result) {
		t.Fatalf("result %d, want %d: %v", failure.Result, result, err)
	}
	return failure
}

func key(t *testing.T, m *models.Manifest, name string) string {
	t.Helper()
	for key, s := range m.Services {
		if s.Name == name {
			return key
		}
	}
	t.Fatalf("no service %s", name)
	return ""
}

func TestTransitionUpgrade(t *testing.T) {
	old, new := threeTiers(1), threeTiers(2)
	s := installed(t, old)
	if err := s.deployment(new, old).Activate(t.Context(), false); err != nil {
		t.Fatal(err)
	}
	equal(t, "active services", s.active(), expected(new))
	equal(t, "operations", s.operations(), []string{
		"node1 deactivate web", "node2 deactivate api", "node1 deactivate db",
		"node1 activate db", "node2 activate api", "node1 activate web",
	})
	line := func(verb, name, target string, m *models.Manifest) string {
		k := key(t, m, name)
		return fmt.Sprintf("%s: %s service with key: %s and package: %s with module: process in container: process, arguments: place",
			target, verb, k, m.Services[k].Package)
	}
	equal(t, "progress", s.report.progress, []string{
		"Executing the transition to the new deployment state",
		"Doing an upgrade from previous manifest file",
		"Executing deactivation of services:",
		line("Deactivating", "web", "node1", old),
		line("Deactivating", "api", "node2", old),
		line("Deactivating", "db", "node1", old),
		"Executing activation of services:",
		line("Activating", "db", "node1", new),
		line("Activating", "api", "node2", new),
		line("Activating", "web", "node1", new),
	})
	equal(t, "problems", s.report.problems, []string{"The new configuration has been successfully activated!"})
}

func TestTransitionPassesTheActivity(t *testing.T) {
	s := newSite(t)
	m := configuration("node1",
		part{name: "pg", on: "node1", provides: "pg-database", version: 7},
		part{name: "orders", on: "node1", container: "pg-database", in: "pg"})
	if err := s.deployment(m, nil).Activate(t.Context(), false); err != nil {
		t.Fatal(err)
	}
	calls := s.target("node1").Calls()
	orders := calls[len(calls)-1].Activity
	equal(t, "container", orders.Container, "pg-database")
	equal(t, "type", orders.Type, m.Services[key(t, m, "pg")].Package)
	equal(t, "arguments", orders.Arguments, []string{"version=7"})
	if orders.Output == nil {
		t.Error("what the plugin prints is lost")
	}
}

func TestTransitionHeadings(t *testing.T) {
	m := threeTiers(1)
	tests := []struct {
		name      string
		old       *models.Manifest
		noUpgrade bool
		heading   string
		steps     int
	}{
		{"installation", nil, false, "Doing an installation from scratch", 4},
		{"nothing changes", m, false, "Doing an upgrade from previous manifest file", 0},
		{"no upgrade", m, true, "Forced to do no upgrade! Ignoring the previous manifest file!", 4},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s := newSite(t)
			d := s.deployment(m, test.old)
			d.Options.NoUpgrade = test.noUpgrade
			if err := d.Activate(t.Context(), false); err != nil {
				t.Fatal(err)
			}
			headings := slices.DeleteFunc(s.report.progress, func(line string) bool { return strings.HasPrefix(line, "node") })
			equal(t, "headings", headings, []string{
				"Executing the transition to the new deployment state",
				test.heading,
				"Executing deactivation of services:",
				"Executing activation of services:",
			})
			if n := len(s.operations()); n != test.steps {
				t.Errorf("%d operations, want %d", n, test.steps)
			}
		})
	}
}

func TestTransitionDryRun(t *testing.T) {
	old, new := threeTiers(1), threeTiers(2)
	s := newSite(t)
	s.unreachable["node1"], s.unreachable["node2"] = true, true
	if err := s.deployment(new, old).Activate(t.Context(), true); err != nil {
		t.Fatal(err)
	}
	if operations := s.operations(); len(operations) > 0 {
		t.Errorf("a dry run did %q", operations)
	}
	contains(t, s.report.progress, "node1: Dry-run deactivating service with key: "+key(t, old, "db"))
	contains(t, s.report.progress, "node1: Dry-run activating service with key: "+key(t, new, "db"))
}

func TestTransitionRefusesBadManifests(t *testing.T) {
	m := threeTiers(1)
	m.ServiceMappings = m.ServiceMappings[1:] // db is not mapped any more
	s := newSite(t)
	err := s.deployment(m, nil).Activate(t.Context(), false)
	errorContains(t, err, "plan the transition: new manifest: ", `service "api"`, `service "db"`)
	if operations := s.operations(); len(operations) > 0 {
		t.Errorf("%q was done", operations)
	}
}

func TestTransitionConnectsBeforeItTouchesAnything(t *testing.T) {
	old, new := threeTiers(1), threeTiers(2)
	s := installed(t, old)
	s.unreachable["node2"] = true
	failure := fails(t, s.deployment(new, old), coordinator.TransitionFailed)
	errorContains(t, failure, `target "node2"`, "no route to host", "the old configuration stands")
	if operations := s.operations(); len(operations) > 0 {
		t.Errorf("%q was done", operations)
	}
	contains(t, s.report.problems, "ERROR: Transition phase execution failed!")
}

func TestActivationFails(t *testing.T) {
	old, new := threeTiers(1), threeTiers(2)
	s := installed(t, old)
	s.failOn("node2 activate api")
	rollingBack := false
	fail := s.onCall
	s.onCall = func(ctx context.Context, target string, call servicetest.Call) error {
		rollingBack = rollingBack || call.Operation == "deactivate" && call.Activity.Component == new.Services[key(t, new, "api")].Package
		if rollingBack {
			return nil
		}
		return fail(ctx, target, call)
	}
	failure := fails(t, s.deployment(new, old), coordinator.TransitionFailed)
	equal(t, "active services", s.active(), expected(old))
	equal(t, "operations after the failure", s.operations()[4:], []string{
		"node2 activate api",
		"node2 deactivate api", "node1 deactivate db",
		"node1 activate db", "node2 activate api", "node1 activate web",
	})
	errorContains(t, failure, `activate service "api" in container "process" on target "node2": injected failure`,
		"steps that were not begun: 1", "the old configuration stands")
	if !errors.Is(failure, errInjected) || len(failure.Displaced) > 0 {
		t.Errorf("failure %+v", failure)
	}
	equal(t, "problems", s.report.problems, []string{
		fmt.Sprintf("node2: Activation failed of service: %s (api: injected failure)", key(t, new, "api")),
		"Activation failed! Doing a rollback...",
		"ERROR: Transition phase execution failed!",
	})
	equal(t, "notices", len(s.report.notices), 0)
}

func TestActivationFailsWithoutOldConfiguration(t *testing.T) {
	m := threeTiers(1)
	s := newSite(t)
	s.failOn("node2 activate api")
	fails(t, s.deployment(m, nil), coordinator.TransitionFailed)
	equal(t, "active services", s.active(), []string{})
}

func TestUnaffectedBranchesGoOn(t *testing.T) {
	m := configuration("node1",
		part{name: "bad", on: "node1"},
		part{name: "behind", on: "node1", dependsOn: []string{"bad"}},
		part{name: "good", on: "node1"},
		part{name: "better", on: "node1", dependsOn: []string{"good"}})
	s := newSite(t)
	s.failOn("node1 activate bad")
	d := s.deployment(m, nil)
	d.Options.NoRollback = true
	failure := fails(t, d, coordinator.TransitionFailed)
	started := s.operations()
	slices.Sort(started)
	equal(t, "operations", started, []string{"node1 activate bad", "node1 activate better", "node1 activate good"})
	if failure.NotBegun != 1 || len(failure.Failures) != 1 || !failure.NotUndone {
		t.Errorf("failure %+v", failure)
	}
}

func TestNoRollback(t *testing.T) {
	old, new := threeTiers(1), threeTiers(2)
	tests := []struct {
		name, fail, problem string
		displaced           []string
	}{
		{"deactivation", "node2 deactivate api", "Deactivation failed, but not performing a rollback", []string{
			"web on target node1 in container process is not active, but should be active",
			"api on target node2 in container process is in an unknown state, but should be active",
		}},
		{"activation", "node1 activate web", "Activation failed, but not doing a rollback", []string{
			"web on target node1 in container process is not active, but should be active",
			"api on target node2 in container process is not active, but should be active",
			"db on target node1 in container process is not active, but should be active",
			"db on target node1 in container process is active, but should be not active",
			"api on target node2 in container process is active, but should be not active",
			"web on target node1 in container process is in an unknown state, but should be not active",
		}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s := installed(t, old)
			s.failOn(test.fail)
			d := s.deployment(new, old)
			d.Options.NoRollback = true
			failure := fails(t, d, coordinator.TransitionFailed)
			contains(t, s.report.problems, test.problem)
			containsNot(t, s.report.problems, "Doing a rollback")
			var displaced []string
			for _, d := range failure.Displaced {
				displaced = append(displaced, d.String())
			}
			equal(t, "displaced", displaced, test.displaced)
			equal(t, "notices", len(s.report.notices), 0)
			errorContains(t, failure, "no rollback is wanted")
		})
	}
}

// failAfter makes operations fail from the n-th call of a target operation on.
func (s *site) failAfter(n int, what string) {
	seen := 0
	s.failOn(what)
	fail := s.onCall
	s.onCall = func(ctx context.Context, target string, call servicetest.Call) error {
		err := fail(ctx, target, call)
		if err == nil {
			return nil
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		if seen++; seen <= n {
			return nil
		}
		return err
	}
}

func (s *site) alsoFailOn(what ...string) {
	before := s.onCall
	s.failOn(what...)
	also := s.onCall
	s.onCall = func(ctx context.Context, target string, call servicetest.Call) error {
		if err := before(ctx, target, call); err != nil {
			return err
		}
		return also(ctx, target, call)
	}
}

func TestResult3WhenNewServicesCannotBeRemoved(t *testing.T) {
	old, new := threeTiers(1), threeTiers(2)
	s := installed(t, old)
	s.failOn("node2 activate api")
	fail := s.onCall
	s.onCall = func(ctx context.Context, target string, call servicetest.Call) error {
		if call.Operation == "deactivate" && call.Activity.Component == new.Services[key(t, new, "db")].Package {
			return errInjected
		}
		return fail(ctx, target, call)
	}
	d := s.deployment(new, old)
	d.Options.Profile, d.Options.CoordinatorProfileDir, d.PreviousPath = "test", "/var/dir", "the old.xml"
	failure := fails(t, d, coordinator.NewNotRemoved)
	contains(t, s.report.problems, "New mappings rollback failed!")
	equal(t, "last problem", s.report.problems[len(s.report.problems)-1], "ERROR: Transition phase execution failed!")
	notice := strings.Join(s.report.notices, "\n")
	errorContains(t, errors.New(notice), "inconsistent",
		"  db on target node1 in container process is in an unknown state, but should be not active\n",
		"  web on target node1 in container process is not active, but should be active\n",
		"\n\n$ disnix-activate --no-rollback -p test --coordinator-profile-path /var/dir -o new.xml 'the old.xml'\n")
	if n := s.count("node1 activate web"); n != 0 {
		t.Error("old services were activated although new ones are in their place")
	}
	errorContains(t, failure, "not all services of the new configuration could be deactivated again")
}

func TestResult3WithoutOldConfiguration(t *testing.T) {
	m := threeTiers(1)
	s := newSite(t)
	s.failOn("node2 activate api", "node1 deactivate db")
	fails(t, s.deployment(m, nil), coordinator.NewNotRemoved)
	contains(t, s.report.notices, "\n$ disnix-activate --no-upgrade --no-rollback -p default new.xml\n")
}

func TestResult2WhenOldServicesCannotBeRestored(t *testing.T) {
	old, new := threeTiers(1), threeTiers(2)
	tests := []struct {
		name     string
		fail     func(s *site)
		obsolete bool
	}{
		{"in the deactivation stage", func(s *site) { s.failOn("node1 deactivate db", "node1 activate web") }, true},
		{"in the activation stage", func(s *site) {
			s.failOn("node2 activate api")
			s.alsoFailOn("node1 activate web")
		}, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s := installed(t, old)
			test.fail(s)
			fails(t, s.deployment(new, old), coordinator.OldNotRestored)
			check := containsNot
			if test.obsolete {
				check = contains
			}
			check(t, s.report.problems, "Obsolete mappings rollback failed!")
			contains(t, s.report.notices, "\n$ disnix-activate --no-upgrade --no-rollback -p default old.xml\n")
			contains(t, s.report.notices, "  web on target node1 in container process is ")
		})
	}
}

func TestRecoveryCommandsRecover(t *testing.T) {
	old, new := threeTiers(1), threeTiers(2)
	t.Run("3", func(t *testing.T) {
		s := installed(t, old)
		s.failOn("node2 activate api", "node1 deactivate db")
		s.failAfter(1, "node1 deactivate db")
		s.alsoFailOn("node2 activate api")
		fails(t, s.deployment(new, old), coordinator.NewNotRemoved)
		s.onCall = nil
		d := s.deployment(old, new) // disnix-activate --no-rollback -o NEW OLD
		d.Options.NoRollback = true
		if err := d.Activate(t.Context(), false); err != nil {
			t.Fatal(err)
		}
		equal(t, "active services", s.active(), expected(old))
	})
	t.Run("2", func(t *testing.T) {
		s := installed(t, old)
		s.failOn("node1 deactivate db", "node1 activate web")
		fails(t, s.deployment(new, old), coordinator.OldNotRestored)
		s.onCall = nil
		d := s.deployment(old, nil) // disnix-activate --no-upgrade --no-rollback OLD
		d.Options.NoUpgrade, d.Options.NoRollback = true, true
		if err := d.Activate(t.Context(), false); err != nil {
			t.Fatal(err)
		}
		equal(t, "active services", s.active(), expected(old))
	})
}

// A plugin that refuses to stop what it could not start does not spoil the
// rollback, but its service is named.
func TestFailedServiceThatCannotBeDeactivated(t *testing.T) {
	old, new := threeTiers(1), threeTiers(2)
	s := installed(t, old)
	broken := new.Services[key(t, new, "api")].Package
	s.onCall = func(_ context.Context, _ string, call servicetest.Call) error {
		if call.Activity.Component == broken {
			return errInjected
		}
		return nil
	}
	failure := fails(t, s.deployment(new, old), coordinator.TransitionFailed)
	equal(t, "active services", s.active(), expected(old))
	if len(failure.Displaced) != 1 || failure.Displaced[0].State != coordinator.Unknown {
		t.Errorf("displaced %v", failure.Displaced)
	}
	contains(t, s.report.notices, "  api on target node2 in container process is in an unknown state, but should be not active\n")
}

func TestArgumentValuesAreNotReported(t *testing.T) {
	m := threeTiers(1)
	m.Infrastructure["node1"].Containers["process"]["password"] = models.Value{Type: models.String, Text: "s3cret"}
	s := newSite(t)
	s.failOn("node1 activate web")
	failure := fails(t, s.deployment(m, nil), coordinator.TransitionFailed)
	all := slices.Concat(s.report.progress, s.report.problems, s.report.notices, []string{failure.Error()})
	containsNot(t, all, "s3cret")
	contains(t, all, "arguments: password place")
}
