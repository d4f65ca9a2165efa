package coordinator_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/disnix-go/disnix/coordinator"
	"github.com/disnix-go/disnix/models"
	"github.com/disnix-go/disnix/service/servicetest"
)

var errInterruptSignal = errors.New("signal: interrupt")

// interruptAt cancels the context when an operation begins.
func (s *site) interruptAt(ctx context.Context, what string) context.Context {
	ctx, cancel := context.WithCancelCause(ctx)
	s.t.Cleanup(func() { cancel(nil) })
	s.failOn(what)
	matches := s.onCall
	s.onCall = func(ctx context.Context, target string, call servicetest.Call) error {
		if matches(ctx, target, call) != nil {
			cancel(errInterruptSignal)
		}
		return ctx.Err()
	}
	return ctx
}

func TestTransitionRoughEdges(t *testing.T) {
	old, new := threeTiers(1), threeTiers(2)

	t.Run("transition 1, observed 4: activities run at once, as many as a target has cores", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			var parts []part
			for i := range 12 {
				parts = append(parts, part{name: fmt.Sprint("s", i), on: "node1 node2 node3"})
			}
			m := configuration("node1 node2 node3", parts...)
			s := newSite(t)
			var running, most [3]atomic.Int32
			s.onCall = func(_ context.Context, target string, _ servicetest.Call) error {
				i := target[len("node")] - '1'
				now := running[i].Add(1)
				most[i].Store(max(most[i].Load(), now))
				time.Sleep(time.Second)
				running[i].Add(-1)
				return nil
			}
			begin := time.Now()
			if err := s.deployment(m, nil).Activate(t.Context(), false); err != nil {
				t.Fatal(err)
			}
			if took := time.Since(begin); took != 6*time.Second { // 12 on 2 cores each
				t.Errorf("took %v", took)
			}
			for i := range most {
				if n := most[i].Load(); n != 2 {
					t.Errorf("%d activities at once on node%d", n, i+1)
				}
			}
		})
	})

	t.Run("transition 5: services on a machine that left the infrastructure are restarted", func(t *testing.T) {
		old := configuration("node1 node3",
			part{name: "db", version: 1, on: "node3"},
			part{name: "web", version: 1, on: "node1", dependsOn: []string{"db"}})
		new := configuration("node1",
			part{name: "db", version: 1, on: "node1"},
			part{name: "web", version: 2, on: "node1", dependsOn: []string{"db"}})
		s := installed(t, old)
		s.failAfter(0, "node1 activate web")
		broken := new.Services[key(t, new, "web")].Package
		s.onCall = func(_ context.Context, _ string, call servicetest.Call) error {
			if call.Operation == "activate" && call.Activity.Component == broken {
				return errInjected
			}
			return nil
		}
		fails(t, s.deployment(new, old), coordinator.TransitionFailed)
		equal(t, "active services", s.active(), expected(old))
		if s.count("node3 activate db") != 1 {
			t.Errorf("operations %q", s.operations())
		}
	})

	t.Run("transition 5, observed 9: services on a machine that does not exist any more are passed over once", func(t *testing.T) {
		old := configuration("node1 node3", part{name: "db", version: 1, on: "node3"}, part{name: "web", version: 1, on: "node1"})
		new := configuration("node1", part{name: "web", version: 2, on: "node1"})
		s := installed(t, old)
		s.unreachable["node3"] = true
		if err := s.deployment(new, old).Activate(t.Context(), false); err != nil {
			t.Fatal(err)
		}
		contains(t, s.report.problems, "node3: ")
		skipped := slices.DeleteFunc(slices.Clone(s.report.progress), func(line string) bool {
			return line != fmt.Sprintf("node3: Skip service with key: %s deploying service: %s since machine is no longer present!",
				key(t, old, "db"), old.Services[key(t, old, "db")].Package)
		})
		if len(skipped) != 1 {
			t.Errorf("progress %q", s.report.progress)
		}
	})

	t.Run("observed 9: services on a machine that left the infrastructure are deactivated", func(t *testing.T) {
		old := configuration("node1 node3", part{name: "db", version: 1, on: "node3"})
		new := configuration("node1", part{name: "db", version: 1, on: "node1"})
		s := installed(t, old)
		if err := s.deployment(new, old).Activate(t.Context(), false); err != nil {
			t.Fatal(err)
		}
		equal(t, "active services", s.active(), expected(new))
	})

	t.Run("transition 6, observed 7: a failed activation is deactivated in the rollback", func(t *testing.T) {
		s := installed(t, old)
		d := s.deployment(new, old)
		half := &halfDone{site: s, operation: "activate", component: new.Services[key(t, new, "api")].Package}
		d.Targets = half.targets(old, new)
		fails(t, d, coordinator.TransitionFailed)
		equal(t, "active services", s.active(), expected(old))
		if s.count("node2 deactivate api") != 2 { // the old one, and the half-started new one
			t.Errorf("operations %q", s.operations())
		}
	})

	t.Run("transition 6: a failed deactivation is activated again in the rollback", func(t *testing.T) {
		s := installed(t, old)
		d := s.deployment(new, old)
		half := &halfDone{site: s, operation: "deactivate", component: old.Services[key(t, old, "api")].Package}
		d.Targets = half.targets(old, new)
		fails(t, d, coordinator.TransitionFailed)
		equal(t, "active services", s.active(), expected(old))
		contains(t, s.report.problems, "Deactivation failed! Doing a rollback...")
	})

	t.Run("transition 8: the result of the transition reaches the caller of a deployment", func(t *testing.T) {
		for _, test := range []struct {
			fail []string
			want int
		}{
			{[]string{"node1 activate web"}, 3}, // the old one cannot be activated either
			{[]string{"node2 activate api", "node1 deactivate db"}, 3},
		} {
			s := newSite(t)
			s.mustDeploy(old, nil)
			s.failOn(test.fail...)
			err := s.deployment(new, old).Deploy(t.Context())
			var failure *coordinator.DeployError
			if !errors.As(err, &failure) || failure.ExitCode() != test.want {
				t.Errorf("%q: error %v, want exit code %d", test.fail, err, test.want)
			}
		}
	})

	t.Run("transition 9, observed 5: nothing is touched when a dependency is dangling", func(t *testing.T) {
		broken := threeTiers(2)
		s := installed(t, old)
		delete(broken.Services, key(t, broken, "db"))
		if err := s.deployment(broken, old).Activate(t.Context(), false); err == nil {
			t.Error("no error")
		}
		if operations := s.operations(); len(operations) > 0 {
			t.Errorf("%q was done", operations)
		}
	})

	t.Run("transition 15: a target without cores makes the transition fail, not spin", func(t *testing.T) {
		m := threeTiers(1)
		m.Infrastructure["node1"].NumOfCores = 0
		err := newSite(t).deployment(m, nil).Activate(t.Context(), false)
		errorContains(t, err, "numOfCores")
	})

	t.Run("observed 6: an interrupt during the deactivation starts no further step", func(t *testing.T) {
		s := installed(t, old)
		ctx := s.interruptAt(t.Context(), "node2 deactivate api")
		failure := failsIn(ctx, t, s.deployment(new, old), coordinator.TransitionFailed)
		equal(t, "operations", s.operations(), []string{
			"node1 deactivate web", "node2 deactivate api", "node2 activate api", "node1 activate web",
		})
		equal(t, "active services", s.active(), expected(old))
		equal(t, "problems", s.report.problems, []string{
			"The deactivation phase has been interrupted, reactivating services again...",
			"Deactivation failed! Doing a rollback...",
			"ERROR: Transition phase execution failed!",
		})
		if !errors.Is(failure, errInterruptSignal) || failure.NotBegun != 1 {
			t.Errorf("failure %+v", failure)
		}
	})

	t.Run("observed 6: an interrupt during the activation starts no further step", func(t *testing.T) {
		s := newSite(t)
		ctx := s.interruptAt(t.Context(), "node1 activate db")
		failsIn(ctx, t, s.deployment(chain(), nil), coordinator.TransitionFailed)
		equal(t, "operations", s.operations(), []string{"node1 activate db", "node1 deactivate db"})
		contains(t, s.report.problems, "The activation has been interrupted, reverting back to the old state...")
		contains(t, s.report.problems, "Activation failed! Doing a rollback...")
	})

	t.Run("transition 13: an interrupt does not make a target run more than it has cores", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			var parts []part
			for i := range 10 {
				parts = append(parts, part{name: fmt.Sprint("s", i), on: "node1"})
			}
			s := newSite(t)
			ctx, cancel := context.WithCancel(t.Context())
			var running, most atomic.Int32
			s.onCall = func(ctx context.Context, _ string, _ servicetest.Call) error {
				most.Store(max(most.Load(), running.Add(1)))
				time.Sleep(time.Second) // until all have begun that may
				cancel()
				time.Sleep(time.Second)
				running.Add(-1)
				return ctx.Err()
			}
			failsIn(ctx, t, s.deployment(configuration("node1", parts...), nil), coordinator.TransitionFailed)
			if n := most.Load(); n != 2 {
				t.Errorf("%d activities at once on 2 cores", n)
			}
			equal(t, "active services", s.active(), []string{})
			if n := len(s.operations()); n != 4 {
				t.Errorf("operations %q", s.operations())
			}
		})
	})
}

// chain is a system in which each service depends on the one before.
func chain() *models.Manifest {
	return configuration("node1",
		part{name: "db", on: "node1"},
		part{name: "api", on: "node1", dependsOn: []string{"db"}},
		part{name: "web", on: "node1", dependsOn: []string{"api"}})
}
