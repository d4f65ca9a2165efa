package coordinator

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/disnix-go/disnix/coordinator/journal"
	"github.com/disnix-go/disnix/coordinator/plan"
	"github.com/disnix-go/disnix/models"
	"github.com/disnix-go/disnix/models/modelstest"
	"github.com/disnix-go/disnix/service"
	"github.com/disnix-go/disnix/service/servicetest"
)

// BenchmarkExecutorOverhead measures what a step costs that does nothing.
func BenchmarkExecutorOverhead(b *testing.B) {
	for _, shape := range []struct {
		name     string
		manifest *models.Manifest
	}{
		{"flat", modelstest.Flat(10_000, 100, 1)},
		{"chain", modelstest.Chain(10_000, 100, 1)},
		{"random", modelstest.Random(1, 10_000, 3, 100, 1)},
	} {
		b.Run(shape.name, func(b *testing.B) {
			p, err := plan.New(nil, shape.manifest, plan.Options{})
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				executor{
					run:      func(context.Context, *plan.Step) error { return nil },
					cores:    func(string) int { return 2 },
					reporter: silent{},
				}.execute(b.Context(), p.Steps)
			}
			b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N)/float64(len(p.Steps)), "µs/step")
		})
	}
}

// BenchmarkTransitionOverhead is the same with everything that belongs to a
// transition, on targets in memory.
func BenchmarkTransitionOverhead(b *testing.B) {
	m := modelstest.Random(1, 10_000, 3, 100, 1)
	p, err := plan.New(nil, m, plan.Options{})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		d := &Deployment{Manifest: m, Reporter: silent{}, Targets: NewTargets(m.Infrastructure, inMemory)}
		if err := d.Transition(b.Context(), p); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N)/float64(len(p.Steps)), "µs/step")
}

func inMemory(context.Context, *models.Target) (service.Service, error) {
	return new(servicetest.Fake), nil
}

// BenchmarkIndependentServices activates 16 services of 100 ms on 16 targets.
func BenchmarkIndependentServices(b *testing.B) {
	var steps []*plan.Step
	for i := range 16 {
		steps = append(steps, step(i, fmt.Sprint("target", i)))
	}
	for b.Loop() {
		executor{
			run: func(context.Context, *plan.Step) error {
				time.Sleep(100 * time.Millisecond)
				return nil
			},
			cores:    func(string) int { return 1 },
			reporter: silent{},
		}.execute(b.Context(), steps)
	}
}

// BenchmarkRandomSchedule executes 1000 steps of 1 to 20 ms with dependencies.
// The ratio is that to the critical path, or to the time that the busiest
// target needs with all its cores, whichever is longer; the nominal ratio is that
// to the same with steps that last exactly as long as they should.
func BenchmarkRandomSchedule(b *testing.B) {
	for _, shape := range []struct{ targets, cores, dependencies int }{
		{10, 1, 1},  // bound by the cores
		{100, 4, 3}, // bound by the critical path
	} {
		b.Run(fmt.Sprintf("%d targets with %d cores, %d dependencies", shape.targets, shape.cores, shape.dependencies), func(b *testing.B) {
			s := randomSchedule(1, 1000, shape.targets, shape.cores, shape.dependencies)
			var ratio, nominal float64
			for b.Loop() {
				took, actual := s.execute(b.Context())
				ratio += float64(took) / float64(actual.bound())
				nominal += float64(took) / float64(s.bound())
			}
			b.ReportMetric(ratio/float64(b.N), "ratio")
			b.ReportMetric(nominal/float64(b.N), "nominal-ratio")
		})
	}
}

// BenchmarkJournalledTransition is [BenchmarkTransitionOverhead] with a
// journal. The difference is mostly the wait for the disk.
func BenchmarkJournalledTransition(b *testing.B) {
	for _, shape := range []struct {
		name     string
		manifest *models.Manifest
	}{
		{"flat", modelstest.Flat(10_000, 100, 1)},
		{"random", modelstest.Random(1, 10_000, 3, 100, 1)},
		{"chain", modelstest.Chain(1_000, 100, 1)},
	} {
		b.Run(shape.name, func(b *testing.B) {
			p, err := plan.New(nil, shape.manifest, plan.Options{})
			if err != nil {
				b.Fatal(err)
			}
			place := journal.Place{Dir: b.TempDir(), Profile: "default"}
			for b.Loop() {
				d := &Deployment{Manifest: shape.manifest, Reporter: silent{}, Targets: NewTargets(shape.manifest.Infrastructure, inMemory)}
				d.journal, err = journal.Create(place, journal.Description{}, journal.Run{}, len(p.Steps))
				if err != nil {
					b.Fatal(err)
				}
				if err := d.Transition(b.Context(), p); err != nil {
					b.Fatal(err)
				}
				if err := d.journal.Close(); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N)/float64(len(p.Steps)), "µs/step")
		})
	}
}
