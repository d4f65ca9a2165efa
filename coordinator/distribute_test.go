package coordinator_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/disnix-go/disnix/service/servicetest"
)

func TestDistribute(t *testing.T) {
	m := configuration("a b c", part{name: "web", on: "a b"})
	s := newSite(t)
	s.target("b").AddValid(m.Profiles["b"])
	if err := s.deployment(m, nil).Distribute(t.Context()); err != nil {
		t.Fatal(err)
	}
	for target, path := range m.Profiles {
		invalid, err := s.target(target).PrintInvalid(t.Context(), []string{path})
		if err != nil || len(invalid) > 0 {
			t.Errorf("target %s misses %v (%v)", target, invalid, err)
		}
		contains(t, s.report.progress, target+": Receiving intra-dependency closure of profile: "+path)
	}
	if n := s.count("b import"); n > 0 {
		t.Error("transferred what was there already")
	}
	for _, target := range []string{"a", "c"} {
		if !strings.Contains(s.report.output.String(), m.Profiles[target]+"\n") {
			t.Errorf("the imported path of target %s is not printed:\n%s", target, &s.report.output)
		}
	}
}

func TestDistributeServesTheOthersAfterAFailure(t *testing.T) {
	m := configuration("a b c d")
	s := newSite(t)
	s.unreachable["a"] = true
	s.failOn("b import")
	d := s.deployment(m, nil)
	d.Options.Transfers = 1
	err := d.Distribute(t.Context())
	errorContains(t, err, `target "a"`, "no route to host", `target "b"`, "injected failure", m.Profiles["b"])
	equal(t, "problems", s.report.problems, []string{
		"a: Cannot receive intra-dependency closure of profile: " + m.Profiles["a"],
		"b: Cannot receive intra-dependency closure of profile: " + m.Profiles["b"],
	})
	for _, target := range []string{"c", "d"} {
		if s.count(target+" import") != 1 {
			t.Errorf("target %s got nothing", target)
		}
	}
}

func TestDistributeLimitsTransfers(t *testing.T) {
	for limit, want := range map[int]time.Duration{0: 3, 1: 6, 3: 2, 6: 1, 9: 1} {
		synctest.Test(t, func(t *testing.T) {
			s := newSite(t)
			s.onCall = func(_ context.Context, _ string, call servicetest.Call) error {
				if call.Operation == "import" {
					time.Sleep(time.Second)
				}
				return nil
			}
			d := s.deployment(configuration("a b c d e f"), nil)
			d.Options.Transfers = limit
			start := time.Now()
			if err := d.Distribute(t.Context()); err != nil {
				t.Fatal(err)
			}
			if took := time.Since(start); took != want*time.Second {
				t.Errorf("limit %d: took %v instead of %d rounds", limit, took, want)
			}
		})
	}
}

func TestDistributeInterrupted(t *testing.T) {
	m := configuration("a b c d")
	s := newSite(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	s.onCall = func(_ context.Context, target string, call servicetest.Call) error {
		if call.Operation == "import" {
			cancel()
		}
		return nil
	}
	d := s.deployment(m, nil)
	d.Options.Transfers = 1
	err := d.Distribute(ctx)
	errorContains(t, err, "3 of 4 not attempted", "context canceled")
	if ops := s.operations(); slices.ContainsFunc(ops, func(op string) bool { return !strings.HasPrefix(op, "a ") }) {
		t.Errorf("went on after the interrupt: %v", ops)
	}
}

// TestDistributeWhatIsDeployed asks for nothing but the profile, unless that
// is gone.
func TestDistributeWhatIsDeployed(t *testing.T) {
	m := configuration("a b", part{name: "web", on: "a"})
	s := newSite(t)
	s.target("a").AddValid(m.Profiles["a"])
	d := s.deployment(m, m)
	s.here.Hook = func(_ context.Context, call servicetest.Call) error {
		if call.Operation == "query-requisites" && slices.Contains(call.Words, m.Profiles["a"]) {
			t.Error("the coordinator's store is asked for the closure")
		}
		return nil
	}
	if err := d.Distribute(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n, imports := s.count("a print-invalid"), s.count("a import"); n != 1 || imports != 0 {
		t.Errorf("%d questions and %d imports", n, imports)
	}
	if s.count("b import") != 1 {
		t.Error("a profile that is gone is not copied")
	}
}
