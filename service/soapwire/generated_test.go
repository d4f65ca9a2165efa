package soapwire

import (
	"bytes"
	"flag"
	"go/format"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"
)

var update = flag.Bool("update", false, "write generated.go")

// corrections are what has to be changed in gowsdl's output so that it serves
// this protocol (SOAP page, section 10).
var corrections = []struct{ pattern, replacement string }{
	// A false boolean and the number 0 must be sent, too. What is a tag for
	// encoding/json is of no use here.
	{`,omitempty" json:"[^"]*"`, `"`},
	// Binary values are streams.
	{`\*\[\]byte`, `*Content`},
	// The transport is ours.
	{`\*soap\.Client`, `Caller`},
	{`\t"github.com/hooklift/gowsdl/soap"\n`, ``},
	// What this service does not use.
	{`\t"time"\n`, ``},
	{`(?s)// against "unused imports".*?(type DisnixWebServiceException )`, `$1`},
	// One comment for each method.
	{`(?s)// Error can be either of the following types:\s*\n\s*//\s*\n\s*//\s+- DisnixWebServiceException\s*\n\s*\n`, ``},
}

// TestGeneratedFileIsUpToDate generates generated.go from the WSDL with gowsdl
// in the version of go.mod.
func TestGeneratedFileIsUpToDate(t *testing.T) {
	dir := t.TempDir()
	// It writes to one map from two goroutines, so they must not run at once.
	gowsdl := exec.Command("go", "tool", "gowsdl", "-d", dir, "-p", "soapwire", "-o", "generated.go", "DisnixWebService.wsdl")
	gowsdl.Env = append(os.Environ(), "GOMAXPROCS=1", "TMPDIR="+t.TempDir()) // it leaves a directory there
	if output, err := gowsdl.CombinedOutput(); err != nil {
		t.Fatalf("gowsdl: %v\n%s", err, output)
	}
	code, err := os.ReadFile(filepath.Join(dir, "soapwire/generated.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range corrections {
		pattern := regexp.MustCompile(c.pattern)
		if !pattern.Match(code) {
			t.Errorf("nothing matches %s", c.pattern)
		}
		code = pattern.ReplaceAll(code, []byte(c.replacement))
	}
	want, err := format.Source(code)
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile("generated.go", want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := os.ReadFile("generated.go"); err != nil || !bytes.Equal(got, want) {
		t.Errorf("generated.go differs from what gowsdl makes (%v): run go generate", err)
	}
}
