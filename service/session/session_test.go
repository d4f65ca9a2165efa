package session_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/disnix-go/disnix/dysnomia"
	"github.com/disnix-go/disnix/service"
	"github.com/disnix-go/disnix/service/servicetest"
	"github.com/disnix-go/disnix/service/session"
)

var activity = service.Activity{Component: "/a", Container: "box", Type: "t"}

// failing is a target on which every operation fails.
func failing(err error) *servicetest.Fake {
	return &servicetest.Fake{Hook: func(context.Context, servicetest.Call) error { return err }}
}

func TestErrorsKeepMessageAndExitStatus(t *testing.T) {
	for name, test := range map[string]struct {
		err    error
		status int
	}{
		"a module that exits":      {&dysnomia.ModuleError{Type: "t", ExitCode: 42}, 42},
		"a module that was killed": {&dysnomia.ModuleError{ExitCode: 1, Signal: syscall.SIGKILL}, 255},
		"anything else":            {errors.New("two\nlines \xff"), 1},
	} {
		t.Run(name, func(t *testing.T) {
			err := connect(t, failing(test.err)).Activate(t.Context(), activity)
			var remote *session.RemoteError
			if !errors.As(err, &remote) || remote.ExitStatus() != test.status || err.Error() != test.err.Error() {
				t.Errorf("%#v, want status %d and %v", err, test.status, test.err)
			}
		})
	}
}

// stream is a target whose exports and imports a test provides.
type stream struct {
	servicetest.Fake
	export func(io.Writer) error
	read   func(io.Reader) error
}

func (s *stream) ExportClosure(_ context.Context, _ []string, w io.Writer) error { return s.export(w) }

func (s *stream) ImportClosure(_ context.Context, r io.Reader) ([]string, error) {
	return nil, s.read(r)
}

// counter counts what is written to it.
type counter struct{ atomic.Int64 }

func (c *counter) Write(p []byte) (int, error) {
	c.Add(int64(len(p)))
	return len(p), nil
}

// blocked is a stream that waits at the first byte.
type blocked struct {
	reached chan struct{}
	release chan struct{}
	once    sync.Once
}

func newBlocked() *blocked {
	return &blocked{reached: make(chan struct{}), release: make(chan struct{})}
}

func (b *blocked) Write(p []byte) (int, error) {
	b.once.Do(func() { close(b.reached) })
	<-b.release
	return len(p), nil
}

func (b *blocked) Read(p []byte) (int, error) {
	b.once.Do(func() { close(b.reached) })
	<-b.release
	return 0, io.EOF
}

func TestSlowReaderHoldsUpNobodyAndTakesBoundedMemory(t *testing.T) {
	var sent counter
	target := &stream{export: func(w io.Writer) error {
		_, err := io.CopyN(io.MultiWriter(w, &sent), zeros{}, 64<<20)
		return err
	}}
	client := connect(t, target)
	slow := newBlocked()
	exported := make(chan error, 1)
	go func() { exported <- client.ExportClosure(t.Context(), nil, slow) }()
	<-slow.reached
	for range 100 {
		if err := client.Activate(t.Context(), activity); err != nil {
			t.Fatal(err)
		}
	}
	if n := sent.Load(); n > 3<<20 {
		t.Errorf("%d bytes are on the way", n)
	}
	close(slow.release)
	if err := <-exported; err != nil || sent.Load() != 64<<20 {
		t.Errorf("%d bytes, %v", sent.Load(), err)
	}
}

func TestSlowTargetHoldsUpNobody(t *testing.T) {
	slow := newBlocked()
	client := connect(t, &stream{read: func(r io.Reader) error {
		_, err := io.Copy(slow, r)
		return err
	}})
	imported := make(chan error, 1)
	var sent counter
	go func() {
		_, err := client.ImportClosure(t.Context(), io.TeeReader(io.LimitReader(zeros{}, 16<<20), &sent))
		imported <- err
	}()
	<-slow.reached
	for range 100 {
		if err := client.Activate(t.Context(), activity); err != nil {
			t.Fatal(err)
		}
	}
	if n := sent.Load(); n > 4<<20 {
		t.Errorf("%d bytes are on the way", n)
	}
	close(slow.release)
	if err := <-imported; err != nil || sent.Load() != 16<<20 {
		t.Errorf("%d bytes, %v", sent.Load(), err)
	}
}

// zeros is an endless reader.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

// TestStreamsArriveAsTheyAre moves several streams in both directions at once.
func TestStreamsArriveAsTheyAre(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		parts := rapid.SliceOfN(rapid.SliceOfN(rapid.Byte(), 0, 200), 0, 50).Draw(rt, "parts")
		times := rapid.IntRange(1, 400).Draw(rt, "times")
		want := bytes.Repeat(bytes.Join(parts, nil), times)
		client := connect(t, &stream{
			export: func(w io.Writer) error {
				for range times {
					for _, p := range parts {
						if _, err := w.Write(p); err != nil {
							return err
						}
					}
				}
				return nil
			},
			read: func(r io.Reader) error {
				got, err := io.ReadAll(r)
				if err == nil && !bytes.Equal(got, want) {
					err = errors.New("something else arrived")
				}
				return err
			},
		})
		var group sync.WaitGroup
		for range 3 {
			group.Go(func() {
				var got bytes.Buffer
				if err := client.ExportClosure(t.Context(), nil, &got); err != nil || !bytes.Equal(got.Bytes(), want) {
					rt.Errorf("export: %d of %d bytes, %v", got.Len(), len(want), err)
				}
			})
			group.Go(func() {
				if _, err := client.ImportClosure(t.Context(), bytes.NewReader(want)); err != nil {
					rt.Errorf("import: %v", err)
				}
			})
		}
		group.Wait()
	})
}

func TestOutputIsStreamed(t *testing.T) {
	seen := make(chan struct{})
	client := connect(t, &servicetest.Fake{Hook: func(_ context.Context, call servicetest.Call) error {
		_, _ = io.WriteString(call.Activity.Output, "progress\n")
		<-seen // before the activity has ended
		_, _ = io.WriteString(call.Activity.Diagnostics, "warning\n")
		return nil
	}})
	var output, diagnostics bytes.Buffer
	a := activity
	a.Output = writer(func(p []byte) (int, error) {
		close(seen)
		return output.Write(p)
	})
	a.Diagnostics = &diagnostics
	if err := client.Activate(t.Context(), a); err != nil || output.String() != "progress\n" || diagnostics.String() != "warning\n" {
		t.Errorf("%q, %q, %v", &output, &diagnostics, err)
	}
}

type writer func([]byte) (int, error)

func (w writer) Write(p []byte) (int, error) { return w(p) }

func TestStreamThatBreaksHere(t *testing.T) {
	broken := errors.New("disk full")
	client := connect(t, &stream{
		export: func(w io.Writer) error { _, err := io.Copy(w, zeros{}); return err },
		read:   func(r io.Reader) error { _, err := io.Copy(io.Discard, r); return err },
	})
	err := client.ExportClosure(t.Context(), nil, writer(func([]byte) (int, error) { return 0, broken }))
	if !errors.Is(err, broken) {
		t.Errorf("export: %v", err)
	}
	_, err = client.ImportClosure(t.Context(), io.MultiReader(strings.NewReader("half"), failingReader{broken}))
	if !errors.Is(err, broken) {
		t.Errorf("import: %v", err)
	}
	if err := client.Activate(t.Context(), activity); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}

type failingReader struct{ err error }

func (r failingReader) Read([]byte) (int, error) { return 0, r.err }

func TestFailedImportDoesNotWaitForItsInput(t *testing.T) {
	full := errors.New("no space left on device")
	client := connect(t, &stream{read: func(io.Reader) error { return full }})
	endless := newBlocked()
	defer close(endless.release)
	if _, err := client.ImportClosure(t.Context(), endless); err == nil || err.Error() != full.Error() {
		t.Errorf("error %v", err)
	}
}

// waiting is a target whose operations wait until they are cancelled.
func waiting() (target *servicetest.Fake, reached, stopped chan struct{}) {
	reached, stopped = make(chan struct{}, 1), make(chan struct{}, 1)
	return &servicetest.Fake{Hook: func(ctx context.Context, _ servicetest.Call) error {
		reached <- struct{}{}
		<-ctx.Done()
		stopped <- struct{}{}
		return context.Cause(ctx)
	}}, reached, stopped
}

func TestCancelledOperationIsStopped(t *testing.T) {
	target, reached, stopped := waiting()
	client := connect(t, target)
	ctx, cancel := context.WithCancelCause(t.Context())
	reason := errors.New("interrupted")
	go func() {
		<-reached
		cancel(reason)
	}()
	if err := client.Activate(ctx, activity); !errors.Is(err, reason) {
		t.Errorf("error %v", err)
	}
	select {
	case <-stopped:
	default:
		t.Error("it returned before it was stopped")
	}
}

// pair returns a session and what its halves use.
func pair(t *testing.T, ctx context.Context, target service.Service) (client *session.Client, here net.Conn, served chan error) {
	t.Helper()
	here, there := net.Pipe()
	served = make(chan error, 1)
	go func() { served <- session.Serve(ctx, there, target) }()
	client, err := session.Connect(t.Context(), here, session.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	return client, here, served
}

func TestLostConnection(t *testing.T) {
	target, reached, stopped := waiting()
	client, link, served := pair(t, context.Background(), target)
	go func() {
		<-reached
		_ = link.Close()
	}()
	if _, err := client.QueryRequisites(t.Context(), []string{"/path"}); !errors.Is(err, session.ErrLost) {
		t.Errorf("during an operation: %v", err)
	}
	<-stopped
	<-served
	if err := client.Activate(t.Context(), activity); !errors.Is(err, session.ErrLost) || !errors.Is(client.Err(), session.ErrLost) {
		t.Errorf("afterwards: %v", err)
	}
}

// talking is a target whose changes wait until they may go on, and then print.
type talking struct {
	servicetest.Fake
	reached, proceed chan struct{}
	printed          error
}

func (s *talking) Activate(ctx context.Context, a service.Activity) error {
	s.reached <- struct{}{}
	<-s.proceed
	for range 100 { // more than there is credit for
		if _, err := a.Output.Write(make([]byte, 64<<10)); err != nil {
			s.printed = err
		}
	}
	return s.Fake.Activate(ctx, a)
}

func TestChangesAreCompletedWithoutAConnection(t *testing.T) {
	target := &talking{reached: make(chan struct{}, 1), proceed: make(chan struct{})}
	client, link, served := pair(t, context.Background(), target)
	go func() {
		<-target.reached
		_ = link.Close()
	}()
	talks := activity
	talks.Output = io.Discard
	if err := client.Activate(t.Context(), talks); !errors.Is(err, session.ErrLost) {
		t.Errorf("error %v", err)
	}
	select {
	case err := <-served:
		t.Errorf("the target has ended before the activation: %v", err)
	default:
	}
	close(target.proceed)
	<-served
	if target.printed != nil {
		t.Errorf("the plugin could not print: %v", target.printed)
	}
	if active := target.Active(); len(active) != 1 {
		t.Errorf("active: %q", active)
	}
}

func TestClosedConnection(t *testing.T) {
	client, _, served := pair(t, context.Background(), new(servicetest.Fake))
	if client.Err() != nil {
		t.Error(client.Err())
	}
	if err := client.Close(); err != nil {
		t.Error(err)
	}
	<-client.Done()
	if err := <-served; err != nil {
		t.Errorf("the target: %v", err)
	}
	if err := client.Lock(t.Context(), "p"); !errors.Is(err, session.ErrClosed) {
		t.Errorf("afterwards: %v", err)
	}
}

func TestTargetThatIsTerminatedTellsSo(t *testing.T) {
	ctx, terminate := context.WithCancelCause(context.Background())
	terminated := errors.New("terminated")
	target, reached, _ := waiting()
	client, _, served := pair(t, ctx, target)
	go func() {
		<-reached
		terminate(terminated)
	}()
	err := client.Activate(t.Context(), activity)
	var remote *session.RemoteError
	if !errors.As(err, &remote) || remote.Message != terminated.Error() {
		t.Errorf("error %v", err)
	}
	if err := <-served; !errors.Is(err, terminated) {
		t.Errorf("the target: %v", err)
	}
}

func TestDeadTargetIsNoticed(t *testing.T) {
	here, there := net.Pipe()
	defer there.Close()
	go func() {
		_, _ = io.WriteString(there, greeting(session.Version))
		_, _ = io.Copy(io.Discard, there)
	}()
	client, err := session.Connect(t.Context(), here, session.Config{KeepAlive: time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if err := client.Activate(t.Context(), activity); !errors.Is(err, session.ErrSilent) {
		t.Errorf("error %v", err)
	}
}

// TestLivingTargetIsKept lets an hour pass in which nobody asks for anything, on
// the clock of synctest.
func TestLivingTargetIsKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		here, there := net.Pipe()
		var pongs counter
		served := make(chan error, 1)
		go func() { served <- session.Serve(context.Background(), there, new(servicetest.Fake)) }()
		client, err := session.Connect(t.Context(), counted{here, &pongs}, session.Config{KeepAlive: time.Second})
		if err != nil {
			t.Fatal(err)
		}
		before := pongs.Load()
		time.Sleep(time.Hour)
		if err := client.Err(); err != nil || pongs.Load() == before {
			t.Errorf("%d bytes came, %v", pongs.Load()-before, err)
		}
		if err := errors.Join(client.Activate(t.Context(), activity), client.Close(), <-served); err != nil {
			t.Error(err)
		}
	})
}

// TestEndDuringASignOfLife closes sessions at the very moment in which both
// sides ask for one: the target takes that for the end all the same.
func TestEndDuringASignOfLife(t *testing.T) {
	for range 100 {
		synctest.Test(t, func(t *testing.T) {
			client, _, served := pair(t, context.Background(), new(servicetest.Fake))
			time.Sleep(210 * time.Second)
			if err := errors.Join(client.Close(), <-served); err != nil {
				t.Error(err)
			}
		})
	}
}

// counted counts what is read.
type counted struct {
	net.Conn
	bytes *counter
}

func (c counted) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.bytes.Add(int64(n))
	return n, err
}

// TestManyOperationsAtOnce begins more than the target accepts at a time.
func TestManyOperationsAtOnce(t *testing.T) {
	client := connect(t, new(servicetest.Fake))
	var group sync.WaitGroup
	for range 3000 {
		group.Go(func() {
			if err := client.Activate(t.Context(), activity); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
}

func TestLongListsAndLongLines(t *testing.T) {
	client := connect(t, new(servicetest.Fake))
	paths := make([]string, 20000)
	for i := range paths {
		paths[i] = strings.Repeat("x", 100) + "\n'\"$\xff\x00"
	}
	got, err := client.PrintInvalid(t.Context(), paths)
	if err != nil || len(got) != len(paths) || got[19999] != paths[0] {
		t.Errorf("protocol 12: %d paths, %v", len(got), err)
	}
}
