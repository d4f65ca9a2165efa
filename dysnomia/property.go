package dysnomia

import "strings"

// Property is one setting of a container or of the machine.
type Property struct {
	// Name is a name as of a shell variable.
	Name string
	// Value is the text of the setting; that of a list are its elements
	// joined by one blank.
	Value string
	// List are the elements of a list, nil if the setting is none.
	List []string
}

// IsList reports whether the setting was written as a list, which may be
// empty.
func (p Property) IsList() bool { return p.List != nil }

func textProperty(name, value string) Property {
	return Property{Name: name, Value: value}
}

func listProperty(name string, elements []string) Property {
	return Property{Name: name, Value: strings.Join(elements, " "), List: append([]string{}, elements...)}
}

// Properties are settings in the order of their file, each name once.
type Properties []Property

// Get returns the setting of that name.
func (ps Properties) Get(name string) (Property, bool) {
	for _, p := range ps {
		if p.Name == name {
			return p, true
		}
	}
	return Property{}, false
}

// set adds a setting, or replaces the one of the same name in its place.
func (ps Properties) set(property Property) Properties {
	for i, p := range ps {
		if p.Name == property.Name {
			ps[i] = property
			return ps
		}
	}
	return append(ps, property)
}

// without returns the settings except that of the name.
func (ps Properties) without(name string) Properties {
	rest := make(Properties, 0, len(ps))
	for _, p := range ps {
		if p.Name != name {
			rest = append(rest, p)
		}
	}
	return rest
}

// variables returns the settings as environment variables.
func (ps Properties) variables() map[string]string {
	vars := make(map[string]string, len(ps))
	for _, p := range ps {
		vars[p.Name] = p.Value
	}
	return vars
}
