package soapservice_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/disnix-go/disnix/service/servicetest"
	"github.com/disnix-go/disnix/service/soapservice"
	"github.com/disnix-go/disnix/service/soapwire"
	"github.com/disnix-go/disnix/service/webserver"
	"github.com/disnix-go/disnix/test/nixtest"
)

// compressed returns pieces, the last of them repeated, in the format gzip.
func compressed(t *testing.T, begin, repeated string, times int, end string) string {
	t.Helper()
	var b bytes.Buffer
	z, err := gzip.NewWriterLevel(&b, gzip.BestSpeed)
	if err != nil {
		t.Fatal(err)
	}
	_, err = io.WriteString(z, begin)
	for range times {
		if err == nil {
			_, err = io.WriteString(z, repeated)
		}
	}
	if err == nil {
		_, err = io.WriteString(z, end)
	}
	if err == nil {
		err = z.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// TestBombs sends little that becomes much: in memory, or on the disk.
func TestBombs(t *testing.T) {
	root := nixtest.Store(t)
	tmp := filepath.Join(root, "tmp")
	s := serveLocal(t, func(c *soapservice.Config, _ *webserver.Config) { c.MaxBody = 1 << 20 })
	megabyte := strings.Repeat("x", 1<<20)
	parts, snapshot := multipartMessage(`<importLocalSnapshots `+namespace+`><arg0>c</arg0><arg1>k</arg1><arg2>/s/1</arg2>`+include("item3", "a")+`<item4>/s/1/a</item4></importLocalSnapshots>`, "a", "|")
	_, early := multipartMessage(`<importLocalFile `+namespace+`>`+include("arg0", "a")+include("arg1", "b")+`</importLocalFile>`, "b", "|", "a", "x")
	_, nobodys := multipartMessage(`<lock `+namespace+`><profile>none</profile></lock>`, "a", "|")
	plain := plainHeader()
	for name, test := range map[string]struct {
		header   http.Header
		message  string // with | where much is
		much     string
		times    int
		status   int
		contains string
	}{
		"a file of a snapshot":    {parts, snapshot, megabyte, 4, 413, "longer than 1048576 bytes"},
		"a part before its turn":  {parts, early, megabyte, 4, 413, "longer than 1048576 bytes"},
		"a part that is nobody's": {parts, nobodys, megabyte, 4, 413, "longer than 1048576 bytes"},
		"base64":                  {plain, envelope(`<importLocalFile ` + namespace + `><arg0>|</arg0></importLocalFile>`), megabyte, 4, 413, "longer than 1048576 bytes"},
		"a text":                  {plain, envelope(`<lock ` + namespace + `><arg0>|</arg0></lock>`), megabyte, 4, 413, "longer than 1048576 bytes"},
		"what follows":            {plain, envelope(`<lock `+namespace+`><arg0>p</arg0></lock>`) + "|", strings.Repeat(" ", 1<<20), 4, 413, "longer than 1048576 bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			s := *s
			s.TB = t
			begin, end, _ := strings.Cut(test.message, "|")
			header := test.header.Clone()
			header.Set("Content-Encoding", "gzip")
			var response *http.Response
			var body string
			peak := peakMemory(func() {
				response, body = s.post(header, strings.NewReader(compressed(t, begin, test.much, test.times, end)))
			})
			if response.StatusCode != test.status || peak > maxMemory {
				t.Errorf("status %d, %d MiB of memory: %s", response.StatusCode, peak>>20, firstLines(body))
			}
			contains(t, body, "Fault", test.contains)
			wantEmpty(t, tmp)
			s.must(&soapwire.CaptureConfig{}, new(soapwire.CaptureConfigResponse))
		})
	}
}

// TestHugeTags sends tags that need much more memory than they are long.
func TestHugeTags(t *testing.T) {
	root := nixtest.Store(t)
	tmp := filepath.Join(root, "tmp")
	s := serveLocal(t)
	for name, test := range map[string]struct{ element, much string }{
		"attributes": {`<lock ` + namespace + ` |><arg0>p</arg0></lock>`, strings.Repeat(`a='>' `, 1<<17)},
		"a name":     {`<lock ` + namespace + `><|>p</lock>`, strings.Repeat("x", 1<<20)},
		"a value":    {`<lock ` + namespace + `><arg0 a="|">p</arg0></lock>`, strings.Repeat("x", 1<<20)},
	} {
		t.Run(name, func(t *testing.T) {
			s := *s
			s.TB = t
			header := plainHeader()
			header.Set("Content-Encoding", "gzip")
			begin, end, _ := strings.Cut(envelope(test.element), "|")
			var response *http.Response
			var body string
			peak := peakMemory(func() {
				response, body = s.post(header, strings.NewReader(compressed(t, begin, test.much, 2, end)))
			})
			if response.StatusCode != 413 || peak > maxMemory {
				t.Errorf("status %d, %d MiB of memory: %s", response.StatusCode, peak>>20, firstLines(body))
			}
			contains(t, body, "Fault", "a tag of the message is longer than 65536 bytes")
			wantEmpty(t, tmp)
			s.must(&soapwire.CaptureConfig{}, new(soapwire.CaptureConfigResponse))
		})
	}
}

// TestLargeMessagesAtOnce sends as many of them as there is memory for, and one
// more.
func TestLargeMessagesAtOnce(t *testing.T) {
	temporary(t)
	begun, end := make(chan bool), make(chan struct{})
	fake := &servicetest.Fake{Hook: func(_ context.Context, call servicetest.Call) error {
		if call.Operation == "collect-garbage" {
			begun <- true
			<-end
		}
		return nil
	}}
	s := serve(t, fake, func(c *soapservice.Config, _ *webserver.Config) { c.MaxXML = 1 << 20 })
	large := func(operation string) string {
		return envelope(`<` + operation + ` ` + namespace + `><arg0>1</arg0><arg1>` + strings.Repeat("x", 900<<10) + `</arg1></` + operation + `>`)
	}
	var group sync.WaitGroup
	for range 2 {
		group.Go(func() {
			if response, body := s.post(plainHeader(), strings.NewReader(large("collectGarbage"))); response.StatusCode != 200 {
				t.Errorf("status %d: %s", response.StatusCode, firstLines(body))
			}
		})
		<-begun
	}
	for _, test := range []struct {
		message string
		status  int
	}{
		{large("lock"), 503},
		{envelope(`<lock ` + namespace + `><profile>small</profile></lock>`), 200},
	} {
		if response, body := s.post(plainHeader(), strings.NewReader(test.message)); response.StatusCode != test.status ||
			strings.Contains(body, "busy with other large messages") != (test.status == 503) {
			t.Errorf("status %d: %s", response.StatusCode, firstLines(body))
		}
	}
	close(end)
	group.Wait()
	if response, body := s.post(plainHeader(), strings.NewReader(large("lock"))); response.StatusCode != 200 {
		t.Errorf("afterwards: status %d: %s", response.StatusCode, firstLines(body))
	}
}

func firstLines(text string) string { return text[:min(len(text), 300)] }
