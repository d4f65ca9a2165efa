package main

import (
	"fmt"
	"io"
	"strings"
)

// printManualPage prints the documentation of a program as a manual page.
func (p *program) printManualPage(w io.Writer) {
	fmt.Fprintf(w, ".TH %s 1 \"\" \"disnix %s\" \"Disnix\"\n", strings.ToUpper(p.name), version)
	fmt.Fprintf(w, ".SH NAME\n%s \\- %s\n", p.name, roff(lowerFirst(p.summary)))
	fmt.Fprintln(w, ".SH SYNOPSIS")
	for _, line := range p.synopsis {
		fmt.Fprintf(w, ".B %s\n%s\n.br\n", p.name, roff(line))
	}
	fmt.Fprintln(w, ".SH DESCRIPTION")
	for _, paragraph := range strings.Split(strings.TrimSpace(p.description), "\n\n") {
		fmt.Fprintf(w, ".PP\n%s\n", roff(paragraph))
	}
	for i, g := range p.groups {
		flags := g.flags
		if i == len(p.groups)-1 {
			flags = append(flags[:len(flags):len(flags)], helpFlag(), versionFlag())
		}
		fmt.Fprintf(w, ".SH %s\n", strings.ToUpper(g.title))
		for _, flag := range flags {
			printManualEntry(w, flagEntry(flag))
		}
	}
	printManualSection(w, "EXIT STATUS", p.exitStatus)
	printManualSection(w, "ENVIRONMENT", p.environment)
	if len(p.examples) > 0 {
		fmt.Fprintln(w, ".SH EXAMPLES")
		for _, e := range p.examples {
			fmt.Fprintf(w, ".PP\n%s\n.PP\n.nf\n    $ %s\n.fi\n", roff(e.text), roff(e.term))
		}
	}
}

func printManualSection(w io.Writer, title string, entries []entry) {
	if len(entries) == 0 {
		return
	}
	fmt.Fprintf(w, ".SH %s\n", title)
	for _, e := range entries {
		printManualEntry(w, e)
	}
}

func printManualEntry(w io.Writer, e entry) {
	fmt.Fprintf(w, ".TP\n.B %s\n%s\n", roff(strings.TrimSpace(e.term)), roff(e.text))
}

// roff escapes what the formatter of manual pages would interpret.
func roff(text string) string {
	text = strings.NewReplacer(`\`, `\e`, "-", `\-`).Replace(text)
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		if strings.HasPrefix(line, ".") || strings.HasPrefix(line, "'") {
			lines[i] = `\&` + line
		}
	}
	return strings.Join(lines, "\n")
}

func lowerFirst(text string) string {
	if text == "" {
		return text
	}
	return strings.ToLower(text[:1]) + text[1:]
}
