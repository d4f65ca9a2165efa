package models_test

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/disnix-go/disnix/models"
	"github.com/disnix-go/disnix/models/nix"
	"github.com/disnix-go/disnix/test/nixtest"
)

// TestQueryJSON holds the JSON output against what Nix makes of the Nix output.
func TestQueryJSON(t *testing.T) {
	dir := nixtest.Store(t)
	m := sample()
	m.Services["77ab"].Name = "<orders> & \"quotes\""
	// The packages of the sample are in no store.
	expression := strings.ReplaceAll(printed(t, query(m).WriteNix), "builtins.storePath ", "toString ")
	output, err := nix.Output(t.Context(), "nix-instantiate", "--eval", "--strict", "--json", nixtest.File(t, dir, "query.nix", expression))
	if err != nil {
		t.Fatalf("%v\n%s", err, expression)
	}
	var got, want map[string]any
	text := printed(t, query(m).WriteJSON)
	if err := json.Unmarshal([]byte(text), &got); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(output, &want); err != nil {
		t.Fatal(err)
	}
	if len(got) == 0 || !reflect.DeepEqual(got, want) {
		t.Errorf("JSON\n%s\nNix\n%s", text, output)
	}
	if again := printed(t, query(m).WriteJSON); again != text {
		t.Error("the output differs from time to time")
	}
}

func TestQueryJSONHasEveryAttribute(t *testing.T) {
	q := models.QueryResult{{Target: "a", Manifest: &models.ProfileManifest{
		Services: map[string]*models.Service{"k": {Name: "s", Package: "/p", Type: "t", ProvidesContainers: map[string]models.Properties{"c": nil}}},
	}}}
	const want = `{
  "a": {
    "profileManifest": {
      "services": {
        "k": {
          "name": "s",
          "pkg": "/p",
          "type": "t",
          "dependsOn": [],
          "connectsTo": [],
          "providesContainers": {
            "c": {}
          }
        }
      },
      "serviceMappings": [],
      "snapshotMappings": []
    }
  }
}
`
	if got := printed(t, q.WriteJSON); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if got := printed(t, models.QueryResult{}.WriteJSON); got != "{}\n" {
		t.Errorf("of no target: %q", got)
	}
}
