package soapservice_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/disnix-go/disnix/dysnomia"
	"github.com/disnix-go/disnix/service"
	"github.com/disnix-go/disnix/service/soapservice"
	"github.com/disnix-go/disnix/service/soapwire"
	"github.com/disnix-go/disnix/service/webserver"
)

// server is a running service.
type server struct {
	testing.TB
	url string
	log *lockedBuffer
	// user and password are what requests are sent with, if not empty.
	user, password string
	client         *http.Client
	version        soapwire.Version // of the requests
}

type lockedBuffer struct {
	mu sync.Mutex
	bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.Buffer.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.Buffer.String()
}

// serve serves a target until the end of the test.
func serve(t testing.TB, target service.Service, configure ...func(*soapservice.Config, *webserver.Config)) *server {
	t.Helper()
	return serveEach(t, func(context.Context, io.Writer) (service.Service, error) { return target, nil }, configure...)
}

// serveLocal serves this machine, as the environment describes it.
func serveLocal(t testing.TB, configure ...func(*soapservice.Config, *webserver.Config)) *server {
	t.Helper()
	host, err := dysnomia.NewHost(os.Environ(), nil)
	if err != nil {
		t.Fatal(err)
	}
	return serveEach(t, func(_ context.Context, log io.Writer) (service.Service, error) {
		return service.NewLocal(host, service.LocalConfig{Log: log, Purpose: "disnix-webservice"}), nil
	}, configure...)
}

func serveEach(t testing.TB, connect func(context.Context, io.Writer) (service.Service, error), configure ...func(*soapservice.Config, *webserver.Config)) *server {
	t.Helper()
	s := &server{TB: t, log: new(lockedBuffer), client: &http.Client{Transport: &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: 256}}}
	soap := soapservice.Config{Service: connect}
	web := webserver.Config{
		Addresses: []string{"127.0.0.1:0"}, Realm: "DisnixWebService", Grace: time.Minute,
		Log: slog.New(slog.NewTextHandler(s.log, nil)),
	}
	for _, c := range configure {
		c(&soap, &web)
	}
	handler := soapservice.New(soap)
	web.Handler = handler
	running, err := webserver.Listen(web)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- running.Serve(ctx) }()
	t.Cleanup(func() {
		s.client.CloseIdleConnections()
		cancel()
		if err := <-served; err != nil {
			t.Errorf("serve: %v", err)
		}
		if err := handler.Close(); err != nil {
			t.Error(err)
		}
		if t.Failed() {
			t.Logf("log of the service:\n%s", s.log)
		}
	})
	s.url = fmt.Sprintf("http://%s%s", running.Addresses()[0], soapwire.ServicePath)
	return s
}

// post sends a message and returns the response, whose body was read.
func (s *server) post(header http.Header, body io.Reader) (*http.Response, string) {
	s.Helper()
	request, err := http.NewRequestWithContext(s.Context(), http.MethodPost, s.url, body)
	if err != nil {
		s.Fatal(err)
	}
	request.Header = header
	if s.user != "" {
		request.SetBasicAuth(s.user, s.password)
	}
	response, err := s.client.Do(request)
	if err != nil {
		s.Fatal(err)
	}
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	if err != nil {
		s.Fatal(err)
	}
	return response, string(content)
}

// ask sends a request as the original client does and reads the response, or
// the fault, which it returns.
func (s *server) ask(ctx context.Context, request, response any, header http.Header) (*soapwire.Reply, error) {
	encoder := soapwire.NewEncoder(s.version, true)
	body, writer := io.Pipe()
	go func() { writer.CloseWithError(encoder.Request(writer, request, true)) }()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url, body)
	if err != nil {
		return nil, err
	}
	if header != nil {
		r.Header = header
	}
	if s.user != "" {
		r.SetBasicAuth(s.user, s.password)
	}
	r.Header.Set("Content-Type", encoder.ContentType(""))
	r.Header.Set("SOAPAction", `""`)
	answer, err := s.client.Do(r)
	if err != nil {
		return nil, err
	}
	return soapwire.ReadReply(answer.Header, answer.Body, response, soapwire.DefaultXMLLimit)
}

// must asks for what has to succeed.
func (s *server) must(request, response any) *soapwire.Reply {
	s.Helper()
	reply, err := s.ask(s.Context(), request, response, nil)
	if err != nil {
		s.Fatalf("%s: %v", soapwire.OperationOf(request), err)
	}
	return reply
}

func texts(values ...string) []*string {
	list := make([]*string, len(values))
	for i := range values {
		list[i] = &values[i]
	}
	return list
}

func words(values []*string) []string {
	list := make([]string, len(values))
	for i, value := range values {
		list[i] = *value
	}
	return list
}

func content(text string) *soapwire.Content {
	return soapwire.NewContent("", func(w io.Writer) error {
		_, err := io.WriteString(w, text)
		return err
	})
}

func read(t testing.TB, c *soapwire.Content) string {
	t.Helper()
	reader, err := c.Open()
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(reader)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// temporary points TMPDIR to an empty directory, which must be empty at the
// end, when the service has ended.
func temporary(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	t.Cleanup(func() { wantEmpty(t, dir) })
	return dir
}

func wantEmpty(t testing.TB, dir string) {
	t.Helper()
	if left, err := filepath.Glob(filepath.Join(dir, "*")); err != nil || len(left) != 0 {
		t.Errorf("left behind: %q, %v", left, err)
	}
}

// envelope is a plain message with this element in its body.
func envelope(element string) string {
	return `<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body>` + element + `</s:Body></s:Envelope>`
}

const namespace = `xmlns="http://service.disnix.nixos.org"`

func plainHeader() http.Header {
	return http.Header{"Content-Type": {"text/xml; charset=utf-8"}, "Soapaction": {`""`}}
}

// eventually waits until a condition holds.
func eventually(t testing.TB, what string, condition func() bool) {
	t.Helper()
	deadline := time.Now().Add(2 * time.Minute)
	for !condition() {
		if time.Now().After(deadline) {
			t.Fatalf("in vain waited until %s", what)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func contains(t testing.TB, text string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(text, part) {
			t.Errorf("%q is not in %q", part, text)
		}
	}
}
