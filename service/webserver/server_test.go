package webserver

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func TestProxies(t *testing.T) {
	trusted := []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("10.0.0.0/8")}
	for name, test := range map[string]struct {
		trusted []netip.Prefix
		change  []func(*http.Request)
		want    string
	}{
		"no proxy":             {trusted, nil, "user= remote=127.0.0.1 base=http://host"},
		"one":                  {trusted, []func(*http.Request){header("X-Forwarded-For", "192.0.2.7"), header("X-Forwarded-Proto", "https"), header("X-Forwarded-Host", "example.org")}, "user= remote=192.0.2.7 base=https://example.org"},
		"two":                  {trusted, []func(*http.Request){header("X-Forwarded-For", "198.51.100.1, 192.0.2.7, 10.1.1.1")}, "user= remote=192.0.2.7 base=http://host"},
		"two headers":          {trusted, []func(*http.Request){header("X-Forwarded-For", "198.51.100.1"), header("X-Forwarded-For", "192.0.2.7")}, "user= remote=192.0.2.7 base=http://host"},
		"IPv6":                 {trusted, []func(*http.Request){header("X-Forwarded-For", "2001:db8::1")}, "user= remote=2001:db8::1 base=http://host"},
		"garbage":              {trusted, []func(*http.Request){header("X-Forwarded-For", "192.0.2.7, x\"y")}, "user= remote=127.0.0.1 base=http://host"},
		"another scheme":       {trusted, []func(*http.Request){header("X-Forwarded-Proto", "javascript")}, "user= remote=127.0.0.1 base=http://host"},
		"who was checked":      {trusted, []func(*http.Request){user("alice", "secret")}, "user=alice remote=127.0.0.1 base=http://host"},
		"nobody is trusted":    {nil, []func(*http.Request){header("X-Forwarded-For", "192.0.2.7"), header("X-Forwarded-Host", "example.org"), user("alice", "x")}, "user= remote=127.0.0.1 base=http://host"},
		"another one is":       {[]netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}, []func(*http.Request){header("X-Forwarded-For", "192.0.2.7")}, "user= remote=127.0.0.1 base=http://host"},
		"all of them are ours": {trusted, []func(*http.Request){header("X-Forwarded-For", "10.0.0.1, 10.0.0.2")}, "user= remote=10.0.0.1 base=http://host"},
	} {
		t.Run(name, func(t *testing.T) {
			r := run(t, Config{TrustedProxies: test.trusted})
			_, body := get(t, http.DefaultClient, r.url, append(test.change, func(r *http.Request) { r.Host = "host" })...)
			if strings.TrimSpace(body) != test.want {
				t.Errorf("got  %swant %s", body, test.want)
			}
		})
	}
}

func TestRequestIDs(t *testing.T) {
	r := run(t, Config{})
	for given, want := range map[string]string{"chosen-1._A": "chosen-1._A", "": "", "with space": "", "line\tx": "", strings.Repeat("x", 65): ""} {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, r.url, nil)
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set(RequestIDHeader, given)
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		_ = response.Body.Close()
		got := response.Header.Get(RequestIDHeader)
		if want != "" && got != want || want == "" && (got == given || len(got) != 16) {
			t.Errorf("%q became %q", given, got)
		}
		eventually(t, "it is in the log", func() bool { return strings.Contains(r.log.String(), "id="+got+" ") })
	}
}

// waiting is a handler whose requests wait until they are let go.
type waiting struct {
	arrived chan struct{}
	let     chan struct{}
	most    atomic.Int32
	now     atomic.Int32
}

func newWaiting() *waiting {
	return &waiting{arrived: make(chan struct{}, 100), let: make(chan struct{})}
}

func (h *waiting) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	now := h.now.Add(1)
	for most := h.most.Load(); now > most && !h.most.CompareAndSwap(most, now); most = h.most.Load() {
	}
	h.arrived <- struct{}{}
	select {
	case <-h.let:
		_, _ = io.WriteString(w, "done\n")
	case <-r.Context().Done():
		http.Error(w, context.Cause(r.Context()).Error(), http.StatusInternalServerError)
	}
	h.now.Add(-1)
}

func TestRequestsAtOnce(t *testing.T) {
	h := newWaiting()
	r := run(t, Config{
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/urgent" {
				h.ServeHTTP(w, r)
			}
		}),
		Urgent: func(r *http.Request) bool { return r.URL.Path == "/urgent" },
		Limits: Limits{Requests: 2, QueueTime: 50 * time.Millisecond},
	})
	var group sync.WaitGroup
	for range 2 {
		group.Go(func() {
			if status, body := get(t, http.DefaultClient, r.url); status != 200 {
				t.Errorf("%d: %s", status, body)
			}
		})
		<-h.arrived
	}
	status, body := get(t, http.DefaultClient, r.url)
	if status != http.StatusServiceUnavailable || !strings.Contains(body, "busy") {
		t.Errorf("%d: %s", status, body)
	}
	for _, path := range []string{HealthPath, "/urgent"} {
		if status, _ := get(t, http.DefaultClient, r.url+path); status != 200 {
			t.Errorf("%s: %d", path, status)
		}
	}
	close(h.let)
	group.Wait()
	if status, _ := get(t, http.DefaultClient, r.url); status != 200 || h.most.Load() != 2 {
		t.Errorf("afterwards: %d; at once: %d", status, h.most.Load())
	}
}

func TestConnectionsAtOnce(t *testing.T) {
	r := run(t, Config{Limits: Limits{Connections: 1}})
	address := r.Addresses()[0].String()
	first, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer first.Close()
	fmt.Fprintf(first, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	if _, err := bufio.NewReader(first).ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	second, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer second.Close()
	fmt.Fprintf(second, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	_ = second.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
	if line, err := bufio.NewReader(second).ReadString('\n'); err == nil {
		t.Errorf("the second was served beside the first: %s", line)
	}
	_ = first.Close()
	_ = second.SetReadDeadline(time.Now().Add(2 * time.Minute))
	if line, err := bufio.NewReader(second).ReadString('\n'); err != nil || !strings.Contains(line, "200") {
		t.Errorf("the second after the first: %q, %v", line, err)
	}
}

func TestLargeHeaders(t *testing.T) {
	r := run(t, Config{Limits: Limits{HeaderSize: 4 << 10}})
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, r.url, nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("X-Large", strings.Repeat("x", 16<<10))
	response, err := http.DefaultClient.Do(request)
	if err == nil { // otherwise the connection was closed before it was all sent
		_ = response.Body.Close()
		if response.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
			t.Errorf("status %d", response.StatusCode)
		}
	}
	if r.log.String() != "" {
		t.Errorf("it was served: %s", r.log)
	}
}

// TestSlowReader checks that a client that takes nothing is cut off.
func TestSlowReader(t *testing.T) {
	failed := make(chan error, 1)
	r := run(t, Config{
		Limits: Limits{StallTime: 50 * time.Millisecond},
		Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			for {
				if _, err := w.Write(make([]byte, 1<<20)); err != nil {
					failed <- err
					return
				}
			}
		}),
	})
	conn, err := net.Dial("tcp", r.Addresses()[0].String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprintf(conn, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	if err := <-failed; err == nil {
		t.Error("no error")
	}
}

// TestTrickle checks that a client cannot keep a request open by sending a byte
// now and then.
func TestTrickle(t *testing.T) {
	failed := make(chan error, 1)
	r := run(t, Config{
		Limits: Limits{StallTime: 200 * time.Millisecond, MinRate: 1 << 20},
		Handler: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			_, err := io.Copy(io.Discard, r.Body)
			failed <- err
		}),
	})
	conn, err := net.Dial("tcp", r.Addresses()[0].String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprintf(conn, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n")
	tick := time.NewTicker(20 * time.Millisecond) // much more often than it may stall
	defer tick.Stop()
	for {
		select {
		case err := <-failed:
			if !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("error %v", err)
			}
			return
		case <-tick.C:
			_, _ = conn.Write([]byte("x"))
		}
	}
}

// TestUploadThatIsRefused checks that a client that asks before it sends is not
// told to.
func TestUploadThatIsRefused(t *testing.T) {
	r := run(t, Config{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "no", http.StatusForbidden)
	})})
	conn, err := net.Dial("tcp", r.Addresses()[0].String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprintf(conn, "POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 1000000\r\n\r\n")
	if line, err := bufio.NewReader(conn).ReadString('\n'); err != nil || !strings.Contains(line, "403") {
		t.Errorf("%q, %v", line, err)
	}
}

// TestLongOperation takes longer than a client may stall, before it answers.
func TestLongOperation(t *testing.T) {
	t.Parallel()
	stall := time.Second
	r := run(t, Config{
		Limits: Limits{StallTime: stall},
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			select {
			case <-time.After(stall * 3 / 2): // nothing else tells that time has passed
				_, _ = io.WriteString(w, "done\n")
			case <-r.Context().Done():
				http.Error(w, context.Cause(r.Context()).Error(), http.StatusInternalServerError)
			}
		}),
	})
	for range 2 { // the second time on the same connection
		response, err := http.Post(r.url, "text/plain", strings.NewReader("body"))
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(response.Body)
		_ = response.Body.Close()
		if string(body) != "done\n" {
			t.Errorf("%d: %s", response.StatusCode, body)
		}
	}
}

func TestShutdown(t *testing.T) {
	for name, test := range map[string]struct {
		grace  time.Duration
		status int
	}{
		"running requests end":           {time.Minute, 200},
		"but do not hold it up for ever": {50 * time.Millisecond, 500},
	} {
		t.Run(name, func(t *testing.T) {
			h := newWaiting()
			r := run(t, Config{Handler: h, Grace: test.grace})
			status := make(chan int, 1)
			go func() {
				code, _ := get(t, http.DefaultClient, r.url)
				status <- code
			}()
			<-h.arrived
			r.stop()
			eventually(t, "new requests are refused", func() bool {
				conn, err := net.Dial("tcp", r.Addresses()[0].String())
				if err == nil {
					_ = conn.Close()
				}
				return err != nil
			})
			if test.status == 200 {
				close(h.let)
			}
			if got := <-status; got != test.status {
				t.Errorf("status %d", got)
			}
			if err := <-r.served; err != nil {
				t.Error(err)
			}
		})
	}
}

func TestHealth(t *testing.T) {
	var broken atomic.Bool
	r := run(t, Config{Health: func(context.Context) error {
		if broken.Load() {
			return errors.New("disnix-service is not running")
		}
		return nil
	}})
	if status, body := get(t, http.DefaultClient, r.url+HealthPath); status != 200 || body != "ok\n" {
		t.Errorf("%d: %s", status, body)
	}
	broken.Store(true)
	eventually(t, "it is told that something is broken", func() bool {
		status, body := get(t, http.DefaultClient, r.url+HealthPath)
		return status == 503 && strings.Contains(body, "not running")
	})
	if r.log.String() != "" {
		t.Errorf("health checks are in the log: %s", r.log)
	}
}

// TestHealthIsFoundOutRarely asks often, which everybody may.
func TestHealthIsFoundOutRarely(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		found := 0
		h := health{find: func(context.Context) error {
			found++
			return fmt.Errorf("reason %d", found)
		}}
		for i := range 10 {
			if err := h.get(t.Context()); err == nil || err.Error() != fmt.Sprintf("reason %d", i/5+1) {
				t.Errorf("%d: %v", i, err)
			}
			time.Sleep(checkInterval / 5)
		}
	})
}

func TestAddressInUse(t *testing.T) {
	r := run(t, Config{})
	_, err := Listen(Config{Addresses: []string{"127.0.0.1:0", r.Addresses()[0].String()}, Log: r.config.Log})
	if err == nil || !strings.Contains(err.Error(), "address already in use") {
		t.Errorf("error %v", err)
	}
}
