// Package dbusclient reaches disnix-service over D-Bus (protocol, section 1).
// The service, or that of the original, is on the same machine: closures and
// snapshots pass through files, as do the service's answers.
package dbusclient

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/godbus/dbus/v5"

	"github.com/disnix-go/disnix/service"
	"github.com/disnix-go/disnix/service/dbuswire"
)

// replyTime is how long the service may take to answer a call; jobs run after
// it has answered.
const replyTime = 25 * time.Second

// maxCalls is how many calls may wait for their replies at once. The bus
// refuses more than 128 for one connection; jobs run after the reply, so it is
// no limit for them.
const maxCalls = 64

// Config are the circumstances of a [Client].
type Config struct {
	SessionBus bool // otherwise the system bus
	// Log receives what the service says about locks, such as whose it releases.
	// It may be nil; it may be used from several goroutines.
	Log io.Writer
	// Directory is where closures and snapshots are kept for the service; TMPDIR
	// if it is empty.
	Directory string
}

// Client is the contract over one connection to the bus.
type Client struct {
	log       io.Writer
	directory string
	conn      *dbus.Conn
	object    dbus.BusObject
	calls     chan struct{} // one for each call that waits for its reply

	mu     sync.Mutex
	owner  string // unique name of the service, empty if it is not running
	logDir string // of that service; empty if it was not asked yet
	jobs   map[int32]chan outcome
}

var _ service.Service = (*Client)(nil)

// outcome is how a job has ended.
type outcome struct {
	results []string
	err     error
}

// Connect connects to the service.
func Connect(ctx context.Context, config Config) (*Client, error) {
	c := &Client{log: config.Log, directory: config.Directory, calls: make(chan struct{}, maxCalls), jobs: make(map[int32]chan outcome)}
	conn, bus, err := dbuswire.Connect(config.SessionBus, dbus.WithSignalHandler(c))
	if err != nil {
		return nil, fmt.Errorf("Cannot connect to %s bus! Reason: %w", bus, err)
	}
	c.conn = conn
	c.object = conn.Object(dbuswire.Name, dbuswire.Path)
	if err := c.subscribe(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("use the %s bus: %w", bus, err), conn.Close())
	}
	context.AfterFunc(conn.Context(), func() {
		c.failAll(errors.New("the connection to the bus was lost"))
	})
	return c, nil
}

// Close closes the connection to the bus.
func (c *Client) Close() error { return c.conn.Close() }

// Lost is closed when the connection to the bus is lost: a new one is needed
// then.
func (c *Client) Lost() <-chan struct{} { return c.conn.Context().Done() }

// Ping tells why the service would not answer.
func (c *Client) Ping(ctx context.Context) error {
	return c.call(ctx, dbuswire.GetLogDir).Err
}

// busName is the name, and the interface, of the bus itself.
const busName = "org.freedesktop.DBus"

// subscribe asks for the signals of the service and for news about its end,
// and finds out who it is.
func (c *Client) subscribe(ctx context.Context) error {
	err := c.conn.AddMatchSignalContext(ctx,
		dbus.WithMatchSender(dbuswire.Name), dbus.WithMatchInterface(dbuswire.Interface), dbus.WithMatchObjectPath(dbuswire.Path))
	if err == nil {
		err = c.conn.AddMatchSignalContext(ctx,
			dbus.WithMatchSender(busName), dbus.WithMatchInterface(busName),
			dbus.WithMatchMember("NameOwnerChanged"), dbus.WithMatchArg(0, dbuswire.Name))
	}
	if err != nil {
		return err
	}
	var owner string
	err = c.conn.BusObject().CallWithContext(ctx, busName+".GetNameOwner", 0, dbuswire.Name).Store(&owner)
	var refusal dbus.Error
	if errors.As(err, &refusal) && refusal.Name == busName+".Error.NameHasNoOwner" {
		return nil // it may be started later; the first call tells
	}
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.owner == "" { // otherwise it has changed meanwhile
		c.owner = owner
	}
	return nil
}

// DeliverSignal takes note of ended jobs and of the service's end. It is
// called by the connection.
func (c *Client) DeliverSignal(iface, member string, signal *dbus.Signal) {
	switch {
	case iface == busName && member == "NameOwnerChanged" && signal.Sender == busName:
		var name, before, after string
		if dbus.Store(signal.Body, &name, &before, &after) == nil && name == dbuswire.Name {
			c.setOwner(after)
		}
	case iface == dbuswire.Interface && signal.Path == dbuswire.Path:
		c.jobEnded(member, signal)
	}
}

func (c *Client) setOwner(owner string) {
	c.mu.Lock()
	changed := c.owner != owner
	c.owner, c.logDir = owner, ""
	c.mu.Unlock()
	if changed {
		c.failAll(errors.New("disnix-service has ended meanwhile: it is not known whether the operation was completed; look at the service's log, and restart it"))
	}
}

// jobEnded takes note of the signal about a job. It does not block: every job
// has one signal, and room for it.
func (c *Client) jobEnded(member string, signal *dbus.Signal) {
	var id int32
	var o outcome
	switch member {
	case dbuswire.Finish:
		o.err = dbus.Store(signal.Body, &id)
	case dbuswire.Success:
		o.err = dbus.Store(signal.Body, &id, &o.results)
	case dbuswire.Failure:
		if o.err = dbus.Store(signal.Body, &id); o.err == nil {
			o.err = errFailed
		}
	default:
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if signal.Sender == c.owner {
		deliver(c.jobs[id], o)
	}
}

// failAll ends all jobs with an error.
func (c *Client) failAll(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, job := range c.jobs {
		deliver(job, outcome{err: err})
	}
}

// deliver keeps the first outcome of a job.
func deliver(job chan outcome, o outcome) {
	select {
	case job <- o:
	default:
	}
}

// expect prepares for the signal about a job, which may arrive before the
// reply to the call that begins it.
func (c *Client) expect(id int32) <-chan outcome {
	job := make(chan outcome, 1)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.jobs[id] = job
	return job
}

func (c *Client) forget(id int32) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.jobs, id)
}

// call calls a method of the service.
func (c *Client) call(ctx context.Context, method string, args ...any) *dbus.Call {
	select {
	case c.calls <- struct{}{}:
		defer func() { <-c.calls }()
	case <-ctx.Done():
		return &dbus.Call{Err: context.Cause(ctx)}
	}
	ctx, cancel := context.WithTimeoutCause(ctx, replyTime, errNoReply)
	defer cancel()
	call := c.object.CallWithContext(ctx, dbuswire.Interface+"."+method, 0, args...)
	if call.Err != nil && ctx.Err() != nil {
		call.Err = context.Cause(ctx)
	}
	call.Err = explain(call.Err)
	return call
}

var errNoReply = fmt.Errorf("disnix-service did not answer within %v", replyTime)

// explain says what to do about the errors of the bus that users meet.
func explain(err error) error {
	var refusal dbus.Error
	if !errors.As(err, &refusal) {
		return err
	}
	switch refusal.Name {
	case busName + ".Error.ServiceUnknown", busName + ".Error.NameHasNoOwner":
		return fmt.Errorf("%w: disnix-service is not running: start it", err)
	case busName + ".Error.AccessDenied":
		return fmt.Errorf("%w: only root and members of the group disnix may use disnix-service, and only with job ids of their own", err)
	default:
		return err
	}
}
