package models

import (
	"io"
	"strings"
)

// CapturedInfrastructure maps the names of targets to their configurations,
// each a Nix expression as dysnomia-containers --generate-expr prints it.
type CapturedInfrastructure map[string]string

// WriteNix writes an infrastructure model in Nix, targets in byte order
// (formats, section 8).
func (c CapturedInfrastructure) WriteNix(w io.Writer) error {
	n := newNixWriter(w)
	n.set(func() {
		for _, target := range sorted(c) {
			n.attribute(target, func() {
				n.print(strings.ReplaceAll(strings.TrimSpace(c[target]), "\n", "\n  "))
			})
		}
	})
	n.print("\n")
	return n.flush()
}
