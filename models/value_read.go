package models

import "fmt"

// properties reads typed values by name (formats, section 2).
func (d *decoder) properties() Properties {
	properties := make(Properties)
	for name, ok := d.named("property"); ok; name, ok = d.named("property") {
		if value, ok := d.value(name); ok {
			properties[name] = value
		}
	}
	return properties
}

// value reads the typed value of the property with that name. An element
// without a type is how the format shows null: there is no value.
func (d *decoder) value(property string) (Value, bool) {
	offset := d.Offset()
	attribute, ok := d.Attribute("type")
	if !ok {
		d.Skip()
		return Value{}, false
	}
	switch typ := Type(d.intern(attribute)); typ {
	case String, Path:
		return Value{Type: typ, Text: d.shared()}, true
	case Int, Float, Bool:
		value := Value{Type: typ, Text: d.shared()}
		if !value.wellFormed() {
			d.problem(offset, fmt.Errorf("property %q: %.100q is no %s", property, value.Text, typ))
		}
		return value, true
	case List:
		value := Value{Type: List}
		for d.Child() {
			if element, ok := d.value(property); ok {
				value.List = append(value.List, element)
			}
		}
		return value, true
	case Attrs:
		return Value{Type: Attrs, Attrs: d.properties()}, true
	default:
		d.problem(offset, fmt.Errorf("property %q: Unknown type encountered: %.100s", property, typ))
		d.Skip()
		return Value{}, false
	}
}
