package models_test

import (
	"strings"
	"testing"

	"github.com/disnix-go/disnix/models"
)

func TestCapturedInfrastructureWriteNix(t *testing.T) {
	captured := models.CapturedInfrastructure{
		"node${1}": "{\n}\n",
		"a":        "{\n  properties = {\n    \"hostname\" = \"node1.lan\";\n  };\n}\n",
	}
	var out strings.Builder
	if err := captured.WriteNix(&out); err != nil {
		t.Fatal(err)
	}
	want := `{
  "a" = {
    properties = {
      "hostname" = "node1.lan";
    };
  };
  "node\${1}" = {
  };
}
`
	if out.String() != want {
		t.Errorf("got\n%s\nwant\n%s", out.String(), want)
	}
}
