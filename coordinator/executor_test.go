package coordinator

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/disnix-go/disnix/coordinator/plan"
	"github.com/disnix-go/disnix/models"
)

// silent is a [Reporter] for those who do not care.
type silent struct{}

func (silent) Progress(string, string)                       {}
func (silent) Problem(string, string)                        {}
func (silent) Notice(string)                                 {}
func (silent) PlanReady([]*plan.Step)                        {}
func (silent) StepStarted(*plan.Step)                        {}
func (silent) StepFinished(*plan.Step, time.Duration, error) {}
func (silent) Output(string) io.Writer                       { return io.Discard }

// step makes a step on a target.
func step(id int, target string, after ...int) *plan.Step {
	return &plan.Step{
		ID:      id,
		Kind:    plan.Activate,
		Mapping: models.ServiceMapping{Target: target},
		Service: &models.Service{Name: fmt.Sprint("s", id)},
		After:   after,
	}
}

func manyCores(string) int { return 1000 }

// activityLog is a step function that notes what happens.
type activityLog struct {
	mu       sync.Mutex
	started  []int
	ended    map[int]bool
	running  map[string]int
	most     map[string]int // highest number of steps that ran at once
	took     time.Duration
	fail     map[int]bool
	onStart  func(id int)
	problems []string
}

func (j *activityLog) run(_ context.Context, s *plan.Step) error {
	j.begin(s)
	time.Sleep(j.took)
	j.mu.Lock()
	defer j.mu.Unlock()
	j.running[s.Mapping.Target]--
	j.running["all"]--
	if j.fail[s.ID] {
		return errBroken
	}
	j.ended[s.ID] = true
	return nil
}

func (j *activityLog) begin(s *plan.Step) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.ended == nil {
		j.ended, j.running, j.most = make(map[int]bool), make(map[string]int), make(map[string]int)
	}
	j.started = append(j.started, s.ID)
	for _, before := range s.After {
		if !j.ended[before] {
			j.problems = append(j.problems, fmt.Sprintf("step %d was started before the end of %d", s.ID, before))
		}
	}
	for _, key := range []string{s.Mapping.Target, "all"} {
		j.running[key]++
		j.most[key] = max(j.most[key], j.running[key])
	}
	if j.onStart != nil {
		j.onStart(s.ID)
	}
}

var errBroken = errors.New("broken")

func TestExecuteInOrder(t *testing.T) {
	j := &activityLog{}
	steps := []*plan.Step{step(0, "a"), step(1, "b", 0), step(2, "a", 0, 1)}
	results := executor{run: j.run, cores: manyCores, reporter: silent{}}.execute(t.Context(), steps)
	if want := []int{0, 1, 2}; !slices.Equal(j.started, want) || len(j.problems) > 0 {
		t.Errorf("started %v, want %v; %v", j.started, want, j.problems)
	}
	for i, r := range results {
		if !r.Started || r.Err != nil {
			t.Errorf("result %d is %+v", i, r)
		}
	}
}

func TestExecuteNothing(t *testing.T) {
	if results := (executor{reporter: silent{}}).execute(t.Context(), nil); len(results) != 0 {
		t.Errorf("results %v", results)
	}
}

func TestExecuteNumbersFromAnywhere(t *testing.T) {
	j := &activityLog{}
	steps := []*plan.Step{step(7, "a", 3), step(8, "a", 7)}
	j.ended = map[int]bool{3: true} // by an earlier execution
	j.running, j.most = make(map[string]int), make(map[string]int)
	executor{run: j.run, cores: manyCores, reporter: silent{}}.execute(t.Context(), steps)
	if want := []int{7, 8}; !slices.Equal(j.started, want) || len(j.problems) > 0 {
		t.Errorf("started %v, want %v; %v", j.started, want, j.problems)
	}
}

func TestExecuteGoesOnAfterAFailure(t *testing.T) {
	j := &activityLog{fail: map[int]bool{1: true}}
	steps := []*plan.Step{step(0, "a"), step(1, "a"), step(2, "a", 1), step(3, "b", 0, 2), step(4, "b", 0)}
	results := executor{run: j.run, cores: manyCores, reporter: silent{}}.execute(t.Context(), steps)
	slices.Sort(j.started)
	if want := []int{0, 1, 4}; !slices.Equal(j.started, want) {
		t.Errorf("started %v, want %v", j.started, want)
	}
	if r := results[1]; !r.Started || !errors.Is(r.Err, errBroken) {
		t.Errorf("result of the failed step: %+v", r)
	}
	for _, i := range []int{2, 3} {
		const want = `it comes after service "s1" on target "a", which failed`
		if r := results[i]; r.Started || r.Err == nil || r.Err.Error() != want {
			t.Errorf("result %d is %+v, want %q", i, r, want)
		}
	}
}

func TestExecuteToleratesFailures(t *testing.T) {
	j := &activityLog{fail: map[int]bool{0: true}}
	steps := []*plan.Step{step(0, "a"), step(1, "a", 0)}
	results := executor{
		run: j.run, cores: manyCores, reporter: silent{},
		tolerate: func(s *plan.Step) bool { return s.ID == 0 },
	}.execute(t.Context(), steps)
	if !errors.Is(results[0].Err, errBroken) || !results[1].Started || results[1].Err != nil {
		t.Errorf("results %+v", results)
	}
}

func TestExecuteStopsWhenCancelled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		var completed int
		run := func(ctx context.Context, s *plan.Step) error {
			if s.ID == 0 {
				cancel()
			}
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(time.Second):
				completed++
				return nil
			}
		}
		steps := []*plan.Step{step(0, "a"), step(1, "a"), step(2, "a", 0)}
		results := executor{run: run, cores: func(string) int { return 1 }, reporter: silent{}}.execute(ctx, steps)
		if completed != 1 || results[0].Err != nil {
			t.Errorf("the running step was not completed: %+v", results[0])
		}
		for _, r := range results[1:] {
			if r.Started || !errors.Is(r.Err, errInterrupted) {
				t.Errorf("result %+v, want interrupted", r)
			}
		}
	})
}

func TestExecuteHasNoGoroutineForWaitingSteps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var steps []*plan.Step
		for i := range 1000 {
			steps = append(steps, step(i, "a"))
		}
		j := &activityLog{took: time.Second}
		begin := time.Now()
		executor{run: j.run, cores: func(string) int { return 10 }, reporter: silent{}}.execute(t.Context(), steps)
		if took := time.Since(begin); took != 100*time.Second {
			t.Errorf("took %v with 10 cores", took)
		}
		if j.most["all"] != 10 {
			t.Errorf("%d steps at once", j.most["all"])
		}
	})
}

func TestExecuteTakesTheLongestChainFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		steps := []*plan.Step{step(0, "a"), step(1, "a"), step(2, "a"), step(3, "b", 2), step(4, "c", 3)}
		j := &activityLog{took: time.Second}
		begin := time.Now()
		executor{run: j.run, cores: func(string) int { return 1 }, reporter: silent{}}.execute(t.Context(), steps)
		if took := time.Since(begin); took != 3*time.Second {
			t.Errorf("took %v, want the length of the chain", took)
		}
	})
}

func TestRoughEdge(t *testing.T) {
	t.Run("transition 1, observed 4: independent steps run at once", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			var steps []*plan.Step
			for i := range 16 {
				steps = append(steps, step(i, fmt.Sprint("target", i)))
			}
			j := &activityLog{took: 100 * time.Millisecond}
			begin := time.Now()
			executor{run: j.run, cores: func(string) int { return 1 }, reporter: silent{}}.execute(t.Context(), steps)
			if took := time.Since(begin); took != j.took {
				t.Errorf("took %v, want %v", took, j.took)
			}
		})
	})
	for _, cores := range []int{0, -1} {
		t.Run(fmt.Sprintf("transition 15: %d cores do not make the transition spin", cores), func(t *testing.T) {
			j := &activityLog{}
			executor{run: j.run, cores: func(string) int { return cores }, reporter: silent{}}.
				execute(t.Context(), []*plan.Step{step(0, "a"), step(1, "a")})
			if len(j.started) != 2 || j.most["all"] != 1 {
				t.Errorf("started %v, %d at once", j.started, j.most["all"])
			}
		})
	}
	t.Run("transition 9: a step that waits for itself ends the execution", func(t *testing.T) {
		j := &activityLog{}
		results := executor{run: j.run, cores: manyCores, reporter: silent{}}.
			execute(t.Context(), []*plan.Step{step(0, "a", 0), step(1, "a", 1, 5)})
		if len(results) != 2 {
			t.Errorf("results %v", results)
		}
	})
}

// TestExecuteKeepsItsPromises draws graphs, limits and failures.
func TestExecuteKeepsItsPromises(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		n := rapid.IntRange(0, 40).Draw(rt, "steps")
		j := &activityLog{took: time.Millisecond, fail: make(map[int]bool)}
		steps := make([]*plan.Step, n)
		for i := range steps {
			var after []int
			if i > 0 {
				after = rapid.SliceOfNDistinct(rapid.IntRange(0, i-1), 0, min(i, 3), rapid.ID).Draw(rt, "after")
			}
			steps[i] = step(i, rapid.SampledFrom([]string{"a", "b", "c"}).Draw(rt, "target"), after...)
			j.fail[i] = rapid.IntRange(0, 9).Draw(rt, "fails") == 0
		}
		cores := map[string]int{"a": 1, "b": 2, "c": 3}
		limit := rapid.IntRange(0, 4).Draw(rt, "limit")
		cancelAt := rapid.IntRange(-40, 40).Draw(rt, "cancel at")

		var results []stepResult
		var cancelled bool
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			j.onStart = func(id int) {
				if id == cancelAt {
					cancelled = true
					cancel()
				}
			}
			results = executor{run: j.run, cores: func(t string) int { return cores[t] }, limit: limit, reporter: silent{}}.
				execute(ctx, steps)
		})
		if len(j.problems) > 0 {
			rt.Fatal(j.problems)
		}
		for target, most := range j.most {
			if bound, ok := cores[target]; ok && most > bound || !ok && limit > 0 && most > limit {
				rt.Fatalf("%d steps ran at once on %s", most, target)
			}
		}
		checkResults(rt, steps, results, j, cancelled)
	})
}

func checkResults(rt *rapid.T, steps []*plan.Step, results []stepResult, j *activityLog, cancelled bool) {
	once := make(map[int]bool)
	for _, id := range j.started {
		if once[id] {
			rt.Fatalf("step %d was run twice", id)
		}
		once[id] = true
	}
	for i, r := range results {
		ready := true
		for _, before := range steps[i].After {
			ready = ready && results[before].Started && results[before].Err == nil
		}
		switch {
		case r.Started != once[i]:
			rt.Fatalf("result %d is %+v, but started is %v", i, r, once[i])
		case r.Started && (r.Err != nil) != j.fail[i]:
			rt.Fatalf("result %d is %+v, but fails is %v", i, r, j.fail[i])
		case !r.Started && r.Err == nil:
			rt.Fatalf("nobody says why step %d was not run", i)
		case !r.Started && ready && !cancelled:
			rt.Fatalf("step %d was not run: %v", i, r.Err)
		case r.Started && !ready:
			rt.Fatalf("step %d was run although something before it was not", i)
		}
	}
}

// schedule is a random graph with the time that each step takes.
type schedule struct {
	steps []*plan.Step
	took  []time.Duration
	cores int
}

// randomSchedule makes steps of 1 to 20 ms that depend on some of those
// before them.
func randomSchedule(seed uint64, n, targets, cores, dependencies int) schedule {
	random := rand.New(rand.NewPCG(seed, 0))
	s := schedule{cores: cores}
	for i := range n {
		after := make(map[int]bool)
		for range min(i, dependencies) {
			after[random.IntN(i)] = true
		}
		s.steps = append(s.steps, step(i, fmt.Sprint("target", random.IntN(targets)), slices.Sorted(maps.Keys(after))...))
		s.took = append(s.took, time.Millisecond+time.Duration(random.Int64N(int64(19*time.Millisecond))))
	}
	return s
}

// bound returns the least time that the steps take: that of the longest path,
// or what the busiest target has to do with all its cores.
func (s schedule) bound() time.Duration {
	var bound time.Duration
	ends := make([]time.Duration, len(s.steps))
	work := make(map[string]time.Duration)
	for i, step := range s.steps {
		for _, before := range step.After {
			ends[i] = max(ends[i], ends[before])
		}
		ends[i] += s.took[i]
		work[step.Mapping.Target] += s.took[i]
		bound = max(bound, ends[i], work[step.Mapping.Target]/time.Duration(s.cores))
	}
	return bound
}

// execute returns the time that the execution took, and the schedule with the
// time that each step took in it: longer than it should, on a busy machine.
func (s schedule) execute(ctx context.Context) (time.Duration, schedule) {
	actual := schedule{steps: s.steps, took: make([]time.Duration, len(s.steps)), cores: s.cores}
	begin := time.Now()
	executor{
		run: func(_ context.Context, step *plan.Step) error {
			begin := time.Now()
			time.Sleep(s.took[step.ID])
			actual.took[step.ID] = time.Since(begin)
			return nil
		},
		cores:    func(string) int { return s.cores },
		reporter: silent{},
	}.execute(ctx, s.steps)
	return time.Since(begin), actual
}

// TestScheduleIsNearlyOptimal measures in simulated time. In all shapes one of
// the two bounds, cores or critical path, is clearly the larger one; between
// them no schedule reaches either.
func TestScheduleIsNearlyOptimal(t *testing.T) {
	for _, shape := range []struct{ targets, cores, dependencies int }{
		{1, 1, 3}, {1, 4, 3}, {4, 1, 1}, {10, 1, 1}, {100, 2, 3}, {100, 4, 1}, {100, 4, 3},
	} {
		for seed := range uint64(5) {
			s := randomSchedule(seed, 1000, shape.targets, shape.cores, shape.dependencies)
			var took time.Duration
			synctest.Test(t, func(t *testing.T) { took, _ = s.execute(t.Context()) })
			if ratio := float64(took) / float64(s.bound()); ratio > 1.05 {
				t.Errorf("%+v, seed %d: %.3f times the bound", shape, seed, ratio)
			}
		}
	}
}
