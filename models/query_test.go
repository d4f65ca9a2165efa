package models_test

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/disnix-go/disnix/models"
	"github.com/disnix-go/disnix/models/modelstest"
	"github.com/disnix-go/disnix/models/nix"
	"github.com/disnix-go/disnix/test/nixtest"
)

func query(m *models.Manifest) models.QueryResult {
	var q models.QueryResult
	for target, profile := range m.ProfileManifests() {
		q = append(q, models.TargetProfile{Target: target, Manifest: profile})
	}
	return q
}

func printed(t testing.TB, write func(io.Writer) error) string {
	t.Helper()
	var b bytes.Buffer
	if err := write(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestQueryServices(t *testing.T) {
	const want = "\nServices on: node1\n\n/nix/store/bbbb-orders\n/nix/store/cccc-dbserver\n"
	if got := printed(t, query(sample()).WriteServices); got != want {
		t.Errorf("printed\n%q\nwant\n%q", got, want)
	}
}

func TestQueryContainers(t *testing.T) {
	const want = `
Services on: node1

  Container: pg-database
    /nix/store/bbbb-orders
  Container: process
    /nix/store/cccc-dbserver
`
	if got := printed(t, query(sample()).WriteContainers); got != want {
		t.Errorf("printed\n%s\nwant\n%s", got, want)
	}
}

func TestQueryNix(t *testing.T) {
	want, err := os.ReadFile("testdata/query.nix")
	if err != nil {
		t.Fatal(err)
	}
	m := sample()
	m.SnapshotMappings = nil
	// The original prints no newline at the end.
	if got := printed(t, query(m).WriteNix); got != strings.TrimSuffix(string(want), "\n") {
		t.Errorf("printed\n%s\nwant\n%s", got, want)
	}
}

func TestQueryXML(t *testing.T) {
	want, err := os.ReadFile("testdata/query.xml")
	if err != nil {
		t.Fatal(err)
	}
	if got := printed(t, query(sample()).WriteXML); got != strings.TrimSuffix(string(want), "\n") {
		t.Errorf("printed\n%s\nwant\n%s", got, want)
	}
}

func TestQueryReportsMappingsWithoutService(t *testing.T) {
	m := sample()
	delete(m.Services, "77ab")
	q := query(m)
	for name, write := range map[string]func(io.Writer) error{
		"services": q.WriteServices, "containers": q.WriteContainers, "nix": q.WriteNix, "xml": q.WriteXML, "json": q.WriteJSON,
	} {
		var b bytes.Buffer
		err := write(&b)
		if err == nil || !strings.Contains(err.Error(), `target "node1": service "77ab"`) || b.Len() > 0 {
			t.Errorf("%s: error %v after %q", name, err, &b)
		}
	}
}

func TestQueryReportsFailureOfTheOutput(t *testing.T) {
	q := query(sample())
	for name, write := range map[string]func(io.Writer) error{
		"services": q.WriteServices, "containers": q.WriteContainers, "nix": q.WriteNix, "xml": q.WriteXML, "json": q.WriteJSON,
		"manifest": sample().WriteXML,
	} {
		if err := write(fullWriter{}); !errors.Is(err, errFull) {
			t.Errorf("%s: error %v", name, err)
		}
	}
}

type fullWriter struct{}

var errFull = errors.New("no space left on device")

func (fullWriter) Write([]byte) (int, error) { return 0, errFull }

// TestQueryXMLOfEveryManifest holds the output against encoding/xml.
func TestQueryXMLOfEveryManifest(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		q := query(modelstest.Manifests().Draw(t, "manifest"))
		var b bytes.Buffer
		if err := q.WriteXML(&b); err != nil {
			t.Fatal(err)
		}
		var document struct {
			Targets []struct {
				Name     string `xml:"name,attr"`
				Services []struct {
					Name string `xml:"name"`
				} `xml:"profileManifest>services>service"`
				Mappings []struct {
					Target string `xml:"target"`
				} `xml:"profileManifest>serviceMappings>mapping"`
			} `xml:"target"`
		}
		if err := xml.Unmarshal(b.Bytes(), &document); err != nil {
			t.Fatalf("%v in\n%s", err, &b)
		}
		if len(document.Targets) != len(q) {
			t.Fatalf("%d targets, want %d", len(document.Targets), len(q))
		}
		for _, target := range document.Targets {
			for _, mapping := range target.Mappings {
				if mapping.Target != target.Name {
					t.Fatalf("mapping names %q, want %q", mapping.Target, target.Name)
				}
			}
		}
	})
}

// TestQueryNixIsReadByNix lets Nix evaluate names and values with everything
// that could be mistaken for syntax.
func TestQueryNixIsReadByNix(t *testing.T) {
	dir := nixtest.Store(t)
	m := sample()
	values := models.Properties{
		"string":          text("a \"quoted\" ${builtins.abort \"evaluated\"} $${x} \\ \\${ \n\r\t'' é"),
		"${abort \"x\"}":  text(""),
		"int":             integer("-5"),
		"float":           {Type: models.Float, Text: "1.5"},
		"exponent":        {Type: models.Float, Text: "1e+10"},
		"small":           {Type: models.Float, Text: "-2.5e-07"},
		"whole":           {Type: models.Float, Text: "3"},
		"true":            {Type: models.Bool, Text: "true"},
		"numbers":         list(integer("-1"), integer("2"), models.Value{Type: models.Float, Text: "-1e-05"}, list(), attrs(nil)),
		"set":             attrs(models.Properties{"a.b": list(text("${"), attrs(models.Properties{"if": integer("0")}))}),
		"path":            {Type: models.Path, Text: "/etc/nix-1.0"},
		"path with space": {Type: models.Path, Text: "/etc/a b${x}\"/"},
		"paths":           list(models.Value{Type: models.Path, Text: "/a b"}, models.Value{Type: models.Path, Text: "/c"}),
	}
	m.Services["77ab"].ProvidesContainers["pg-database"] = values
	// The packages of the sample are in no store.
	expression := strings.ReplaceAll(printed(t, query(m).WriteNix), "builtins.storePath ", "")
	file := nixtest.File(t, dir, "query.nix", expression)
	apply := nixtest.File(t, dir, "apply.nix", `
		let values = (import ./query.nix).node1.profileManifest.services."77ab".providesContainers.pg-database;
		in values // { path = toString values.path; "path with space" = toString values."path with space"; paths = map toString values.paths;
			wholeType = builtins.typeOf values.whole; }`)
	output, err := nix.Output(t.Context(), "nix-instantiate", "--eval", "--strict", "--json", apply)
	if err != nil {
		t.Fatalf("%v\n%s", err, expression)
	}
	var got map[string]any
	if err := json.Unmarshal(output, &got); err != nil {
		t.Fatal(err)
	}
	want := map[string]any{
		"string": values["string"].Text, "${abort \"x\"}": "", "int": -5.0, "float": 1.5, "exponent": 1e10, "small": -2.5e-7, "whole": 3.0,
		"wholeType": "float", "true": true, "numbers": []any{-1.0, 2.0, -1e-5, []any{}, map[string]any{}},
		"set":  map[string]any{"a.b": []any{"${", map[string]any{"if": 0.0}}},
		"path": "/etc/nix-1.0", "path with space": `/etc/a b${x}"`, "paths": []any{"/a b", "/c"},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("Nix read %v\nwant %v\nof %s:\n%s", got, want, file, expression)
	}
}

func TestQueryNixNamesStorePaths(t *testing.T) {
	dir := nixtest.Store(t)
	source := nixtest.File(t, dir, "orders", "content")
	added, err := nix.Output(t.Context(), "nix-store", "--add", source)
	if err != nil {
		t.Fatal(err)
	}
	path := strings.TrimSpace(string(added))
	m := sample()
	for _, service := range m.Services {
		service.Package = path
	}
	nixtest.File(t, dir, "query.nix", printed(t, query(m).WriteNix))
	apply := nixtest.File(t, dir, "apply.nix", `
		let pkg = (import ./query.nix).node1.profileManifest.services."77ab".pkg;
		in { inherit pkg; tracked = builtins.hasContext pkg; }`)
	output, err := nix.Output(t.Context(), "nix-instantiate", "--eval", "--strict", "--json", apply)
	if err != nil {
		t.Fatal(err)
	}
	if want := `{"pkg":"` + path + `","tracked":true}`; strings.TrimSpace(string(output)) != want {
		t.Errorf("Nix read %s, want %s (%s)", output, want, filepath.Base(apply))
	}
}
