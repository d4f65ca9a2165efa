package dysnomia

import (
	"fmt"
	"regexp"
	"strings"
)

// GenerateDot returns a picture for Graphviz: each container with the
// components that are available for it; only one container unless it is empty
// (host page, 10.2).
func (h *Host) GenerateDot(container string) (string, error) {
	containers, err := h.QueryContainers(container)
	if err != nil {
		return "", err
	}
	available, err := h.QueryAvailableComponents(container)
	if err != nil {
		return "", err
	}
	var text strings.Builder
	text.WriteString("digraph G {\n")
	for _, name := range containers {
		fmt.Fprintf(&text, "  subgraph cluster_%s {\n", notIdentifier.ReplaceAllString(name, "_"))
		fmt.Fprintf(&text, "    style=filled;\n    label=%s;\n", dotString(name))
		text.WriteString("    fillcolor=grey\n    node [style=filled,fillcolor=white,color=black];\n")
		for _, c := range available {
			if c.Container == name {
				fmt.Fprintf(&text, "    %s [ label = %s ];\n", dotString(c.String()), dotString(c.Entry))
			}
		}
		text.WriteString("  }\n")
	}
	text.WriteString("}\n")
	return text.String(), nil
}

var notIdentifier = regexp.MustCompile(`[^a-zA-Z0-9_]`)

var dotEscapes = strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`)

func dotString(text string) string { return `"` + dotEscapes.Replace(text) + `"` }
