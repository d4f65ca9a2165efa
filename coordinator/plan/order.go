package plan

import (
	"fmt"
	"strings"
)

// arrange returns the members of a graph in an order in which everything comes
// after what it waits for. Of those that could come next, the one that has
// waited longest does, so that independent ones stay in their given order.
// What is in a cycle, or waits for one, is left out.
//
// The edges of a node are those to the nodes that wait for it; the edges to
// nodes that are no members are ignored.
func arrange(edges [][]int, member func(node int) bool) []int {
	waitsFor := make([]int, len(edges))
	members := 0
	for i := range edges {
		if !member(i) {
			continue
		}
		members++
		for _, next := range edges[i] {
			waitsFor[next]++
		}
	}
	order := make([]int, 0, members)
	for i := range edges {
		if member(i) && waitsFor[i] == 0 {
			order = append(order, i)
		}
	}
	for done := 0; done < len(order); done++ {
		for _, next := range edges[order[done]] {
			if waitsFor[next]--; waitsFor[next] == 0 && member(next) {
				order = append(order, next)
			}
		}
	}
	return order
}

// cycles returns one cycle of each group of mappings that wait for themselves.
// Each is in the order of dependence: every mapping depends on the next one,
// and the last one on the first.
func (d *deployment) cycles() [][]int {
	order := arrange(d.dependants, func(int) bool { return true })
	if len(order) == len(d.mappings) {
		return nil
	}
	const unseen = 0
	seen := make([]int, len(d.mappings)) // the walk that came by, or -1: not stuck
	for _, i := range order {
		seen[i] = -1
	}
	var cycles [][]int
	for start := range d.mappings {
		// Whatever is stuck depends on something that is stuck, so that going
		// from provider to provider ends in a cycle.
		var path []int
		walk := start + 1
		at := start
		for seen[at] == unseen {
			seen[at] = walk
			path = append(path, at)
			for _, provider := range d.mappings[at].providers {
				if seen[provider] != -1 {
					at = provider
					break
				}
			}
		}
		if seen[at] != walk {
			continue // nothing is stuck here, or an earlier walk has reported it
		}
		for i, node := range path {
			if node == at {
				cycles = append(cycles, path[i:])
			}
		}
	}
	return cycles
}

// path shows a cycle for a person.
func (d *deployment) path(cycle []int) string {
	var b strings.Builder
	for _, i := range cycle {
		m := &d.mappings[i]
		fmt.Fprintf(&b, "%q on target %q -> ", m.service.Name, m.Target)
	}
	first := &d.mappings[cycle[0]]
	fmt.Fprintf(&b, "%q on target %q", first.service.Name, first.Target)
	return b.String()
}
