package soapservice_test

import (
	"bytes"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/disnix-go/disnix/service/servicetest"
	"github.com/disnix-go/disnix/service/soapwire"
)

// TestFullDisk uploads more than fits into the directory for temporary files.
func TestFullDisk(t *testing.T) {
	dir := temporary(t)
	mountSmall(t, dir)
	s := serve(t, new(servicetest.Fake))
	large := strings.Repeat("x", 1<<20)
	header, body := multipartMessage(`<importLocalSnapshots `+namespace+`><arg0>c</arg0><arg1>k</arg1><arg2>/s/1</arg2>`+
		include("item3", "a")+`<item4>/s/1/a</item4></importLocalSnapshots>`, "a", large)
	for name, message := range map[string]struct {
		header http.Header
		body   string
	}{
		"a part":      {header, body},
		"in the text": {plainHeader(), envelope(`<importLocalFile ` + namespace + `><arg0>` + strings.Repeat("AAAA", 1<<19) + `</arg0></importLocalFile>`)},
	} {
		response, text := s.post(message.header, strings.NewReader(message.body))
		if response.StatusCode != 500 {
			t.Errorf("%s: status %d", name, response.StatusCode)
		}
		contains(t, text, "Server", "no space left on device")
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
	s.must(&soapwire.CaptureConfig{}, new(soapwire.CaptureConfigResponse))
}

// TestClosuresThatBreakOff sends half a closure in a message that is complete:
// it is not the message that is wrong.
func TestClosuresThatBreakOff(t *testing.T) {
	temporary(t)
	fake := new(servicetest.Fake)
	s := serve(t, fake)
	path := "/nix/store/" + strings.Repeat("0", 32) + "-a"
	fake.AddValid(path)
	var closure bytes.Buffer
	if err := fake.ExportClosure(t.Context(), []string{path}, &closure); err != nil {
		t.Fatal(err)
	}
	half := closure.String()[:closure.Len()/2]
	file := filepath.Join(t.TempDir(), "closure")
	if err := os.WriteFile(file, []byte(half), 0o600); err != nil {
		t.Fatal(err)
	}
	header, upload := multipartMessage(`<importLocalFile `+namespace+`>`+include("arg0", "a")+`</importLocalFile>`, "a", half)
	for name, message := range map[string]struct {
		header http.Header
		body   string
	}{
		"an upload": {header, upload},
		"a file":    {plainHeader(), envelope(`<importm ` + namespace + `><arg0>` + file + `</arg0></importm>`)},
	} {
		response, body := s.post(message.header, strings.NewReader(message.body))
		if response.StatusCode != 500 || !strings.Contains(body, "soapenv:Server") || strings.Contains(body, "the request was cut off") {
			t.Errorf("%s: %d: %s", name, response.StatusCode, body)
		}
	}
}
