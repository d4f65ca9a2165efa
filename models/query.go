package models

import (
	"bufio"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/disnix-go/disnix/models/internal/strictxml"
)

// TargetProfile is what was found on one target.
type TargetProfile struct {
	Target   string
	Manifest *ProfileManifest
}

// QueryResult is what was found on the targets of an infrastructure, in the
// formats of disnix-query (formats, section 7). Targets are printed in byte
// order, whatever their order here.
type QueryResult []TargetProfile

// WriteServices writes the packages that are active on each target.
func (q QueryResult) WriteServices(w io.Writer) error {
	return q.writeText(w, func(out *bufio.Writer, p *ProfileManifest) {
		for _, m := range p.sortedMappings() {
			fmt.Fprintln(out, p.packageOf(m))
		}
	})
}

// WriteContainers writes the packages that are active in each container of
// each target.
func (q QueryResult) WriteContainers(w io.Writer) error {
	return q.writeText(w, func(out *bufio.Writer, p *ProfileManifest) {
		container := ""
		for i, m := range p.sortedMappings() {
			if i == 0 || m.Container != container {
				container = m.Container
				fmt.Fprintf(out, "  Container: %s\n", container)
			}
			fmt.Fprintf(out, "    %s\n", p.packageOf(m))
		}
	})
}

func (q QueryResult) writeText(w io.Writer, profile func(*bufio.Writer, *ProfileManifest)) error {
	if err := q.check(); err != nil {
		return err
	}
	out := bufio.NewWriter(w)
	for _, t := range q.sorted() {
		fmt.Fprintf(out, "\nServices on: %s\n\n", t.Target)
		profile(out, t.Manifest)
	}
	return out.Flush()
}

// WriteNix writes the profile manifests as one Nix expression, without a final
// newline.
func (q QueryResult) WriteNix(w io.Writer) error {
	if err := q.check(); err != nil {
		return err
	}
	n := newNixWriter(w)
	n.set(func() {
		for _, t := range q.sorted() {
			n.attribute(t.Target, func() {
				n.set(func() {
					n.attribute("profileManifest", func() { n.profileManifest(t.Manifest) })
				})
			})
		}
	})
	return n.flush()
}

// WriteXML writes the profile manifests as one XML element, without a
// declaration and a final newline.
func (q QueryResult) WriteXML(w io.Writer) error {
	if err := q.check(); err != nil {
		return err
	}
	x := strictxml.NewWriter(w, strictxml.Indented)
	x.Start("profileManifestTargets")
	for _, t := range q.sorted() {
		x.Start("target", "name", t.Target)
		x.Start("profileManifest")
		writeQueryProfile(x, t.Manifest)
		x.End("profileManifest")
		x.End("target")
	}
	x.End("profileManifestTargets")
	return x.Flush()
}

// check reports mappings whose service is missing, for all targets.
func (q QueryResult) check() error {
	var problems Problems
	for _, t := range q.sorted() {
		for _, m := range t.Manifest.ServiceMappings {
			if t.Manifest.Services[m.Service] == nil {
				problems = append(problems, fmt.Errorf("profile manifest of target %q: %s: the service is not in it", t.Target, m.Identity()))
			}
		}
	}
	return problems.Err()
}

func (q QueryResult) sorted() QueryResult {
	return slices.SortedStableFunc(slices.Values(q), func(a, b TargetProfile) int { return strings.Compare(a.Target, b.Target) })
}

func (p *ProfileManifest) sortedMappings() []ServiceMapping {
	return slices.SortedStableFunc(slices.Values(p.ServiceMappings), ServiceMapping.compare)
}

func (p *ProfileManifest) sortedSnapshots() []SnapshotMapping {
	return slices.SortedStableFunc(slices.Values(p.SnapshotMappings), SnapshotMapping.compare)
}

func sortedDependencies(dependencies []Dependency) []Dependency {
	return slices.SortedStableFunc(slices.Values(dependencies), Dependency.compare)
}

func (p *ProfileManifest) packageOf(m ServiceMapping) string {
	return p.Services[m.Service].Package
}
