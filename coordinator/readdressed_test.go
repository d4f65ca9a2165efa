package coordinator_test

import (
	"bytes"
	"testing"

	"github.com/disnix-go/disnix/models"
)

// TestTargetWithAnotherAddress upgrades a system one of whose targets has got
// another address. If that is another machine, the services that stay would be
// missing there.
func TestTargetWithAnotherAddress(t *testing.T) {
	parts := []part{{name: "db", on: "a"}, {name: "web", on: "b"}}
	old := configuration("a b", parts...)
	moved := func() *models.Manifest {
		m := configuration("a b", parts...)
		m.Infrastructure["a"].Properties["hostname"] = models.Value{Type: models.String, Text: "elsewhere.example"}
		return m
	}
	installed := func(target string) []byte {
		var document bytes.Buffer
		must(t, old.ProfileManifest(target).WriteXML(&document, target))
		return document.Bytes()
	}
	for _, test := range []struct {
		name      string
		installed []byte
		noUpgrade bool
		refused   bool
	}{
		{"the same machine", installed("a"), false, false},
		{"a new machine", nil, false, true},
		{"the machine of another target", installed("b"), false, true},
		{"a new machine, without an upgrade", nil, true, false},
		{"a machine that answers with something else", []byte("<html>"), false, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := newSite(t)
			s.target("a").AddInstalled("default", test.installed)
			d := s.deployment(moved(), old)
			d.Options.NoUpgrade = test.noUpgrade
			err := d.Deploy(t.Context())
			if (err != nil) != test.refused {
				t.Fatalf("error %v", err)
			}
			if test.refused {
				errorContains(t, err, `target "a"`)
				equal(t, "locked or changed", len(s.operations("lock", "import", "activate", "deactivate", "set")), 0)
			}
		})
	}
	t.Run("nobody is asked otherwise", func(t *testing.T) {
		s := newSite(t)
		must(t, s.deployment(configuration("a b", parts...), old).Deploy(t.Context()))
		equal(t, "queries", len(s.operations("query-installed")), 0)
	})
}
