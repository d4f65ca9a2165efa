package coordinator_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/disnix-go/disnix/coordinator"
	"github.com/disnix-go/disnix/models"
	"github.com/disnix-go/disnix/service"
	"github.com/disnix-go/disnix/service/servicetest"
)

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
		{"moved to a container of another type, where it is not restored", configuration("a b", orders("other", "b")), true, false, true},
		{"moved to a container of another name", configuration("a b", part{name: "orders", on: "b", container: "other", kind: "process", stateful: true}), true, false, false},
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

// TestDeleteStateOfSeveralPlaces: the state of a component that was in several
// places is only deleted where it is the one that was restored.
func TestDeleteStateOfSeveralPlaces(t *testing.T) {
	for _, test := range []struct {
		name    string
		content [2]string
		kept    int
	}{
		{"different", [2]string{"1001", "1002"}, 1},
		{"equal", [2]string{"1001", "1001"}, 0},
	} {
		for _, depthFirst := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, depth-first %v", test.name, depthFirst), func(t *testing.T) {
				s := newSite(t)
				s.setData("a/process/orders", test.content[0])
				s.setData("b/process/orders", test.content[1])
				d := s.deployment(configuration("a b c d", stateful("orders", "c d")), configuration("a b c d", stateful("orders", "a b")))
				d.Options.Migration.DeleteState = true
				d.Options.Migration.DepthFirst = depthFirst
				migrate(t, d)
				data := s.allData()
				equal(t, "on c and d", data["c/process/orders"], data["d/process/orders"])
				kept := 0
				for i, place := range []string{"a", "b"} {
					if content, there := data[place+"/process/orders"]; there {
						kept++
						equal(t, "kept on "+place, content, test.content[i])
					} else {
						equal(t, "deleted on "+place, test.content[i], data["c/process/orders"])
					}
				}
				equal(t, "kept", fmt.Sprint(kept), fmt.Sprint(test.kept))
				equal(t, "problems", fmt.Sprint(len(s.report.problems)), fmt.Sprint(test.kept))
			})
		}
	}
}

// TestRestoreOfALostSnapshot: what is sent vanishes from the receiver, or
// another snapshot becomes the latest one there, so that a plugin would restore
// nothing, or something else, without an error.
func TestRestoreOfALostSnapshot(t *testing.T) {
	for name, spoil := range map[string]func(receiver *servicetest.Fake){
		"it is gone":        func(f *servicetest.Fake) { f.RemoveSnapshots() },
		"another is latest": func(f *servicetest.Fake) { f.AddSnapshots("process/orders/999") },
	} {
		for _, depthFirst := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, depth-first %v", name, depthFirst), func(t *testing.T) {
				s := newSite(t)
				s.setData("a/process/orders", "1001")
				s.setData("b/process/orders", "of the new place")
				s.onCall = func(_ context.Context, target string, call servicetest.Call) error {
					if target == "b" && call.Operation == "query-latest-snapshot" {
						spoil(s.target("b"))
					}
					return nil
				}
				d := s.deployment(configuration("a b", stateful("orders", "b")), configuration("a b", stateful("orders", "a")))
				d.Options.Migration.DeleteState = true
				d.Options.Migration.DepthFirst = depthFirst
				failsAt(t, d, coordinator.RestoreStep, `target "b"`, "process/orders/1001")
				equal(t, "on a", s.allData()["a/process/orders"], "1001")
				equal(t, "on b", s.allData()["b/process/orders"], "of the new place")
				equal(t, "deletions", s.count("a delete-state orders"), 0)
			})
		}
	}
}

func TestRestoreWithoutASnapshot(t *testing.T) {
	s := newSite(t)
	s.setData("a/process/orders", "1001")
	if err := s.deployment(configuration("a", stateful("orders", "a")), nil).Restore(t.Context()); err != nil {
		t.Fatal(err)
	}
	equal(t, "problems", s.report.problems, []string{"a: No snapshots of component: orders deployed to container: process: its state stays as it is"})
	equal(t, "on a", s.allData()["a/process/orders"], "1001")
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
