package soapclient_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	dbusclient "github.com/disnix-go/disnix/client-dbus"
	"github.com/disnix-go/disnix/service"
	"github.com/disnix-go/disnix/service/dbusservice"
	"github.com/disnix-go/disnix/service/servicetest"
	"github.com/disnix-go/disnix/test/dbustest"
)

// BenchmarkActivation is what an activity costs over a connection that is kept;
// beside that over D-Bus alone it must be below 1 ms.
func BenchmarkActivation(b *testing.B) {
	activity := service.Activity{Component: "/component", Type: "type", Arguments: []string{"a=b", "c=d"}}
	run := func(b *testing.B, target service.Service) {
		for b.Loop() {
			if err := target.Activate(b.Context(), activity); err != nil {
				b.Fatal(err)
			}
		}
	}
	b.Run("SOAP", func(b *testing.B) { run(b, dial(b, serve(b, to(new(servicetest.Fake))))) })
	dbustest.SystemBus(b)
	server, err := dbusservice.Listen(dbusservice.Config{
		LogDir: filepath.Join(b.TempDir(), "log"), Log: io.Discard, Grace: time.Minute,
		NewService: func(io.Writer) service.Service { return new(servicetest.Fake) },
	})
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- server.Serve(ctx) }()
	b.Cleanup(func() {
		cancel()
		if err := <-served; err != nil {
			b.Error(err)
		}
	})
	bus := new(dbusclient.Connection)
	b.Cleanup(func() { _ = bus.Close() })
	b.Run("D-Bus", func(b *testing.B) {
		client, err := bus.Service(b.Context())
		if err != nil {
			b.Fatal(err)
		}
		run(b, client)
	})
	b.Run("SOAP before D-Bus", func(b *testing.B) {
		run(b, dial(b, serve(b, func(ctx context.Context, _ io.Writer) (service.Service, error) { return bus.Service(ctx) })))
	})
}

// largeClosure is a closure of one file of zeros.
func largeClosure(size int64) io.Reader {
	var head, tail bytes.Buffer
	number := func(w *bytes.Buffer, n uint64) { _ = binary.Write(w, binary.LittleEndian, n) }
	word := func(w *bytes.Buffer, s string) {
		number(w, uint64(len(s)))
		w.WriteString(s)
		w.Write(make([]byte, (8-len(s)%8)%8))
	}
	number(&head, 1)
	for _, s := range []string{"nix-archive-1", "(", "type", "regular", "contents"} {
		word(&head, s)
	}
	number(&head, uint64(size))
	word(&tail, ")")
	number(&tail, 0x4558494e)
	word(&tail, "/nix/store/00000000000000000000000000000000-large")
	number(&tail, 0)
	word(&tail, "")
	number(&tail, 0)
	number(&tail, 0)
	return io.MultiReader(&head, io.LimitReader(zeros{}, size), &tail)
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

// sink is a target that takes closures and says that it has them.
type sink struct{ service.Service }

func (sink) ImportClosure(_ context.Context, r io.Reader) ([]string, error) {
	_, err := io.CopyBuffer(io.Discard, struct{ io.Reader }{r}, make([]byte, 64<<10))
	return nil, err
}

func (sink) PrintInvalid(context.Context, []string) ([]string, error) { return nil, nil }

func (sink) Close() error { return nil }

// BenchmarkUpload compares the upload of a closure of 1 GB with that of the
// same bytes by plain HTTP: it must have 80 % of the speed, and the memory of
// both sides together must stay below 64 MB.
func BenchmarkUpload(b *testing.B) {
	const size = 1 << 30
	b.Run("HTTP", func(b *testing.B) {
		server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			_, _ = io.CopyBuffer(io.Discard, struct{ io.Reader }{r.Body}, make([]byte, 64<<10))
		}))
		defer server.Close()
		b.SetBytes(size)
		for b.Loop() {
			response, err := http.Post(server.URL, "application/octet-stream", largeClosure(size))
			if err != nil {
				b.Fatal(err)
			}
			_ = response.Body.Close()
		}
	})
	b.Run("SOAP", func(b *testing.B) {
		b.Setenv("TMPDIR", b.TempDir())
		client := dial(b, serve(b, to(sink{})))
		peak := watchMemory()
		b.SetBytes(size)
		for b.Loop() {
			if _, err := client.ImportClosure(b.Context(), largeClosure(size)); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(peak())/(1<<20), "MB-peak")
		if left, err := os.ReadDir(os.TempDir()); err != nil || len(left) != 0 {
			b.Errorf("left behind: %v, %v", left, err)
		}
	})
}

// watchMemory returns a function that ends watching and returns how much memory
// the process has had from the system at most.
func watchMemory() (peak func() uint64) {
	var most atomic.Uint64
	stop, stopped := make(chan struct{}), make(chan struct{})
	look := func() {
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		most.Store(max(most.Load(), m.Sys-m.HeapReleased))
	}
	go func() {
		defer close(stopped)
		for tick := time.NewTicker(10 * time.Millisecond); ; {
			look()
			select {
			case <-tick.C:
			case <-stop:
				tick.Stop()
				return
			}
		}
	}()
	return func() uint64 {
		close(stop)
		<-stopped
		look()
		return most.Load()
	}
}
