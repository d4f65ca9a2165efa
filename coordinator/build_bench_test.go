package coordinator_test

import (
	"fmt"
	"testing"
)

// BenchmarkBuild measures what the coordinator adds to 10,000 builds on 100
// targets.
func BenchmarkBuild(b *testing.B) {
	cores := make(map[string]int)
	var mappings []string
	for target := range 100 {
		name := fmt.Sprintf("node%d", target)
		cores[name] = 8
		for derivation := range 100 {
			mappings = append(mappings, fmt.Sprintf("%s d%d", name, derivation))
		}
	}
	b.ReportAllocs()
	for b.Loop() {
		b.StopTimer()
		build := newSite(b).build(cores, mappings...)
		b.StartTimer()
		if err := build.Run(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
}
