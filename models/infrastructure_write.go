package models

import (
	"io"
	"strconv"

	"github.com/disnix-go/disnix/models/internal/strictxml"
)

// WriteXML writes the infrastructure model in XML, targets in byte order.
func (i Infrastructure) WriteXML(w io.Writer) error {
	return writeDocument(w, infrastructureKind, func(x *strictxml.Writer) { writeTargets(x, i) })
}

func writeTargets(x *strictxml.Writer, infrastructure Infrastructure) {
	for _, name := range sorted(infrastructure) {
		t := infrastructure[name]
		x.Start("target", "name", name)
		x.Start("properties", "type", "attrs")
		writeProperties(x, t.Properties)
		x.End("properties")
		writeContainers(x, "containers", t.Containers)
		if t.System != "" {
			x.Element("system", t.System)
		}
		x.Element("numOfCores", strconv.Itoa(t.NumOfCores))
		x.Element("clientInterface", t.ClientInterface)
		x.Element("targetProperty", t.TargetProperty)
		x.End("target")
	}
}
