package session

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"syscall"
	"time"

	"github.com/disnix-go/disnix/service"
)

// serverKeepAlive is the interval at which the target asks the coordinator for
// signs of life. A coordinator that was stopped for a moment, by hand or with
// its machine, keeps its connection; without any limit, a target would take one
// that is gone for present.
const serverKeepAlive = 30 * time.Second

// Serve executes on s what a coordinator at the other end of rw asks for,
// until that closes the stream: then nothing is returned. It closes rw.
//
// When the stream ends, the changes that are under way, such as an activation,
// are completed: the coordinator that lost its connection, or another one that
// continues its work, needs a target in a state that can be known. All other
// operations are cancelled. Serve returns when nothing is under way any more.
// When ctx ends everything is cancelled, and the coordinator is told so.
//
// The operations of s must not write to rw, for example because a plugin
// inherits the standard output.
func Serve(ctx context.Context, rw io.ReadWriteCloser, s service.Service) error {
	r := bufio.NewReaderSize(rw, bufferSize)
	if _, err := rw.Write(greeting()); err != nil {
		_ = rw.Close()
		return fmt.Errorf("greet the coordinator: %w", err)
	}
	stop := context.AfterFunc(ctx, func() { _ = rw.Close() })
	err := awaitGreeting(r)
	if !stop() {
		return context.Cause(ctx)
	}
	if err != nil {
		_ = rw.Close()
		return fmt.Errorf("await the coordinator's greeting: %w", err)
	}
	linked, cancel := context.WithCancelCause(ctx)
	srv := &server{ctx: ctx, linked: linked, conn: newConn(rw, r), service: s, tasks: make(map[uint32]*task)}
	srv.conn.start(srv.handle)
	srv.conn.loops.Go(func() { srv.conn.keepAlive(serverKeepAlive) })
	srv.wait(cancel)
	if err := srv.conn.failure(); !isEnd(err) {
		return err
	}
	return nil
}

// isEnd reports whether the coordinator has closed the stream. That is seen by
// whoever reads or by whoever writes just then, such as the answer to a ping.
func isEnd(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrClosedPipe) || errors.Is(err, syscall.EPIPE)
}

type server struct {
	ctx     context.Context // of operations that finish, whatever becomes of the connection
	linked  context.Context // of the others
	conn    *conn
	service service.Service
	running sync.WaitGroup

	mu      sync.Mutex
	tasks   map[uint32]*task
	closing bool // nothing begins any more
}

// task is an operation that is under way, seen by the target.
type task struct {
	id     uint32
	ctx    context.Context
	cancel context.CancelFunc
	// finishes says that the operation goes on when the connection is lost, and
	// that nobody wants its output then.
	finishes bool
	conn     *conn
	inbox    *inbox
	output   *credit
	turn     sync.Mutex // of those who send output
}

// wait returns when the stream and all operations have ended.
func (s *server) wait(cancel context.CancelCauseFunc) {
	select {
	case <-s.conn.done:
		cancel(s.conn.failure())
	case <-s.ctx.Done():
		s.mu.Lock()
		s.closing = true
		s.mu.Unlock()
		s.running.Wait()
		s.conn.drain()
		s.conn.fail(context.Cause(s.ctx))
	}
	s.conn.loops.Wait() // nothing can begin any more
	s.running.Wait()
}

// handle takes a frame from the coordinator.
func (s *server) handle(f frame) error {
	if f.kind == kindOpen {
		return s.open(f)
	}
	s.mu.Lock()
	t := s.tasks[f.id]
	s.mu.Unlock()
	if t == nil {
		return nil // it has ended
	}
	switch f.kind {
	case kindInput:
		return t.inbox.put(f)
	case kindEnd:
		t.inbox.end(nil)
	case kindCancel:
		t.cancel()
	case kindCredit:
		return t.output.grant(creditOf(f))
	default:
		return fmt.Errorf("%w: a frame of kind %d from the coordinator", ErrProtocol, f.kind)
	}
	return nil
}

// open begins an operation.
func (s *server) open(f frame) error {
	request, err := decodeMessage(f.content)
	if err != nil {
		return err
	}
	t := &task{id: f.id, finishes: finishes[request.name], conn: s.conn, inbox: newInbox(), output: newCredit()}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closing {
		return nil
	}
	if s.tasks[t.id] != nil {
		return fmt.Errorf("%w: operation %d begins twice", ErrProtocol, t.id)
	}
	if len(s.tasks) == maxOperations {
		return fmt.Errorf("%w: more than %d operations at once", ErrProtocol, maxOperations)
	}
	s.tasks[t.id] = t
	parent := s.linked
	if t.finishes {
		parent = s.ctx
	}
	t.ctx, t.cancel = context.WithCancel(parent)
	s.running.Go(func() { s.run(t, request) })
	return nil
}

func (s *server) run(t *task, request message) {
	list, err := t.execute(s.service, request)
	result := message{name: outcomeDone, list: list}
	if err != nil {
		result = failure(err)
	}
	content := result.encode()
	if len(content) > maxMessage {
		content = failure(fmt.Errorf("send the result of %s: its %d bytes are too many", request.name, len(content))).encode()
	}
	t.cancel()
	s.mu.Lock()
	delete(s.tasks, t.id)
	s.mu.Unlock()
	_ = s.conn.send(frame{kindResult, t.id, content})
}

// taskWriter sends output to the coordinator.
type taskWriter struct {
	*task
	kind kind
}

func (w taskWriter) Write(p []byte) (int, error) {
	w.turn.Lock()
	defer w.turn.Unlock()
	if !w.conn.stream(w.kind, w.id, p, w.task.output, w.ctx.Done()) && !w.orphaned() {
		return 0, errors.New("send output to the coordinator: it is not wanted any more")
	}
	return len(p), nil
}

// orphaned reports whether the operation goes on although the connection is
// lost.
func (t *task) orphaned() bool {
	if !t.finishes || t.ctx.Err() != nil {
		return false
	}
	select {
	case <-t.conn.done:
		return true
	default:
		return false
	}
}

// taskReader is the input of an operation. It is used by one goroutine.
type taskReader struct {
	*task
	parts   []part
	ended   bool
	granted allowance
}

func (r *taskReader) Read(p []byte) (int, error) {
	for len(r.parts) == 0 {
		if r.ended {
			return 0, io.EOF
		}
		select {
		case <-r.inbox.ready:
		case <-r.ctx.Done():
			return 0, context.Cause(r.ctx)
		}
		parts, cost, ended := r.inbox.take()
		r.parts, r.ended = parts, ended
		if n := r.granted.add(cost); n > 0 {
			_ = r.conn.send(creditFrame(r.id, n))
		}
	}
	first := &r.parts[0]
	n := copy(p, first.data)
	if first.data = first.data[n:]; len(first.data) == 0 {
		r.parts = r.parts[1:]
	}
	return n, nil
}
