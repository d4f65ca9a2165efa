package models

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
)

// ServiceKey returns the key under which a manifest holds a service: the
// SHA-256, in hexadecimal, of what Nix' builtins.toXML prints for the
// service's name, type, package and ordered dependencies (models, section 9).
// As each dependency is given by its key, the key covers everything below.
//
// The keys are those of the original, so that a system that was deployed by
// it can be upgraded without touching what did not change. The order of the
// dependencies counts: parameter names, then targets.
func ServiceKey(name, typ, pkg string, dependsOn []Dependency) string {
	var b strings.Builder
	b.Grow(512 + 512*len(dependsOn))
	b.WriteString("<?xml version='1.0' encoding='utf-8'?>\n<expr>\n  <attrs>\n" +
		"    <attr name=\"dependsOn\">\n      <list>\n")
	for _, d := range dependsOn {
		b.WriteString("        <attrs>\n")
		writeKeyAttribute(&b, "          ", "container", d.Container)
		writeKeyAttribute(&b, "          ", "service", d.Service)
		writeKeyAttribute(&b, "          ", "target", d.Target)
		b.WriteString("        </attrs>\n")
	}
	b.WriteString("      </list>\n    </attr>\n")
	writeKeyAttribute(&b, "    ", "name", name)
	writeKeyAttribute(&b, "    ", "pkg", pkg)
	writeKeyAttribute(&b, "    ", "type", typ)
	b.WriteString("  </attrs>\n</expr>\n")
	sum := sha256.Sum256([]byte(b.String()))
	return hex.EncodeToString(sum[:])
}

// toXMLEscaper escapes as builtins.toXML does; everything else, among it tabs
// and apostrophes, is raw (formats, section 11).
var toXMLEscaper = strings.NewReplacer(
	"&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&quot;", "\n", "&#xA;")

func writeKeyAttribute(b *strings.Builder, indent, name, value string) {
	b.WriteString(indent)
	b.WriteString(`<attr name="`)
	b.WriteString(name)
	b.WriteString("\">\n")
	b.WriteString(indent)
	b.WriteString(`  <string value="`)
	_, _ = toXMLEscaper.WriteString(b, value) // a strings.Builder never fails
	b.WriteString("\" />\n")
	b.WriteString(indent)
	b.WriteString("</attr>\n")
}
