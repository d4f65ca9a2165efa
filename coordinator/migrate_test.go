package coordinator_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/disnix-go/disnix/coordinator"
	"github.com/disnix-go/disnix/models"
	"github.com/disnix-go/disnix/service"
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
			"b print-missing-snapshots", "b import-snapshots", "b restore orders",
		}},
		{"transfer only", coordinator.MigrationOptions{TransferOnly: true}, []string{"a query-latest-snapshot"}},
		{"all", coordinator.MigrationOptions{All: true}, []string{
			"a snapshot orders", "a query-all-snapshots", "a resolve-snapshots", "a export-snapshots",
			"b print-missing-snapshots", "b import-snapshots", "b restore orders",
		}},
		{"depth-first", coordinator.MigrationOptions{DepthFirst: true, Keep: 3}, []string{
			"a snapshot orders", "a query-latest-snapshot", "a resolve-snapshots", "a export-snapshots", "a clean-snapshots",
			"b print-missing-snapshots", "b import-snapshots", "b restore orders", "b clean-snapshots",
		}},
		{"selected container", coordinator.MigrationOptions{Container: "other"}, nil},
		{"selected component", coordinator.MigrationOptions{Component: "users"}, nil},
		{"delete", coordinator.MigrationOptions{DeleteState: true}, []string{
			"a snapshot orders", "a query-latest-snapshot", "a resolve-snapshots", "a export-snapshots",
			"b print-missing-snapshots", "b import-snapshots", "b restore orders",
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

func TestMigrateFailures(t *testing.T) {
	old := configuration("a b c d", stateful("orders", "a"), stateful("stock", "a"), stateful("users", "b"))
	new := configuration("a b c d", stateful("orders", "c"), stateful("stock", "c"), stateful("users", "d"))
	for _, test := range []struct {
		fail, problem string
		step          coordinator.MigrationStep
		depthFirst    bool
		attempted     []string // although something else has failed
		not           []string
	}{
		{
			"a snapshot orders", "a: Cannot snapshot state of service: orders", coordinator.SnapshotStep, false,
			[]string{"a snapshot stock", "b snapshot users"}, []string{"b query-latest-snapshot"},
		},
		{
			"a export-snapshots", "a: Cannot retrieve snapshots!", coordinator.SnapshotStep, false,
			[]string{"b export-snapshots"}, []string{"c print-missing-snapshots", "c restore orders"},
		},
		{
			"c import-snapshots", "c: Cannot send snapshots!", coordinator.RestoreStep, false,
			[]string{"d import-snapshots"}, []string{"c restore orders", "d restore users"},
		},
		{
			"c restore orders", "c: Cannot restore state of service: orders", coordinator.RestoreStep, false,
			[]string{"c restore stock", "d restore users"}, []string{"a delete-state stock", "b delete-state users"},
		},
		{
			"a delete-state orders", "a: Cannot delete state of service: orders", coordinator.DeleteStateStep, false,
			[]string{"a delete-state stock", "b delete-state users"}, nil,
		},
		{
			"a snapshot orders", "a: Cannot take, send or clean snapshots!", coordinator.SnapshotStep, true,
			[]string{"b snapshot users", "b export-snapshots", "b clean-snapshots"}, []string{"a snapshot stock", "a clean-snapshots"},
		},
		{
			"a export-snapshots", "a: Cannot take, send or clean snapshots!", coordinator.SnapshotStep, true,
			[]string{"b clean-snapshots"}, []string{"a snapshot stock", "a clean-snapshots"},
		},
		{
			"a clean-snapshots", "a: Cannot take, send or clean snapshots!", coordinator.SnapshotStep, true,
			[]string{"b clean-snapshots"}, []string{"a snapshot stock", "c restore orders"},
		},
		{
			"c restore orders", "c: Cannot send, restore or clean snapshots!", coordinator.RestoreStep, true,
			[]string{"d restore users"}, []string{"c restore stock", "a delete-state orders"},
		},
	} {
		name := test.fail
		if test.depthFirst {
			name += ", depth-first"
		}
		t.Run(name, func(t *testing.T) {
			s := newSite(t)
			before := map[string]string{"a/process/orders": "1001", "a/process/stock": "12", "b/process/users": "7"}
			for place, content := range before {
				s.setData(place, content)
			}
			s.failOn(test.fail)
			d := s.deployment(new, old)
			d.Options.Migration.DeleteState = true
			d.Options.Migration.DepthFirst = test.depthFirst
			failsAt(t, d, test.step, "injected failure", `target "`+test.fail[:1]+`"`)
			contains(t, s.report.problems, test.problem)
			for _, op := range test.attempted {
				if s.count(op) != 1 {
					t.Errorf("%s: %d times", op, s.count(op))
				}
			}
			for _, op := range test.not {
				if s.count(op) != 0 {
					t.Errorf("%s, in spite of the failure", op)
				}
			}
			if test.step != coordinator.DeleteStateStep {
				data := s.allData()
				for place, content := range before {
					equal(t, place, data[place], content)
				}
			}
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

func TestDeleteStateKeepsTheOnlyCopy(t *testing.T) {
	orders := func(container, on string) part {
		return part{name: "orders", on: on, container: container, stateful: true}
	}
	for _, test := range []struct {
		name         string
		new          *models.Manifest
		data         bool // there is state to be captured
		transferOnly bool
		kept         bool
	}{
		{"moved and restored", configuration("a b", orders("process", "b")), true, false, false},
		{"undeployed; the coordinator has a snapshot", configuration("a b"), true, false, false},
		{"undeployed, but there is no snapshot", configuration("a b"), false, false, true},
		{"moved, but there is no snapshot", configuration("a b", orders("process", "b")), false, false, true},
		{"moved to a container of another name, where it is not restored", configuration("a b", orders("other", "b")), true, false, true},
		{"moved without being restored", configuration("a b", orders("process", "b")), true, true, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := newSite(t)
			if test.data {
				s.setData("a/process/orders", "1001")
			}
			if test.transferOnly {
				s.target("a").AddSnapshots("process/orders/1001")
			}
			d := s.deployment(test.new, configuration("a b", orders("process", "a")))
			d.Options.Migration.DeleteState = true
			d.Options.Migration.TransferOnly = test.transferOnly
			migrate(t, d)
			equal(t, "deleted", s.count("a delete-state orders") == 0, test.kept)
			if test.kept {
				contains(t, s.report.problems, "a: Not deleting state of component: orders deployed to container: process")
			}
		})
	}
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

func TestMigrateInvalidMappings(t *testing.T) {
	valid := configuration("a", stateful("orders", "a"))
	broken := configuration("a", stateful("orders", "a"))
	broken.SnapshotMappings[0].Service = "5678"
	lost := configuration("a", part{name: "server", on: "a", provides: "db"}, part{name: "data", on: "a", container: "db", in: "server", stateful: true})
	lost.SnapshotMappings[0].ContainerProvidedByService = "9abc"

	s := newSite(t)
	failsAt(t, s.deployment(valid, broken), coordinator.SnapshotStep, "previous manifest",
		`component "orders" in container "process" on target "a"`, "no service with key 5678")
	failsAt(t, s.deployment(broken, valid), coordinator.SnapshotStep, "no service with key 5678")
	failsAt(t, s.deployment(broken, nil), coordinator.RestoreStep, "no service with key 5678")
	failsAt(t, s.deployment(lost, nil), coordinator.RestoreStep, "provided by an unknown service with key 9abc")
	errorContains(t, s.deployment(broken, nil).DeleteState(t.Context()), "no service with key 5678")
	equal(t, "operations", len(s.operations()), 0)
}

func TestMigrateInterrupted(t *testing.T) {
	old := configuration("a b", stateful("k1", "a"), stateful("k2", "a"))
	new := configuration("a b", stateful("k1", "b"), stateful("k2", "b"))
	for _, test := range []struct {
		at         string
		depthFirst bool
		step       coordinator.MigrationStep
		last       string // operation, which is completed
		restored   int    // components
	}{
		{"a snapshot", false, coordinator.SnapshotStep, "a snapshot k1", 0},
		{"a query-latest-snapshot", false, coordinator.SnapshotStep, "a query-latest-snapshot", 0},
		{"b print-missing-snapshots", false, coordinator.RestoreStep, "b print-missing-snapshots", 0},
		{"b restore", false, coordinator.RestoreStep, "b restore k1", 1},
		{"a delete-state", false, coordinator.DeleteStateStep, "a delete-state k1", 2},
		{"a snapshot", true, coordinator.SnapshotStep, "a snapshot k1", 0},
		{"b restore", true, coordinator.RestoreStep, "b restore k1", 1},
	} {
		t.Run(fmt.Sprintf("%s, depth-first %v", test.at, test.depthFirst), func(t *testing.T) {
			s := newSite(t)
			s.setData("a/process/k1", "1")
			s.setData("a/process/k2", "2")
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			s.onCall = func(_ context.Context, target string, call servicetest.Call) error {
				if target+" "+call.Operation == test.at {
					cancel()
				}
				return nil
			}
			d := s.deployment(new, old)
			d.Options.Concurrency = 1
			d.Options.Migration.DeleteState = true
			d.Options.Migration.DepthFirst = test.depthFirst
			_, err := d.Migrate(ctx)
			var failure *coordinator.MigrationError
			if !errors.Is(err, context.Canceled) || !errors.As(err, &failure) || failure.Step != test.step {
				t.Errorf("got %v", err)
			}
			operations := s.operations()
			equal(t, "last operation", operations[len(operations)-1], test.last)
			data := s.allData()
			restored := 0
			for _, name := range []string{"k1", "k2"} {
				if data["b/process/"+name] != "" {
					restored++
				}
			}
			equal(t, "restored components", fmt.Sprint(restored), fmt.Sprint(test.restored))
			if test.step != coordinator.DeleteStateStep {
				equal(t, "k1 and k2 on a", data["a/process/k1"]+data["a/process/k2"], "12")
			}
		})
	}
}

// TestMigrateNeverLosesState moves components around, while any activity may
// fail.
func TestMigrateNeverLosesState(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		const targets = "a b c"
		place := rapid.SampledFrom([]string{"a", "b", "c", ""})
		var old, new []part
		from, to := make(map[string]string), make(map[string]string)
		s := newSite(t)
		for name := range strings.FieldsSeq("k1 k2 k3 k4") {
			from[name], to[name] = place.Draw(rt, name+" from"), place.Draw(rt, name+" to")
			if on := from[name]; on != "" {
				old = append(old, stateful(name, on))
				s.setData(on+"/process/"+name, name+"-content")
			}
			if on := to[name]; on != "" {
				new = append(new, stateful(name, on))
			}
		}
		d := s.deployment(configuration(targets, new...), configuration(targets, old...))
		// The transition is over: what is in the new configuration is active.
		for _, m := range d.Manifest.ServiceMappings {
			err := s.target(m.Target).Activate(t.Context(), service.Activity{
				Component: d.Manifest.Services[m.Service].Package, Container: m.Container,
			})
			if err != nil {
				rt.Fatal(err)
			}
		}
		d.Options.Migration.DeleteState = true
		d.Options.Migration.DepthFirst = rapid.Bool().Draw(rt, "depth-first")
		d.Options.Migration.All = rapid.Bool().Draw(rt, "all")
		operation := rapid.SampledFrom([]string{
			"none", "snapshot", "export-snapshots", "import-snapshots", "restore", "clean-snapshots", "delete-state",
		}).Draw(rt, "failing operation")
		failing := place.Draw(rt, "failing target")
		s.failOn(failing + " " + operation)

		_, err := d.Migrate(t.Context())
		var failure *coordinator.MigrationError
		if err != nil && !errors.As(err, &failure) {
			rt.Fatalf("got %v", err)
		}
		data := s.allData()
		for name := range from {
			if from[name] == "" {
				continue
			}
			before, after := from[name]+"/process/"+name, to[name]+"/process/"+name
			content := name + "-content"
			switch {
			case failure != nil && failure.Step != coordinator.DeleteStateStep:
				if data[before] != content {
					rt.Fatalf("%s is not where it was after %v", name, err)
				}
			case to[name] != "":
				if data[after] != content {
					rt.Fatalf("%s was not restored", name)
				}
			default:
				kept, err := s.here.QueryLatestSnapshot(t.Context(), "process", name)
				if err != nil || len(kept) != 1 {
					rt.Fatalf("the coordinator has no snapshot of %s: %v", name, err)
				}
			}
			if _, there := data[before]; there && failure == nil && before != after {
				rt.Fatalf("the obsolete state of %s was not deleted", name)
			}
		}
	})
}
