// Package test holds the tests of the whole: the structure of the source and,
// below this directory, the systems that are deployed end to end.
package test

import (
	"bytes"
	"encoding/json"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/disnix-go/disnix"

// mayImport says which rooms of this module the packages of a room may
// import, besides their own.
var mayImport = map[string][]string{
	"models":      {},
	"dysnomia":    {},
	"service":     {"models", "dysnomia"},
	"client-dbus": {"service", "models"},
	"client-ssh":  {"service", "models"},
	"client-soap": {"service", "models"},
	"coordinator": {"models", "service"},
	"cmd":         {"models", "dysnomia", "service", "client-dbus", "client-ssh", "client-soap", "coordinator"},
	"test":        {"models", "dysnomia", "service", "coordinator"},
}

type listedPackage struct {
	ImportPath string
	Dir        string
	Imports    []string
	GoFiles    []string
}

// room returns the top-level directory of a package of this module, or
// nothing for other packages.
func room(importPath string) string {
	rest, ok := strings.CutPrefix(importPath, module+"/")
	if !ok {
		return ""
	}
	name, _, _ := strings.Cut(rest, "/")
	return name
}

func listPackages(t *testing.T) []listedPackage {
	t.Helper()
	cmd := exec.Command("go", "list", "-json=ImportPath,Dir,Imports,GoFiles", "./...")
	cmd.Dir = ".."
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, stderr.Bytes())
	}
	var packages []listedPackage
	decoder := json.NewDecoder(bytes.NewReader(out))
	for {
		var p listedPackage
		err := decoder.Decode(&p)
		if errors.Is(err, io.EOF) {
			return packages
		}
		if err != nil {
			t.Fatal(err)
		}
		packages = append(packages, p)
	}
}

func TestImportRules(t *testing.T) {
	for _, p := range listPackages(t) {
		own := room(p.ImportPath)
		allowed, known := mayImport[own]
		if !known {
			t.Errorf("%s: there is no room %q", p.ImportPath, own)
			continue
		}
		for _, imported := range p.Imports {
			other := room(imported)
			if other != "" && other != own && !slices.Contains(allowed, other) {
				t.Errorf("%s imports %s: %s may import only %v", p.ImportPath, imported, own, allowed)
			}
		}
		if base := filepath.Base(p.ImportPath); slices.Contains([]string{"util", "utils", "common", "helpers"}, base) {
			t.Errorf("%s: a package is named for what it is, not %q", p.ImportPath, base)
		}
	}
}

// forbidden lists what only cmd/ may do: end the program and print.
var forbidden = []string{
	"os.Exit", "os.Stdout", "os.Stderr", "fmt.Print", "fmt.Printf", "fmt.Println",
	"log.Print", "log.Printf", "log.Println", "log.Fatal", "log.Fatalf",
}

func TestOnlyCommandsPrintAndExit(t *testing.T) {
	for _, p := range listPackages(t) {
		if r := room(p.ImportPath); r == "cmd" || r == "test" {
			continue
		}
		for _, name := range p.GoFiles {
			checkSelectors(t, filepath.Join(p.Dir, name))
		}
	}
}

func checkSelectors(t *testing.T, path string) {
	t.Helper()
	files := token.NewFileSet()
	file, err := parser.ParseFile(files, path, nil, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	ast.Inspect(file, func(n ast.Node) bool {
		selector, ok := n.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		if pkg, ok := selector.X.(*ast.Ident); ok && slices.Contains(forbidden, pkg.Name+"."+selector.Sel.Name) {
			t.Errorf("%s: %s.%s is for commands only", files.Position(n.Pos()), pkg.Name, selector.Sel.Name)
		}
		return true
	})
}

// TestOnlyTwoRoomsStartNix checks that the programs of Nix are started through
// models/nix and that only models and service use it.
func TestOnlyTwoRoomsStartNix(t *testing.T) {
	for _, p := range listPackages(t) {
		r := room(p.ImportPath)
		if slices.Contains(p.Imports, module+"/models/nix") && r != "models" && r != "service" {
			t.Errorf("%s imports models/nix: only models and service start Nix", p.ImportPath)
		}
	}
}
