package evaluation

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// TestCyclesOfAnyGraph compares the search for cycles with what remains when
// services that nothing holds back are taken away, one after the other.
func TestCyclesOfAnyGraph(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 8).Draw(t, "services")
		c := newChecker(&evaluated{}, false)
		edges := make(map[string]map[string]bool)
		for i := range n {
			name := fmt.Sprintf("s%d", i)
			u := &unit{name: name}
			edges[name] = make(map[string]bool)
			for _, provider := range rapid.SliceOfN(rapid.IntRange(0, n-1), 0, 3).Draw(t, name) {
				to := fmt.Sprintf("s%d", provider)
				edges[name][to] = true
				u.ordered = append(u.ordered, bond{attribute: "dependsOn." + to, service: to, spots: []spot{{}}})
			}
			c.names = append(c.names, name)
			c.services[name] = u
		}
		c.checkCycles()
		if cyclic := !orderable(edges); cyclic != (len(c.problems) > 0) {
			t.Fatalf("the graph is cyclic: %v, problems: %v", cyclic, c.problems)
		}
		for _, problem := range c.problems {
			_, text, _ := strings.Cut(problem.Error(), "first: ")
			path := regexp.MustCompile(`"([^"]+)"`).FindAllStringSubmatch(text, -1)
			if len(path) < 2 || path[0][1] != path[len(path)-1][1] {
				t.Fatalf("not a cycle: %v", problem)
			}
			for i := 1; i < len(path); i++ {
				if !edges[path[i-1][1]][path[i][1]] {
					t.Fatalf("there is no dependency of %s on %s: %v", path[i-1][1], path[i][1], problem)
				}
			}
		}
	})
}

// orderable says whether all services can be activated one after the other.
func orderable(edges map[string]map[string]bool) bool {
	active := make(map[string]bool)
	for range edges {
		for name, providers := range edges {
			ready := true
			for provider := range providers {
				ready = ready && active[provider]
			}
			if ready {
				active[name] = true
			}
		}
	}
	return len(active) == len(edges)
}
