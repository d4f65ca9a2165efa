package models

import (
	"fmt"
	"strings"
)

// cycles reports ordered dependencies that lead back to where they began, each
// with its whole path.
func (v *validation) cycles() {
	keys := sorted(v.manifest.Services)
	index := make(map[string]int, len(keys))
	for i, key := range keys {
		index[key] = i
	}
	for _, cycle := range findCycles(len(keys), func(i, n int) (int, bool) {
		dependencies := v.manifest.Services[keys[i]].DependsOn
		if n >= len(dependencies) {
			return 0, false
		}
		provider, known := index[dependencies[n].Service]
		if !known {
			provider = -1
		}
		return provider, true
	}) {
		names := make([]string, 0, len(cycle)+1)
		for _, i := range append(cycle, cycle[0]) {
			names = append(names, fmt.Sprintf("%s (%s)", v.manifest.Services[keys[i]].Name, keys[i]))
		}
		v.add("services depend on each other in a cycle: %s: remove one of these dependencies, or make it a connectsTo", strings.Join(names, " -> "))
	}
}

// findCycles returns cycles in a graph of size nodes, at least one of every
// group of nodes that can reach each other, and no node twice. The function
// edge returns the end of the n-th edge of a node, or a negative number for one
// to pass over, and whether there are so many. The search is iterative, because
// chains may be longer than any stack.
func findCycles(size int, edge func(node, n int) (int, bool)) [][]int {
	const (
		unseen = -1
		done   = -2
	)
	position := make([]int, size) // on the path, or one of the above
	for node := range position {
		position[node] = unseen
	}
	type visit struct {
		node, next int
		reported   int // number of nodes up to here that are in a cycle found
	}
	// The first element is no node, but saves a special case.
	path := []visit{{node: -1}}
	push := func(node int) {
		position[node] = len(path)
		path = append(path, visit{node: node, reported: path[len(path)-1].reported})
	}
	var cycles [][]int
	for root := range size {
		if position[root] != unseen {
			continue
		}
		push(root)
		for len(path) > 1 {
			top := &path[len(path)-1]
			end, ok := edge(top.node, top.next)
			top.next++
			switch {
			case !ok:
				position[top.node] = done
				path = path[:len(path)-1]
			case end < 0 || position[end] == done:
			case position[end] == unseen:
				push(end)
			case top.reported == path[position[end]-1].reported:
				var cycle []int
				for i := position[end]; i < len(path); i++ {
					path[i].reported = path[i-1].reported + 1
					cycle = append(cycle, path[i].node)
				}
				cycles = append(cycles, cycle)
			}
		}
	}
	return cycles
}
