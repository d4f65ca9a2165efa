package plan

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"strings"
)

// WriteText prints the plan for a person: what is deactivated and activated,
// in which order and why, what is kept, and how many of each.
func (p *Plan) WriteText(w io.Writer) error {
	b := bufio.NewWriter(w)
	writeSteps(b, "Deactivate:", p.Deactivations())
	heading := "Activate:"
	if p.deactivations > 0 {
		heading = "Activate, after all deactivations:"
	}
	writeSteps(b, heading, p.Activations())
	writeSteps(b, "Keep:", p.Kept())
	if len(p.Execution()) == 0 {
		fmt.Fprint(b, "Nothing changes: ")
	}
	fmt.Fprintf(b, "%d to deactivate, %d to activate, %d to keep.\n",
		p.deactivations, p.activations, len(p.Kept()))
	return b.Flush()
}

func writeSteps(b *bufio.Writer, heading string, steps []*Step) {
	if len(steps) == 0 {
		return
	}
	fmt.Fprintln(b, heading)
	for _, s := range steps {
		fmt.Fprintf(b, "%5d. %s on %s in container %s: %s%s\n",
			s.ID+1, s.Service.Name, s.Mapping.Target, s.Mapping.Container, s.Reason, after(s))
	}
	fmt.Fprintln(b)
}

// after shows what a step waits for.
func after(s *Step) string {
	if len(s.After) == 0 {
		return ""
	}
	numbers := make([]string, len(s.After))
	for i, id := range s.After {
		numbers[i] = fmt.Sprint(id + 1)
	}
	return " (after " + strings.Join(numbers, ", ") + ")"
}

// MarshalJSON writes the plan for programs. Steps are numbered from 1, as in
// the text. Of the arguments only the names are told: the values may be
// secret.
func (p *Plan) MarshalJSON() ([]byte, error) {
	document := jsonPlan{
		Upgrade:    p.Upgrade,
		Deactivate: p.deactivations,
		Activate:   p.activations,
		Keep:       len(p.Kept()),
		Steps:      make([]jsonStep, len(p.Steps)),
	}
	for i, s := range p.Steps {
		document.Steps[i] = s.document()
	}
	return json.Marshal(document)
}

type jsonPlan struct {
	Upgrade    bool       `json:"upgrade"`
	Deactivate int        `json:"deactivate"`
	Activate   int        `json:"activate"`
	Keep       int        `json:"keep"`
	Steps      []jsonStep `json:"steps"`
}

type jsonStep struct {
	ID                         int      `json:"id"`
	Kind                       Kind     `json:"kind"`
	Name                       string   `json:"name"`
	Service                    string   `json:"service"`
	Package                    string   `json:"package"`
	Target                     string   `json:"target"`
	Container                  string   `json:"container"`
	ContainerProvidedByService string   `json:"containerProvidedByService,omitempty"`
	Type                       string   `json:"type"`
	Arguments                  []string `json:"arguments"`
	Reason                     string   `json:"reason"`
	After                      []int    `json:"after"`
}

func (s *Step) document() jsonStep {
	after := make([]int, len(s.After))
	for i, id := range s.After {
		after[i] = id + 1
	}
	return jsonStep{
		ID:                         s.ID + 1,
		Kind:                       s.Kind,
		Name:                       s.Service.Name,
		Service:                    s.Mapping.Service,
		Package:                    s.Service.Package,
		Target:                     s.Mapping.Target,
		Container:                  s.Mapping.Container,
		ContainerProvidedByService: s.Mapping.ContainerProvidedByService,
		Type:                       s.Type,
		Arguments:                  s.ArgumentNames(),
		Reason:                     s.Reason,
		After:                      after,
	}
}

// ArgumentNames returns the names of the arguments, without their values.
func (s *Step) ArgumentNames() []string {
	names := make([]string, len(s.Arguments))
	for i, argument := range s.Arguments {
		names[i], _, _ = strings.Cut(argument, "=")
	}
	return names
}
