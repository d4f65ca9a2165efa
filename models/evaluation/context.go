package evaluation

import (
	"slices"
	"strings"
)

// join returns what both need.
func (n need) join(other need) need {
	outputs := append(slices.Clone(n.Outputs), other.Outputs...)
	slices.Sort(outputs)
	return need{
		Path:       n.Path || other.Path,
		AllOutputs: n.AllOutputs || other.AllOutputs,
		Outputs:    slices.Compact(outputs),
	}
}

// add joins another context into this one.
func (s stringContext) add(other stringContext) {
	for path, need := range other {
		s[path] = s[path].join(need)
	}
}

// installables returns what nix-store --realise has to be given so that
// everything the context refers to exists, one output each, sorted.
func (s stringContext) installables() []string {
	var list []string
	for path, need := range s {
		for _, output := range need.Outputs {
			list = append(list, path+"!"+output)
		}
		if need.Path && !isDerivationFile(path) {
			list = append(list, path)
		}
	}
	slices.Sort(list)
	return list
}

// paths returns the store paths that the context refers to, given the store
// paths of its installables, sorted.
func (s stringContext) paths(realised map[string]string) []string {
	paths := []string{}
	for _, installable := range s.installables() {
		paths = append(paths, realised[installable])
	}
	for path := range s {
		if isDerivationFile(path) && len(s[path].Outputs) == 0 {
			paths = append(paths, path) // the file itself, which evaluation wrote
		}
	}
	slices.Sort(paths)
	return slices.Compact(paths)
}

func isDerivationFile(path string) bool { return strings.HasSuffix(path, ".drv") }
