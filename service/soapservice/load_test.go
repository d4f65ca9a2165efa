package soapservice_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"runtime/metrics"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	dbusclient "github.com/disnix-go/disnix/client-dbus"
	"github.com/disnix-go/disnix/service"
	"github.com/disnix-go/disnix/service/servicetest"
	"github.com/disnix-go/disnix/service/soapwire"
	"github.com/disnix-go/disnix/test/dbustest"
)

// sink takes closures and snapshots of any size, and gives such as large.
type sink struct {
	servicetest.Fake
	size int64 // of the closures that are exported
	got  atomic.Int64
}

func (s *sink) ImportClosure(_ context.Context, closure io.Reader) ([]string, error) {
	n, err := io.Copy(io.Discard, closure)
	s.got.Add(n)
	return nil, err
}

func (s *sink) ExportClosure(_ context.Context, _ []string, closure io.Writer) error {
	return writeLarge(closure, s.size)
}

// piece is what large closures consist of: like programs, it does not repeat
// itself soon.
var piece = func() []byte {
	piece := make([]byte, 64<<10)
	_, _ = rand.NewChaCha8([32]byte{}).Read(piece)
	return piece
}()

// writeLarge writes a closure of this size.
func writeLarge(w io.Writer, size int64) error {
	for size > 0 {
		n, err := w.Write(piece[:min(size, int64(len(piece)))])
		if err != nil {
			return err
		}
		size -= int64(n)
	}
	return nil
}

// peakMemory returns the most memory that this process uses for its heap while
// f runs, in bytes.
func peakMemory(f func()) uint64 {
	sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}, {Name: "/memory/classes/heap/unused:bytes"}}
	var peak uint64
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for {
			metrics.Read(sample)
			peak = max(peak, sample[0].Value.Uint64()+sample[1].Value.Uint64())
			select {
			case <-stop:
				return
			case <-time.After(time.Millisecond):
			}
		}
	}()
	f()
	close(stop)
	<-stopped
	return peak
}

// maxMemory is what closures of any size may need, for both sides together.
const maxMemory = 64 << 20

func TestMemoryIsConstant(t *testing.T) {
	temporary(t)
	const size = 96 << 20
	target := &sink{size: size}
	s := serve(t, target)
	for name, transfer := range map[string]func(){
		"upload": func() {
			s.must(&soapwire.ImportLocalFile{DataHandler: soapwire.NewContent("", func(w io.Writer) error { return writeLarge(w, size) })}, new(soapwire.ImportLocalFileResponse))
			if got := target.got.Load(); got != size {
				t.Errorf("%d bytes arrived", got)
			}
		},
		"download": func() {
			var response soapwire.ExportRemoteFileResponse
			reply := s.must(&soapwire.ExportRemoteFile{Derivation: texts("/p")}, &response)
			defer reply.Close()
			reader, err := response.Return_.Open()
			if err != nil {
				t.Fatal(err)
			}
			if n, err := io.Copy(io.Discard, reader); err != nil || n != size {
				t.Errorf("%d bytes arrived, %v", n, err)
			}
		},
		"download in base64": func() {
			header := plainHeader()
			header.Set("Accept", "text/xml")
			request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.url, strings.NewReader(envelope(`<exportRemoteFile `+namespace+`/>`)))
			if err != nil {
				t.Fatal(err)
			}
			request.Header = header
			response, err := s.client.Do(request)
			if err != nil {
				t.Fatal(err)
			}
			defer response.Body.Close()
			if n, err := io.Copy(io.Discard, response.Body); err != nil || n < size*4/3 {
				t.Errorf("%d bytes arrived, %v", n, err)
			}
		},
	} {
		if peak := peakMemory(transfer); peak > maxMemory {
			t.Errorf("%s: %d MiB of memory for %d MiB", name, peak>>20, size>>20)
		}
	}
}

// mixed are small operations of every kind.
func mixed(i int) (request, response any) {
	name := fmt.Sprint(i)
	switch i % 8 {
	case 0:
		return &soapwire.PrintInvalid{Derivation: texts("/a"+name, "/b"+name)}, new(soapwire.PrintInvalidResponse)
	case 1:
		return &soapwire.Activate{Derivation: &name, Type_: new("t"), Arguments: texts("a=" + name)}, new(soapwire.ActivateResponse)
	case 2:
		return &soapwire.QueryInstalled{Profile: &name}, new(soapwire.QueryInstalledResponse)
	case 3:
		return &soapwire.CaptureConfig{}, new(soapwire.CaptureConfigResponse)
	case 4:
		return &soapwire.QueryAllSnapshots{}, new(soapwire.QueryAllSnapshotsResponse)
	case 5:
		return &soapwire.Lock{Profile: &name}, new(soapwire.LockResponse)
	case 6:
		return &soapwire.ImportLocalFile{DataHandler: content(strings.Repeat("\x00", 8))}, new(soapwire.ImportLocalFileResponse)
	default:
		return &soapwire.CleanSnapshots{Keep: int32(i)}, new(soapwire.CleanSnapshotsResponse)
	}
}

// manyClients lets so many clients carry out operations at the same time.
func manyClients(s *server, clients, operations int) error {
	var group sync.WaitGroup
	var mu sync.Mutex
	var failed error
	for c := range clients {
		group.Go(func() {
			for i := c; i < operations; i += clients {
				request, response := mixed(i)
				_, err := s.ask(s.Context(), request, response, nil)
				if err == nil {
					err = checkAnswer(i, response)
				}
				if err != nil {
					mu.Lock()
					failed = errors.Join(failed, fmt.Errorf("operation %d: %w", i, err))
					mu.Unlock()
					return
				}
			}
		})
	}
	group.Wait()
	return failed
}

// checkAnswer checks that an answer is that to this question.
func checkAnswer(i int, response any) error {
	if r, ok := response.(*soapwire.PrintInvalidResponse); ok {
		if got := words(r.Return_); len(got) != 2 || got[0] != fmt.Sprint("/a", i) || got[1] != fmt.Sprint("/b", i) {
			return fmt.Errorf("answered with %q", got)
		}
	}
	return nil
}

func TestManyClients(t *testing.T) {
	temporary(t)
	dbustest.SystemBus(t)
	fake := new(servicetest.Fake)
	serveOnBus(t, func(io.Writer) service.Service { return fake })
	s := serveBus(t)
	peak := peakMemory(func() {
		if err := manyClients(s, 200, 1000); err != nil {
			t.Error(err)
		}
	})
	if peak > 4*maxMemory {
		t.Errorf("%d MiB of memory", peak>>20)
	}
}

// BenchmarkManyClients has 200 clients at once and 10,000 mixed operations.
func BenchmarkManyClients(b *testing.B) {
	dbustest.SystemBus(b)
	fake := new(servicetest.Fake)
	serveOnBus(b, func(io.Writer) service.Service { return fake })
	s := serveBus(b)
	var peak uint64
	for b.Loop() {
		peak = max(peak, peakMemory(func() {
			if err := manyClients(s, 200, 10_000); err != nil {
				b.Error(err)
			}
		}))
	}
	b.ReportMetric(float64(peak>>20), "MiB")
}

// BenchmarkSmallOperation compares an operation through SOAP, on a connection
// that is kept, with the same through D-Bus alone.
func BenchmarkSmallOperation(b *testing.B) {
	dbustest.SystemBus(b)
	fake := new(servicetest.Fake)
	serveOnBus(b, func(io.Writer) service.Service { return fake })
	b.Run("D-Bus", func(b *testing.B) {
		client, err := dbusclient.Connect(b.Context(), dbusclient.Config{})
		if err != nil {
			b.Fatal(err)
		}
		defer client.Close()
		for b.Loop() {
			if _, err := client.PrintInvalid(b.Context(), []string{"/p"}); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("SOAP", func(b *testing.B) {
		s := serveBus(b)
		for b.Loop() {
			s.must(&soapwire.PrintInvalid{Derivation: texts("/p")}, new(soapwire.PrintInvalidResponse))
		}
	})
}

// BenchmarkUpload compares the upload of a closure of 1 GB with that of a plain
// body, on loopback.
func BenchmarkUpload(b *testing.B) {
	const size = 1 << 30
	b.Run("HTTP", func(b *testing.B) {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			b.Fatal(err)
		}
		plain := &http.Server{Handler: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
		})}
		go func() { _ = plain.Serve(listener) }()
		defer plain.Close()
		b.SetBytes(size)
		for b.Loop() {
			body, w := io.Pipe()
			go func() { w.CloseWithError(writeLarge(w, size)) }()
			response, err := http.Post("http://"+listener.Addr().String(), "application/octet-stream", body)
			if err != nil {
				b.Fatal(err)
			}
			_ = response.Body.Close()
		}
	})
	b.Run("SOAP", func(b *testing.B) {
		target := new(sink)
		s := serve(b, target)
		b.SetBytes(size)
		var peak uint64
		for b.Loop() {
			peak = max(peak, peakMemory(func() {
				s.must(&soapwire.ImportLocalFile{DataHandler: soapwire.NewContent("", func(w io.Writer) error { return writeLarge(w, size) })}, new(soapwire.ImportLocalFileResponse))
			}))
		}
		b.ReportMetric(float64(peak>>20), "MiB")
	})
}
