package coordinator

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/disnix-go/disnix/coordinator/plan"
)

// executor carries out steps: each after those it comes after, and otherwise
// as many at once as the targets and the limit allow.
//
// Of the steps that could start, the one starts first that has the longest
// chain of steps behind it.
type executor struct {
	// run carries out one step. It is called from several goroutines, with a
	// context that is not cancelled when that of execute is: a step that has
	// been started is never abandoned.
	run func(ctx context.Context, s *plan.Step) error
	// cores is the number of steps that may run on a target at once; below
	// one counts as one.
	cores func(target string) int
	// limit is the number of steps that may run at once on all targets
	// together; below one means that there is no limit.
	limit int
	// tolerate says which steps may fail without keeping those after them
	// from being run; nil means none.
	tolerate func(s *plan.Step) bool
	reporter Reporter
}

// stepResult is what became of a step.
type stepResult struct {
	Started bool
	// Err is the reason for which the step failed or, if it was not started,
	// for which it was not. It is nil if the step has succeeded.
	Err error
}

// errInterrupted is why steps are not started after a cancellation.
var errInterrupted = errors.New("interrupted")

// execute carries out the steps and returns when none is running any more. The
// IDs of the steps are consecutive; a step may only come after steps with a
// smaller ID, and what is not among the steps is taken as done.
//
// After a failure everything that does not come after the failed step is still
// carried out. After ctx has been cancelled no further step is started.
func (e executor) execute(ctx context.Context, steps []*plan.Step) []stepResult {
	x := newExecution(e, steps)
	stepContext := context.WithoutCancel(ctx)
	for {
		for x.startable() && ctx.Err() == nil {
			x.start(stepContext)
		}
		if x.running == 0 {
			break
		}
		x.complete(<-x.finished)
	}
	for i := range x.results {
		if r := &x.results[i]; !r.Started && r.Err == nil {
			r.Err = errInterrupted
		}
	}
	return x.results
}

// execution is the state of one call of execute. Only its loop touches it.
type execution struct {
	executor
	steps   []*plan.Step
	results []stepResult
	// dependants holds for each step those that come after it, waitsFor the
	// number of steps that it still waits for.
	dependants [][]int
	waitsFor   []int
	ranks      []int
	targets    map[string]*targetQueue
	// admitted holds the targets that have free cores or new steps.
	admitted []*targetQueue
	// ready holds the steps that have a core and only wait for the limit.
	ready    stepQueue
	running  int
	finished chan completion
}

// targetQueue is what one target can do and has to do.
type targetQueue struct {
	freeCores int
	waiting   stepQueue // steps that could start, but have no core
}

type completion struct {
	step int
	err  error
}

func newExecution(e executor, steps []*plan.Step) *execution {
	x := &execution{
		executor:   e,
		steps:      steps,
		results:    make([]stepResult, len(steps)),
		dependants: make([][]int, len(steps)),
		waitsFor:   make([]int, len(steps)),
		targets:    make(map[string]*targetQueue),
		finished:   make(chan completion),
	}
	for i, s := range steps {
		for _, id := range s.After {
			if before := id - steps[0].ID; before >= 0 && before < i {
				x.dependants[before] = append(x.dependants[before], i)
				x.waitsFor[i]++
			}
		}
	}
	x.ranks = ranks(x.dependants)
	x.ready.ranks = x.ranks
	for i := range steps {
		if x.waitsFor[i] == 0 {
			x.admit(i)
		}
	}
	x.grant()
	return x
}

// ranks returns for each step the length of the longest chain that begins with
// it.
func ranks(dependants [][]int) []int {
	ranks := make([]int, len(dependants))
	for i := len(dependants) - 1; i >= 0; i-- {
		for _, dependant := range dependants[i] {
			ranks[i] = max(ranks[i], ranks[dependant])
		}
		ranks[i]++
	}
	return ranks
}

// admit queues a step that waits for no other, for a core of its target.
func (x *execution) admit(i int) {
	queue := x.queueOf(i)
	queue.waiting.push(i)
	x.admitted = append(x.admitted, queue)
}

// grant gives the free cores of those targets that have got something to do.
// It is called when all steps are admitted that can be, so that they compete.
func (x *execution) grant() {
	for _, queue := range x.admitted {
		for queue.freeCores > 0 && queue.waiting.len() > 0 {
			queue.freeCores--
			x.ready.push(queue.waiting.pop())
		}
	}
	x.admitted = x.admitted[:0]
}

func (x *execution) queueOf(i int) *targetQueue {
	target := x.steps[i].Mapping.Target
	queue, ok := x.targets[target]
	if !ok {
		queue = &targetQueue{freeCores: max(1, x.cores(target)), waiting: stepQueue{ranks: x.ranks}}
		x.targets[target] = queue
	}
	return queue
}

func (x *execution) startable() bool {
	return x.ready.len() > 0 && (x.limit < 1 || x.running < x.limit)
}

// start starts the first of the steps that are ready.
func (x *execution) start(ctx context.Context) {
	i := x.ready.pop()
	x.results[i].Started = true
	x.running++
	go func() {
		s := x.steps[i]
		x.reporter.StepStarted(s)
		begin := time.Now()
		err := x.run(ctx, s)
		x.reporter.StepFinished(s, time.Since(begin), err)
		x.finished <- completion{i, err}
	}()
}

// complete takes note of the end of a step.
func (x *execution) complete(c completion) {
	x.running--
	x.results[c.step].Err = c.err
	if c.err == nil || x.tolerate != nil && x.tolerate(x.steps[c.step]) {
		for _, dependant := range x.dependants[c.step] {
			if x.waitsFor[dependant]--; x.waitsFor[dependant] == 0 {
				x.admit(dependant)
			}
		}
	} else {
		x.exclude(c.step)
	}
	queue := x.queueOf(c.step)
	queue.freeCores++
	x.admitted = append(x.admitted, queue)
	x.grant()
}

// exclude gives everything that comes after a failed step the reason for which
// it is not run.
func (x *execution) exclude(failed int) {
	s := x.steps[failed]
	reason := fmt.Errorf("it comes after service %q on target %q, which failed", s.Service.Name, s.Mapping.Target)
	pending := []int{failed}
	for len(pending) > 0 {
		last := pending[len(pending)-1]
		pending = pending[:len(pending)-1]
		for _, dependant := range x.dependants[last] {
			if r := &x.results[dependant]; r.Err == nil {
				r.Err = reason
				pending = append(pending, dependant)
			}
		}
	}
}
