package servicetest

import (
	"bytes"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing/iotest"

	"github.com/disnix-go/disnix/models/nix"
	"github.com/disnix-go/disnix/service"
	"github.com/disnix-go/disnix/service/closure"
)

var storeTests = []conformanceTest{
	{"invalid paths are told from valid ones, in order", func(m *machine) {
		valid := m.chain(2)
		invalid, err := m.PrintInvalid(m.Context(), []string{m.missing("b"), valid[0], m.missing("a"), valid[1]})
		m.want("invalid", invalid, err, m.missing("b"), m.missing("a"))
		invalid, err = m.PrintInvalid(m.Context(), nil)
		m.want("invalid of none", invalid, err)
	}},
	{"requisites have dependencies first", func(m *machine) {
		chain := m.chain(3)
		requisites, err := m.QueryRequisites(m.Context(), chain[2:])
		m.want("requisites", requisites, err, chain...)
		_, err = m.QueryRequisites(m.Context(), []string{m.missing("x")})
		m.wantError("requisites of an invalid path", err, m.missing("x"))
	}},
	{"a closure is exported and imported", func(m *machine) {
		chain := m.chain(3)
		var stream bytes.Buffer
		m.must(m.ExportClosure(m.Context(), chain, &stream))
		m.must(m.CollectGarbage(m.Context(), false))
		invalid, err := m.PrintInvalid(m.Context(), chain)
		m.want("invalid after the garbage collection", invalid, err, chain...)
		imported, err := m.ImportClosure(m.Context(), &stream)
		m.want("imported", imported, err, chain...)
		invalid, err = m.PrintInvalid(m.Context(), chain)
		m.want("invalid after the import", invalid, err)
	}},
	{"protocol 1: the export of an invalid path fails", func(m *machine) {
		chain := m.chain(1)
		var stream bytes.Buffer
		m.wantError("export", m.ExportClosure(m.Context(), []string{chain[0], m.missing("x")}, &stream), m.missing("x"))
		if _, err := closure.Paths(&stream); err == nil {
			m.Error("what was written looks like a complete closure")
		}
	}},
	{"observed 3: a failing export is not taken for an empty one", func(m *machine) {
		var stream bytes.Buffer
		m.wantError("export", m.ExportClosure(m.Context(), []string{m.missing("x")}, &stream))
	}},
	{"the import of what is no closure fails", func(m *machine) {
		_, err := m.ImportClosure(m.Context(), strings.NewReader("some text that is long enough to be read"))
		m.wantError("text", err)
		_, err = m.ImportClosure(m.Context(), strings.NewReader(""))
		m.wantError("nothing", err)
		var stream bytes.Buffer
		m.must(m.ExportClosure(m.Context(), m.chain(1), &stream))
		m.must(m.CollectGarbage(m.Context(), false))
		_, err = m.ImportClosure(m.Context(), bytes.NewReader(stream.Bytes()[:stream.Len()-9]))
		m.wantError("a closure that is cut off", err)
	}},
	{"the import says why its input failed", func(m *machine) {
		_, err := m.ImportClosure(m.Context(), iotest.ErrReader(errors.New("link is down")))
		m.wantError("import", err, "link is down")
	}},
	{"protocol 12: closures are larger than an argument list can be", func(m *machine) {
		chain := m.chain(600)
		if size := len(strings.Join(chain, " ")); size < 128<<10 {
			m.Fatalf("%d bytes fit into an argument list", size)
		}
		// The other way round, dependencies come last.
		reversed := slices.Clone(chain)
		slices.Reverse(reversed)
		requisites, err := m.QueryRequisites(m.Context(), reversed)
		if err != nil || !slices.Equal(requisites, chain) {
			m.Fatalf("%d requisites of %d, %v", len(requisites), len(chain), err)
		}
		var stream bytes.Buffer
		m.must(m.ExportClosure(m.Context(), reversed, &stream))
		m.must(m.CollectGarbage(m.Context(), false))
		invalid, err := m.PrintInvalid(m.Context(), reversed)
		if err != nil || !slices.Equal(invalid, reversed) {
			m.Fatalf("%d invalid of %d, %v", len(invalid), len(chain), err)
		}
		imported, err := m.ImportClosure(m.Context(), &stream)
		if err != nil || !slices.Equal(imported, chain) {
			m.Fatalf("%d imported of %d, %v", len(imported), len(chain), err)
		}
	}},
	{"derivations are realised", func(m *machine) {
		good := m.derivation("good", "echo content > $out")
		outputs, err := m.Realise(m.Context(), []string{good})
		if err != nil || len(outputs) != 1 || !strings.HasSuffix(outputs[0], "-good") {
			m.Errorf("outputs %q, %v", outputs, err)
		}
		bad := m.derivation("bad", "echo the reason >&2; exit 3")
		_, err = m.Realise(m.Context(), []string{good, bad})
		m.wantError("realise", err, "the reason", filepath.Base(bad))
	}},
	{"garbage is collected", func(m *machine) {
		m.deploy("default", "old")
		old, err := m.QueryInstalled(m.Context(), "default")
		m.must(err)
		m.deploy("default", "new")
		loose := m.add("loose", "loose")
		profile := m.profile("node", string(old))
		for _, test := range []struct {
			deleteOld bool
			gone      []string
		}{{false, []string{loose}}, {true, []string{loose, profile}}} {
			m.must(m.CollectGarbage(m.Context(), test.deleteOld))
			gone, err := m.PrintInvalid(m.Context(), []string{loose, profile})
			m.want(fmt.Sprintf("gone, deleteOld %v", test.deleteOld), gone, err, test.gone...)
		}
		if installed, err := m.QueryInstalled(m.Context(), "default"); err != nil || len(installed) == 0 {
			m.Errorf("the current profile has lost its manifest: %v", err)
		}
	}},
	{"nothing is copied from a store to itself", func(m *machine) {
		copied, err := service.CopyClosure(m.Context(), service.NixStore{}, m, m.chain(2))
		m.want("copied", copied, err)
	}},
	{"a closure is copied to where it is missing", func(m *machine) {
		path := m.missing("wanted")
		var source Fake
		source.AddValid(path)
		copied, err := service.CopyClosure(m.Context(), &source, m, []string{path})
		m.want("copied", copied, err, path)
		invalid, err := m.PrintInvalid(m.Context(), []string{path})
		m.want("invalid", invalid, err)
	}},
}

// derivation adds a derivation that runs a shell script.
func (m *machine) derivation(name, script string) string {
	m.Helper()
	file := m.file("sources/"+name+".nix", fmt.Sprintf(
		`derivation { name = %q; system = builtins.currentSystem; builder = "/bin/sh"; args = [ "-c" %q ]; }`, name, script))
	out, err := nix.Output(m.Context(), "nix-instantiate", file)
	m.must(err)
	return strings.TrimSpace(string(out))
}
