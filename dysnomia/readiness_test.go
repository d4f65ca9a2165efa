package dysnomia

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/disnix-go/disnix/test/porttest"
)

// activation activates a component with what it has to wait for.
type activation struct {
	host      *Host
	component string
	seen      *Request // by the plugin
}

func newActivation(t *testing.T) *activation {
	t.Helper()
	dir := t.TempDir()
	a := &activation{component: filepath.Join(dir, "thing")}
	if err := os.Mkdir(a.component, 0o755); err != nil {
		t.Fatal(err)
	}
	host, err := NewHost(append(os.Environ(), "DYSNOMIA_STATEDIR="+filepath.Join(dir, "state")), map[string]Plugin{"marking": marking{a}})
	if err != nil {
		t.Fatal(err)
	}
	a.host = host
	return a
}

// marking is a plugin that only marks components.
type marking struct{ *activation }

func (m marking) Activate(_ context.Context, r *Request) error {
	m.seen = r
	return r.State.MarkActive(r.Container, r.ComponentName, r.Component)
}

func (m marking) Deactivate(context.Context, *Request) error { return nil }

func (a *activation) run(ctx context.Context, readiness string) error {
	return a.host.Run(ctx, Invocation{Operation: Activate, Component: a.component, Type: "marking", Environment: true,
		Arguments: []string{"greeting=hello", ReadinessProperty + "=" + readiness}})
}

// closedPort returns a port on which nothing listens.
func closedPort(t *testing.T) string { return strconv.Itoa(porttest.Port(t)) }

// readinessServer is a web server with pages that are ready and that are not.
func readinessServer(t *testing.T) *url.URL {
	t.Helper()
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/ready":
		case "/moved":
			http.Redirect(w, r, "/broken", http.StatusFound)
		default:
			http.Error(w, "no", http.StatusServiceUnavailable)
		}
	}))
	t.Cleanup(web.Close)
	address, err := url.Parse(web.URL)
	if err != nil {
		t.Fatal(err)
	}
	return address
}

func TestReadiness(t *testing.T) {
	address, closed := readinessServer(t), closedPort(t)
	for name, test := range map[string]struct{ readiness, want string }{
		"a port that is open":              {`{"tcp":"` + address.Port() + `"}`, ""},
		"a host and port that is open":     {`{"tcp":"` + address.Host + `"}`, ""},
		"a port that is closed":            {`{"tcp":"` + closed + `","timeout":1}`, "wait for a connection to localhost:" + closed + ": it did not happen within 1s"},
		"a page":                           {`{"http":"` + address.String() + `/ready"}`, ""},
		"a page that leads elsewhere":      {`{"http":"` + address.String() + `/moved"}`, ""},
		"a port and a path":                {`{"http":"` + address.Port() + `/ready"}`, ""},
		"a program that succeeds":          {`{"exec":["test","-n","x y"]}`, ""},
		"a program that uses a property":   {`{"exec":["sh","-c","test \"$greeting\" = hello"]}`, ""},
		"a program that hangs":             {`{"exec":["sleep","1000"],"timeout":1}`, "wait for the success of sleep: it did not happen within 1s"},
		"all of it":                        {`{"tcp":"` + address.Port() + `","http":"` + address.String() + `/ready","exec":["true"],"timeout":300}`, ""},
		"what is no JSON":                  {`soon`, "read what the activation has to wait for"},
		"what an older host does not know": {`{"udp":"53"}`, "udp"},
		"an encoded property":              {base64.RawURLEncoding.EncodeToString([]byte(`{"tcp":"` + address.Port() + `"}`)), ""},
		"an encoded property that is not":  {"e30=", "neither JSON nor JSON in base64"},
		"nothing":                          {`{"timeout":3}`, "nothing to wait for"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := newActivation(t)
			err := a.run(t.Context(), test.readiness)
			if test.want == "" {
				if err != nil {
					t.Fatal(err)
				}
			} else if err == nil || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "secret") {
				t.Fatalf("error: %v, want %q in it", err, test.want)
			}
			if strings.HasPrefix(test.want, "wait for") {
				var failed *ModuleError
				if !errors.As(err, &failed) || !strings.Contains(err.Error(), "active, but not ready") {
					t.Errorf("error: %v", err)
				}
			}
			if a.seen == nil {
				return
			}
			if _, ok := a.seen.Properties[ReadinessProperty]; ok || strings.Contains(strings.Join(a.seen.Environment, "\n"), ReadinessProperty) {
				t.Error("the plugin sees what the host evaluates")
			}
		})
	}
}

// TestReadinessSaysWhatIsWrong: time is over after the first attempt that has
// failed, however long it has taken.
func TestReadinessSaysWhatIsWrong(t *testing.T) {
	address, closed := readinessServer(t), closedPort(t)
	for name, test := range map[string]struct{ readiness, want string }{
		"a page that is broken":       {`{"http":"` + address.Port() + `/broken"}`, "/broken: it did not happen within 1m0s: the answer is 503"},
		"a server that is not there":  {`{"http":"http://user:secret@127.0.0.1:` + closed + `/"}`, "connection refused"},
		"a program that fails":        {`{"exec":["sh","-c","echo not yet >&2; exit 3"]}`, "exit status 3: not yet"},
		"a program that is killed":    {`{"exec":["sh","-c","kill -9 $$"]}`, "killed by signal 9"},
		"a program that is not there": {`{"exec":["no-such-program-at-all"]}`, "no-such-program-at-all"},
		"all but one":                 {`{"tcp":"` + address.Port() + `","http":"` + address.String() + `/ready","exec":["false"]}`, "the success of false"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ready, err := takeReadiness(map[string]string{ReadinessProperty: test.readiness}, nil)
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancelCause(t.Context())
			defer cancel(nil)
			for _, check := range ready.checks(&Request{Environment: os.Environ()}) {
				try := check.try
				check.try = func(ctx context.Context) error {
					err := try(ctx)
					if err != nil {
						cancel(errNotReady)
					}
					return err
				}
				if err = check.await(ctx, time.Minute); err != nil {
					break
				}
			}
			if err == nil || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "secret") {
				t.Errorf("error: %v, want %q in it", err, test.want)
			}
		})
	}
}

func TestReadinessIsAwaited(t *testing.T) {
	t.Parallel()
	var asked atomic.Int32
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if asked.Add(1) < 3 {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	}))
	t.Cleanup(web.Close)
	if err := newActivation(t).run(t.Context(), `{"http":"`+web.URL+`"}`); err != nil || asked.Load() < 3 {
		t.Errorf("asked %d times, error: %v", asked.Load(), err)
	}
}

// TestReadinessWithHalfAnAnswer: a server that takes connections and says
// nothing must not hold the activation for ever.
func TestReadinessWithHalfAnAnswer(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	err = newActivation(t).run(t.Context(), `{"http":"http://`+listener.Addr().String()+`","timeout":1}`)
	if err == nil || !strings.Contains(err.Error(), "did not happen within 1s") {
		t.Errorf("error: %v", err)
	}
}

func TestReadinessIsCancelled(t *testing.T) {
	t.Parallel()
	stop := errors.New("stop")
	for name, readiness := range map[string]string{
		"between two attempts": `{"tcp":"` + closedPort(t) + `"}`,
		"a program":            `{"exec":["sleep","1000"]}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithCancelCause(t.Context())
			a := newActivation(t)
			go func() {
				state := a.host.State()
				for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
					if active, err := state.IsActive("marking", "thing"); err != nil || active {
						break
					}
				}
				cancel(stop)
			}()
			if err := a.run(ctx, readiness); !errors.Is(err, stop) {
				t.Errorf("error: %v", err)
			}
		})
	}
}

// TestReadinessOfAnExternalModule: also when the property comes from the
// environment, as the original's service passes it on.
func TestReadinessOfAnExternalModule(t *testing.T) {
	t.Parallel()
	a := newActivation(t)
	module := filepath.Join(t.TempDir(), "module")
	syscall.ForkLock.RLock() // a child of another test must not have it open when it is executed
	err := os.WriteFile(module, []byte("#!/bin/sh\nenv\n"), 0o755)
	syscall.ForkLock.RUnlock()
	if err != nil {
		t.Fatal(err)
	}
	closed := closedPort(t)
	a.host.Environment = append(a.host.Environment, fmt.Sprintf(`%s={"tcp":%q,"timeout":1}`, ReadinessProperty, closed))
	var out strings.Builder
	inv := Invocation{Operation: Activate, Component: a.component, Type: module, Environment: true, Stdout: &out, Stderr: io.Discard}
	if err := a.host.Run(t.Context(), inv); err == nil || !strings.Contains(err.Error(), closed) {
		t.Errorf("error: %v", err)
	}
	if strings.Contains(out.String(), ReadinessProperty) || !strings.Contains(out.String(), "PATH=") {
		t.Errorf("the module sees: %s", out.String())
	}
	inv.Operation = Deactivate
	if err := a.host.Run(t.Context(), inv); err != nil {
		t.Errorf("deactivation: %v", err)
	}
}

// FuzzReadiness: whatever a coordinator sends, it is refused or has a check.
func FuzzReadiness(f *testing.F) {
	for _, seed := range []string{`{"tcp":"1"}`, `{"exec":[""]}`, `[]`, `{"timeout":-1}`, "\x00"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		ready, err := takeReadiness(map[string]string{ReadinessProperty: text}, nil)
		if err == nil && text != "" && len(ready.checks(&Request{})) == 0 {
			t.Errorf("nothing is checked of %q", text)
		}
	})
}

func BenchmarkReadiness(b *testing.B) {
	web := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer web.Close()
	ready := &readiness{HTTP: web.URL}
	for b.Loop() {
		if err := ready.await(b.Context(), &Request{}); err != nil {
			b.Fatal(err)
		}
	}
}
