package soapservice_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"

	"github.com/disnix-go/disnix/service/servicetest"
	"github.com/disnix-go/disnix/service/soapservice"
	"github.com/disnix-go/disnix/service/soapwire"
	"github.com/disnix-go/disnix/service/webserver"
	"github.com/disnix-go/disnix/test/nixtest"
)

// TestDisconnects cuts connections at every stage of an upload.
func TestDisconnects(t *testing.T) {
	root := nixtest.Store(t)
	tmp := filepath.Join(root, "tmp")
	s := serveLocal(t)
	path, closure := store(t, root, "large", strings.Repeat("x", 1<<20))
	s.must(&soapwire.CollectGarbage{}, new(soapwire.CollectGarbageResponse))
	header, body := multipartMessage(`<importLocalFile `+namespace+`>`+include("arg0", "a")+`</importLocalFile>`, "a", string(closure))
	snapshotHeader, snapshot := multipartMessage(`<importLocalSnapshots `+namespace+`><arg0>c</arg0><arg1>k</arg1><arg2>/s/1</arg2>`+
		include("item3", "b")+include("item3", "a")+`<item4>/s/1/b</item4><item4>/s/1/a</item4></importLocalSnapshots>`, "a", string(closure), "b", "2")
	for i, message := range []string{body, snapshot} {
		for _, sent := range []int{0, 10, 300, 1000, len(message) / 2, len(message) - 100} {
			contentType := []http.Header{header, snapshotHeader}[i].Get("Content-Type")
			conn, err := net.Dial("tcp", strings.TrimPrefix(strings.TrimSuffix(s.url, soapwire.ServicePath), "http://"))
			if err != nil {
				t.Fatal(err)
			}
			fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: x\r\nX-Request-Id: cut-%d-%d\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n%s",
				soapwire.ServicePath, i, sent, contentType, len(message), message[:sent])
			_ = conn.Close()
			eventually(t, "the service has noticed", func() bool { return strings.Contains(s.log.String(), fmt.Sprintf("id=cut-%d-%d", i, sent)) })
			wantEmpty(t, tmp)
		}
	}
	var invalid soapwire.PrintInvalidResponse
	s.must(&soapwire.PrintInvalid{Derivation: texts(path)}, &invalid)
	var snapshots soapwire.QueryAllSnapshotsResponse
	s.must(&soapwire.QueryAllSnapshots{}, &snapshots)
	if len(invalid.Return_) != 1 || len(snapshots.Return_) != 0 {
		t.Errorf("invalid: %q, snapshots: %q", words(invalid.Return_), words(snapshots.Return_))
	}
}

// TestDisconnectCancels checks that nobody works for a client that has gone.
func TestDisconnectCancels(t *testing.T) {
	waiting, cancelled := make(chan struct{}), make(chan error, 1)
	fake := &servicetest.Fake{Hook: func(ctx context.Context, call servicetest.Call) error {
		close(waiting)
		<-ctx.Done()
		cancelled <- ctx.Err()
		return ctx.Err()
	}}
	s := serve(t, fake)
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-waiting
		cancel()
	}()
	if _, err := s.ask(ctx, &soapwire.Activate{Type_: new("t")}, new(soapwire.ActivateResponse), nil); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
	if err := <-cancelled; !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled with %v", err)
	}
}

// TestCancel cancels a request through another one, which waits for its end.
// Other users cannot do that.
func TestCancel(t *testing.T) {
	waiting := make(chan struct{})
	var ended bool
	fake := &servicetest.Fake{Hook: func(ctx context.Context, call servicetest.Call) error {
		close(waiting)
		<-ctx.Done()
		ended = true
		return context.Cause(ctx)
	}}
	s := serve(t, fake, func(_ *soapservice.Config, c *webserver.Config) {
		c.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")} // it has checked the passwords
	})
	s.user = "admin"
	failed := make(chan error, 1)
	go func() {
		header := http.Header{soapwire.RequestIDHeader: {"my-request"}}
		_, err := s.ask(t.Context(), &soapwire.Activate{Type_: new("t")}, new(soapwire.ActivateResponse), header)
		failed <- err
	}()
	<-waiting
	for _, test := range []struct {
		user   string
		status int
	}{{"mallory", http.StatusNotFound}, {"", http.StatusNotFound}, {"admin", http.StatusNoContent}} {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodDelete, s.url, nil)
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set(soapwire.RequestIDHeader, "my-request")
		request.SetBasicAuth(test.user, "")
		response, err := s.client.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		_ = response.Body.Close()
		if response.StatusCode != test.status || test.user == "admin" && !ended {
			t.Errorf("%q: status %d, ended %v", test.user, response.StatusCode, ended)
		}
	}
	if err := <-failed; err == nil || !strings.Contains(err.Error(), "the client has cancelled it") {
		t.Errorf("error %v", err)
	}
}

// TestCancelOfAnUpload cancels an upload of which nothing more comes.
func TestCancelOfAnUpload(t *testing.T) {
	tmp := temporary(t)
	receiving := make(chan struct{})
	s := serve(t, &receiver{receiving: receiving})
	body, writer := io.Pipe()
	header, message := multipartMessage(`<importLocalFile `+namespace+`>`+include("arg0", "a")+`</importLocalFile>`, "a", "x")
	header.Set(soapwire.RequestIDHeader, "my-upload")
	go func() {
		_, _ = io.WriteString(writer, strings.TrimSuffix(message, "x\r\n--B--\r\n")+strings.Repeat("x", 1<<20))
	}()
	defer writer.Close()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.url, body)
		if err != nil {
			t.Error(err)
			return
		}
		request.Header = header
		if response, err := s.client.Do(request); err == nil {
			_ = response.Body.Close()
		}
	}()
	<-receiving
	request, err := http.NewRequestWithContext(t.Context(), http.MethodDelete, s.url, nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set(soapwire.RequestIDHeader, "my-upload")
	response, err := s.client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	_ = writer.CloseWithError(errors.New("cancelled"))
	<-ended
	eventually(t, "it is in the log", func() bool { return strings.Contains(s.log.String(), "operation=importLocalFile") })
	if response.StatusCode != http.StatusNoContent || !strings.Contains(s.log.String(), "the client has cancelled it") || strings.Contains(s.log.String(), "too slowly") {
		t.Errorf("status %d", response.StatusCode)
	}
	wantEmpty(t, tmp)
}

// receiver is a target that receives closures, and says when it has begun.
type receiver struct {
	servicetest.Fake
	receiving chan struct{}
}

func (r *receiver) ImportClosure(_ context.Context, closure io.Reader) ([]string, error) {
	_, err := io.ReadFull(closure, make([]byte, 1<<10))
	close(r.receiving)
	if err == nil {
		_, err = io.Copy(io.Discard, closure)
	}
	return nil, err
}
