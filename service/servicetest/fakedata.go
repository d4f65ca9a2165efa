package servicetest

import (
	"maps"
	"path"
	"slices"
	"strings"
)

// snapshotRoot is where a [Fake] says that its snapshots are.
const snapshotRoot = "/fake/snapshots/"

// matching returns the snapshots of a container and component, where empty
// means any.
func (f *Fake) matching(container, component string) []string {
	var result []string
	for _, s := range f.snapshots {
		parts := strings.SplitN(s, "/", 3)
		if (container == "" || parts[0] == container) && (component == "" || parts[1] == component) {
			result = append(result, s)
		}
	}
	return result
}

func ownerOf(snapshot string) string { return path.Dir(snapshot) }

func set(m *map[string]bool, key string) {
	if *m == nil {
		*m = make(map[string]bool)
	}
	(*m)[key] = true
}

func sortedKeys(m map[string]bool) []string { return slices.Sorted(maps.Keys(m)) }
