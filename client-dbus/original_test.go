package dbusclient_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/godbus/dbus/v5"

	"github.com/disnix-go/disnix/service/dbuswire"
	"github.com/disnix-go/disnix/test/dbustest"
)

// original is a service with the habits of the original's: it may send the
// signal before the reply, and it cannot cancel anything.
type original struct {
	conn   *dbus.Conn
	logDir string
	last   atomic.Int32
	lock   func(o *original, id int32) // what it does before it replies to lock
}

func (o *original) emit(signal string, args ...any) {
	_ = o.conn.Emit(dbuswire.Path, dbuswire.Interface+"."+signal, args...)
}

func serveOriginal(t *testing.T, lock func(o *original, id int32)) *original {
	t.Helper()
	dbustest.SystemBus(t)
	conn, err := dbus.ConnectSystemBus()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	o := &original{conn: conn, logDir: t.TempDir(), lock: lock}
	err = conn.ExportMethodTable(map[string]any{
		"get_job_id": func() (int32, *dbus.Error) { return o.last.Add(1), nil },
		"get_logdir": func() (string, *dbus.Error) { return o.logDir, nil },
		"lock": func(id int32, _ string) *dbus.Error {
			o.lock(o, id)
			return nil
		},
		"query_all_snapshots": func(id int32, _, _ string) *dbus.Error {
			o.emit(dbuswire.Success, id, []string{"box/a/1", "box/a/2"})
			return nil
		},
		"query_installed": func(id int32, _ string) *dbus.Error {
			o.emit(dbuswire.Success, id, []string{""})
			return nil
		},
		"capture_config": func(id int32) *dbus.Error {
			o.emit(dbuswire.Success, id, []string{})
			return nil
		},
		"set": func(id int32, _, _ string) *dbus.Error {
			o.emit(dbuswire.Finish, "no number")
			o.emit(dbuswire.Success, id, int32(1))
			return nil
		},
	}, dbuswire.Path, dbuswire.Interface)
	if err == nil {
		_, err = conn.RequestName(dbuswire.Name, 0)
	}
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func TestClientOfTheOriginal(t *testing.T) {
	t.Run("protocol 10: a signal before the reply is not lost", func(t *testing.T) {
		serveOriginal(t, func(o *original, id int32) { o.emit(dbuswire.Finish, id) })
		client := connect(t)
		for range 100 {
			if err := client.Lock(t.Context(), "p"); err != nil {
				t.Fatal(err)
			}
		}
		snapshots, err := client.QueryAllSnapshots(t.Context(), "", "")
		if err != nil || fmt.Sprint(snapshots) != "[box/a/1 box/a/2]" {
			t.Errorf("%q, %v", snapshots, err)
		}
		if manifest, err := client.QueryInstalled(t.Context(), "p"); err != nil || manifest != nil {
			t.Errorf("%q, %v", manifest, err)
		}
	})
	t.Run("signals about other jobs are not ours", func(t *testing.T) {
		serveOriginal(t, func(o *original, id int32) {
			o.emit(dbuswire.Failure, id+1)
			o.emit(dbuswire.Failure, id-1)
			o.emit(dbuswire.Finish, id)
			o.emit(dbuswire.Failure, id) // too late
		})
		if err := connect(t).Lock(t.Context(), "p"); err != nil {
			t.Error(err)
		}
	})
	t.Run("the whole log is in the error", func(t *testing.T) {
		serveOriginal(t, func(o *original, id int32) {
			log := "Acquiring lock on profile: p\nCannot lock service!\n"
			if err := os.WriteFile(filepath.Join(o.logDir, fmt.Sprint(id)), []byte(log), 0o644); err != nil {
				t.Error(err)
			}
			o.emit(dbuswire.Failure, id)
		})
		wantFailure(t, connect(t).Lock(t.Context(), "p"), "lock", "Acquiring lock on profile: p\nCannot lock service!")
	})
	t.Run("a log that cannot be read", func(t *testing.T) {
		o := serveOriginal(t, func(o *original, id int32) { o.emit(dbuswire.Failure, id) })
		err := connect(t).Lock(t.Context(), "p")
		if err == nil || !strings.Contains(err.Error(), "lock failed") || !strings.Contains(err.Error(), o.logDir) {
			t.Errorf("error %v", err)
		}
	})
	t.Run("a job that cannot be cancelled is left alone", func(t *testing.T) {
		began := make(chan struct{})
		serveOriginal(t, func(*original, int32) { close(began) })
		ctx, cancel := context.WithCancel(t.Context())
		go func() {
			<-began
			cancel()
		}()
		if err := connect(t).Lock(ctx, "p"); !errors.Is(err, context.Canceled) {
			t.Errorf("error %v", err)
		}
	})
	t.Run("answers that make no sense are errors", func(t *testing.T) {
		serveOriginal(t, nil)
		client := connect(t)
		if _, err := client.CaptureConfig(t.Context()); err == nil || !strings.Contains(err.Error(), "0 file names") {
			t.Errorf("no file: %v", err)
		}
		if err := client.Unlock(t.Context(), "p"); err == nil || !strings.Contains(err.Error(), "Error while executing the operation!") {
			t.Errorf("a missing method: %v", err)
		}
		if err := client.SetProfile(t.Context(), "p", "/x"); err == nil {
			t.Error("a malformed signal: no error")
		}
	})
}

// TestForgedSignals lets another connection pretend that it is the service.
func TestForgedSignals(t *testing.T) {
	release := make(chan struct{})
	began := make(chan int32)
	serveOriginal(t, func(o *original, id int32) {
		began <- id
		<-release
		o.emit(dbuswire.Finish, id)
	})
	client := connect(t)
	forger := newRaw(t)
	ended := make(chan error)
	go func() { ended <- client.Lock(t.Context(), "p") }()
	id := <-began
	for _, name := range names(t, forger) {
		forger.conn.Send(&dbus.Message{
			Type: dbus.TypeSignal,
			Headers: map[dbus.HeaderField]dbus.Variant{
				dbus.FieldDestination: dbus.MakeVariant(name),
				dbus.FieldPath:        dbus.MakeVariant(dbuswire.Path),
				dbus.FieldInterface:   dbus.MakeVariant(dbuswire.Interface),
				dbus.FieldMember:      dbus.MakeVariant(dbuswire.Failure),
				dbus.FieldSignature:   dbus.MakeVariant(dbus.SignatureOf(id)),
			},
			Body: []any{id},
		}, nil)
	}
	names(t, forger) // the bus has passed them on when it answers
	close(release)
	if err := <-ended; err != nil {
		t.Errorf("the client believed it: %v", err)
	}
}

// names returns the unique names of all connections.
func names(t *testing.T, r *raw) []string {
	t.Helper()
	var all, unique []string
	if err := r.conn.BusObject().Call("org.freedesktop.DBus.ListNames", 0).Store(&all); err != nil {
		t.Fatal(err)
	}
	for _, name := range all {
		if strings.HasPrefix(name, ":") {
			unique = append(unique, name)
		}
	}
	return unique
}
