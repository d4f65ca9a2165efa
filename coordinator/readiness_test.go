package coordinator_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/disnix-go/disnix/dysnomia"
	"github.com/disnix-go/disnix/models"
	"github.com/disnix-go/disnix/service/servicetest"
)

// readyArguments are those of the last activation of each component.
func readyArguments(s *site) map[string][]string {
	last := make(map[string][]string)
	s.onCall = func(_ context.Context, _ string, call servicetest.Call) error {
		if call.Operation == "activate" || call.Operation == "deactivate" {
			s.mu.Lock()
			defer s.mu.Unlock()
			last[call.Operation+" "+componentName(call)] = call.Activity.Arguments
		}
		return nil
	}
	return last
}

func componentName(call servicetest.Call) string {
	_, name, _ := strings.Cut(call.Activity.Component, "-")
	return name
}

// readyConfiguration has a database, which says what it is ready by, and what
// comes before and after it.
func readyConfiguration(version int) *models.Manifest {
	m := configuration("one", part{name: "base", on: "one"}, part{name: "db", version: version, on: "one", dependsOn: []string{"base"}},
		part{name: "web", version: version, on: "one", dependsOn: []string{"db"}})
	for _, s := range m.Services {
		if s.Name == "db" {
			s.Readiness = &models.Readiness{TCP: "5432", Timeout: 5}
		}
	}
	return m
}

var readyArgument = (&models.Readiness{TCP: "5432", Timeout: 5}).Argument()

func TestReadinessIsHandedOver(t *testing.T) {
	s := newSite(t)
	arguments := readyArguments(s)
	if err := s.deployment(readyConfiguration(1), nil).Activate(t.Context(), false); err != nil {
		t.Fatal(err)
	}
	for name, list := range arguments {
		if got := slices.Contains(list, readyArgument); got != strings.HasPrefix(name, "activate db") {
			t.Errorf("arguments of %s: %q", name, list)
		}
		if !slices.Contains(list, "place=one") {
			t.Errorf("arguments of %s: %q", name, list)
		}
	}
	t.Run("not to a deactivation", func(t *testing.T) {
		if err := s.deployment(configuration("one"), readyConfiguration(1)).Activate(t.Context(), false); err != nil {
			t.Fatal(err)
		}
		seen := false
		for name, list := range arguments {
			if strings.HasPrefix(name, "deactivate db") {
				seen = true
				if slices.Contains(list, readyArgument) {
					t.Errorf("arguments of %s: %q", name, list)
				}
			}
		}
		if !seen {
			t.Errorf("the database was not deactivated: %v", arguments)
		}
	})
}

func TestReadinessFailureIsRolledBack(t *testing.T) {
	s := newSite(t)
	first := readyConfiguration(1)
	if err := s.deployment(first, nil).Activate(t.Context(), false); err != nil {
		t.Fatal(err)
	}
	before := s.active()
	s.mu.Lock()
	s.log = nil
	s.mu.Unlock()
	notReady := errors.New("the component is active, but not ready")
	fail, back := true, false
	var activated []string
	s.onCall = func(_ context.Context, _ string, call servicetest.Call) error {
		s.mu.Lock()
		defer s.mu.Unlock()
		if call.Operation == "activate" {
			activated = append(activated, call.Activity.Component)
		}
		if call.Operation != "activate" || !slices.Contains(call.Activity.Arguments, readyArgument) {
			return nil
		}
		if fail {
			fail = false
			return notReady
		}
		back = true // a rollback waits, too
		return nil
	}
	second := readyConfiguration(2)
	err := s.deployment(second, first).Activate(t.Context(), false)
	if !errors.Is(err, notReady) {
		t.Errorf("error: %v", err)
	}
	if got := s.active(); !slices.Equal(got, before) {
		t.Errorf("active: %v, want %v", got, before)
	}
	if !back {
		t.Error("the old version was not asked whether it is ready")
	}
	for _, dependant := range second.Services {
		if dependant.Name == "web" && slices.Contains(activated, dependant.Package) {
			t.Error("a dependant was activated")
		}
	}
}

// TestReadinessNames: both halves mean the same.
func TestReadinessNames(t *testing.T) {
	if models.ReadinessArgument != dysnomia.ReadinessProperty {
		t.Errorf("the coordinator says %s, the host reads %s", models.ReadinessArgument, dysnomia.ReadinessProperty)
	}
}
