package dysnomia

import (
	"context"
	"encoding/json"
	"os/exec"
	"reflect"
	"testing"

	"github.com/disnix-go/disnix/test/nixtest"
)

// Nix reads from the expression what is in the files.
func TestGenerateExprIsReadByNix(t *testing.T) {
	m := newMachine(t)
	odd := "a\"b\\c${d}$e$${f}'' \n\r\n\t${"
	m.file("properties", "system=$'x\\ny'\nlist=('${x}' \"it's\" '')\n", 0o644)
	m.container("1st.one", "A=$(cat "+m.file("odd", odd+"end", 0o644)+")\n")
	m.container("with", "B='\\'\ntype=x\n")
	m.container("a b\"${c}", "")
	expression, err := m.GenerateExpr(context.Background(), "")
	if err != nil {
		t.Fatal(err)
	}

	nixtest.Store(t)
	output, err := exec.Command("nix-instantiate", "--eval", "--strict", "--json", "-E", expression).Output()
	if err != nil {
		t.Fatalf("%v in:\n%s", err, expression)
	}
	var got map[string]any
	if err := json.Unmarshal(output, &got); err != nil {
		t.Fatal(err)
	}
	want := map[string]any{
		"properties": map[string]any{"system": "x\ny", "list": []any{"${x}", "it's", ""}},
		"containers": map[string]any{
			"1st.one":  map[string]any{"A": odd + "end"},
			"with":     map[string]any{"B": `\`},
			`a b"${c}`: map[string]any{},
		},
		"system": "x\ny",
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("Nix reads %q\nwant %q\nfrom:\n%s", got, want, expression)
	}
}
