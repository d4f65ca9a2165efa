package models_test

import (
	"encoding/json"
	"reflect"
	"testing"

	"pgregory.net/rapid"

	"github.com/disnix-go/disnix/models"
	"github.com/disnix-go/disnix/models/modelstest"
)

func text(s string) models.Value    { return models.Value{Type: models.String, Text: s} }
func integer(s string) models.Value { return models.Value{Type: models.Int, Text: s} }
func list(elements ...models.Value) models.Value {
	return models.Value{Type: models.List, List: elements}
}
func attrs(members models.Properties) models.Value {
	return models.Value{Type: models.Attrs, Attrs: members}
}

func TestValueEnvironment(t *testing.T) {
	yes, no := models.Value{Type: models.Bool, Text: "true"}, models.Value{Type: models.Bool, Text: "false"}
	tests := []struct {
		name  string
		value models.Value
		want  string
	}{
		{"string", text(` a "b" $c`), ` a "b" $c`},
		{"path", models.Value{Type: models.Path, Text: "/etc"}, "/etc"},
		{"int", integer("-5432"), "-5432"},
		{"float", models.Value{Type: models.Float, Text: "1e+10"}, "1e+10"},
		{"true", yes, "1"},
		{"false", no, ""},
		{"list", list(text("a"), integer("2")), "a 2"},
		{"nested list", list(text("a"), list(yes, no, integer("2")), text("b")), "a 1  2 b"},
		{"empty list", list(), ""},
		{"attrs", attrs(models.Properties{
			"z": list(integer("1"), yes), "a": text("<&> \"é\"\n"), "f": {Type: models.Float, Text: "1.5"},
			"e": attrs(nil), "p": {Type: models.Path, Text: "/etc"},
		}), `{"a":"<&> \"é\"\n","e":{},"f":1.5,"p":"/etc","z":[1,true]}`},
		{"empty attrs", attrs(nil), "{}"},
		{"attrs in a list", list(attrs(models.Properties{"a": integer("1")}), text("b")), `{"a":1} b`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got := test.value.Environment(); got != test.want {
				t.Errorf("rendered %q, want %q", got, test.want)
			}
		})
	}
}

func TestPropertiesArguments(t *testing.T) {
	p := models.Properties{"b": list(text("x"), text("y")), "a": integer("1"), "B": text(""), "c=": text("=")}
	want := []string{"B=", "a=1", "b=x y", "c===" /* name, separator, value */}
	if got := p.Arguments(); !reflect.DeepEqual(got, want) {
		t.Errorf("arguments %q, want %q", got, want)
	}
	if got := models.Properties(nil).Arguments(); len(got) != 0 {
		t.Errorf("arguments %q, want none", got)
	}
}

func TestValuesAreValidJSON(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := modelstest.PropertySets().Draw(t, "properties")
		encoded, err := json.Marshal(p)
		if err != nil {
			t.Fatal(err)
		}
		var decoded map[string]any
		if err := json.Unmarshal(encoded, &decoded); err != nil {
			t.Fatalf("%s: %v", encoded, err)
		}
		for name, value := range p {
			if value.Type == models.String && decoded[name] != value.Text {
				t.Fatalf("%q became %q", value.Text, decoded[name])
			}
		}
	})
}

func TestEqual(t *testing.T) {
	changes := map[string]func(*models.Manifest){
		"profile":            func(m *models.Manifest) { m.Profiles["node1"] = "/nix/store/other" },
		"another profile":    func(m *models.Manifest) { m.Profiles["node2"] = "/nix/store/other" },
		"service name":       func(m *models.Manifest) { m.Services["3f1c"].Name = "x" },
		"service package":    func(m *models.Manifest) { m.Services["3f1c"].Package = "x" },
		"service type":       func(m *models.Manifest) { m.Services["3f1c"].Type = "x" },
		"service key":        func(m *models.Manifest) { m.Services["x"] = m.Services["3f1c"]; delete(m.Services, "3f1c") },
		"dependsOn":          func(m *models.Manifest) { m.Services["3f1c"].DependsOn[0].Target = "x" },
		"connectsTo":         func(m *models.Manifest) { m.Services["3f1c"].ConnectsTo = m.Services["3f1c"].DependsOn },
		"provided container": func(m *models.Manifest) { m.Services["77ab"].ProvidesContainers["x"] = nil },
		"provided property": func(m *models.Manifest) {
			m.Services["77ab"].ProvidesContainers["pg-database"]["pgPort"] = text("5432")
		},
		"target system":       func(m *models.Manifest) { m.Infrastructure["node1"].System = "x" },
		"target cores":        func(m *models.Manifest) { m.Infrastructure["node1"].NumOfCores = 2 },
		"target client":       func(m *models.Manifest) { m.Infrastructure["node1"].ClientInterface = "x" },
		"target property":     func(m *models.Manifest) { m.Infrastructure["node1"].TargetProperty = "x" },
		"address":             func(m *models.Manifest) { m.Infrastructure["node1"].Properties["hostname"] = text("x") },
		"container of target": func(m *models.Manifest) { delete(m.Infrastructure["node1"].Containers, "process") },
		"list element": func(m *models.Manifest) {
			m.Infrastructure["node1"].Containers["process"]["tags"].List[0] = text("b")
		},
		"service mapping":    func(m *models.Manifest) { m.ServiceMappings[0].Container = "x" },
		"fewer mappings":     func(m *models.Manifest) { m.ServiceMappings = m.ServiceMappings[:1] },
		"snapshot component": func(m *models.Manifest) { m.SnapshotMappings[0].Component = "x" },
		"no snapshots":       func(m *models.Manifest) { m.SnapshotMappings = nil },
	}
	for name, change := range changes {
		t.Run(name, func(t *testing.T) {
			m := sample()
			change(m)
			if m.Equal(sample()) || sample().Equal(m) {
				t.Error("the change is not seen")
			}
		})
	}
	if !sample().Equal(sample()) {
		t.Error("the sample differs from itself")
	}
	m := sample()
	m.ServiceMappings[0], m.ServiceMappings[1] = m.ServiceMappings[1], m.ServiceMappings[0]
	if !m.Equal(sample()) || !sample().Equal(m) {
		t.Error("the order of mappings counts")
	}
}
