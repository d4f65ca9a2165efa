package soapclient_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	soapclient "github.com/disnix-go/disnix/client-soap"
	"github.com/disnix-go/disnix/service"
	"github.com/disnix-go/disnix/service/servicetest"
	"github.com/disnix-go/disnix/test/dnstest"
	"github.com/disnix-go/disnix/test/nixtest"
)

// impatient asks for signs of life all the time.
var impatient = soapclient.Config{Quiet: 5 * time.Millisecond, SignOfLife: 100 * time.Millisecond}

// listen returns the URL of a server that does that with each connection, when
// it has received something.
func listen(t testing.TB, handle func(net.Conn)) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			t.Cleanup(func() { _ = conn.Close() })
			go func() {
				if _, err := conn.Read(make([]byte, 64<<10)); err == nil {
					handle(conn)
				}
			}()
		}
	}()
	return "http://" + listener.Addr().String() + "/service"
}

func TestServersThatAreNotThere(t *testing.T) {
	dnstest.NoHosts(t)
	closed := listen(t, func(net.Conn) {})
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	down := "http://" + listener.Addr().String() + "/service"
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	var once sync.Once
	half := func(c net.Conn) {
		once.Do(func() {
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\nContent-Length: 9\r\n\r\n<")
		})
	}
	for name, test := range map[string]struct {
		url  string
		want []string
	}{
		"nobody listens":       {down, []string{"connection refused", "disnix-webservice"}},
		"no such host":         {"http://no-such-host.invalid/x", []string{"no-such-host.invalid", "look at the host name"}},
		"no answer at all":     {closed, []string{"the target does not answer any more", "is not known"}},
		"the connection ends":  {listen(t, func(c net.Conn) { _ = c.Close() }), []string{"the connection broke", "is not known"}},
		"no HTTP":              {listen(t, func(c net.Conn) { _, _ = io.WriteString(c, "SSH-2.0-OpenSSH_9.2\r\n") }), []string{"malformed HTTP"}},
		"half of the headers":  {listen(t, func(c net.Conn) { _, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-"); _ = c.Close() }), []string{"the connection broke"}},
		"silence after a part": {listen(t, half), []string{"does not answer any more"}},
	} {
		t.Run(name, func(t *testing.T) {
			silent := strings.Contains(test.want[0], "not answer")
			var config soapclient.Config
			if silent {
				config = impatient
			}
			err := dial(t, test.url, config).Lock(t.Context(), "p")
			wantError(t, err, append(test.want, "lock: ")...)
			if errors.Is(err, soapclient.ErrSilent) != silent {
				t.Errorf("%v", err)
			}
		})
	}
}

// TestLongOperationsAreWaitedFor lets an activity last until the service was
// asked for a sign of life several times.
func TestLongOperationsAreWaitedFor(t *testing.T) {
	asked := make(chan struct{}, 100)
	fake := &servicetest.Fake{Hook: func(ctx context.Context, _ servicetest.Call) error {
		for range 3 {
			select {
			case <-asked:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		return nil
	}}
	real := asOriginal(t, serve(t, to(fake)))
	client := dial(t, watching(t, real, func(r *http.Request) {
		if r.Method == http.MethodHead {
			select {
			case asked <- struct{}{}:
			default:
			}
		}
	}), soapclient.Config{Quiet: 5 * time.Millisecond, SignOfLife: time.Minute})
	if err := client.Activate(t.Context(), service.Activity{Component: "/a", Type: "t"}); err != nil {
		t.Error(err)
	}
}

// watching returns the URL of a proxy that shows the requests.
func watching(t testing.TB, url string, watch func(*http.Request)) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		watch(r)
		out, err := http.NewRequestWithContext(r.Context(), r.Method, url+"?"+r.URL.RawQuery, r.Body)
		if err != nil {
			t.Error(err)
			return
		}
		out.Header = r.Header
		response, err := http.DefaultTransport.RoundTrip(out)
		if err != nil {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		defer response.Body.Close()
		for name, values := range response.Header {
			w.Header()[name] = values
		}
		w.WriteHeader(response.StatusCode)
		_, _ = io.Copy(w, response.Body)
	}))
	t.Cleanup(server.Close)
	return server.URL + "/service"
}

// TestConnectionsThatBreakInTheMiddle cuts uploads and downloads.
func TestConnectionsThatBreakInTheMiddle(t *testing.T) {
	root := nixtest.Store(t)
	closure := exported(t, root, strings.Repeat("0123456789abcdef", 1<<20))
	cut := func(after int64) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.CopyN(io.Discard, r.Body, after)
			conn, _, err := http.NewResponseController(w).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			_ = conn.Close()
		})
	}
	t.Run("upload", func(t *testing.T) {
		temporary(t)
		_, err := answering(t, cut(1<<20)).ImportClosure(t.Context(), closure())
		wantError(t, err, "importLocalFile: ask 127.0.0.1:", "the connection broke; whether the operation has been carried out is not known")
	})
	t.Run("download", func(t *testing.T) {
		temporary(t)
		var b bytes.Buffer
		half := multipartAnswer(included, "\r\nContent-ID: <file>\r\n\r\n"+strings.Repeat("x", 1<<20))
		handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", "10000000")
			half.ServeHTTP(w, r)
			panic(http.ErrAbortHandler)
		})
		err := answering(t, handler).ExportClosure(t.Context(), []string{"/a"}, &b)
		wantError(t, err, "exportRemoteFile: receive from 127.0.0.1:", "unexpected EOF")
	})
	t.Run("a closure that cannot be read", func(t *testing.T) {
		temporary(t)
		broken := errors.New("the source has gone")
		client := dial(t, serve(t, toThisMachine(t)))
		_, err := client.ImportClosure(t.Context(), io.MultiReader(io.LimitReader(closure(), 1<<20), failing{broken}))
		if !errors.Is(err, broken) {
			t.Errorf("%v", err)
		}
		_, err = client.ImportClosure(t.Context(), strings.NewReader("this is no closure at all"))
		wantError(t, err, "importLocalFile: ", "not the output of nix-store --export")
	})
	t.Run("a refusal while it is sent", func(t *testing.T) {
		temporary(t)
		refuse := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.CopyN(io.Discard, r.Body, 1<<16)
			w.Header().Set("Content-Type", "text/html")
			w.WriteHeader(http.StatusRequestEntityTooLarge)
			_ = http.NewResponseController(w).Flush()
			_, _ = io.Copy(io.Discard, r.Body)
		})
		_, err := answering(t, refuse).ImportClosure(t.Context(), closure())
		wantError(t, err, "413 Request Entity Too Large", "client_max_body_size")
	})
	t.Run("a refusal before it is sent", func(t *testing.T) {
		var body atomic.Int64
		refuse := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Connection", "close")
			w.WriteHeader(http.StatusUnauthorized) // without reading: no permission to continue
		})
		client := answering(t, refuse)
		client.AwaitPermission(time.Minute)
		_, err := client.ImportClosure(t.Context(), io.TeeReader(closure(), count{&body}))
		wantError(t, err, "401 Unauthorized", "it wants a user name and a password")
		if n := body.Load(); n > 1<<20 {
			t.Errorf("%d bytes were read from the closure all the same", n)
		}
	})
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

type count struct{ *atomic.Int64 }

func (c count) Write(p []byte) (int, error) {
	c.Add(int64(len(p)))
	return len(p), nil
}

// TestCancelledTransfers checks that transfers end when they are cancelled, and
// that nothing is left.
func TestCancelledTransfers(t *testing.T) {
	root := nixtest.Store(t)
	closure := exported(t, root, strings.Repeat("0123456789abcdef", 1<<18))
	temporary(t)
	client := dial(t, serve(t, toThisMachine(t)))
	reason := errors.New("interrupted")
	ctx, cancel := context.WithCancelCause(t.Context())
	upload := readFunc(func(p []byte) (int, error) {
		cancel(reason)
		<-ctx.Done()
		return 0, ctx.Err()
	})
	if _, err := client.ImportClosure(ctx, io.MultiReader(io.LimitReader(closure(), 1<<20), upload)); !errors.Is(err, reason) {
		t.Errorf("upload: %v", err)
	}
	paths, err := client.ImportClosure(t.Context(), closure())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel = context.WithCancelCause(t.Context())
	download := writeFunc(func(p []byte) (int, error) {
		cancel(reason)
		return len(p), nil
	})
	if err := client.ExportClosure(ctx, paths, download); err != nil && !errors.Is(err, reason) {
		t.Errorf("download: %v", err)
	}
}

// TestCancelOfAStalledUpload cancels an upload from which nothing more comes, as
// from the standard input: it ends all the same.
func TestCancelOfAStalledUpload(t *testing.T) {
	root := nixtest.Store(t)
	closure := exported(t, root, strings.Repeat("0123456789abcdef", 1<<18))
	temporary(t)
	for name, wrap := range map[string]func(testing.TB, string) string{
		"this service":           func(_ testing.TB, url string) string { return url },
		"that of the original's": asOriginal,
	} {
		t.Run(name, func(t *testing.T) {
			client := dial(t, wrap(t, serve(t, toThisMachine(t))))
			reason := errors.New("interrupted")
			ctx, cancel := context.WithCancelCause(t.Context())
			stalled, goOn := make(chan struct{}), make(chan struct{})
			defer close(goOn)
			rest := readFunc(func([]byte) (int, error) {
				close(stalled)
				<-goOn
				return 0, io.ErrUnexpectedEOF
			})
			failed := make(chan error, 1)
			go func() {
				_, err := client.ImportClosure(ctx, io.MultiReader(io.LimitReader(closure(), 1<<20), rest))
				failed <- err
			}()
			<-stalled
			cancel(reason)
			select {
			case err := <-failed:
				if !errors.Is(err, reason) {
					t.Errorf("error %v", err)
				}
			case <-time.After(30 * time.Second):
				t.Error("it goes on")
			}
		})
	}
}

type readFunc func([]byte) (int, error)

func (f readFunc) Read(p []byte) (int, error) { return f(p) }

type writeFunc func([]byte) (int, error)

func (f writeFunc) Write(p []byte) (int, error) { return f(p) }

func TestProgressOfUploads(t *testing.T) {
	root := nixtest.Store(t)
	closure := exported(t, root, strings.Repeat("0123456789abcdef", 1<<18))
	lines := new(log)
	client := dial(t, serve(t, toThisMachine(t)), soapclient.Config{Log: lines, Progress: time.Nanosecond})
	if _, err := client.ImportClosure(t.Context(), closure()); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(lines.String(), "closure: 4 MiB sent, ") {
		t.Errorf("%s", lines)
	}
	if err := client.ImportSnapshot(t.Context(), "c", "k", "first", archive(t, map[string]string{"a": strings.Repeat("x", 3<<20)})); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(lines.String(), "snapshot: 3 MiB sent, ") {
		t.Errorf("%s", lines)
	}
}

// TestCompressedTransfers sends everything compressed.
func TestCompressedTransfers(t *testing.T) {
	root := nixtest.Store(t)
	closure := exported(t, root, strings.Repeat("0123456789abcdef", 1<<18))
	t.Setenv("DISNIX_SOAP_CLIENT_COMPRESSION", "gzip")
	var size, plain atomic.Int64
	client := dial(t, watching(t, serve(t, toThisMachine(t)), func(r *http.Request) {
		if r.Method == http.MethodPost && r.Header.Get("Content-Encoding") != "gzip" {
			plain.Add(1)
		}
		r.Body = readCloser{io.TeeReader(r.Body, count{&size}), r.Body}
	}))
	paths, err := client.ImportClosure(t.Context(), closure())
	if err != nil || len(paths) != 1 {
		t.Fatalf("%q, %v", paths, err)
	}
	if size.Load() > 1<<20 || plain.Load() != 0 {
		t.Errorf("%d bytes were sent, %d requests without compression", size.Load(), plain.Load())
	}
	var b bytes.Buffer
	want, _ := io.ReadAll(closure())
	if err := client.ExportClosure(t.Context(), paths, &b); err != nil || !bytes.Equal(b.Bytes(), want) {
		t.Errorf("%d bytes, %v", b.Len(), err)
	}
}

type readCloser struct {
	io.Reader
	io.Closer
}
