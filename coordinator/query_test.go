package coordinator_test

import (
	"bytes"
	"context"
	"errors"
	"testing"

	"github.com/disnix-go/disnix/coordinator"
	"github.com/disnix-go/disnix/service/servicetest"
)

func TestQuery(t *testing.T) {
	m := configuration("b a c", part{name: "db", on: "a"}, part{name: "web", on: "a b", dependsOn: []string{"db"}})
	s := newSite(t)
	for target, profile := range m.ProfileManifests() {
		if target == "c" {
			continue // nothing was ever deployed there
		}
		var document bytes.Buffer
		if err := profile.WriteXML(&document, target); err != nil {
			t.Fatal(err)
		}
		s.target(target).AddInstalled("production", document.Bytes())
	}
	d := s.deployment(m, nil)
	installed, err := coordinator.Query(t.Context(), d.Targets, m.Infrastructure, "production", s.report)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, i := range installed {
		for _, mapping := range i.Manifest.ServiceMappings {
			got = append(got, i.Target+" "+mapping.Target+" "+i.Manifest.Services[mapping.Service].Name)
		}
	}
	if len(installed) != 3 || installed[2].Target != "c" {
		t.Errorf("targets: %v", installed)
	}
	equal(t, "installed", got, []string{"a a db", "a a web", "b b web"})
}

func TestQueryFails(t *testing.T) {
	m := configuration("a b c d")
	s := newSite(t)
	s.unreachable["a"] = true
	s.failOn("b query-installed")
	s.target("c").AddInstalled("default", []byte("<profilemanifest version='2'><services>"))
	d := s.deployment(m, nil)
	installed, err := coordinator.Query(t.Context(), d.Targets, m.Infrastructure, "default", s.report)
	errorContains(t, err, `target "a"`, "no route to host", `target "b"`, "injected failure", `target "c"`, `profile "default"`)
	if installed != nil {
		t.Errorf("answered %v although targets failed", installed)
	}
	for _, target := range []string{"a", "b", "c"} {
		contains(t, s.report.problems, target+": Cannot query the installed services!")
	}
	containsNot(t, s.report.problems, "d: ")
}

func TestQueryInterrupted(t *testing.T) {
	m := configuration("a b")
	s := newSite(t)
	ctx, cancel := context.WithCancel(t.Context())
	s.onCall = func(ctx context.Context, _ string, _ servicetest.Call) error {
		cancel()
		<-ctx.Done()
		return ctx.Err()
	}
	d := s.deployment(m, nil)
	_, err := coordinator.Query(ctx, d.Targets, m.Infrastructure, "default", s.report)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}
