package coordinator_test

import (
	"strings"
	"testing"

	"github.com/disnix-go/disnix/coordinator"
)

func TestCollectGarbageOnAllTargets(t *testing.T) {
	m := configuration("a b c")
	s := newSite(t)
	s.unreachable["a"] = true
	s.failOn("b collect-garbage")
	d := s.deployment(m, nil)
	err := coordinator.CollectGarbage(t.Context(), d.Targets, m.Infrastructure, true, s.report)
	errorContains(t, err, `target "a"`, "no route to host", `target "b"`, "injected failure")
	contains(t, s.report.problems, "a: Garbage collection failed!")
	contains(t, s.report.problems, "b: Garbage collection failed!")
	containsNot(t, s.report.problems, "c: ")
	if calls := s.target("c").Calls(); len(calls) != 1 || calls[0].Operation != "collect-garbage" {
		t.Errorf("target c: %v", calls)
	}
}

func TestCleanSnapshotsOnAllTargets(t *testing.T) {
	m := configuration("a b")
	s := newSite(t)
	s.failOn("a clean-snapshots")
	d := s.deployment(m, nil)
	err := coordinator.CleanSnapshots(t.Context(), d.Targets, m.Infrastructure, 2, "process", "db", s.report)
	errorContains(t, err, `target "a"`, "injected failure")
	contains(t, s.report.problems, "a: Snapshot garbage collection failed")
	if calls := s.target("b").Calls(); len(calls) != 1 || calls[0].Operation != "clean-snapshots" {
		t.Errorf("target b: %v", calls)
	}
}

func TestCaptureInfrastructureLeavesOutFailures(t *testing.T) {
	m := configuration("a b")
	s := newSite(t)
	s.failOn("a capture-config")
	d := s.deployment(m, nil)
	captured, err := coordinator.CaptureInfrastructure(t.Context(), d.Targets, m.Infrastructure, s.report)
	errorContains(t, err, `target "a"`, "injected failure")
	contains(t, s.report.problems, "a: Cannot capture the infrastructure!")
	if _, ok := captured["a"]; ok || !strings.Contains(captured["b"], "{") {
		t.Errorf("captured %q", captured)
	}
}
