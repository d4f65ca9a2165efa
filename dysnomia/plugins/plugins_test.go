package plugins

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestBuiltinPlugins checks that every plugin is there and has a page in the
// documentation, that every page has a plugin, and that the overview has every
// page.
func TestBuiltinPlugins(t *testing.T) {
	pages, err := filepath.Glob("../../docs/plugins/*.md")
	if err != nil {
		t.Fatal(err)
	}
	overview, err := os.ReadFile("../../docs/plugins/README.md")
	if err != nil {
		t.Fatal(err)
	}
	pages = slices.DeleteFunc(pages, func(page string) bool { return filepath.Base(page) == "README.md" })
	builtin := Builtin()
	for name, plugin := range builtin {
		if plugin == nil {
			t.Errorf("%s is missing", name)
		}
		if !slices.ContainsFunc(pages, func(page string) bool { return documents(t, page, name) }) {
			t.Errorf("%s: no page in docs/plugins has a heading with its name", name)
		}
	}
	for _, page := range pages {
		described := false
		for name := range builtin {
			described = described || documents(t, page, name)
		}
		if !described {
			t.Errorf("%s: there is no such plugin", page)
		}
		if !strings.Contains(string(overview), "("+filepath.Base(page)+")") {
			t.Errorf("%s is not in the overview", page)
		}
	}
}

// documents reports whether the first line of a page, its heading, has the
// name.
func documents(t *testing.T, page, name string) bool {
	t.Helper()
	content, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	heading, _, _ := strings.Cut(string(content), "\n")
	return slices.Contains(strings.FieldsFunc(heading, func(r rune) bool { return strings.ContainsRune("#,` ", r) }), name)
}
