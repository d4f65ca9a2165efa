package plan_test

import (
	"testing"

	"github.com/disnix-go/disnix/coordinator/plan"
	"github.com/disnix-go/disnix/models"
	"github.com/disnix-go/disnix/models/modelstest"
)

func BenchmarkNew(b *testing.B) {
	versions := func(generate func(version int) *models.Manifest) [2]*models.Manifest {
		return [2]*models.Manifest{generate(1), generate(2)}
	}
	benchmarks := []struct {
		name      string
		manifests func(version int) *models.Manifest
	}{
		{"flat 10000 on 100 targets", func(v int) *models.Manifest { return modelstest.Flat(10_000, 100, v) }},
		{"chain of 10000", func(v int) *models.Manifest { return modelstest.Chain(10_000, 100, v) }},
		{"random 100000 with 3 dependencies", func(v int) *models.Manifest { return modelstest.Random(1, 100_000, 3, 100, v) }},
		{"layers 14 x 4", func(v int) *models.Manifest { return modelstest.Layers(4, 14, 1, v) }},
		{"layers 22 x 2", func(v int) *models.Manifest { return modelstest.Layers(2, 22, 1, v) }},
	}
	for _, benchmark := range benchmarks {
		b.Run(benchmark.name, func(b *testing.B) {
			m := versions(benchmark.manifests)
			b.ReportAllocs()
			for b.Loop() {
				p, err := plan.New(m[0], m[1], plan.Options{})
				if err != nil {
					b.Fatal(err)
				}
				if len(p.Execution()) != len(m[0].ServiceMappings)+len(m[1].ServiceMappings) {
					b.Fatalf("%d steps", len(p.Execution()))
				}
			}
		})
	}
}
