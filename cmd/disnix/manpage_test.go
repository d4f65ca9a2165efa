package main

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"testing"
)

var update = flag.Bool("update", false, "write the manual pages to docs/man")

// TestManualPages checks that the pages in docs/man are those of the programs;
// go test ./cmd/disnix -run TestManualPages -update writes them.
func TestManualPages(t *testing.T) {
	for _, p := range programs() {
		var page bytes.Buffer
		p.printManualPage(&page)
		path := filepath.Join("../../docs/man", p.name+".1")
		if *update {
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				t.Fatal(err)
			}
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
}

// TestHelpFits checks the texts of every program: something for each option,
// and lines that fit a terminal.
func TestHelpFits(t *testing.T) {
	for _, p := range programs() {
		t.Run(p.name, func(t *testing.T) {
			var help bytes.Buffer
			p.printHelp(&help, p.name)
			for _, line := range bytes.Split(help.Bytes(), []byte("\n")) {
				if len(line) > width && !bytes.HasPrefix(line, []byte("    $ ")) {
					t.Errorf("line of %d columns: %s", len(line), line)
				}
			}
			for _, f := range p.flags() {
				if flagEntry(f).text == "" {
					t.Errorf("option --%s is not explained", f.Names()[0])
				}
			}
			if p.summary == "" || len(p.synopsis) == 0 || p.description == "" {
				t.Error("the summary, synopsis or description is missing")
			}
		})
	}
}
