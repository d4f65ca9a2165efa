package plan_test

import (
	"bytes"
	"runtime"
	"testing"

	"github.com/disnix-go/disnix/coordinator/plan"
	"github.com/disnix-go/disnix/models"
	"github.com/disnix-go/disnix/models/modelstest"
)

func BenchmarkNew(b *testing.B) {
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
			old, new := benchmark.manifests(1), benchmark.manifests(2)
			b.ReportAllocs()
			for b.Loop() {
				p, err := plan.New(old, new, plan.Options{})
				if err != nil {
					b.Fatal(err)
				}
				if len(p.Execution()) != len(old.ServiceMappings)+len(new.ServiceMappings) {
					b.Fatalf("%d steps", len(p.Execution()))
				}
			}
		})
	}
}

// BenchmarkReadAndPlan replaces everything: what a coordinator does between
// the two manifest files and the first step.
func BenchmarkReadAndPlan(b *testing.B) {
	benchmarks := []struct {
		name      string
		manifests func(version int) *models.Manifest
	}{
		{"10000 on 100 targets", func(v int) *models.Manifest { return modelstest.Flat(10_000, 100, v) }},
		{"100000 with 3 dependencies", func(v int) *models.Manifest { return modelstest.Random(1, 100_000, 3, 100, v) }},
	}
	for _, benchmark := range benchmarks {
		b.Run(benchmark.name, func(b *testing.B) {
			old, new := document(b, benchmark.manifests(1)), document(b, benchmark.manifests(2))
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			var p *plan.Plan
			for b.Loop() {
				p = readAndPlan(b, old, new)
			}
			runtime.ReadMemStats(&after)
			b.ReportMetric(float64(after.TotalAlloc-before.TotalAlloc)/float64(b.N)/1e6, "MB-allocated/op")
			b.ReportMetric(float64(after.HeapSys)/1e6, "MB-heap")
			if len(p.Kept()) > 0 {
				b.Fatalf("%d mappings are kept", len(p.Kept()))
			}
		})
	}
}

func readAndPlan(b *testing.B, old, new []byte) *plan.Plan {
	var manifests [2]*models.Manifest
	for i, text := range [][]byte{old, new} {
		m, err := models.ReadManifest(bytes.NewReader(text))
		if err != nil {
			b.Fatal(err)
		}
		manifests[i] = m
	}
	p, err := plan.New(manifests[0], manifests[1], plan.Options{})
	if err != nil {
		b.Fatal(err)
	}
	return p
}

func document(b *testing.B, m *models.Manifest) []byte {
	var text bytes.Buffer
	if err := m.WriteXML(&text); err != nil {
		b.Fatal(err)
	}
	return text.Bytes()
}
