package soapclient_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	dbusclient "github.com/disnix-go/disnix/client-dbus"
	"github.com/disnix-go/disnix/dysnomia"
	"github.com/disnix-go/disnix/service"
	"github.com/disnix-go/disnix/service/dbusservice"
	"github.com/disnix-go/disnix/service/servicetest"
	"github.com/disnix-go/disnix/service/soapwire"
	"github.com/disnix-go/disnix/test/dbustest"
	"github.com/disnix-go/disnix/test/nixtest"
)

func TestSOAPConforms(t *testing.T) {
	servicetest.Run(t, servicetest.Config{
		Machine: nixtest.Store,
		Connect: func(t *testing.T) service.Service { return dial(t, serve(t, toThisMachine(t))) },
		NoShell: true,
	})
}

// TestSOAPBeforeDBusConforms has disnix-service on a bus behind the service.
func TestSOAPBeforeDBusConforms(t *testing.T) {
	dbustest.SystemBus(t)
	servicetest.Run(t, servicetest.Config{
		Machine: nixtest.Store,
		Connect: func(t *testing.T) service.Service {
			serveOnBus(t)
			bus := new(dbusclient.Connection)
			t.Cleanup(func() { _ = bus.Close() })
			return dial(t, serve(t, func(ctx context.Context, _ io.Writer) (service.Service, error) { return bus.Service(ctx) }))
		},
		NoShell: true,
	})
}

// serveOnBus runs disnix-service for this machine until the end of the test.
func serveOnBus(t testing.TB) {
	t.Helper()
	host, err := dysnomia.NewHost(os.Environ(), nil)
	if err != nil {
		t.Fatal(err)
	}
	server, err := dbusservice.Listen(dbusservice.Config{
		LogDir: filepath.Join(t.TempDir(), "log"), Log: t.Output(), Grace: time.Minute,
		NewService: func(log io.Writer) service.Service {
			return service.NewLocal(host, service.LocalConfig{Log: log, Purpose: "disnix-service"})
		},
	})
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
	})
}

// TestSnapshotsAsFiles hides from the client what the service can do beyond the
// original: snapshots travel file by file then.
func TestSnapshotsAsFiles(t *testing.T) {
	nixtest.Store(t)
	client := dial(t, asOriginal(t, serve(t, toThisMachine(t))))
	testSnapshotFiles(t, client)
}

// asOriginal returns the URL of a proxy that takes the headers away with which
// the client and the service agree on extensions.
func asOriginal(t testing.TB, service string) string {
	t.Helper()
	u, err := url.Parse(service)
	if err != nil {
		t.Fatal(err)
	}
	extensions := []string{soapwire.FeaturesHeader, soapwire.ClaimHeader, soapwire.RefusalHeader, soapwire.RequestIDHeader}
	proxy := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(&url.URL{Scheme: u.Scheme, Host: u.Host})
			for _, name := range extensions {
				r.Out.Header.Del(name)
			}
		},
		ModifyResponse: func(r *http.Response) error {
			for _, name := range extensions {
				r.Header.Del(name)
			}
			return nil
		},
	}
	server := httptest.NewServer(proxy)
	t.Cleanup(server.Close)
	return server.URL + u.Path
}

// TestConnectionsAreKept counts the connections of a run.
func TestConnectionsAreKept(t *testing.T) {
	root := nixtest.Store(t)
	fake := new(servicetest.Fake)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	counted := &countingListener{Listener: listener}
	u, err := url.Parse(serve(t, to(fake)))
	if err != nil {
		t.Fatal(err)
	}
	proxy := &httptest.Server{Listener: counted, Config: &http.Server{Handler: httputil.NewSingleHostReverseProxy(&url.URL{Scheme: u.Scheme, Host: u.Host})}}
	proxy.Start()
	t.Cleanup(proxy.Close)
	client := dial(t, proxy.URL+u.Path)
	closure := exported(t, root, "a")
	for range 3 {
		if err := client.Activate(t.Context(), service.Activity{Component: "/a", Type: "t"}); err != nil {
			t.Fatal(err)
		}
		paths, err := client.ImportClosure(t.Context(), closure())
		if err != nil {
			t.Fatal(err)
		}
		if err := client.ExportClosure(t.Context(), paths, io.Discard); err != nil {
			t.Fatal(err)
		}
		if err := client.Unlock(t.Context(), "p"); err == nil { // a fault
			t.Fatal("unlocked what is not locked")
		}
	}
	if n := counted.accepted.Load(); n != 1 {
		t.Errorf("%d connections", n)
	}
}

type countingListener struct {
	net.Listener
	accepted atomic.Int32
}

func (l *countingListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err == nil {
		l.accepted.Add(1)
	}
	return conn, err
}
