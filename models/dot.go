package models

import (
	"bufio"
	"fmt"
	"io"
	"slices"
	"strings"
)

// WriteDot writes the deployed system as a graph in the language of Graphviz:
// targets and, unless withoutContainers, containers are boxes around the
// services; an arrow goes from a service to what it depends on, a dashed one
// to what it only connects to (commands, section 9).
//
// In contrast to the original, targets are identified by their names, all
// names are escaped, and the order depends on nothing but the manifest:
// targets, containers and edges in byte order, the services of a container in
// the order of the mappings.
func (m *Manifest) WriteDot(w io.Writer, withoutContainers bool) error {
	if err := m.Validate(); err != nil {
		return err
	}
	out := bufio.NewWriter(w)
	fmt.Fprint(out, "digraph G {\n")
	placed := m.placed()
	for i, target := range sorted(m.Infrastructure) {
		fmt.Fprintf(out, "subgraph cluster_%d {\nstyle=filled;\nlabel=%s;\nfillcolor=grey\n", i, dotString(target))
		for j, container := range sorted(placed[target]) {
			if !withoutContainers {
				fmt.Fprintf(out, "subgraph cluster_%d_%d {\nstyle=filled;\nlabel=%s;\nfillcolor=grey40\n", i, j, dotString(container))
			}
			fmt.Fprint(out, "node [style=filled,fillcolor=white,color=black];\n")
			for _, mapping := range placed[target][container] {
				m.Services[mapping.Service].writeDotNode(out, mapping)
			}
			if !withoutContainers {
				fmt.Fprint(out, "}\n")
			}
		}
		fmt.Fprint(out, "}\n")
	}
	m.writeDotEdges(out, "", func(s *Service) []Dependency { return s.DependsOn })
	m.writeDotEdges(out, " [style=dashed]", func(s *Service) []Dependency { return s.ConnectsTo })
	fmt.Fprint(out, "}\n")
	return out.Flush()
}

// placed returns the service mappings by target and container.
func (m *Manifest) placed() map[string]map[string][]ServiceMapping {
	placed := make(map[string]map[string][]ServiceMapping)
	for _, mapping := range m.ServiceMappings {
		if placed[mapping.Target] == nil {
			placed[mapping.Target] = make(map[string][]ServiceMapping)
		}
		placed[mapping.Target][mapping.Container] = append(placed[mapping.Target][mapping.Container], mapping)
	}
	return placed
}

func (s *Service) writeDotNode(out *bufio.Writer, mapping ServiceMapping) {
	label, attributes := dotEscaper.Replace(s.Name), ""
	if containers := sorted(s.ProvidesContainers); len(containers) > 0 {
		for i, container := range containers {
			containers[i] = dotEscaper.Replace(container)
		}
		if len(containers) == 1 {
			label += ` &#8594;\n` + containers[0]
		} else {
			label += `\n &#8594; { ` + strings.Join(containers, `\n, `) + `\n}`
		}
		attributes = ", peripheries=2"
	}
	fmt.Fprintf(out, "%s [ label = \"%s\"%s ];\n", dotNode(mapping.Identity()), label, attributes)
}

func (m *Manifest) writeDotEdges(out *bufio.Writer, style string, dependencies func(*Service) []Dependency) {
	mappings := slices.SortedStableFunc(slices.Values(m.ServiceMappings), ServiceMapping.compare)
	for _, mapping := range mappings {
		for _, d := range dependencies(m.Services[mapping.Service]) {
			fmt.Fprintf(out, "%s -> %s%s\n", dotNode(mapping.Identity()), dotNode(d), style)
		}
	}
}

func dotNode(d Dependency) string { return dotString(d.Service + ":" + d.Target + ":" + d.Container) }

// dotEscaper makes a label or an identifier stand for the text itself: Graphviz
// reads backslash sequences and character references in labels.
var dotEscaper = strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`, "&", "&amp;")

func dotString(s string) string { return `"` + dotEscaper.Replace(s) + `"` }
