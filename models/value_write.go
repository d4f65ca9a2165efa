package models

import "github.com/disnix-go/disnix/models/internal/strictxml"

// writeProperties writes typed values (formats, section 2). A typed value is
// one element: <property name="p" type="int">9</property>.
func writeProperties(x *strictxml.Writer, properties Properties) {
	for _, name := range sorted(properties) {
		writeValue(x, properties[name], "property", "name", name)
	}
}

// writeValue writes a value as an element with these attributes and its type.
func writeValue(x *strictxml.Writer, v Value, element string, attributes ...string) {
	attributes = append(attributes, "type", string(v.Type))
	switch v.Type {
	case List:
		x.Start(element, attributes...)
		for _, e := range v.List {
			writeValue(x, e, "elem")
		}
		x.End(element)
	case Attrs:
		x.Start(element, attributes...)
		writeProperties(x, v.Attrs)
		x.End(element)
	default:
		x.Element(element, v.Text, attributes...)
	}
}
