package evaluation

import (
	"encoding/json"
	"fmt"
	"strconv"

	"github.com/disnix-go/disnix/models"
)

// properties converts an attribute set of values. What a manifest has no
// notation for is a problem that names the attribute (models, rough edge 15).
// The store paths that the values refer to are added to the context.
func (c *checker) properties(where string, set pairs[value], context stringContext) models.Properties {
	result := make(models.Properties, len(set))
	for _, member := range set {
		result[member.name] = c.value(where+"."+member.name, member.value, context)
	}
	return result
}

func (c *checker) value(where string, v value, context stringContext) models.Value {
	switch v.kind {
	case floatValue:
		return models.Value{Type: models.Float, Text: v.float}
	case listValue:
		list := make([]models.Value, len(v.list))
		for i, element := range v.list {
			list[i] = c.value(fmt.Sprintf("%s[%d]", where, i), element, context)
		}
		return models.Value{Type: models.List, List: list}
	case attrsValue:
		return models.Value{Type: models.Attrs, Attrs: c.properties(where, v.attrs, context)}
	case invalidValue:
		c.problem("%s is %s, which is not a value that a manifest can hold: use a string, number, boolean, list or attribute set, and \"${…}\" for a path or package", where, v.invalid)
		return models.Value{}
	}
	context.add(v.context)
	switch literal := v.literal.(type) {
	case string:
		return models.Value{Type: models.String, Text: literal}
	case json.Number:
		return models.Value{Type: models.Int, Text: literal.String()}
	case bool:
		return models.Value{Type: models.Bool, Text: strconv.FormatBool(literal)}
	}
	c.problem("%s has no value that a manifest can hold", where)
	return models.Value{}
}

// containers converts an attribute set of containers and their properties.
func (c *checker) containers(where string, set pairs[field[pairs[value]]], context stringContext) map[string]models.Properties {
	result := make(map[string]models.Properties, len(set))
	for _, container := range set {
		name := where + "." + container.name
		if container.value.invalid != "" {
			c.problem("%s must be an attribute set of properties, not %s", name, container.value.invalid)
			continue
		}
		result[container.name] = c.properties(name, container.value.value, context)
	}
	return result
}
