package evaluation

import (
	"context"
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/disnix-go/disnix/models"
)

func idInputs(dir *modelDir) IDInputs {
	in := IDInputs{Inputs: dir.inputs(), ServiceProperty: "requiresUniqueIdsFor"}
	in.Resources = dir.write("resources.nix", `{ ports = { min = 1; max = 9; scope = "machine"; step = 2; }; uids = { min = 10; max = 20; }; }`)
	return in
}

func TestIDModels(t *testing.T) {
	dir := newModels(t, map[string]string{
		"services.nix": `{ system, pkgs, distribution, invDistribution, extra ? "ports" }: {
			a = { name = "a"; type = "echo"; pkg = throw "it is not evaluated"; requiresUniqueIdsFor = [ extra ]; };
			b = { name = "b"; type = "echo"; pkg = pkgs.no; };
		}`,
		"infrastructure.nix": twoTargets,
		"distribution.nix":   `{ infrastructure }: { a = [ infrastructure.node2 infrastructure.node1 ]; }`,
	})
	in := idInputs(dir)
	in.IDs = dir.write("ids.nix", `{ ids.ports.a = 3; lastAssignmentsPerTarget.node1 = { ports = 3; }; }`)
	in.ExtraParams = `{ extra = "uids"; }`
	m, err := IDModels(context.Background(), in)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]models.IDResource{
		"ports": {Min: 1, Max: 9, Scope: models.MachineScope, Step: 2},
		"uids":  {Min: 10, Max: 20, Scope: models.GlobalScope, Step: 1},
	}
	if !reflect.DeepEqual(m.Resources, want) {
		t.Errorf("resources: %+v", m.Resources)
	}
	if len(m.Services) != 2 || !reflect.DeepEqual(m.Services["a"], []string{"uids"}) || !reflect.DeepEqual(m.Distribution["a"], []string{"node2", "node1"}) {
		t.Errorf("services: %v, distribution: %v", m.Services, m.Distribution)
	}
	if m.Previous.Assigned["ports"]["a"] != 3 || m.Previous.LastPerTarget["node1"]["ports"] != 3 {
		t.Errorf("previous: %+v", m.Previous)
	}
	in.Infrastructure = ""
	if _, err := IDModels(context.Background(), in); !errors.Is(err, ErrNoInfrastructure) {
		t.Errorf("error: %v", err)
	}
}

func TestIDModelProblems(t *testing.T) {
	dir := newModels(t, map[string]string{
		"services.nix": `args: { a = { name = "a"; requiresUniqueIdsFor = "ports"; }; b = 1; c = { requiresUniqueIdsFor = [ 1 ]; }; d = { }; }`,
	})
	in := idInputs(dir)
	in.Resources = dir.write("resources.nix", `{ ports = { min = "1"; }; uids = [ ]; }`)
	in.IDs = dir.write("ids.nix", `{ ids = { ports = 1; uids.x = "y"; }; lastAssignments = [ ]; }`)
	_, err := IDModels(context.Background(), in)
	if err == nil {
		t.Fatal("there is no error")
	}
	for _, want := range []string{
		`requiresUniqueIdsFor of service "a": there is a string`,
		`requiresUniqueIdsFor of service "b": there is an integer`,
		`requiresUniqueIdsFor of service "c": there is an integer`,
		`the ID resource "ports", min: there is a string`,
		`the ID resource "ports", max: there is null`,
		`the ID resource "uids": there is a list`,
		`the IDs, ids.ports: there is an integer`,
		`the IDs, ids.uids.x: there is a string`,
		`the IDs, lastAssignments: there is a list`,
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("there is no %q in:\n%v", want, err)
		}
	}
	in.Services = dir.write("throws.nix", `args: throw "not today"`)
	if _, err := IDModels(context.Background(), in); err == nil || !strings.Contains(err.Error(), "not today") || !strings.Contains(err.Error(), "services model") {
		t.Errorf("error: %v", err)
	}
}

func TestRoughEdge_processmgmt12(t *testing.T) {
	t.Run("processmgmt 12: a service whose name is another gets its id all the same", func(t *testing.T) {
		dir := newModels(t, map[string]string{
			"services.nix": `args: { web = { name = "frontend"; requiresUniqueIdsFor = [ "uids" ]; }; }`,
		})
		in := idInputs(dir)
		in.Resources = dir.write("resources.nix", `{ uids = { min = 10; max = 20; step = 5; }; }`)
		m, err := IDModels(context.Background(), in)
		if err != nil {
			t.Fatal(err)
		}
		ids, err := m.Assign()
		if err != nil || ids.Assigned["uids"]["web"] != 10 {
			t.Errorf("%+v, %v", ids, err)
		}
	})
	t.Run("processmgmt 12: the step of a Nix expression counts", func(t *testing.T) {
		dir := newModels(t, map[string]string{
			"services.nix": `args: { a.requiresUniqueIdsFor = [ "uids" ]; b.requiresUniqueIdsFor = [ "uids" ]; }`,
		})
		in := idInputs(dir)
		in.Resources = dir.write("resources.nix", `{ uids = { min = 10; max = 20; step = 5; }; }`)
		m, err := IDModels(context.Background(), in)
		if err != nil {
			t.Fatal(err)
		}
		if ids, err := m.Assign(); err != nil || ids.Assigned["uids"]["b"] != 15 {
			t.Errorf("%+v, %v", ids, err)
		}
	})
}
