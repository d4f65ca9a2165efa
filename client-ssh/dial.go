package sshclient

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/disnix-go/disnix/service/session"
)

const (
	// connectTimeout bounds the wait for a TCP connection, and again that until
	// the user is logged in, unless ConnectTimeout says something else.
	connectTimeout = 10 * time.Second
	// keepAlive is the interval between signs of life that the target is asked
	// for, keepAliveTimeout how long it may take to give one.
	keepAlive        = 4 * time.Second
	keepAliveTimeout = 10 * time.Second
	// maxHops bounds the hosts on the way to a target.
	maxHops = 8
)

// link is an authenticated connection to a target.
type link struct {
	client *ssh.Client
	hops   []*ssh.Client // on the way, nearest first
	wire   net.Conn      // to the nearest host

	closing sync.Once
	done    chan struct{} // closed when err is set
	err     error         // why the connection ended
}

// route returns the settings of all hosts on the way to e, and at last its
// own.
func (c *configuration) route(e endpoint, hop bool, depth int) ([]*settings, error) {
	if depth > maxHops {
		return nil, fmt.Errorf("ProxyJump of host %s goes over more than %d hosts, perhaps in a circle", e.host, maxHops)
	}
	s, err := c.resolve(e, hop)
	if err != nil {
		return nil, err
	}
	var way []*settings
	for i, jump := range s.jump {
		if i > 0 {
			next, err := c.resolve(jump, true)
			if err != nil {
				return nil, err
			}
			next.proxyCommand = "" // it is reached through the one before
			way = append(way, next)
			continue
		}
		if way, err = c.route(jump, true, depth+1); err != nil {
			return nil, err
		}
	}
	return append(way, s), nil
}

// dial connects to an endpoint and logs in.
func (c *configuration) dial(ctx context.Context, e endpoint) (*link, error) {
	way, err := c.route(e, false, 0)
	if err != nil {
		return nil, err
	}
	l := &link{done: make(chan struct{})}
	for _, s := range way {
		next, conn, err := connect(ctx, s, l.client)
		if err != nil {
			l.disconnect()
			return nil, fmt.Errorf("connect to %s as user %s: %w", net.JoinHostPort(s.host, s.port), s.user, err)
		}
		if l.client != nil {
			l.hops = append(l.hops, l.client)
		} else {
			l.wire = conn
		}
		l.client = next
	}
	go func() {
		err := l.client.Wait()
		l.fail(errors.Join(session.ErrLost, err))
	}()
	go l.watch()
	return l, nil
}

// connect connects to one host, through another one if via is not nil.
func connect(ctx context.Context, s *settings, via *ssh.Client) (*ssh.Client, net.Conn, error) {
	keys, err := newHostKeys(s)
	if err != nil {
		return nil, nil, err
	}
	address := net.JoinHostPort(s.host, s.port)
	conn, err := open(ctx, s, via, address)
	if err != nil {
		return nil, nil, err
	}
	id := loadIdentity(s)
	defer id.Close()
	ctx, cancel := context.WithTimeoutCause(ctx, s.timeout, fmt.Errorf("no login within %s: is it an ssh server that listens there?", s.timeout))
	defer cancel()
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	c, channels, requests, err := ssh.NewClientConn(conn, address, &ssh.ClientConfig{
		User:              s.user,
		Auth:              []ssh.AuthMethod{ssh.PublicKeys(id.signers...)},
		HostKeyCallback:   keys.verify,
		HostKeyAlgorithms: keys.algorithms(),
	})
	if !stop() {
		err = context.Cause(ctx)
	}
	if err != nil {
		_ = conn.Close()
		if through, ok := conn.(*proxy); ok {
			return nil, nil, through.explain(ctx, explain(err, id))
		}
		return nil, nil, explain(err, id)
	}
	return ssh.NewClient(c, channels, requests), conn, nil
}

// explain adds what to do to the error of a login.
func explain(err error, id *identity) error {
	var key *HostKeyError
	if errors.As(err, &key) {
		return key
	}
	if strings.Contains(err.Error(), "unable to authenticate") {
		return fmt.Errorf("the login is refused; add the user's public key to ~/.ssh/authorized_keys there: %w%s", err, prefixed("; ", id.hint()))
	}
	return err
}

func prefixed(prefix, text string) string {
	if text == "" {
		return ""
	}
	return prefix + text
}

// open opens the stream of bytes to a host. What a ProxyCommand has to say is
// known only later.
func open(ctx context.Context, s *settings, via *ssh.Client, address string) (net.Conn, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, s.timeout, fmt.Errorf("no answer within %s: is the machine on, and is its address right?", s.timeout))
	defer cancel()
	var conn net.Conn
	var err error
	switch {
	case via == nil && s.proxyCommand != "":
		return startProxy(s)
	case via == nil:
		conn, err = new(net.Dialer).DialContext(ctx, s.network, address)
	default:
		conn, err = via.DialContext(ctx, "tcp", address)
	}
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, os.ErrDeadlineExceeded) {
		<-ctx.Done() // the dialer and the connection look at the clock themselves
	}
	if err != nil && ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	return conn, unreachable(err)
}

// unreachable adds what to do to the error of a connection.
func unreachable(err error) error {
	var name *net.DNSError
	switch {
	case errors.As(err, &name):
		return fmt.Errorf("%w: correct the address of the target, or make its name known on this machine", err)
	case errors.Is(err, syscall.ECONNREFUSED):
		return fmt.Errorf("%w: start the SSH server there, or correct the port", err)
	default:
		return err
	}
}

// watch notices that the target is not there any more.
func (l *link) watch() {
	ticker := time.NewTicker(keepAlive)
	defer ticker.Stop()
	for {
		select {
		case <-l.done:
			return
		case <-ticker.C:
		}
		if !l.answers(keepAliveTimeout) {
			l.fail(session.ErrSilent)
			return
		}
	}
}

// answers reports whether the target answers in time, or the connection has
// ended.
func (l *link) answers(limit time.Duration) bool {
	answered := make(chan error, 1)
	go func() {
		_, _, err := l.client.SendRequest("keepalive@openssh.com", true, nil)
		answered <- err
	}()
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case err := <-answered:
		if err != nil {
			<-l.done // it is about to be known why
		}
	case <-l.done:
	case <-timer.C:
		return false
	}
	return true
}

// fail ends the connection; only the first reason counts.
func (l *link) fail(err error) {
	l.closing.Do(func() {
		l.err = err
		close(l.done)
		if tcp, ok := l.wire.(*net.TCPConn); ok && errors.Is(err, session.ErrSilent) {
			// The kernel would go on trying to deliver what has been sent: a
			// target that comes back must not carry out what was given up.
			_ = tcp.SetLinger(0)
		}
		l.disconnect()
	})
}

func (l *link) disconnect() {
	if l.client != nil {
		_ = l.client.Close()
	}
	for i := len(l.hops) - 1; i >= 0; i-- {
		_ = l.hops[i].Close()
	}
}

// lost returns the reason if the connection has ended, otherwise err. The end
// is seen by what uses the connection first: hence the question.
func (l *link) lost(err error) error {
	_ = l.answers(keepAliveTimeout)
	select {
	case <-l.done:
		return l.err
	default:
		return err
	}
}
