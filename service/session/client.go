package session

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/disnix-go/disnix/service"
)

// Config are the circumstances of a [Client].
type Config struct {
	// KeepAlive is the interval between signs of life that the target is asked
	// for; after four without any the connection is lost. Zero means 3.5 s.
	KeepAlive time.Duration
}

const (
	defaultKeepAlive = 3500 * time.Millisecond
	// maxOperations is how many operations may be under way at once.
	maxOperations = 1024
	// stopTimeout is how long the result of a cancelled operation is waited
	// for. A plugin has ten seconds to stop.
	stopTimeout = 15 * time.Second
)

// Client is the contract over a session.
type Client struct {
	conn  *conn
	slots chan struct{} // one token per operation under way

	mu         sync.Mutex
	lastID     uint32
	operations map[uint32]*operation
}

var _ service.Service = (*Client)(nil)

// operation is one that is under way, seen by the coordinator.
type operation struct {
	id    uint32
	inbox *inbox
	input *credit
	// unread gets the error of an input that cannot be read.
	unread chan error
}

// Connect waits for the greeting of the far side and returns the contract over
// rw, which it closes if it fails and which [Client.Close] closes otherwise.
// It fails with a [*HandshakeError] or [*VersionError] if there is something
// else. Closing rw must end its Read and Write.
func Connect(ctx context.Context, rw io.ReadWriteCloser, config Config) (*Client, error) {
	r := bufio.NewReaderSize(rw, bufferSize)
	if err := greet(ctx, rw, r); err != nil {
		_ = rw.Close()
		return nil, err
	}
	c := &Client{
		conn:       newConn(rw, r),
		slots:      make(chan struct{}, maxOperations),
		operations: make(map[uint32]*operation),
	}
	c.conn.start(c.handle)
	interval := config.KeepAlive
	if interval == 0 {
		interval = defaultKeepAlive
	}
	c.conn.loops.Go(func() { c.conn.keepAlive(interval) })
	return c, nil
}

// Close ends the session. Operations that are under way fail with [ErrClosed].
func (c *Client) Close() error {
	c.conn.fail(ErrClosed)
	c.conn.loops.Wait()
	return nil
}

// Done is closed when the session has ended, for whatever reason.
func (c *Client) Done() <-chan struct{} { return c.conn.done }

// Err returns why the session has ended, or nil if it has not.
func (c *Client) Err() error {
	select {
	case <-c.conn.done:
		return c.conn.failure()
	default:
		return nil
	}
}

// handle takes a frame from the target.
func (c *Client) handle(f frame) error {
	c.mu.Lock()
	op := c.operations[f.id]
	if f.kind == kindResult {
		delete(c.operations, f.id)
	}
	c.mu.Unlock()
	if op == nil {
		return nil // it was given up
	}
	switch f.kind {
	case kindOutput, kindErrors:
		return op.inbox.put(f)
	case kindCredit:
		return op.input.grant(creditOf(f))
	case kindResult:
		result, err := decodeMessage(f.content)
		if err != nil {
			return err
		}
		op.inbox.end(&result)
		return nil
	default:
		return fmt.Errorf("%w: a frame of kind %d from the target", ErrProtocol, f.kind)
	}
}

// streams are where the output of an operation goes and its input comes from;
// each may be nil.
type streams struct {
	input          io.Reader
	output, errors io.Writer
}

// call executes an operation on the target and returns its result.
func (c *Client) call(ctx context.Context, request message, s streams) ([]string, error) {
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	select {
	case c.slots <- struct{}{}:
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	case <-c.conn.done:
		return nil, c.conn.failure()
	}
	defer func() { <-c.slots }()
	request.claim = service.EncodedClaim(ctx)
	op, err := c.open(request)
	if err != nil {
		return nil, err
	}
	ended := make(chan struct{})
	defer close(ended)
	if s.input != nil {
		go c.sendInput(op, s.input, ended)
	}
	return c.await(ctx, op, s)
}

// open begins an operation.
func (c *Client) open(request message) (*operation, error) {
	content := request.encode()
	if len(content) > maxMessage {
		return nil, fmt.Errorf("send the request %s: its %d bytes are too many", request.name, len(content))
	}
	op := &operation{inbox: newInbox(), input: newCredit(), unread: make(chan error, 1)}
	c.mu.Lock()
	c.lastID++
	op.id = c.lastID
	c.operations[op.id] = op
	c.mu.Unlock()
	if err := c.conn.send(frame{kindOpen, op.id, content}); err != nil {
		c.forget(op)
		return nil, err
	}
	return op, nil
}

func (c *Client) forget(op *operation) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.operations, op.id)
}

// await passes on output until the result is there. After a cancellation, or
// if a stream fails here, it tells the target and waits for the result a
// little longer: then nothing is under way any more.
func (c *Client) await(ctx context.Context, op *operation, s streams) ([]string, error) {
	defer c.forget(op)
	var broken error // why the operation cannot succeed any more
	var granted allowance
	var overdue <-chan time.Time
	cancelled := ctx.Done()
	stop := func() {
		cancelled = nil
		if overdue == nil {
			overdue = time.After(stopTimeout)
			_ = c.conn.send(frame{kind: kindCancel, id: op.id})
		}
	}
	for {
		select {
		case <-op.inbox.ready:
			parts, cost, ended := op.inbox.take()
			if err := s.deliver(parts); err != nil && broken == nil {
				broken = err
				stop()
			}
			op.inbox.recycle(parts)
			if ended {
				return op.outcome(ctx, broken)
			}
			if n := granted.add(cost); n > 0 {
				_ = c.conn.send(creditFrame(op.id, n))
			}
		case broken = <-op.unread:
			stop()
		case <-cancelled:
			stop()
		case <-overdue:
			return nil, errors.Join(broken, context.Cause(ctx))
		case <-c.conn.done:
			return nil, errors.Join(broken, context.Cause(ctx), c.conn.failure())
		}
	}
}

// outcome returns the result of an operation that has ended, with the reason
// for which it failed. One that was cancelled too late has succeeded.
func (op *operation) outcome(ctx context.Context, broken error) ([]string, error) {
	list, err := op.inbox.last.result()
	if broken == nil && err != nil {
		broken = context.Cause(ctx)
	}
	switch {
	case broken == nil:
		return list, err
	case err == nil:
		return nil, broken
	default:
		return nil, fmt.Errorf("%w: %w", broken, err)
	}
}

// deliver writes what has arrived to where it belongs. What nobody wants is
// dropped.
func (s streams) deliver(parts []part) error {
	for _, p := range parts {
		w := s.output
		if p.kind == kindErrors {
			w = s.errors
		}
		if w == nil {
			continue
		}
		if _, err := w.Write(p.data); err != nil {
			return err
		}
	}
	return nil
}

// sendInput sends what is read until the operation has ended. A Read that is
// under way then goes on, and what it returns is lost.
func (c *Client) sendInput(op *operation, input io.Reader, ended <-chan struct{}) {
	buffer := make([]byte, maxChunk)
	for {
		n, err := input.Read(buffer)
		select {
		case <-ended:
			return
		default:
		}
		if !c.conn.stream(kindInput, op.id, buffer[:n], op.input, ended) {
			return
		}
		switch {
		case err == io.EOF:
			_ = c.conn.send(frame{kind: kindEnd, id: op.id})
			return
		case err != nil:
			op.unread <- err
			return
		}
	}
}
