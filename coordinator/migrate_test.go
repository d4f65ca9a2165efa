package coordinator_test

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/disnix-go/disnix/coordinator"
	"github.com/disnix-go/disnix/models"
	"github.com/disnix-go/disnix/service/servicetest"
)

// stateful is a component with state on some targets.
func stateful(name, on string) part { return part{name: name, on: on, stateful: true} }

func migrate(t *testing.T, d *coordinator.Deployment) (left bool) {
	t.Helper()
	left, err := d.Migrate(t.Context())
	if err != nil {
		t.Fatalf("migrate: %v", err)
	}
	return left
}

func failsAt(t *testing.T, d *coordinator.Deployment, step coordinator.MigrationStep, parts ...string) {
	t.Helper()
	_, err := d.Migrate(t.Context())
	var failure *coordinator.MigrationError
	if !errors.As(err, &failure) {
		t.Fatalf("got %v", err)
	}
	equal(t, "failed step", failure.Step, step)
	errorContains(t, err, parts...)
}

func TestMigrate(t *testing.T) {
	old := configuration("a b", stateful("orders", "a"), stateful("users", "b"), part{name: "web", on: "a"})
	new := configuration("a b", stateful("orders", "b"), stateful("users", "b"), part{name: "web", on: "b"})
	for _, test := range []struct {
		name    string
		options coordinator.MigrationOptions
		want    []string
	}{
		{"breadth-first", coordinator.MigrationOptions{}, []string{
			"a snapshot orders", "a query-latest-snapshot", "a resolve-snapshots", "a export-snapshots",
			"b print-missing-snapshots", "b import-snapshots", "b query-latest-snapshot", "b restore orders",
		}},
		{"transfer only", coordinator.MigrationOptions{TransferOnly: true}, []string{"a query-latest-snapshot"}},
		{"all", coordinator.MigrationOptions{All: true}, []string{
			"a snapshot orders", "a query-all-snapshots", "a resolve-snapshots", "a export-snapshots",
			"b print-missing-snapshots", "b import-snapshots", "b query-latest-snapshot", "b restore orders",
		}},
		{"depth-first", coordinator.MigrationOptions{DepthFirst: true, Keep: 3}, []string{
			"a snapshot orders", "a query-latest-snapshot", "a resolve-snapshots", "a export-snapshots", "a clean-snapshots",
			"b print-missing-snapshots", "b import-snapshots", "b query-latest-snapshot", "b restore orders", "b clean-snapshots",
		}},
		{"selected container", coordinator.MigrationOptions{Container: "other"}, nil},
		{"selected component", coordinator.MigrationOptions{Component: "users"}, nil},
		{"delete", coordinator.MigrationOptions{DeleteState: true}, []string{
			"a snapshot orders", "a query-latest-snapshot", "a resolve-snapshots", "a export-snapshots",
			"b print-missing-snapshots", "b import-snapshots", "b query-latest-snapshot", "b restore orders",
			"a delete-state orders", "b delete-state users",
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := newSite(t)
			s.setData("a/process/orders", "1001")
			d := s.deployment(new, old)
			d.Options.Migration = test.options
			d.Options.Concurrency = 1
			left := migrate(t, d)
			got := s.operations()
			slices.SortStableFunc(got, func(x, y string) int { // targets delete in parallel
				if strings.Contains(x, "delete-state") && strings.Contains(y, "delete-state") {
					return strings.Compare(x, y)
				}
				return 0
			})
			equal(t, "operations", got, test.want)
			moved := slices.Contains(test.want, "b restore orders")
			equal(t, "data on b", s.allData()["b/process/orders"] == "1001", moved)
			_, there := s.allData()["a/process/orders"]
			equal(t, "data on a", there, !test.options.DeleteState)
			equal(t, "left", left, moved && !test.options.DeleteState)
		})
	}
}

func TestMigrateMessages(t *testing.T) {
	old := configuration("a b", stateful("orders", "a"))
	new := configuration("a b", stateful("orders", "b"))
	const deployed = "component: orders deployed to container: process"
	for _, test := range []struct {
		name string
		old  *models.Manifest
		set  func(o *coordinator.Options)
		want []string
	}{
		{"breadth-first", old, func(o *coordinator.Options) { o.Migration.DeleteState = true }, []string{
			"Snapshotting state of moved components...",
			"a: Snapshotting state of service: orders",
			"Retrieving snapshots...",
			"a: Retrieving snapshots of " + deployed,
			"Sending snapshots of moved components...",
			"b: Sending snapshots of " + deployed,
			"Restoring state of services...",
			"b: Restoring state of service: orders",
			"a: Deleting obsolete state of service: orders",
		}},
		{"depth-first", old, func(o *coordinator.Options) { o.Migration.DepthFirst = true }, []string{
			"Snapshotting state of moved components...",
			"Snapshotting, retrieving and cleaning snapshots...",
			"a: Snapshotting state of service: orders",
			"a: Retrieving snapshots of " + deployed,
			"a: Cleaning snapshots of " + deployed,
			"Sending snapshots of moved components...",
			"Sending, restoring and cleaning snapshots...",
			"b: Sending snapshots of " + deployed,
			"b: Restoring state of service: orders",
			"b: Cleaning snapshots of " + deployed,
		}},
		{"first deployment", nil, func(*coordinator.Options) {}, []string{
			"No snapshots are taken since an upgrade is requested and no previous deployment state is known",
			"Sending snapshots of all components...",
			"b: Sending snapshots of " + deployed,
			"Restoring state of services...",
			"b: Restoring state of service: orders",
		}},
		{"no upgrade", old, func(o *coordinator.Options) { o.NoUpgrade = true }, []string{
			"Snapshotting state of all components...",
			"b: Snapshotting state of service: orders",
			"Retrieving snapshots...",
			"b: Retrieving snapshots of " + deployed,
			"Sending snapshots of all components...",
			"b: Sending snapshots of " + deployed,
			"Restoring state of services...",
			"b: Restoring state of service: orders",
		}},
		{"transition 14, observed 16: each heading says what is done, once", new, func(*coordinator.Options) {}, []string{
			"Snapshotting state of moved components...",
			"Retrieving snapshots...",
			"Sending snapshots of moved components...",
			"Restoring state of services...",
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := newSite(t)
			s.setData("a/process/orders", "1001")
			d := s.deployment(new, test.old)
			test.set(&d.Options)
			migrate(t, d)
			equal(t, "progress", s.report.progress, test.want)
		})
	}
}

func TestRoughEdge_NameIsNotTheAddress(t *testing.T) {
	t.Run("transition 2, observed 1: state is migrated although the target's name is not its address", func(t *testing.T) {
		for _, depthFirst := range []bool{false, true} {
			s := newSite(t)
			s.setData("a/process/orders", "1001")
			d := s.deployment(configuration("a b", stateful("orders", "b")), configuration("a b", stateful("orders", "a")))
			d.Options.Migration.DepthFirst = depthFirst
			d.Options.Migration.DeleteState = true
			migrate(t, d)
			if data := s.allData(); !maps.Equal(data, map[string]string{"b/process/orders": "1001"}) {
				t.Errorf("data is %v", data)
			}
		}
	})
}

func TestRoughEdge_NoUpgradeRestores(t *testing.T) {
	for _, depthFirst := range []bool{false, true} {
		t.Run("transition 17, observed 2: without an upgrade, what is captured is restored", func(t *testing.T) {
			m := configuration("a b", stateful("orders", "a"), stateful("users", "b"))
			s := newSite(t)
			s.setData("a/process/orders", "1001")
			s.setData("b/process/users", "7")
			d := s.deployment(m, m)
			d.Options.NoUpgrade = true
			d.Options.Migration.DepthFirst = depthFirst
			d.Options.Migration.DeleteState = true
			if left := migrate(t, d); left {
				t.Error("reported state that was moved away, although nothing was replaced")
			}
			got := s.operations("snapshot", "restore", "delete-state")
			slices.Sort(got)
			equal(t, "activities", got, []string{"a restore orders", "a snapshot orders", "b restore users", "b snapshot users"})
		})
	}
}

func TestRoughEdge_ActivitiesRunOnce(t *testing.T) {
	const names = "k1 k2 k3 k4 k5 k6"
	var there, gone []part
	for name := range strings.FieldsSeq(names) {
		there = append(there, stateful(name, "a"))
		gone = append(gone, stateful(name, "b"))
	}
	for _, test := range []struct {
		cores, limit int
		want         time.Duration // of each of the three steps
	}{{1, 0, 6}, {2, 0, 3}, {6, 0, 1}, {0, 0, 6}, {6, 2, 3}} {
		t.Run("transition 3, 4: every component is captured, restored and deleted once, as many at a time as there are cores", func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				old, new := configuration("a b", there...), configuration("a b", gone...)
				for _, target := range new.Infrastructure {
					target.NumOfCores = test.cores
				}
				s := newSite(t)
				for name := range strings.FieldsSeq(names) {
					s.setData("a/process/"+name, "1")
				}
				s.onCall = func(_ context.Context, _ string, call servicetest.Call) error {
					if slices.Contains([]string{"snapshot", "restore", "delete-state"}, call.Operation) {
						time.Sleep(time.Second)
					}
					return nil
				}
				d := s.deployment(new, old)
				d.Options.Concurrency = test.limit
				d.Options.Migration.DeleteState = true
				start := time.Now()
				migrate(t, d)
				if took := time.Since(start); took != 3*test.want*time.Second {
					t.Errorf("%d cores, limit %d: took %v instead of %v", test.cores, test.limit, took, 3*test.want*time.Second)
				}
				for name := range strings.FieldsSeq(names) {
					for _, op := range []string{"a snapshot ", "b restore ", "a delete-state "} {
						equal(t, op+name, s.count(op+name), 1)
					}
				}
			})
		})
	}
}

func TestRoughEdge_AbsentMachines(t *testing.T) {
	t.Run("transition 4: what was on a machine that does not exist any more is skipped, and this is said once", func(t *testing.T) {
		old := configuration("a b", stateful("orders", "b"), stateful("users", "a"))
		new := configuration("a c", stateful("orders", "a"), stateful("users", "c"))
		s := newSite(t)
		s.setData("a/process/users", "7")
		d := s.deployment(new, old)
		d.Targets.Drop("b")
		d.Options.Migration.DeleteState = true
		migrate(t, d)
		n := 0
		for _, line := range s.report.progress {
			if line == "b: Skip state of component: orders deployed to container: process since machine is no longer present!" {
				n++
			}
		}
		equal(t, "number of messages", n, 1)
		equal(t, "problems", len(s.report.problems), 0)
		equal(t, "users", s.allData()["c/process/users"], "7")
		for _, op := range s.operations() {
			if strings.HasPrefix(op, "b ") {
				t.Errorf("asked an absent machine: %s", op)
			}
		}
	})
	t.Run("observed 9: the state of a machine that has left the infrastructure is rescued if it is still there", func(t *testing.T) {
		s := newSite(t)
		s.setData("b/process/orders", "1001")
		migrate(t, s.deployment(configuration("a", stateful("orders", "a")), configuration("a b", stateful("orders", "b"))))
		equal(t, "orders", s.allData()["a/process/orders"], "1001")
	})
}

func TestDeleteState(t *testing.T) {
	m := configuration("a b", stateful("orders", "a"), stateful("users", "b"), part{name: "web", on: "a"})
	s := newSite(t)
	s.setData("a/process/orders", "1001")
	s.setData("b/process/users", "7")
	d := s.deployment(m, nil)
	if err := d.DeleteState(t.Context()); err != nil {
		t.Fatal(err)
	}
	if data := s.allData(); len(data) > 0 {
		t.Errorf("not deleted: %v", data)
	}
	contains(t, s.report.progress, "Deleting obsolete state of services...")
	contains(t, s.report.progress, "a: Deleting obsolete state of service: orders")

	s.failOn("a delete-state")
	err := d.DeleteState(t.Context())
	errorContains(t, err, `target "a"`, `component "orders" in container "process"`, "injected failure")
}

func TestSnapshotAndRestoreAlone(t *testing.T) {
	m := configuration("a b", stateful("orders", "a"), stateful("users", "b"))
	s := newSite(t)
	s.setData("a/process/orders", "1001")
	s.setData("b/process/users", "7")
	d := s.deployment(m, nil)
	d.Options.NoUpgrade = true
	if err := d.Snapshot(t.Context()); err != nil {
		t.Fatal(err)
	}
	// Disaster: new machines, and only the coordinator has the snapshots.
	rescue := newSite(t)
	rescue.here = s.here
	if err := rescue.deployment(m, nil).Restore(t.Context()); err != nil {
		t.Fatal(err)
	}
	if !maps.Equal(rescue.allData(), s.allData()) {
		t.Errorf("restored %v", rescue.allData())
	}
}

func TestActivitiesOnState(t *testing.T) {
	server := part{name: "server", on: "a", provides: "db", version: 1}
	upgraded := server
	upgraded.version = 2
	data := part{name: "data", on: "a", container: "db", in: "server", stateful: true}
	plain := stateful("plain", "a")
	old := configuration("a b", server, data, plain)
	new := configuration("a b", upgraded)
	new.Infrastructure["a"].Containers["process"]["place"] = models.Value{Type: models.String, Text: "changed"}
	s := newSite(t)
	var got []string
	s.onCall = func(_ context.Context, _ string, call servicetest.Call) error {
		if a := call.Activity; call.Operation == "snapshot" {
			got = append(got, strings.Join(append([]string{a.Container, a.Component, a.Type}, a.Arguments...), " "))
		}
		return nil
	}
	d := s.deployment(new, old)
	d.Options.Concurrency = 1
	migrate(t, d)
	serverPackage := ""
	for _, s := range new.Services {
		serverPackage = s.Package
	}
	packages := make(map[string]string)
	for _, s := range old.Services {
		packages[s.Name] = s.Package
	}
	slices.Sort(got)
	// The plugin and the properties are those of what runs now.
	equal(t, "activities", got, []string{
		"db " + packages["data"] + " " + serverPackage + " version=2",
		"process " + packages["plain"] + " process place=changed",
	})
}
