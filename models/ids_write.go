package models

import (
	"io"
	"strconv"

	"github.com/disnix-go/disnix/models/internal/strictxml"
)

// WriteNix writes the ids as a Nix expression, in the original's layout:
// sorted, and without a line break at the end.
func (ids *IDs) WriteNix(w io.Writer) error {
	n := newNixWriter(w)
	n.set(func() {
		n.attribute("ids", func() { n.nestedNumbers(ids.Assigned) })
		if len(ids.Last) > 0 {
			n.attribute("lastAssignments", func() { n.numbers(ids.Last) })
		}
		if len(ids.LastPerTarget) > 0 {
			n.attribute("lastAssignmentsPerTarget", func() { n.nestedNumbers(ids.LastPerTarget) })
		}
	})
	return n.flush()
}

func (n *nixWriter) numbers(numbers map[string]int) {
	n.set(func() {
		for _, name := range sorted(numbers) {
			n.text(name, strconv.Itoa(numbers[name]))
		}
	})
}

func (n *nixWriter) nestedNumbers(sets map[string]map[string]int) {
	n.set(func() {
		for _, name := range sorted(sets) {
			n.attribute(name, func() { n.numbers(sets[name]) })
		}
	})
}

// WriteXML writes the ids as an XML document.
func (ids *IDs) WriteXML(w io.Writer) error {
	x := strictxml.NewWriter(w, strictxml.Indented)
	x.Start("ids")
	x.Start("ids")
	writeNestedNumbers(x, "resource", ids.Assigned)
	x.End("ids")
	if len(ids.Last) > 0 {
		x.Start("lastAssignments")
		writeNumbers(x, ids.Last)
		x.End("lastAssignments")
	}
	if len(ids.LastPerTarget) > 0 {
		x.Start("lastAssignmentsPerTarget")
		writeNestedNumbers(x, "target", ids.LastPerTarget)
		x.End("lastAssignmentsPerTarget")
	}
	x.End("ids")
	return x.Flush()
}

func writeNumbers(x *strictxml.Writer, numbers map[string]int) {
	for _, name := range sorted(numbers) {
		x.Element("assignment", strconv.Itoa(numbers[name]), "name", name)
	}
}

func writeNestedNumbers(x *strictxml.Writer, element string, sets map[string]map[string]int) {
	for _, name := range sorted(sets) {
		x.Start(element, "name", name)
		writeNumbers(x, sets[name])
		x.End(element)
	}
}
