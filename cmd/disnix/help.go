package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/urfave/cli/v2"
)

// width is the number of columns of help texts, termColumn is where
// explanations begin, and synopsisIndent is how far the lines of a long
// synopsis are set in.
const (
	width          = 80
	termColumn     = 32
	synopsisIndent = 2
)

// printHelp prints the documentation of a program (commands, 1.7).
func (p *program) printHelp(w io.Writer, invoked string) {
	prefix := "Usage: "
	for _, line := range p.synopsis {
		for i, part := range wrap(invoked+" "+line, width-len(prefix)-synopsisIndent) {
			if i > 0 {
				prefix = strings.Repeat(" ", len(prefix)+synopsisIndent)
			}
			fmt.Fprintln(w, prefix+part)
		}
		prefix = "  or:  "
	}
	fmt.Fprintf(w, "\n%s\n", strings.TrimSpace(p.description))
	for i, g := range p.groups {
		flags := g.flags
		if i == len(p.groups)-1 {
			flags = append(append([]cli.Flag(nil), flags...), helpFlag(), versionFlag())
		}
		fmt.Fprintf(w, "\n%s:\n", g.title)
		for _, flag := range flags {
			printEntry(w, flagEntry(flag))
		}
	}
	printEntries(w, "Exit status", p.exitStatus)
	printEntries(w, "Environment", p.environment)
	if len(p.examples) > 0 {
		fmt.Fprint(w, "\nExamples:\n")
		for _, e := range p.examples {
			fmt.Fprintf(w, "  %s\n", e.text)
			fmt.Fprintf(w, "    $ %s\n", e.term)
		}
	}
}

func printEntries(w io.Writer, title string, entries []entry) {
	if len(entries) == 0 {
		return
	}
	fmt.Fprintf(w, "\n%s:\n", title)
	for _, e := range entries {
		printEntry(w, e)
	}
}

// printEntry prints a term and, from a second column on, its explanation.
func printEntry(w io.Writer, e entry) {
	lines := wrap(e.text, width-termColumn)
	first := "  " + e.term
	if len(first) >= termColumn-1 {
		fmt.Fprintln(w, first)
		first = ""
	}
	for _, line := range lines {
		fmt.Fprintf(w, "%-*s%s\n", termColumn, first, line)
		first = ""
	}
}

// flagEntry describes a flag as "-p, --profile=PROFILE" and its usage text;
// the value's name stands in backquotes in the usage text.
func flagEntry(flag cli.Flag) entry {
	usage := ""
	if documented, ok := flag.(cli.DocGenerationFlag); ok {
		usage = documented.GetUsage()
	}
	value := ""
	if _, isBool := flag.(*cli.BoolFlag); !isBool {
		value = "=VALUE"
		if before, rest, ok := strings.Cut(usage, "`"); ok {
			name, after, _ := strings.Cut(rest, "`")
			value = "=" + name
			usage = before + name + after
		}
	}
	term := "    "
	for _, alias := range flag.Names()[1:] {
		if len(alias) == 1 {
			term = "-" + alias + ", "
		}
	}
	return entry{term + "--" + flag.Names()[0] + value, usage}
}

// wrap breaks text into lines of at most columns characters.
func wrap(text string, columns int) []string {
	var lines []string
	line := ""
	for _, word := range strings.Fields(text) {
		if line != "" && len(line)+1+len(word) > columns {
			lines = append(lines, line)
			line = ""
		}
		if line != "" {
			line += " "
		}
		line += word
	}
	return append(lines, line)
}
