package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"testing"
)

// chapters are the parts of docs/commands.md.
var chapters = []struct {
	title, text string
	programs    []string
}{
	{"A system", "From its models to its removal. On the coordinator.", []string{
		"disnix-env", "disnix-query", "disnix-visualize", "disnix-diagnose", "disnix-lock",
		"disnix-gendist-roundrobin",
	}},
	{"Its machines", "What can be done to all targets of an infrastructure. On the coordinator.", []string{
		"disnix-capture-infra", "disnix-normalize-infra", "disnix-collect-garbage", "disnix-clean-snapshots",
	}},
	{"Its state", "What a deployment does with state, by hand. On the coordinator.", []string{
		"disnix-snapshot", "disnix-restore", "disnix-migrate", "disnix-delete-state", "disnix-copy-snapshots",
	}},
	{"Taking over", "A system that was deployed from elsewhere, or by an older Disnix.", []string{
		"disnix-reconstruct", "disnix-capture-manifest", "disnix-convert", "disnix-convert-manifest",
	}},
	{"The steps of a deployment", "What disnix-env does, one by one, for scripts. On the coordinator.", []string{
		"disnix-manifest", "disnix-deploy", "disnix-distribute", "disnix-activate", "disnix-set",
		"disnix-compare-manifest", "disnix-copy-closure",
	}},
	{"Building on targets", "The steps of disnix-env --build-on-targets.", []string{
		"disnix-delegate", "disnix-instantiate", "disnix-build",
	}},
	{"Unique numbers", "Ports, user ids and the like for services, before their deployment.", []string{
		"dydisnix-id-assign", "nixproc-id-assign",
	}},
	{"Client interfaces", "How targets are reached. In an infrastructure model these names mean the clients\nthat are built in; the programs are for other coordinators.", []string{
		"disnix-ssh-client", "disnix-client", "disnix-soap-client", "disnix-run-activity", "disnix-tmpfile",
	}},
	{"Servers", "On a target.", []string{"disnix-service", "disnix-webservice"}},
	{"The plugin host", "On a target, also without any coordinator.", []string{
		"dysnomia", "dysnomia-containers", "dysnomia-snapshots",
		"dysnomia-addgroups", "dysnomia-addusers", "dysnomia-delusers", "dysnomia-delgroups",
	}},
}

// printCommandsPage prints the overview of all programs.
func printCommandsPage(w io.Writer) (listed map[string]bool) {
	listed = make(map[string]bool)
	fmt.Fprint(w, "# Commands\n\n"+
		"All programs are one binary under many names; `disnix env` is `disnix-env`. Each\n"+
		"explains its options with `--help` and in its manual page.\n")
	for _, chapter := range chapters {
		fmt.Fprintf(w, "\n## %s\n\n%s\n\n| command | what it does |\n|---|---|\n", chapter.title, chapter.text)
		for _, name := range chapter.programs {
			if p := findProgram(name); p != nil {
				listed[name] = true
				fmt.Fprintf(w, "| [`%s`](man/%s.1) | %s |\n", p.name, p.name, p.summary)
			}
		}
	}
	return listed
}

// TestManualOverview checks that docs/commands.md has all programs; the test is
// run with -update to write it.
func TestManualOverview(t *testing.T) {
	const path = "../../docs/commands.md"
	var page bytes.Buffer
	listed := printCommandsPage(&page)
	for _, p := range programs() {
		if !listed[p.name] {
			t.Errorf("%s is in no chapter of %s", p.name, path)
		}
	}
	if *update {
		if err := os.WriteFile(path, page.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	shipped, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(shipped, page.Bytes()) {
		t.Errorf("%s is out of date", path)
	}
}
