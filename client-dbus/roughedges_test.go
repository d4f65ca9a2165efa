package dbusclient_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"

	dbusclient "github.com/disnix-go/disnix/client-dbus"
	"github.com/disnix-go/disnix/service"
	"github.com/disnix-go/disnix/service/dbusservice"
	"github.com/disnix-go/disnix/service/dbuswire"
	"github.com/disnix-go/disnix/service/servicetest"
	"github.com/disnix-go/disnix/test/dbustest"
)

// serveFake serves a fake target, and returns the directory of the logs.
func serveFake(t *testing.T, fake *servicetest.Fake) string {
	t.Helper()
	dbustest.SystemBus(t)
	logDir := filepath.Join(t.TempDir(), "log")
	serve(t, dbusservice.Config{LogDir: logDir, NewService: func(io.Writer) service.Service { return fake }})
	return logDir
}

func failing() *servicetest.Fake {
	return &servicetest.Fake{Hook: func(context.Context, servicetest.Call) error { return errors.New("it is refused") }}
}

func TestRoughEdge_protocol_1(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	serveFake(t, failing())
	client := connect(t)
	t.Run("protocol 1: a failing export answers", func(t *testing.T) {
		wantFailure(t, client.ExportClosure(t.Context(), []string{"/a"}, io.Discard), "export", "Exporting: /a \nit is refused")
	})
	t.Run("protocol 1: a failing capture of the configuration answers", func(t *testing.T) {
		_, err := client.CaptureConfig(t.Context())
		wantFailure(t, err, "capture_config", "it is refused")
	})
	if left, err := os.ReadDir(os.TempDir()); err != nil || len(left) != 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func wantFailure(t *testing.T, err error, method, log string) {
	t.Helper()
	var failure *dbusclient.FailureError
	if !errors.As(err, &failure) || failure.Method != method || strings.TrimSpace(string(failure.Log)) != log {
		t.Errorf("error %v, want the failure of %s with the log %q", err, method, log)
	}
}

func TestRoughEdge_protocol_2(t *testing.T) {
	t.Run("protocol 2: queries without container and component", func(t *testing.T) {
		fake := new(servicetest.Fake)
		fake.AddSnapshots("box/a/1", "chest/b/2")
		serveFake(t, fake)
		snapshots, err := connect(t).QueryAllSnapshots(t.Context(), "", "")
		if err != nil || strings.Join(snapshots, " ") != "box/a/1 chest/b/2" {
			t.Errorf("%q, %v", snapshots, err)
		}
	})
}

// raw is a connection that speaks the protocol by hand, and records what the
// service sends in order.
type raw struct {
	*testing.T
	conn   *dbus.Conn
	object dbus.BusObject
	events chan string
}

func newRaw(t *testing.T) *raw {
	t.Helper()
	r := &raw{T: t, events: make(chan string, 10000)}
	record := func(m *dbus.Message) {
		var id int32
		switch {
		case m.Type == dbus.TypeMethodReply:
			r.events <- fmt.Sprint("reply ", m.Headers[dbus.FieldReplySerial].Value())
		case m.Type == dbus.TypeSignal && len(m.Body) > 0 && dbus.Store(m.Body[:1], &id) == nil:
			r.events <- fmt.Sprint(m.Headers[dbus.FieldMember].Value(), " ", id)
		}
	}
	conn, err := dbus.ConnectSystemBus(dbus.WithIncomingInterceptor(record))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if err := conn.AddMatchSignal(dbus.WithMatchInterface(dbuswire.Interface)); err != nil {
		t.Fatal(err)
	}
	r.conn, r.object = conn, conn.Object(dbuswire.Name, dbuswire.Path)
	r.drain()
	return r
}

func (r *raw) drain() {
	for len(r.events) > 0 {
		<-r.events
	}
}

func (r *raw) newID() int32 {
	r.Helper()
	var id int32
	if err := r.call(dbuswire.GetJobID).Store(&id); err != nil {
		r.Fatal(err)
	}
	return id
}

func (r *raw) call(method string, args ...any) *dbus.Call {
	return r.object.Call(dbuswire.Interface+"."+method, 0, args...)
}

func (r *raw) await(event string) {
	r.Helper()
	for got := range r.events {
		if got == event {
			return
		}
	}
}

func (r *raw) wantRefusal(call *dbus.Call, name string) {
	r.Helper()
	var refusal dbus.Error
	if !errors.As(call.Err, &refusal) || refusal.Name != "org.freedesktop.DBus.Error."+name {
		r.Errorf("%s: error %v, want %s", call.Method, call.Err, name)
	}
}

func TestJobIDs(t *testing.T) {
	fake := new(servicetest.Fake)
	serveFake(t, fake)
	mine, theirs := newRaw(t), newRaw(t)
	id := mine.newID()
	t.Run("protocol 9: an id is bound to the caller", func(t *testing.T) {
		theirs.wantRefusal(theirs.call("lock", id, "p"), "AccessDenied")
		theirs.wantRefusal(theirs.call(dbuswire.Cancel, id), "AccessDenied")
	})
	t.Run("protocol 9: an id cannot be chosen", func(t *testing.T) {
		mine.wantRefusal(mine.call("lock", int32(12345), "p"), "AccessDenied")
		mine.wantRefusal(mine.call("lock", int32(-1), "p"), "AccessDenied")
	})
	t.Run("an id can be used once", func(t *testing.T) {
		if err := mine.call("lock", id, "p").Err; err != nil {
			t.Fatal(err)
		}
		mine.await(fmt.Sprint("finish ", id))
		if err := mine.call("unlock", id, "p").Err; err == nil {
			t.Error("it was used twice")
		}
	})
	t.Run("wrong arguments do not use it up", func(t *testing.T) {
		id := mine.newID()
		for _, args := range [][]any{{id}, {id, int32(1)}, {id, "p", "q"}, {"1", "p"}, {}} {
			if err := mine.call("unlock", args...).Err; err == nil {
				t.Errorf("%v: no error", args)
			}
		}
		if err := mine.call("unlock", id, "p").Err; err != nil {
			t.Fatal(err)
		}
		mine.await(fmt.Sprint("finish ", id))
	})
	if calls := fmt.Sprint(fake.Calls()); calls != "[lock[p] unlock[p]]" {
		t.Errorf("the target was asked %s", calls)
	}
}

func TestRoughEdge_protocol_10(t *testing.T) {
	t.Run("protocol 10: the reply comes before the signal", func(t *testing.T) {
		serveFake(t, new(servicetest.Fake))
		r := newRaw(t)
		for range 200 {
			id := r.newID()
			r.drain()
			if err := r.call("lock", id, fmt.Sprint(id)).Err; err != nil {
				t.Fatal(err)
			}
			if first := <-r.events; !strings.HasPrefix(first, "reply ") {
				t.Fatalf("%q came first", first)
			}
			if second := <-r.events; second != fmt.Sprint("finish ", id) {
				t.Fatalf("%q came second", second)
			}
		}
	})
	t.Run("protocol 10: also if the log file cannot be created", func(t *testing.T) {
		dbustest.SystemBus(t)
		serve(t, dbusservice.Config{
			LogDir:     filepath.Join(t.TempDir(), "missing/log"),
			NewService: func(io.Writer) service.Service { return new(servicetest.Fake) },
		})
		r := newRaw(t)
		for range 500 { // nothing else delays the signal
			id := r.newID()
			r.drain()
			if err := r.call("lock", id, "p").Err; err != nil {
				t.Fatal(err)
			}
			if first, second := <-r.events, <-r.events; !strings.HasPrefix(first, "reply ") || second != fmt.Sprint("failure ", id) {
				t.Fatalf("%q, then %q", first, second)
			}
		}
	})
	t.Run("protocol 10: logs are rotated", func(t *testing.T) {
		dbustest.SystemBus(t)
		logDir := t.TempDir()
		for _, name := range []string{"7", "8", "9", "10", "notes", "08", "99999999999"} {
			if err := os.WriteFile(filepath.Join(logDir, name), nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		serve(t, dbusservice.Config{LogDir: logDir, KeepLogs: 3, NewService: func(io.Writer) service.Service { return new(servicetest.Fake) }})
		if err := connect(t).Lock(t.Context(), "p"); err != nil {
			t.Fatal(err)
		}
		var names []string
		entries, err := os.ReadDir(logDir)
		for _, entry := range entries {
			names = append(names, entry.Name())
		}
		if got := strings.Join(names, " "); err != nil || got != "08 10 11 9 99999999999 notes" {
			t.Errorf("%s, %v", got, err)
		}
	})
	t.Run("protocol 10: a job can be cancelled", func(t *testing.T) {
		began := make(chan struct{})
		serveFake(t, &servicetest.Fake{Hook: func(ctx context.Context, _ servicetest.Call) error {
			close(began)
			<-ctx.Done()
			return ctx.Err()
		}})
		ctx, cancel := context.WithCancel(t.Context())
		go func() {
			<-began
			cancel()
		}()
		if err := connect(t).Lock(ctx, "p"); !errors.Is(err, context.Canceled) {
			t.Errorf("error %v", err)
		}
	})
	t.Run("protocol 10: one caller cannot have any number of jobs", func(t *testing.T) {
		serveFake(t, new(servicetest.Fake))
		r := newRaw(t)
		var refused *dbus.Call
		for range 1001 {
			if refused = r.call(dbuswire.GetJobID); refused.Err != nil {
				break
			}
		}
		r.wantRefusal(refused, "LimitsExceeded")
		if err := connect(t).Lock(t.Context(), "p"); err != nil {
			t.Errorf("another caller: %v", err)
		}
	})
}

func TestRoughEdge_protocol_12(t *testing.T) {
	t.Run("protocol 12: long lists in both directions", func(t *testing.T) {
		serveFake(t, new(servicetest.Fake))
		paths := make([]string, 20000)
		for i := range paths {
			paths[i] = fmt.Sprintf("/nix/store/%032d-package", i)
		}
		invalid, err := connect(t).PrintInvalid(t.Context(), paths)
		if err != nil || len(invalid) != len(paths) || invalid[19999] != paths[19999] {
			t.Errorf("%d paths, %v", len(invalid), err)
		}
	})
	t.Run("protocol 12: results that D-Bus cannot carry are a failure", func(t *testing.T) {
		fake := new(servicetest.Fake)
		fake.AddInstalled("latin", []byte("<a>\xe4</a>"))
		fake.AddInstalled("zero", []byte("a\x00b"))
		fake.AddInstalled("long", bytes.Repeat([]byte("x"), 20<<20))
		serveFake(t, fake)
		client := connect(t)
		for profile, want := range map[string]string{"latin": "not text", "zero": "not text", "long": "short messages"} {
			if _, err := client.QueryInstalled(t.Context(), profile); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v", profile, err)
			}
		}
		if _, err := client.QueryInstalled(t.Context(), "none"); err != nil {
			t.Errorf("afterwards: %v", err)
		}
	})
}

func TestImportOfWhatIsNoFile(t *testing.T) {
	serveFake(t, new(servicetest.Fake))
	fifo := filepath.Join(t.TempDir(), "fifo")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	r := newRaw(t)
	for _, path := range []string{fifo, t.TempDir(), filepath.Join(t.TempDir(), "missing"), "", "a\nb"} {
		id := r.newID()
		if err := r.call("import", id, path).Err; err != nil {
			t.Errorf("%q: %v", path, err)
		}
		r.await(fmt.Sprint("failure ", id))
	}
}

func TestManyJobsAtOnce(t *testing.T) {
	const clients, jobs = 4, 50
	var arrived sync.WaitGroup // all jobs run at the same time
	arrived.Add(clients * jobs)
	serveFake(t, &servicetest.Fake{Hook: func(context.Context, servicetest.Call) error {
		arrived.Done()
		arrived.Wait()
		return nil
	}})
	var group sync.WaitGroup
	for range clients {
		client := connect(t)
		for i := range jobs {
			group.Go(func() {
				paths := []string{fmt.Sprint("/", i)}
				invalid, err := client.PrintInvalid(t.Context(), paths)
				if err != nil || len(invalid) != 1 || invalid[0] != paths[0] {
					t.Errorf("%d: %q, %v", i, invalid, err)
				}
			})
		}
	}
	group.Wait()
}

func TestFirstJobID(t *testing.T) {
	dbustest.SystemBus(t)
	for name, test := range map[string]struct {
		files []string
		want  int32
	}{
		"no directory":         {nil, 0},
		"an empty directory":   {[]string{}, 1},
		"names without number": {[]string{"notes", "x12"}, 1},
		"the largest counts":   {[]string{"9", "10", "2"}, 11},
		"numbers out of range": {[]string{"3", "4294967296", "-7"}, 4},
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "log")
			if test.files != nil {
				if err := os.Mkdir(dir, 0o755); err != nil {
					t.Fatal(err)
				}
			}
			for _, file := range test.files {
				if err := os.WriteFile(filepath.Join(dir, file), nil, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			serve(t, dbusservice.Config{LogDir: dir, NewService: func(io.Writer) service.Service { return new(servicetest.Fake) }})
			if id := newRaw(t).newID(); id != test.want {
				t.Errorf("%d, want %d", id, test.want)
			}
		})
	}
}

// within fails the test if f does not return in time; a client must not hang.
func within(t *testing.T, limit time.Duration, f func()) {
	t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		f()
	}()
	select {
	case <-done:
	case <-time.After(limit):
		t.Fatalf("nothing happened within %v", limit)
	}
}
