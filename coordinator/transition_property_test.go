package coordinator_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"github.com/disnix-go/disnix/coordinator"
	"github.com/disnix-go/disnix/models"
	"github.com/disnix-go/disnix/service"
)

// halfDone makes one operation on a component fail once, after it has taken
// effect.
type halfDone struct {
	*site
	operation, component string

	mu     sync.Mutex
	failed bool
}

func (h *halfDone) targets(old, new *models.Manifest) *coordinator.Targets {
	return coordinator.NewTargets(coordinator.ReachableInfrastructure(new, old),
		func(_ context.Context, t *models.Target) (service.Service, error) {
			return halfDoneTarget{h.target(t.Name), h}, nil
		})
}

// fails says whether the operation fails now.
func (h *halfDone) fails(operation, component string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.failed || operation != h.operation || component != h.component {
		return false
	}
	h.failed = true
	return true
}

type halfDoneTarget struct {
	service.Service
	half *halfDone
}

func (t halfDoneTarget) Activate(ctx context.Context, a service.Activity) error {
	err := t.Service.Activate(ctx, a)
	if t.half.fails("activate", a.Component) {
		return errInjected
	}
	return err
}

func (t halfDoneTarget) Deactivate(ctx context.Context, a service.Activity) error {
	err := t.Service.Deactivate(ctx, a)
	if t.half.fails("deactivate", a.Component) {
		return errInjected
	}
	return err
}

// troubles are targets on which activities may fail, before or after they
// have taken effect, and which may interrupt the user.
type troubles struct {
	*site
	// what says what happens to the n-th activity.
	what   func(n int) trouble
	cancel context.CancelFunc

	mu   sync.Mutex
	seen int
}

type trouble int

const (
	none trouble = iota
	failsBefore
	failsAfter
	interrupts
)

type troubledTarget struct {
	service.Service
	troubles *troubles
}

func (x *troubles) connect(_ context.Context, t *models.Target) (service.Service, error) {
	return troubledTarget{x.target(t.Name), x}, nil
}

func (t troubledTarget) Activate(ctx context.Context, a service.Activity) error {
	return t.troubles.spoil(func() error { return t.Service.Activate(ctx, a) })
}

func (t troubledTarget) Deactivate(ctx context.Context, a service.Activity) error {
	return t.troubles.spoil(func() error { return t.Service.Deactivate(ctx, a) })
}

func (x *troubles) spoil(do func() error) error {
	x.mu.Lock()
	n := x.seen
	x.seen++
	x.mu.Unlock()
	what := x.what(n)
	if what == failsBefore {
		return errInjected
	}
	if what == interrupts {
		x.cancel()
	}
	if err := do(); err != nil {
		return err
	}
	if what == failsAfter {
		return errInjected
	}
	return nil
}

// drawConfiguration draws a consistent system.
func drawConfiguration(t *rapid.T, label string) *models.Manifest {
	var parts []part
	var names []string
	for i := range rapid.IntRange(0, 6).Draw(t, label+" services") {
		p := part{
			name:    fmt.Sprintf("s%d", i),
			version: rapid.IntRange(1, 2).Draw(t, label+" version"),
			on:      rapid.SampledFrom([]string{"node1", "node2", "node1 node2"}).Draw(t, label+" on"),
		}
		if i > 0 {
			p.dependsOn = rapid.SliceOfNDistinct(rapid.SampledFrom(names), 0, min(2, i), rapid.ID).Draw(t, label+" dependencies")
		}
		names = append(names, p.name)
		parts = append(parts, p)
	}
	return configuration("node1 node2", parts...)
}

// TestTransitionEndsInTheOldOrTheNewConfiguration draws upgrades and troubles.
// Whatever happens, either the new configuration is active and there is no
// error, or the old one is active and the result is 1, or the result says that
// the rollback is incomplete; and what is displaced is listed.
func TestTransitionEndsInTheOldOrTheNewConfiguration(t *testing.T) {
	results := make(map[coordinator.TransitionResult]int)
	rapid.Check(t, func(rt *rapid.T) {
		old, new := drawConfiguration(rt, "old"), drawConfiguration(rt, "new")
		s := newSite(t)
		if err := s.deployment(old, nil).Activate(t.Context(), false); err != nil {
			rt.Fatal(err)
		}
		s.forget()

		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		plagued := rapid.SliceOfN(rapid.SampledFrom([]trouble{none, none, none, failsBefore, failsAfter, interrupts}), 0, 20).Draw(rt, "troubles")
		x := &troubles{site: s, cancel: cancel, what: func(n int) trouble {
			if n < len(plagued) {
				return plagued[n]
			}
			return none
		}}
		d := s.deployment(new, old)
		d.Targets = coordinator.NewTargets(coordinator.ReachableInfrastructure(new, old), x.connect)
		d.Options.NoRollback = rapid.IntRange(0, 3).Draw(rt, "no rollback") == 0
		d.Options.Concurrency = rapid.IntRange(0, 3).Draw(rt, "concurrency")

		err := d.Activate(ctx, false)
		if err == nil {
			results[0]++
			assertActive(rt, s, expected(new))
			return
		}
		var failure *coordinator.TransitionError
		if !errors.As(err, &failure) {
			rt.Fatalf("error %v", err)
		}
		results[failure.Result]++
		assertDisplaced(rt, s, old, failure)
		if failure.Result == coordinator.TransitionFailed && !failure.NotUndone && len(failure.Displaced) == 0 {
			assertActive(rt, s, expected(old))
		}
	})
	t.Logf("transitions by result: %v", results)
}

func assertActive(t *rapid.T, s *site, want []string) {
	t.Helper()
	if got := s.active(); !slices.Equal(got, want) {
		t.Fatalf("active are %q, want %q", got, want)
	}
}

// assertDisplaced checks that the list of displaced services is true and
// complete.
func assertDisplaced(t *rapid.T, s *site, old *models.Manifest, failure *coordinator.TransitionError) {
	t.Helper()
	active, wanted := s.active(), expected(old)
	listed := make(map[string][]coordinator.ServiceState)
	for _, d := range failure.Displaced {
		place := d.Mapping.Target + "/" + d.Mapping.Container + "/" + d.Service.Package
		listed[place] = append(listed[place], d.State)
	}
	for _, place := range slices.Concat(active, wanted) {
		if slices.Contains(active, place) != slices.Contains(wanted, place) && len(listed[place]) == 0 {
			t.Fatalf("%s is displaced, but not listed in %v", place, failure.Displaced)
		}
	}
	for place, states := range listed {
		// One package may be listed twice, as the old and as the new service.
		if len(states) == 1 && states[0] != coordinator.Unknown &&
			slices.Contains(active, place) != (states[0] == coordinator.Active) {
			t.Fatalf("%s is said to be %s, but active are %q", place, states[0], active)
		}
	}
}
