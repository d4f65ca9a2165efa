package dysnomia

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// GenerateExpr returns the configuration of the machine as a Nix expression:
// the properties file and all containers, or only the given one unless it is
// empty (host page, 10.1). A name that several directories have is taken from
// the first. The error joins those of all files.
func (h *Host) GenerateExpr(ctx context.Context, container string) (string, error) {
	files, err := h.containerFiles(container)
	if err != nil {
		return "", err
	}
	var problems []error
	var machine Properties
	_, err = os.Stat(h.PropertiesFile)
	hasMachine := !errors.Is(err, fs.ErrNotExist)
	if hasMachine {
		if machine, err = h.readProperties(ctx, h.PropertiesFile); err != nil {
			problems = append(problems, err)
		}
	}

	var text strings.Builder
	text.WriteString("{\n")
	if hasMachine {
		text.WriteString("  properties = {\n")
		writeAttributes(&text, "    ", machine)
		text.WriteString("  };\n")
	}
	text.WriteString("  containers = {\n")
	for _, file := range files {
		properties, err := h.readProperties(ctx, file)
		if err != nil {
			problems = append(problems, err)
		}
		fmt.Fprintf(&text, "    %s = {\n", nixAttribute(filepath.Base(file)))
		writeAttributes(&text, "      ", properties.without("type"))
		text.WriteString("    };\n")
	}
	text.WriteString("  };\n")
	if system, ok := machine.Get("system"); ok {
		writeAttributes(&text, "  ", Properties{system})
	}
	text.WriteString("}")
	if err := errors.Join(problems...); err != nil {
		return "", err
	}
	return text.String(), nil
}

func writeAttributes(text *strings.Builder, indent string, properties Properties) {
	for _, p := range properties {
		fmt.Fprintf(text, "%s%s = %s;\n", indent, nixString(p.Name), nixValue(p))
	}
}

func nixValue(p Property) string {
	if !p.IsList() {
		return nixString(p.Value)
	}
	var list strings.Builder
	list.WriteString("[ ")
	for _, element := range p.List {
		list.WriteString(nixString(element) + " ")
	}
	return list.String() + "]"
}

// nixEscapes makes any text one line between double quotes. The line stays
// one because the expression is indented again by those who embed it.
var nixEscapes = strings.NewReplacer(`\`, `\\`, `"`, `\"`, "${", `\${`, "\n", `\n`, "\r", `\r`, "\t", `\t`)

func nixString(text string) string { return `"` + nixEscapes.Replace(text) + `"` }

var (
	nixIdentifier = regexp.MustCompile(`^[a-zA-Z_][a-zA-Z0-9_'-]*$`)
	nixKeyword    = regexp.MustCompile(`^(assert|else|if|in|inherit|let|or|rec|then|with)$`)
)

// nixAttribute returns an attribute name, in quotes where Nix demands them.
func nixAttribute(name string) string {
	if nixIdentifier.MatchString(name) && !nixKeyword.MatchString(name) {
		return name
	}
	return nixString(name)
}
