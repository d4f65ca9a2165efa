package soapclient_test

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	soapclient "github.com/disnix-go/disnix/client-soap"
	"github.com/disnix-go/disnix/dysnomia"
	"github.com/disnix-go/disnix/service"
	"github.com/disnix-go/disnix/service/soapservice"
	"github.com/disnix-go/disnix/service/soapwire"
	"github.com/disnix-go/disnix/service/webserver"
)

// log is a log that several goroutines write.
type log struct {
	mu sync.Mutex
	bytes.Buffer
}

func (l *log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.Buffer.Write(p)
}

func (l *log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.Buffer.String()
}

// connector connects a service to what it serves.
type connector = func(context.Context, io.Writer) (service.Service, error)

// serve serves a target until the end of the test, and returns the URL of the
// service. It leaves no temporary file behind.
func serve(t testing.TB, connect connector, configure ...func(*webserver.Config)) string {
	t.Helper()
	lines := new(log)
	config := webserver.Config{
		Addresses: []string{"127.0.0.1:0"}, Realm: "DisnixWebService", Grace: time.Minute,
		Log: slog.New(slog.NewTextHandler(lines, nil)),
	}
	for _, c := range configure {
		c(&config)
	}
	handler := soapservice.New(soapservice.Config{Service: connect})
	config.Handler = handler
	server, err := webserver.Listen(config)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- server.Serve(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-served; err != nil {
			t.Errorf("serve: %v", err)
		}
		if err := handler.Close(); err != nil {
			t.Error(err)
		}
		if t.Failed() {
			t.Logf("log of the service:\n%s", lines)
		}
	})
	scheme := "http://"
	if config.CertFile != "" {
		scheme = "https://"
	}
	return scheme + server.Addresses()[0].String() + soapwire.ServicePath
}

// to connects to a target that exists already.
func to(target service.Service) connector {
	return func(context.Context, io.Writer) (service.Service, error) { return target, nil }
}

// toThisMachine connects to this machine, as the environment describes it now.
func toThisMachine(t testing.TB) connector {
	t.Helper()
	host, err := dysnomia.NewHost(os.Environ(), nil)
	if err != nil {
		t.Fatal(err)
	}
	return func(_ context.Context, log io.Writer) (service.Service, error) {
		return service.NewLocal(host, service.LocalConfig{Log: log, Purpose: "disnix-webservice"}), nil
	}
}

// dial returns a client of the service with this URL.
func dial(t testing.TB, url string, config ...soapclient.Config) *soapclient.Client {
	t.Helper()
	client, err := soapclient.Dial(url, append(config, soapclient.Config{})[0])
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := client.Close(); err != nil {
			t.Error(err)
		}
	})
	return client
}

// temporary makes TMPDIR an empty directory, which must be empty at the end.
func temporary(t testing.TB) {
	t.Helper()
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	t.Cleanup(func() {
		if left, err := filepath.Glob(filepath.Join(dir, "*")); err != nil || len(left) != 0 {
			t.Errorf("left behind: %q, %v", left, err)
		}
	})
}

// wantError checks that an error says all this.
func wantError(t testing.TB, err error, parts ...string) {
	t.Helper()
	if err == nil {
		t.Error("no error")
		return
	}
	for _, part := range parts {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%q is not in %q", part, err)
		}
	}
}
