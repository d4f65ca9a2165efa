package soapservice_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	dbusclient "github.com/disnix-go/disnix/client-dbus"
	"github.com/disnix-go/disnix/dysnomia"
	"github.com/disnix-go/disnix/service"
	"github.com/disnix-go/disnix/service/dbusservice"
	"github.com/disnix-go/disnix/service/servicetest"
	"github.com/disnix-go/disnix/service/soapservice"
	"github.com/disnix-go/disnix/service/soapwire"
	"github.com/disnix-go/disnix/service/webserver"
	"github.com/disnix-go/disnix/test/dbustest"
	"github.com/disnix-go/disnix/test/nixtest"
)

// serveOnBus runs disnix-service for a target, and returns a function that
// stops it at once.
func serveOnBus(t testing.TB, newService func(io.Writer) service.Service) (stop func()) {
	t.Helper()
	server, err := dbusservice.Listen(dbusservice.Config{
		LogDir: filepath.Join(t.TempDir(), "log"), Log: io.Discard, NewService: newService,
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- server.Serve(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		<-served
	})
	t.Cleanup(stop)
	return stop
}

// serveBus serves what disnix-service offers on the bus.
func serveBus(t testing.TB) *server {
	t.Helper()
	bus := new(dbusclient.Connection)
	t.Cleanup(func() { _ = bus.Close() })
	return serveEach(t, func(ctx context.Context, _ io.Writer) (service.Service, error) { return bus.Service(ctx) },
		func(_ *soapservice.Config, c *webserver.Config) { c.Health = bus.Ping })
}

// TestThroughDBus does with disnix-service what TestClosures and the snapshot
// tests do without.
func TestThroughDBus(t *testing.T) {
	root := nixtest.Store(t)
	dbustest.SystemBus(t)
	t.Cleanup(func() { wantEmpty(t, filepath.Join(root, "tmp")) })
	serveOnBus(t, localService(t))
	s := serveBus(t)
	path, closure := store(t, root, "file", strings.Repeat("content ", 1000))
	s.must(&soapwire.CollectGarbage{}, new(soapwire.CollectGarbageResponse))
	s.must(&soapwire.ImportLocalFile{DataHandler: content(string(closure))}, new(soapwire.ImportLocalFileResponse))
	var remote soapwire.ExportRemoteFileResponse
	reply := s.must(&soapwire.ExportRemoteFile{Derivation: texts(path)}, &remote)
	if got := read(t, remote.Return_); got != string(closure) {
		t.Errorf("downloaded %d bytes instead of %d", len(got), len(closure))
	}
	_ = reply.Close()
	paths, files := snapshotTree()
	contents := make([]*soapwire.Content, len(files))
	for i, text := range files {
		contents[i] = content(text)
	}
	s.must(&soapwire.ImportLocalSnapshots{Container: new("box"), Component: new("a"), Snapshot: new("/s/id"),
		DataHandlers: contents, Paths: texts(paths...)}, new(soapwire.ImportLocalSnapshotsResponse))
	var exported soapwire.ExportRemoteSnapshotsResponse
	there := filepath.Join(root, "dysnomia/snapshots/box/a/id")
	reply = s.must(&soapwire.ExportRemoteSnapshots{Derivation: &there}, &exported)
	if len(exported.Return_) != len(files) {
		t.Errorf("%d files", len(exported.Return_))
	}
	_ = reply.Close()
	var config soapwire.CaptureConfigResponse
	s.must(&soapwire.CaptureConfig{}, &config)
	contains(t, *config.Return_, "containers")
	_, err := s.ask(t.Context(), &soapwire.Activate{Derivation: &path, Type_: new("no-such-module"), Arguments: texts("password=hunter2")}, new(soapwire.ActivateResponse), nil)
	var fault *soapwire.Fault
	if !errors.As(err, &fault) || !strings.HasPrefix(fault.Text, "activate: "+path+" of type: no-such-module in container: no-such-module with arguments: password=*** \n") ||
		!strings.HasSuffix(fault.Text, "\n") || *fault.Detail.DisnixWebServiceException.Message != fault.Text {
		t.Errorf("error %#v", err)
	}
}

// localService returns this machine, as the environment describes it.
func localService(t testing.TB) func(io.Writer) service.Service {
	t.Helper()
	host, err := dysnomia.NewHost(os.Environ(), nil)
	if err != nil {
		t.Fatal(err)
	}
	return func(log io.Writer) service.Service {
		return service.NewLocal(host, service.LocalConfig{Log: log, Purpose: "disnix-service"})
	}
}

func TestRoughEdge_soap7(t *testing.T) {
	waiting := func() (*servicetest.Fake, chan struct{}) {
		begun := make(chan struct{}, 1)
		return &servicetest.Fake{Hook: func(ctx context.Context, call servicetest.Call) error {
			switch call.Operation {
			case "activate":
				begun <- struct{}{}
				<-ctx.Done()
				return ctx.Err()
			case "export", "capture-config":
				return errors.New("the child has failed")
			}
			return nil
		}}, begun
	}
	t.Run("soap 7: a failing export is a fault", func(t *testing.T) {
		dbustest.SystemBus(t)
		fake, _ := waiting()
		serveOnBus(t, func(io.Writer) service.Service { return fake })
		s := serveBus(t)
		for _, request := range []struct{ request, response any }{
			{&soapwire.Export{Derivation: texts("/p")}, new(soapwire.ExportResponse)},
			{&soapwire.ExportRemoteFile{Derivation: texts("/p")}, new(soapwire.ExportRemoteFileResponse)},
			{&soapwire.CaptureConfig{}, new(soapwire.CaptureConfigResponse)},
		} {
			_, err := s.ask(t.Context(), request.request, request.response, nil)
			if err == nil || !strings.Contains(err.Error(), "the child has failed") {
				t.Errorf("%T: %v", request.request, err)
			}
		}
	})
	t.Run("soap 7: a service that vanishes is a fault, and its successor is used", func(t *testing.T) {
		dbustest.SystemBus(t)
		fake, begun := waiting()
		stop := serveOnBus(t, func(io.Writer) service.Service { return fake })
		s := serveBus(t)
		failed := make(chan error, 1)
		go func() {
			_, err := s.ask(t.Context(), &soapwire.Activate{Type_: new("t")}, new(soapwire.ActivateResponse), nil)
			failed <- err
		}()
		<-begun
		stop()
		var fault *soapwire.Fault
		if err := <-failed; !errors.As(err, &fault) {
			t.Errorf("in the middle of a job: %v", err)
		}
		_, err := s.ask(t.Context(), &soapwire.Lock{Profile: new("p")}, new(soapwire.LockResponse), nil)
		if err == nil || !strings.Contains(err.Error(), "disnix-service is not running") {
			t.Errorf("without the service: %v", err)
		}
		eventually(t, "it is known that the service is missing", func() bool { return s.health() == http.StatusServiceUnavailable })
		serveOnBus(t, func(io.Writer) service.Service { return fake })
		s.must(&soapwire.Lock{Profile: new("p")}, new(soapwire.LockResponse))
		eventually(t, "it is known that the service is back", func() bool { return s.health() == http.StatusOK })
	})
}

// TestAnotherBus ends the bus and starts another one, twice.
func TestAnotherBus(t *testing.T) {
	s := serveBus(t)
	for i := range 3 {
		t.Run(fmt.Sprint("bus ", i), func(t *testing.T) {
			dbustest.SystemBus(t)
			serveOnBus(t, func(io.Writer) service.Service { return new(servicetest.Fake) })
			if _, err := s.ask(t.Context(), &soapwire.Lock{Profile: new("p")}, new(soapwire.LockResponse), nil); err != nil {
				t.Error(err)
			}
		})
		// The loss may be noticed in the middle of a request.
		eventually(t, "the loss is noticed", func() bool { return s.health() == http.StatusServiceUnavailable })
	}
}

func (s *server) health() int {
	s.Helper()
	response, err := s.client.Get(strings.TrimSuffix(s.url, soapwire.ServicePath) + webserver.HealthPath)
	if err != nil {
		s.Fatal(err)
	}
	defer response.Body.Close()
	return response.StatusCode
}

// TestRoughEdge_soap8 lets others use disnix-service at the same time.
func TestRoughEdge_soap8(t *testing.T) {
	t.Run("soap 8: signals about the jobs of others do not disturb", func(t *testing.T) {
		dbustest.SystemBus(t)
		serveOnBus(t, func(io.Writer) service.Service { return new(servicetest.Fake) })
		s := serveBus(t)
		other, err := dbusclient.Connect(t.Context(), dbusclient.Config{})
		if err != nil {
			t.Fatal(err)
		}
		defer other.Close()
		for i := range 20 {
			if _, err := other.PrintInvalid(t.Context(), []string{fmt.Sprint("/other", i)}); err != nil {
				t.Fatal(err)
			}
			var response soapwire.PrintInvalidResponse
			s.must(&soapwire.PrintInvalid{Derivation: texts(fmt.Sprint("/ours", i))}, &response)
			if got := words(response.Return_); len(got) != 1 || got[0] != fmt.Sprint("/ours", i) {
				t.Errorf("%d: %q", i, got)
			}
		}
	})
}
