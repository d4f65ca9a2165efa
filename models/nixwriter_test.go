package models

import "testing"

func TestNixNotation(t *testing.T) {
	tests := []struct{ name, got, want string }{
		{"string", nixString("a\"b\\c\nd\re\tf'"), `"a\"b\\c\nd\re` + "\t" + `f'"`},
		{"antiquotation", nixString("${a} $${b} $c {d}"), `"\${a} $\${b} $c {d}"`},
		{"absolute path", nixPath("/etc/hosts-1.0+x_y"), "/etc/hosts-1.0+x_y"},
		{"path in this directory", nixPath("./a/b"), "./a/b"},
		{"relative path", nixPath("a/b"), "./a/b"},
		{"empty path", nixPath(""), "./."},
		{"this directory", nixPath("."), "./."},
		{"path with a space", nixPath("/a b"), `/. +"/a b"`},
		{"relative path with a space", nixPath("a b"), `./. +"/a b"`},
		{"path with antiquotation", nixPath("/${x}"), `/. +"/\${x}"`},
		{"root", nixPath("/"), `/. +"/"`},
		{"store path", nixStorePath("/nix/store/x-orders"), "builtins.storePath /nix/store/x-orders"},
		{"store path with a question mark", nixStorePath("/nix/store/x-a?b=c"), `builtins.storePath "/nix/store/x-a?b=c"`},
		{"no store path", nixStorePath("orders"), `builtins.storePath "orders"`},
		{"int", nixLiteral(Value{Type: Int, Text: "-5432"}), "-5432"},
		{"float", nixLiteral(Value{Type: Float, Text: "1.5e+10"}), "1.5e+10"},
		{"float without a point", nixLiteral(Value{Type: Float, Text: "1e+10"}), "1.0e+10"},
		{"float without a fraction", nixLiteral(Value{Type: Float, Text: "3"}), "3.0"},
		{"bool", nixLiteral(Value{Type: Bool, Text: "false"}), "false"},
		{"text that is no number", nixLiteral(Value{Type: Int, Text: "1; x = 2"}), `"1; x = 2"`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if test.got != test.want {
				t.Errorf("printed %s, want %s", test.got, test.want)
			}
		})
	}
}
