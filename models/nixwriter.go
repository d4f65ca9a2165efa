package models

import (
	"bufio"
	"fmt"
	"io"
	"regexp"
	"strings"
)

// nixWriter prints Nix expressions in the original's layout (formats, section
// 2): two spaces per level, one attribute or element per line, all names
// quoted. It remembers the first mistake.
type nixWriter struct {
	out   *bufio.Writer
	depth int
	err   error
}

func newNixWriter(w io.Writer) *nixWriter { return &nixWriter{out: bufio.NewWriter(w)} }

// flush writes what is still buffered and returns the first mistake.
func (n *nixWriter) flush() error {
	if n.err == nil {
		n.err = n.out.Flush()
	}
	return n.err
}

func (n *nixWriter) print(texts ...string) {
	for _, text := range texts {
		if n.err == nil {
			_, n.err = n.out.WriteString(text)
		}
	}
}

func (n *nixWriter) line(texts ...string) {
	n.print("\n", strings.Repeat("  ", n.depth))
	n.print(texts...)
}

// set prints a set of attributes.
func (n *nixWriter) set(members func()) { n.block("{", "}", members) }

// list prints a list.
func (n *nixWriter) list(elements func()) { n.block("[", "]", elements) }

func (n *nixWriter) block(begin, end string, content func()) {
	n.print(begin)
	n.depth++
	content()
	n.depth--
	n.line(end)
}

// attribute prints a member of a set, whose value the function prints.
func (n *nixWriter) attribute(name string, value func()) {
	n.line(nixString(name), " = ")
	value()
	n.print(";")
}

// text prints a member of a set that is an expression already.
func (n *nixWriter) text(name, expression string) {
	n.line(nixString(name), " = ", expression, ";")
}

// properties prints a set of typed values.
func (n *nixWriter) properties(p Properties) {
	n.set(func() {
		for _, name := range sorted(p) {
			n.attribute(name, func() { n.value(p[name]) })
		}
	})
}

func (n *nixWriter) value(v Value) {
	switch v.Type {
	case List:
		n.list(func() {
			for _, e := range v.List {
				n.line()
				n.element(e)
			}
		})
	case Attrs:
		n.properties(v.Attrs)
	case Path:
		n.print(nixPath(v.Text))
	case Int, Float, Bool:
		n.print(nixLiteral(v))
	default:
		n.print(nixString(v.Text))
	}
}

// element prints an element of a list, in parentheses if it would not be one
// element otherwise.
func (n *nixWriter) element(v Value) {
	if v.Type == List || v.Type == Attrs {
		n.value(v)
		return
	}
	var text strings.Builder
	single := newNixWriter(&text)
	single.value(v)
	_ = single.flush() // a strings.Builder never fails
	if isOperation := strings.HasPrefix(text.String(), "-") || strings.Contains(text.String(), ` +"`) && v.Type == Path; isOperation {
		n.print("(", text.String(), ")")
		return
	}
	n.print(text.String())
}

var nixEscaper = strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`, "\r", `\r`, "${", `\${`)

// nixString returns a string as a Nix expression. In contrast to the original,
// nothing in it is evaluated.
func nixString(s string) string { return `"` + nixEscaper.Replace(s) + `"` }

// nixLiteral returns an int, float or bool as a Nix expression. Nix needs a
// point in a float, which it does not print itself if there is no fraction.
func nixLiteral(v Value) string {
	if !v.wellFormed() {
		return nixString(v.Text)
	}
	if v.Type != Float || strings.Contains(v.Text, ".") {
		return v.Text
	}
	if i := strings.IndexAny(v.Text, "eE"); i >= 0 {
		return v.Text[:i] + ".0" + v.Text[i:]
	}
	return v.Text + ".0"
}

// nixPathPattern is what Nix reads as a path without quotes.
var nixPathPattern = regexp.MustCompile(`^\.?(/[A-Za-z0-9._+-]+)+$`)

// nixPath returns a path as a Nix expression.
func nixPath(path string) string {
	if path == "" || path == "." {
		return "./."
	}
	if !strings.HasPrefix(path, "/") && !strings.HasPrefix(path, "./") {
		path = "./" + path
	}
	if nixPathPattern.MatchString(path) {
		return path
	}
	root := "/."
	if relative, ok := strings.CutPrefix(path, "."); ok {
		root, path = "./.", relative
	}
	return fmt.Sprintf("%s +%s", root, nixString(path))
}

// nixStorePath returns the expression for a path in the Nix store.
func nixStorePath(path string) string {
	if nixPathPattern.MatchString(path) && strings.HasPrefix(path, "/") {
		return "builtins.storePath " + path
	}
	return "builtins.storePath " + nixString(path)
}
