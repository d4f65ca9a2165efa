package webserver

import (
	"context"
	"net"
	"sync"
	"time"
)

// Limits bound what clients can make the server do. Fields that are zero get
// the defaults.
type Limits struct {
	Connections int           // open at once: 1024
	Requests    int           // served at once: 256; others wait
	QueueTime   time.Duration // how long they wait before they get 503: 30 s
	HeaderSize  int           // bytes: 64 KiB
	HeaderTime  time.Duration // to receive the headers: 10 s
	IdleTime    time.Duration // until an unused connection is closed: 2 min
	// StallTime is how long a client may send or take nothing: 60 s.
	StallTime time.Duration
	// MinRate is how many bytes per second the body of a request must have on
	// average, after the first StallTime: 1024.
	MinRate int64
}

func (l Limits) withDefaults() Limits {
	orInt := func(value *int, otherwise int) {
		if *value == 0 {
			*value = otherwise
		}
	}
	orTime := func(value *time.Duration, otherwise time.Duration) {
		if *value == 0 {
			*value = otherwise
		}
	}
	orInt(&l.Connections, 1024)
	orInt(&l.Requests, 256)
	orInt(&l.HeaderSize, 64<<10)
	orTime(&l.QueueTime, 30*time.Second)
	orTime(&l.HeaderTime, 10*time.Second)
	orTime(&l.IdleTime, 2*time.Minute)
	orTime(&l.StallTime, time.Minute)
	if l.MinRate == 0 {
		l.MinRate = 1024
	}
	return l
}

// slots bound how much happens at once.
type slots chan struct{}

func newSlots(n int) slots { return make(slots, n) }

// take waits for a slot. It is given back with release.
func (s slots) take(ctx context.Context, limit time.Duration) bool {
	select {
	case s <- struct{}{}:
		return true
	default:
	}
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case s <- struct{}{}:
		return true
	case <-timer.C:
	case <-ctx.Done():
	}
	return false
}

func (s slots) release() { <-s }

// limitedListener accepts no more than so many connections; others wait in the
// queue of the kernel.
type limitedListener struct {
	net.Listener
	slots  slots
	closed chan struct{}
	once   sync.Once
}

func newLimitedListener(listener net.Listener, n int) *limitedListener {
	return &limitedListener{Listener: listener, slots: newSlots(n), closed: make(chan struct{})}
}

// Accept waits until there is room for one more connection.
func (l *limitedListener) Accept() (net.Conn, error) {
	select {
	case l.slots <- struct{}{}:
	case <-l.closed:
		return nil, net.ErrClosed
	}
	conn, err := l.Listener.Accept()
	if err != nil {
		l.slots.release()
		return nil, err
	}
	return &limitedConn{Conn: conn, release: sync.OnceFunc(l.slots.release)}, nil
}

// Close stops waiting for connections.
func (l *limitedListener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return l.Listener.Close()
}

type limitedConn struct {
	net.Conn
	release func()
}

// Close makes room for another connection.
func (c *limitedConn) Close() error {
	err := c.Conn.Close()
	c.release()
	return err
}
