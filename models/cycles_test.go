package models

import (
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// TestFindCycles compares the cycles with what can be reached in the graph.
func TestFindCycles(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		size := rapid.IntRange(0, 12).Draw(t, "size")
		graph := make([][]int, size)
		for i := range graph {
			graph[i] = rapid.SliceOfN(rapid.IntRange(-1, size-1), 0, 4).Draw(t, "edges")
		}
		cycles := findCycles(size, func(node, n int) (int, bool) {
			if n == len(graph[node]) {
				return 0, false
			}
			return graph[node][n], true
		})

		reachable := closure(graph)
		reported := make(map[int]bool)
		for _, cycle := range cycles {
			for i, node := range cycle {
				if next := cycle[(i+1)%len(cycle)]; !slices.Contains(graph[node], next) {
					t.Fatalf("cycle %v of %v: no edge from %d to %d", cycle, graph, node, next)
				}
				if reported[node] {
					t.Fatalf("node %d of %v is in two cycles of %v", node, graph, cycles)
				}
				reported[node] = true
			}
		}
		for node := range graph {
			if !reachable[node][node] {
				continue
			}
			if !slices.ContainsFunc(cycles, func(cycle []int) bool { return reachable[node][cycle[0]] && reachable[cycle[0]][node] }) {
				t.Fatalf("%v: node %d is in a cycle, but %v has none of its group", graph, node, cycles)
			}
		}
	})
}

// closure says for each pair whether the second can be reached from the first.
func closure(graph [][]int) [][]bool {
	reachable := make([][]bool, len(graph))
	for from, ends := range graph {
		reachable[from] = make([]bool, len(graph))
		for _, to := range ends {
			if to >= 0 {
				reachable[from][to] = true
			}
		}
	}
	for via := range graph {
		for from := range graph {
			for to := range graph {
				reachable[from][to] = reachable[from][to] || reachable[from][via] && reachable[via][to]
			}
		}
	}
	return reachable
}
