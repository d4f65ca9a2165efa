package models_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"os/exec"
	"reflect"
	"strings"
	"testing"

	"github.com/disnix-go/disnix/models"
)

func TestNewReadiness(t *testing.T) {
	for name, test := range map[string]struct {
		in   models.Properties
		want models.Readiness
	}{
		"a port":          {models.Properties{"tcp": integer("8080")}, models.Readiness{TCP: "8080"}},
		"host and port":   {models.Properties{"tcp": text("[::1]:80")}, models.Readiness{TCP: "[::1]:80"}},
		"a URL":           {models.Properties{"http": text("https://example.org/x?y")}, models.Readiness{HTTP: "https://example.org/x?y"}},
		"a port and path": {models.Properties{"http": text("8080/health")}, models.Readiness{HTTP: "8080/health"}},
		"everything": {
			models.Properties{"tcp": integer("1"), "http": integer("2"), "exec": list(text("a"), text("")), "timeout": integer("30")},
			models.Readiness{TCP: "1", HTTP: "2", Exec: []string{"a", ""}, Timeout: 30},
		},
	} {
		t.Run(name, func(t *testing.T) {
			got, problems := models.NewReadiness(test.in)
			if len(problems) > 0 || !reflect.DeepEqual(*got, test.want) {
				t.Fatalf("got %+v, %v", got, problems)
			}
			again, problems := models.NewReadiness(got.Properties())
			if len(problems) > 0 || !reflect.DeepEqual(again, got) {
				t.Errorf("read back as %+v, %v", again, problems)
			}
			var argument models.Readiness
			value, ok := strings.CutPrefix(got.Argument(), "dysnomiaReadiness=")
			text, err := base64.RawURLEncoding.DecodeString(value)
			if err == nil {
				err = json.Unmarshal(text, &argument)
			}
			if err != nil || !ok || !reflect.DeepEqual(argument, test.want) {
				t.Errorf("argument %s: %v", got.Argument(), err)
			}
		})
	}
}

func TestNewReadinessRefuses(t *testing.T) {
	for want, in := range map[string]models.Properties{
		"nothing to wait for":                 {},
		"no attribute udp":                    {"udp": integer("53")},
		"tcp must be a string or a port":      {"tcp": list()},
		"http must be a string or a port":     {"http": {Type: models.Bool, Text: "true"}},
		"tcp is empty":                        {"tcp": text("")},
		`tcp has "0" as its port`:             {"tcp": integer("0")},
		`tcp has "65536" as its port`:         {"tcp": text("localhost:65536")},
		"tcp must be a port or host:port":     {"tcp": text("::1:80")},
		`tcp has "http" as its port`:          {"tcp": text("http")},
		"http must be a URL":                  {"http": text("/health")},
		"which is not a URL of a web server":  {"http": text("ftp://localhost/")},
		`http has "99999" as its port`:        {"http": text("http://localhost:99999/")},
		"exec must be a list of strings":      {"exec": text("true")},
		"exec must be a list":                 {"exec": list(integer("1"))},
		"exec is empty":                       {"exec": list()},
		"exec names no program":               {"exec": list(text(""))},
		"NUL":                                 {"exec": list(text("a\x00b"))},
		"timeout must be a number of seconds": {"tcp": integer("1"), "timeout": text("30")},
		"timeout must be from 1":              {"tcp": integer("1"), "timeout": integer("0")},
		"timeout must be from 1 to 86400":     {"tcp": integer("1"), "timeout": integer("-1")},
		"not 86401":                           {"tcp": integer("1"), "timeout": integer("86401")},
	} {
		_, problems := models.NewReadiness(in)
		if len(problems) != 1 || !strings.Contains(problems[0].Error(), want) {
			t.Errorf("%v: %v, want %q", in, problems, want)
		}
	}
	_, problems := models.NewReadiness(models.Properties{"tcp": text("x"), "udp": text(""), "exec": text(""), "http": text("")})
	if len(problems) < 3 {
		t.Errorf("not all mistakes are reported: %v", problems)
	}
}

// withReadiness is a manifest with what a service is ready by.
func withReadiness() *models.Manifest {
	m := sample()
	m.Services["77ab"].Readiness = &models.Readiness{TCP: "5432", Exec: []string{"pg_isready", "-h", "a b"}, Timeout: 5}
	return m
}

func TestReadinessInDocuments(t *testing.T) {
	xml := string(document(t, withReadiness()))
	const element = `<readiness><property name="exec" type="list"><elem type="string">pg_isready</elem><elem type="string">-h</elem><elem type="string">a b</elem></property>` +
		`<property name="tcp" type="string">5432</property><property name="timeout" type="int">5</property></readiness></service>`
	if !strings.Contains(xml, element) {
		t.Errorf("the manifest lacks %s:\n%s", element, xml)
	}
	t.Run("it is read back", func(t *testing.T) {
		got, err := models.ReadManifest(strings.NewReader(xml))
		if err != nil || !got.Equal(withReadiness()) {
			t.Errorf("got %+v, %v", got, err)
		}
		if got.Equal(sample()) {
			t.Error("it does not count when manifests are compared")
		}
	})
	t.Run("a wrong one is refused, with its place", func(t *testing.T) {
		_, err := models.ReadManifest(strings.NewReader(strings.Replace(xml, ">5432</property><property name=\"timeout\"", ">x</property><property name=\"timeout\"", 1)))
		if err == nil || !strings.Contains(err.Error(), `readiness: tcp has "x" as its port`) {
			t.Errorf("error: %v", err)
		}
	})
	t.Run("a manifest made by hand is checked", func(t *testing.T) {
		m := withReadiness()
		m.Services["77ab"].Readiness.TCP = "x"
		if err := m.Validate(); err == nil || !strings.Contains(err.Error(), `"dbserver"`) || !strings.Contains(err.Error(), "readiness: tcp") {
			t.Errorf("error: %v", err)
		}
	})
	q := models.QueryResult{{Target: "node1", Manifest: withReadiness().ProfileManifests()["node1"]}}
	for name, write := range map[string]func(*bytes.Buffer) error{
		`"readiness" = {`:                         func(out *bytes.Buffer) error { return q.WriteNix(out) },
		`"readiness": {`:                          func(out *bytes.Buffer) error { return q.WriteJSON(out) },
		`<property name="tcp" type="string">5432`: func(out *bytes.Buffer) error { return q.WriteXML(out) },
	} {
		var out bytes.Buffer
		if err := write(&out); err != nil || !strings.Contains(out.String(), name) {
			t.Errorf("%v, want %s in:\n%s", err, name, out.String())
		}
	}
}

func TestRoughEdge_observed13(t *testing.T) {
	t.Run("observed 13: what a shell on the way makes of quotes and $ cannot spoil it", func(t *testing.T) {
		argument := (&models.Readiness{TCP: "1", HTTP: "http://x/?a=$HOME&b={1,2}", Exec: []string{`"$(id)"`, "`id`"}}).Argument()
		for _, shell := range []string{"sh", "bash"} {
			out, err := exec.Command(shell, "-c", "printf '<%s>' "+argument).Output()
			if err != nil || string(out) != "<"+argument+">" {
				t.Errorf("%s: %s, %v", shell, out, err)
			}
		}
	})
}
