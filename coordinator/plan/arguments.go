package plan

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/disnix-go/disnix/models"
)

// Arguments returns container properties as they are given to a plugin:
// key=value, sorted (formats, section 2).
func Arguments(properties models.Properties) []string {
	if len(properties) == 0 {
		return nil
	}
	arguments := make([]string, 0, len(properties))
	for name, value := range properties {
		var b strings.Builder
		b.WriteString(name)
		b.WriteByte('=')
		render(&b, value)
		arguments = append(arguments, b.String())
	}
	slices.Sort(arguments)
	return arguments
}

func render(b *strings.Builder, v models.Value) {
	switch v.Type {
	case models.Bool:
		if v.Text == "true" {
			b.WriteByte('1')
		}
	case models.List:
		for i, element := range v.List {
			if i > 0 {
				b.WriteByte(' ')
			}
			render(b, element)
		}
	case models.Attrs:
		renderAttrs(b, v.Attrs)
	default:
		b.WriteString(v.Text)
	}
}

// renderAttrs renders an attribute set as JSON. The original makes nothing of
// it, so that a nested property was lost without a word (formats, rough edge
// 6).
func renderAttrs(b *strings.Builder, attrs models.Properties) {
	text, err := json.Marshal(jsonValue(models.Value{Type: models.Attrs, Attrs: attrs}))
	if err != nil { // only for a number that is none, which Nix never prints
		return
	}
	b.Write(text)
}

func jsonValue(v models.Value) any {
	switch v.Type {
	case models.Bool:
		return v.Text == "true"
	case models.Int, models.Float:
		return json.Number(v.Text)
	case models.List:
		list := make([]any, len(v.List))
		for i, element := range v.List {
			list[i] = jsonValue(element)
		}
		return list
	case models.Attrs:
		attrs := make(map[string]any, len(v.Attrs))
		for name, member := range v.Attrs {
			attrs[name] = jsonValue(member)
		}
		return attrs
	default:
		return v.Text
	}
}
