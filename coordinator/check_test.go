package coordinator_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/disnix-go/disnix/coordinator"
	"github.com/disnix-go/disnix/models"
)

func TestCheck(t *testing.T) {
	server := part{name: "server", on: "a", provides: "db"}
	data := part{name: "data", on: "a", container: "db", in: "server", stateful: true}
	old := configuration("a b", server, data)
	upgraded := server
	upgraded.version = 2
	moved := server
	moved.on = "b"
	otherContainer := upgraded
	otherContainer.provides = "dbx"
	another := server
	another.name = "other"
	dataInAnother := data
	dataInAnother.in = "other"
	dataMoved := data
	dataMoved.on = "b"
	plain := part{name: "plain", on: "a", stateful: true}

	for _, test := range []struct {
		name     string
		old, new *models.Manifest
		refused  bool
	}{
		{"first deployment", nil, configuration("a b"), false},
		{"nothing changed", old, old, false},
		{"only the state is undeployed", old, configuration("a b", server), false},
		{"transition 11: the provider is upgraded", old, configuration("a b", upgraded, data), false},
		{"transition 11: the provider is upgraded while the state leaves", old, configuration("a b", upgraded), false},
		{"provider and state are undeployed", old, configuration("a b"), true},
		{"the provider is undeployed while the state moves", old, configuration("a b", moved, dataMoved), true},
		{"the upgraded provider has another container", old, configuration("a b", otherContainer), true},
		{"another service provides the container", old, configuration("a b", another, dataInAnother), true},
		{"the target leaves the infrastructure", old, configuration("b"), true},
		{"state in a container of the machine", configuration("a b", plain), configuration("a b"), false},
	} {
		t.Run(test.name, func(t *testing.T) {
			d := newSite(t).deployment(test.new, test.old)
			err := d.Check()
			if refused := err != nil; refused != test.refused {
				t.Fatalf("refused: %v, want %v (%v)", refused, test.refused, err)
			}
			d.Options.NoMigration = true
			if err := d.Check(); err != nil {
				t.Errorf("refused without migration: %v", err)
			}
			d.Options.NoMigration, d.Options.NoUpgrade = false, true
			if err := d.Check(); err != nil {
				t.Errorf("refused although nothing is deactivated: %v", err)
			}
		})
	}
}

func TestCheckNamesEverything(t *testing.T) {
	old := configuration("a b",
		part{name: "server", on: "a b", provides: "db"},
		part{name: "one", on: "a", container: "db", in: "server", stateful: true},
		part{name: "two", on: "b", container: "db", in: "server", stateful: true})
	err := newSite(t).deployment(configuration("a b"), old).Check()
	errorContains(t, err, "two steps", "--no-migration")
	var problems models.Problems
	if !errors.As(err, &problems) || len(problems) != 2 {
		t.Fatalf("got %v", err)
	}
	for i, m := range old.SnapshotMappings {
		line := "Service: " + m.Service + " is mapped to container: db, provided by service: " + m.ContainerProvidedByService + ", but"
		if !strings.HasPrefix(problems[i].Error(), line) {
			t.Errorf("got %q, want %q …", problems[i], line)
		}
	}
}

func TestCheckPassesOverAbsentMachines(t *testing.T) {
	old := configuration("a b",
		part{name: "server", on: "b", provides: "db"},
		part{name: "data", on: "b", container: "db", in: "server", stateful: true})
	d := newSite(t).deployment(configuration("a"), old)
	d.Targets.Drop("b")
	if err := d.Check(); err != nil {
		t.Errorf("refused because of state that is lost already: %v", err)
	}
}

func TestCheckRefusesStateFromSeveralContainers(t *testing.T) {
	orders := func(container, on string) part {
		return part{name: "orders", on: on, container: container, kind: "db", stateful: true}
	}
	old := configuration("a b c", orders("db-1", "a"), orders("db-2", "b"))
	s := newSite(t)
	d := s.deployment(configuration("a b c", orders("db-3", "c")), old)
	errorContains(t, d.Check(), `component "orders" is to be restored in container "db-3" on target "c"`, `["db-1" "db-2"]`, "--no-migration")
	failsAt(t, d, coordinator.RestoreStep, `["db-1" "db-2"]`)
	for name, new := range map[string]*models.Manifest{
		"one stays":           configuration("a b c", orders("db-3", "c"), orders("db-2", "b")),
		"one is of that name": configuration("a b c", orders("db-1", "c")),
	} {
		if err := s.deployment(new, old).Check(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
