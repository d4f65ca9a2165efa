package models

import (
	"io"
	"strconv"
)

// WriteNix writes the manifest as a deployment model in Nix, without a final
// newline: what disnix-manifest takes with the option -D (formats, section 8).
// Everything is sorted.
func (m *Manifest) WriteNix(w io.Writer) error {
	if err := m.Validate(); err != nil {
		return err
	}
	n := newNixWriter(w)
	n.set(func() {
		n.attribute("profiles", func() {
			n.set(func() {
				for _, target := range sorted(m.Profiles) {
					n.text(target, nixStorePath(m.Profiles[target]))
				}
			})
		})
		n.profileMembers(&ProfileManifest{m.Services, m.ServiceMappings, m.SnapshotMappings})
		n.attribute("infrastructure", func() {
			n.set(func() {
				for _, name := range sorted(m.Infrastructure) {
					n.attribute(name, func() { n.target(m.Infrastructure[name]) })
				}
			})
		})
	})
	return n.flush()
}

func (n *nixWriter) target(t *Target) {
	n.set(func() {
		n.attribute("properties", func() { n.properties(t.Properties) })
		n.attribute("containers", func() {
			n.set(func() {
				for _, container := range sorted(t.Containers) {
					n.attribute(container, func() { n.properties(t.Containers[container]) })
				}
			})
		})
		if t.System != "" {
			n.text("system", nixString(t.System))
		}
		n.text("clientInterface", nixString(t.ClientInterface))
		n.text("targetProperty", nixString(t.TargetProperty))
		n.text("numOfCores", strconv.Itoa(t.NumOfCores))
	})
}
