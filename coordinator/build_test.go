package coordinator_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/disnix-go/disnix/coordinator"
	"github.com/disnix-go/disnix/models"
	"github.com/disnix-go/disnix/models/modelstest"
	"github.com/disnix-go/disnix/service"
	"github.com/disnix-go/disnix/service/servicetest"
)

// build prepares a distributed build; cores maps targets to their cores, and
// each mapping is "target name", where the name is that of a derivation.
func (s *site) build(cores map[string]int, mappings ...string) *coordinator.Build {
	s.t.Helper()
	document := &models.DistributedDerivation{Interfaces: make(map[string]models.Interface)}
	for target, n := range cores {
		document.Interfaces[target] = models.Interface{TargetAddress: target + ".example", ClientInterface: "client", NumOfCores: n}
	}
	for _, m := range mappings {
		target, name, _ := strings.Cut(m, " ")
		derivation := modelstest.StorePath(name+".drv", 0)
		s.here.AddValid(derivation)
		document.Mappings = append(document.Mappings, models.DerivationMapping{Derivation: derivation, Interface: target})
	}
	targets := coordinator.NewTargets(document.Infrastructure(), func(_ context.Context, t *models.Target) (service.Service, error) {
		if s.unreachable[t.Name] {
			return nil, errors.New("no route to host")
		}
		return s.target(t.Name), nil
	})
	s.t.Cleanup(func() { _ = targets.Close() })
	return &coordinator.Build{Derivations: document, Targets: targets, Store: s.here, Reporter: s.report}
}

// phases returns what was called on a target, without what the copies ask for.
func (s *site) phases(target string) []string {
	var phases []string
	for _, line := range s.operations("import", "realise", "export") {
		if operation, ok := strings.CutPrefix(line, target+" "); ok {
			phases = append(phases, operation)
		}
	}
	return phases
}

func TestBuildOnTargets(t *testing.T) {
	s := newSite(t)
	// The results have names of their own on the targets.
	b := s.build(map[string]int{"node1": 1, "node2": 1, "idle": 1}, "node1 a", "node1 b", "node2 b", "node1 a")
	if err := b.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	equal(t, "node1", s.phases("node1"), []string{"import", "realise", "realise"})
	equal(t, "node2", s.phases("node2"), []string{"import", "realise"})
	equal(t, "idle", s.phases("idle"), nil)
	a := modelstest.StorePath("a.drv", 0)
	equal(t, "progress", slices.Index(s.report.progress, "Distributing store derivation files..."), 0)
	contains(t, s.report.progress, "node1: Receiving intra-dependency closure of store derivation: "+a)
	contains(t, s.report.progress, "node1: Realising derivation: "+a)
	contains(t, s.report.progress, "node1: Sending build results to coordinator: "+a)
}

// TestBuildHonoursCores lets each build wait for the others that may run at
// the same time, so that fewer at once would never end.
func TestBuildHonoursCores(t *testing.T) {
	s := newSite(t)
	cores := map[string]int{"one": 1, "three": 3}
	var mu sync.Mutex
	running, most := map[string]int{}, map[string]int{}
	full := map[string]chan struct{}{"one": make(chan struct{}), "three": make(chan struct{})}
	s.onCall = func(ctx context.Context, target string, call servicetest.Call) error {
		if call.Operation != "realise" {
			return nil
		}
		mu.Lock()
		running[target]++
		most[target] = max(most[target], running[target])
		if running[target] == cores[target] {
			select {
			case <-full[target]:
			default:
				close(full[target])
			}
		}
		mu.Unlock()
		defer func() {
			mu.Lock()
			defer mu.Unlock()
			running[target]--
		}()
		select {
		case <-full["one"]:
		case <-time.After(2 * time.Minute):
			return errors.New("the targets do not build at the same time")
		}
		select {
		case <-full["three"]:
			return nil
		case <-time.After(2 * time.Minute):
			return errors.New("the target does not use its cores")
		}
	}
	var mappings []string
	for i := range 7 {
		mappings = append(mappings, fmt.Sprintf("one d%d", i), fmt.Sprintf("three d%d", i))
	}
	if err := s.build(cores, mappings...).Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	equal(t, "builds at once", most, cores)
}

func TestBuildFailures(t *testing.T) {
	for _, test := range []struct {
		name    string
		fail    string
		problem string
		phases  []string // of the other target
	}{
		{"distribution", "node1 import", "node1: Cannot receive intra-dependency closure of store derivation: ", []string{"import"}},
		{"build", "node1 realise", " has failed!", []string{"import", "realise"}},
		{"retrieval", "node1 query-requisites", "node1: Cannot send build result of store derivation to coordinator: ", []string{"import", "realise"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := newSite(t)
			s.failOn(test.fail)
			err := s.build(map[string]int{"node1": 1, "node2": 1}, "node1 a", "node2 b").Run(t.Context())
			errorContains(t, err, `target "node1"`, errInjected.Error())
			contains(t, s.report.problems, test.problem)
			equal(t, "the other target", s.phases("node2"), test.phases)
		})
	}
	t.Run("unreachable", func(t *testing.T) {
		s := newSite(t)
		s.unreachable["node1"] = true
		err := s.build(map[string]int{"node1": 1}, "node1 a").Run(t.Context())
		errorContains(t, err, `connect to target "node1" through client`, "no route to host")
	})
	t.Run("a lost result", func(t *testing.T) {
		s := newSite(t)
		b := s.build(map[string]int{"node1": 1}, "node1 a")
		here := new(servicetest.Fake) // a coordinator that never gets anything
		here.AddValid(b.Derivations.Mappings[0].Derivation)
		here.Hook = func(_ context.Context, call servicetest.Call) error {
			if call.Operation == "print-invalid" {
				return errInjected
			}
			return nil
		}
		b.Store = here
		errorContains(t, b.Run(t.Context()), "retrieve build results", errInjected.Error())
	})
}
