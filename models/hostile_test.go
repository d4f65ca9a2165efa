package models_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/disnix-go/disnix/models"
)

// readers reads a text as each of the documents.
var readers = map[string]func(text string) error{
	"manifest": func(text string) error { _, err := models.ReadManifest(strings.NewReader(text)); return err },
	"infrastructure": func(text string) error {
		_, err := models.ReadInfrastructure(strings.NewReader(text), models.TargetDefaults{})
		return err
	},
	"profilemanifest": func(text string) error {
		_, err := models.ReadProfileManifest(strings.NewReader(text), "node1")
		return err
	},
	"distributedderivation": func(text string) error {
		_, err := models.ReadDistributedDerivation(strings.NewReader(text))
		return err
	},
}

// TestHostileInput feeds every reader with what XML parsers are attacked with.
func TestHostileInput(t *testing.T) {
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte("SECRET"), 0o600); err != nil {
		t.Fatal(err)
	}
	inputs := map[string]string{
		"exponential entities": `<!DOCTYPE ROOT [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;">]><ROOT version="2">&c;</ROOT>`,
		"external entity":      `<!DOCTYPE ROOT [<!ENTITY x SYSTEM "file://` + secret + `">]><ROOT version="2">&x;</ROOT>`,
		"external subset":      `<!DOCTYPE ROOT SYSTEM "http://127.0.0.1:1/x.dtd"><ROOT version="2"/>`,
		"undeclared entity":    `<ROOT version="2">&x;</ROOT>`,
		"deep nesting":         `<ROOT version="2">` + strings.Repeat("<a>", 1_000_000),
		"deep values":          `<ROOT version="2"><infrastructure><target name="a"><properties>` + strings.Repeat(`<property name="p" type="attrs">`, 100_000),
		"deep lists":           `<ROOT version="2"><target name="a"><properties><property name="p" type="list">` + strings.Repeat(`<elem type="list">`, 100_000),
		"many attributes":      `<ROOT version="2" ` + manyAttributes(100_000) + `/>`,
		"NUL":                  "<ROOT version=\"2\">\x00</ROOT>",
		"UTF-16":               "\xFE\xFF\x00<\x00R",
		"truncated":            `<ROOT version="2"><services><service name="a"><na`,
		"two roots":            `<ROOT version="2"/><ROOT version="2"/>`,
		"binary":               "\x7fELF\x02\x01\x01",
		"other encoding":       `<?xml version="1.0" encoding="UTF-7"?><ROOT version="2"/>`,
	}
	for input, text := range inputs {
		for document, read := range readers {
			t.Run(document+"/"+input, func(t *testing.T) {
				err := read(strings.ReplaceAll(text, "ROOT", document))
				var unreadable *models.ParseError
				if !errors.As(err, &unreadable) {
					t.Fatalf("error %v, want a ParseError", err)
				}
				if strings.Contains(err.Error(), "SECRET") || len(err.Error()) > 500 {
					t.Errorf("error %.600s", err)
				}
			})
		}
	}
}

func manyAttributes(n int) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(" a")
		b.WriteString(strings.Repeat("x", i%7))
		b.WriteByte(byte('a' + i%26))
		b.WriteString(strings.Repeat("y", i/26%300))
		b.WriteString(`="1"`)
		if b.Len() > 1<<20 {
			break
		}
	}
	return b.String()
}

// TestHostileManyProblems makes sure that neither time nor memory for messages
// run away.
func TestHostileManyProblems(t *testing.T) {
	text := `<manifest version="2"><serviceMappings>` + strings.Repeat("<mapping/>\n", 50_000) + `</serviceMappings></manifest>`
	_, err := models.ReadManifest(strings.NewReader(text))
	var problems models.Problems
	if !errors.As(err, &problems) || len(problems) != 1001 {
		t.Fatalf("%d problems, want 1000 and their number", len(problems))
	}
	var last *models.PositionError
	if !errors.As(problems[999], &last) || last.Line != 334 || last.Column != 1 {
		t.Errorf("the last problem is %v", last)
	}
	if got, want := problems[1000].Error(), "there are 149000 more mistakes"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

func FuzzReadManifest(f *testing.F) {
	sampleText, err := os.ReadFile("testdata/manifest.xml")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(sampleText)
	f.Add(document(f, sample()))
	f.Add([]byte(manifestWith(map[string]string{
		"properties":      `<property name="p"/><property name="q" type="date"/><property name="r" type="attrs"><property name="s" type="path">/</property></property>`,
		"serviceMappings": "<mapping/>", "target": "<numOfCores>x</numOfCores>", "services": `<service name="a"/>`})))
	f.Add([]byte(`<manifest version="1"/>`))
	f.Fuzz(func(t *testing.T, text []byte) {
		m, err := models.ReadManifest(bytes.NewReader(text))
		if err != nil {
			checkError(t, err)
			return
		}
		_ = m.Validate()
		written := document(t, m)
		again, err := models.ReadManifest(bytes.NewReader(written))
		if err != nil {
			t.Fatalf("%v in %s", err, written)
		}
		if !again.Equal(m) {
			t.Fatalf("read back %+v, want %+v", again, m)
		}
		for target, profile := range m.ProfileManifests() {
			q := models.QueryResult{{Target: target, Manifest: profile}}
			for _, write := range []func() error{
				func() error { return q.WriteNix(new(bytes.Buffer)) },
				func() error { return q.WriteXML(new(bytes.Buffer)) },
				func() error { return q.WriteContainers(new(bytes.Buffer)) },
			} {
				if err := write(); err != nil && !strings.Contains(err.Error(), "the service is not in it") {
					t.Fatal(err)
				}
			}
		}
	})
}

// checkError checks that an error is of the promised kinds and has a text.
func checkError(t *testing.T, err error) {
	var unreadable *models.ParseError
	var problems models.Problems
	if !errors.As(err, &unreadable) && !errors.As(err, &problems) && !errors.Is(err, models.ErrManifestVersion) || err.Error() == "" {
		t.Fatalf("error %#v", err)
	}
}

func FuzzReadInfrastructure(f *testing.F) {
	f.Add([]byte(`<infrastructure version="2"><target name="a"><properties type="attrs"><property name="hostname" type="string">a</property></properties>
<containers><container name="c" type="attrs"/></containers><system>s</system><numOfCores>1</numOfCores></target></infrastructure>`))
	f.Fuzz(func(t *testing.T, text []byte) {
		i, err := models.ReadInfrastructure(bytes.NewReader(text), models.TargetDefaults{ClientInterface: "c", TargetProperty: "hostname"})
		if err != nil {
			checkError(t, err)
			return
		}
		_ = i.Validate()
		var written bytes.Buffer
		if err := i.WriteXML(&written); err != nil {
			t.Fatal(err)
		}
		again, err := models.ReadInfrastructure(&written, models.TargetDefaults{})
		if err != nil || !(&models.Manifest{Infrastructure: again}).Equal(&models.Manifest{Infrastructure: i}) {
			t.Fatalf("read back %+v (%v), want %+v", again, err, i)
		}
	})
}

func FuzzReadProfileManifest(f *testing.F) {
	var b bytes.Buffer
	if err := sample().ProfileManifest("node1").WriteXML(&b, "node1"); err != nil {
		f.Fatal(err)
	}
	f.Add(b.Bytes())
	f.Fuzz(func(t *testing.T, text []byte) {
		p, err := models.ReadProfileManifest(bytes.NewReader(text), "node1")
		if err != nil {
			checkError(t, err)
			return
		}
		var written bytes.Buffer
		if err := p.WriteXML(&written, "node1"); err != nil {
			t.Fatal(err)
		}
		again, err := models.ReadProfileManifest(&written, "node1")
		if err != nil || !whole(again).Equal(whole(p)) {
			t.Fatalf("read back %+v (%v), want %+v", again, err, p)
		}
	})
}

func FuzzReadDistributedDerivation(f *testing.F) {
	f.Add([]byte(`<distributedderivation version="2"><derivationMappings><mapping><derivation>/d.drv</derivation><interface>a</interface></mapping></derivationMappings>
<interfaces><interface name="a"><targetAddress>a</targetAddress><clientInterface>c</clientInterface></interface></interfaces></distributedderivation>`))
	f.Fuzz(func(t *testing.T, text []byte) {
		dd, err := models.ReadDistributedDerivation(bytes.NewReader(text))
		if err != nil {
			checkError(t, err)
			return
		}
		var written bytes.Buffer
		if err := dd.WriteXML(&written); err != nil {
			t.Fatal(err)
		}
		if _, err := models.ReadDistributedDerivation(&written); err != nil {
			t.Fatalf("read back: %v", err)
		}
	})
}
