package main

import (
	"slices"
	"strings"
	"testing"

	"github.com/urfave/cli/v2"
)

func testFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "profile", Aliases: []string{"p"}},
		&cli.IntFlag{Name: "max-concurrent-transfers", Aliases: []string{"m"}},
		&cli.BoolFlag{Name: "no-lock"},
		&cli.BoolFlag{Name: "no-upgrade"},
		&cli.BoolFlag{Name: "delete-old", Aliases: []string{"d"}},
		&cli.BoolFlag{Name: "realise", Aliases: []string{"r"}},
		&cli.StringFlag{Name: "keep"},
		&cli.BoolFlag{Name: "rollback"},
	}
}

func TestReorder(t *testing.T) {
	tests := []struct{ name, args, want string }{
		{"options after operands", "file -p x --no-lock", "--profile=x --no-lock -- file"},
		{"value after equals sign", "--profile=x", "--profile=x --"},
		{"value as next word", "--profile x", "--profile=x --"},
		{"empty value", "--profile=", "--profile= --"},
		{"unambiguous abbreviation", "--no-l --max=3", "--no-lock --max-concurrent-transfers=3 --"},
		{"short options together", "-dm4 -rp x", "--delete-old --max-concurrent-transfers=4 --realise --profile=x --"},
		{"double dash ends the options", "a -- --profile -d", "-- a --profile -d"},
		{"a single dash is an operand", "- -d", "--delete-old -- -"},
		{"a value that looks like an option", "--keep --rollback", "--keep=--rollback --"},
		{"rough edge commands 8: a value is not an option again", "--keep=--rollback", "--keep=--rollback --"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			g, err := reorder(testFlags(), strings.Fields(tt.args))
			if err != nil {
				t.Fatal(err)
			}
			if got := strings.Join(g.arguments(), " "); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestReorderErrors(t *testing.T) {
	tests := []struct{ args, want string }{
		{"--bogus", "unrecognized option '--bogus'"},
		{"--no-", "option '--no-' is ambiguous; possibilities: '--no-lock' '--no-upgrade'"},
		{"--profile", "option '--profile' requires an argument"},
		{"--no-lock=1", "option '--no-lock' doesn't allow an argument"},
		{"-x", "invalid option -- 'x'"},
		{"-dp", "option requires an argument -- 'p'"},
		{"--p", ""},
		{"--=x", "unrecognized option '--'"},
		{"-m many", `invalid value "many" for option '--max-concurrent-transfers': it is not a whole number`},
	}
	for _, tt := range tests {
		_, err := reorder(testFlags(), strings.Fields(tt.args))
		if tt.want == "" {
			tt.want = "option '--p' requires an argument"
		}
		if err == nil || err.Error() != tt.want {
			t.Errorf("%s: got error %v, want %q", tt.args, err, tt.want)
		}
	}
}

func FuzzReorder(f *testing.F) {
	f.Add("--profile=x -d -- a")
	f.Add("--m 3 -rdp x --keep --keep")
	f.Fuzz(func(t *testing.T, line string) {
		words := strings.Split(line, " ")
		g, err := reorder(testFlags(), words)
		if err != nil {
			return
		}
		again, err := reorder(testFlags(), g.arguments())
		if err != nil || !slices.Equal(g.arguments(), again.arguments()) {
			t.Errorf("%q: %q is read as %q (%v)", line, g.arguments(), again.arguments(), err)
		}
	})
}
