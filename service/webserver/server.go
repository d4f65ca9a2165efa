// Package webserver serves an [http.Handler] the way operators need it, whatever
// that handler does: with TLS, whose files are read again when they change,
// passwords and client certificates, limits on size, time and concurrency, one
// audit line for each request, a health check, and an orderly end.
//
// It never serves other machines without authentication, or passwords without
// TLS, unless it is told to.
package webserver

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"time"
)

// Config are the circumstances of a [Server].
type Config struct {
	// Addresses are host:port each; at least one.
	Addresses []string
	Handler   http.Handler
	// Urgent says that a request is served even if too many others are. It may
	// be nil.
	Urgent func(*http.Request) bool
	// Health tells why requests would fail at the moment, for HealthPath. It
	// is called about once per second at most, and may be nil.
	Health func(context.Context) error

	// CertFile and KeyFile are for TLS (PEM); both or neither.
	CertFile, KeyFile string
	// ClientCAFile, if not empty, has the authorities (PEM) of the client
	// certificates that are required then.
	ClientCAFile string
	// PasswordFile, if not empty, has the users (htpasswd, bcrypt) whose
	// passwords are required then. If both are set both are required.
	PasswordFile string
	// Realm is what passwords are asked for.
	Realm string
	// AllowUnauthenticated and AllowPlaintext lift what the package
	// documentation says.
	AllowUnauthenticated, AllowPlaintext bool

	// TrustedProxies are believed what they say about where requests come
	// from.
	TrustedProxies []netip.Prefix

	Limits Limits
	// Grace is how long running requests may take to end when the server
	// stops, before they are cancelled.
	Grace time.Duration
	// Log receives audit lines and messages.
	Log *slog.Logger
}

// cancelTime is how long cancelled requests may take to end.
const cancelTime = 15 * time.Second

// Server serves a handler on some addresses.
type Server struct {
	config    Config
	http      *http.Server
	listeners []net.Listener
	guard     *guard
	slots     slots
	keyPair   *watched[*keyPair] // nil without TLS
	health    health

	// ctx is that of all requests.
	ctx    context.Context
	cancel context.CancelCauseFunc
}

// Listen checks the configuration, reads its files and listens. [Server.Serve]
// has to be called.
func Listen(config Config) (*Server, error) {
	config.Limits = config.Limits.withDefaults()
	s := &Server{config: config, slots: newSlots(config.Limits.Requests), health: health{find: config.Health}}
	if err := s.readFiles(); err != nil {
		return nil, err
	}
	s.ctx, s.cancel = context.WithCancelCause(context.Background())
	s.http = &http.Server{
		Handler:           s.handler(),
		BaseContext:       func(net.Listener) context.Context { return s.ctx },
		ErrorLog:          slog.NewLogLogger(config.Log.Handler(), slog.LevelWarn),
		ReadHeaderTimeout: config.Limits.HeaderTime,
		IdleTimeout:       config.Limits.IdleTime,
		MaxHeaderBytes:    config.Limits.HeaderSize,
		Protocols:         new(http.Protocols),
	}
	// Long requests and streams gain nothing from HTTP/2.
	s.http.Protocols.SetHTTP1(true)
	for _, address := range config.Addresses {
		listener, err := s.listen(address)
		if err != nil {
			return nil, errors.Join(err, s.closeListeners())
		}
		s.listeners = append(s.listeners, listener)
	}
	if len(s.listeners) == 0 {
		return nil, errors.New("there is no address to listen on")
	}
	return s, nil
}

func (s *Server) readFiles() error {
	guard, err := newGuard(s.config)
	if err != nil {
		return err
	}
	s.guard = guard
	if s.config.CertFile == "" && s.config.KeyFile == "" {
		return nil
	}
	s.keyPair, err = loadKeyPair(s.config)
	return err
}

func (s *Server) listen(address string) (net.Listener, error) {
	tcp, err := net.ResolveTCPAddr("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", address, err)
	}
	if err := s.config.check(tcp); err != nil {
		return nil, fmt.Errorf("listen on %s: %w", address, err)
	}
	listener, err := net.ListenTCP("tcp", tcp)
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", address, err)
	}
	return newLimitedListener(listener, s.config.Limits.Connections), nil
}

// check refuses addresses that other machines reach, unless what they must not
// do without is there.
func (c Config) check(address *net.TCPAddr) error {
	if address.IP != nil && address.IP.IsLoopback() {
		return nil
	}
	if c.PasswordFile == "" && c.ClientCAFile == "" && !c.AllowUnauthenticated {
		return errors.New("other machines could use it without authentication: give a file of passwords (--htpasswd) or of certificate authorities (--client-ca), or insist with --allow-unauthenticated")
	}
	if c.CertFile == "" && !c.AllowPlaintext && !c.AllowUnauthenticated {
		return errors.New("passwords would be sent in plain text: give a certificate and its key (--tls-cert, --tls-key), or insist with --allow-plaintext")
	}
	return nil
}

// Addresses returns where the server listens.
func (s *Server) Addresses() []net.Addr {
	addresses := make([]net.Addr, len(s.listeners))
	for i, listener := range s.listeners {
		addresses[i] = listener.Addr()
	}
	return addresses
}

// Reload reads all files again. What cannot be read stays as it was.
func (s *Server) Reload() error {
	errs := []error{s.guard.reload()}
	if s.keyPair != nil {
		errs = append(errs, s.keyPair.reload())
	}
	return errors.Join(errs...)
}

// Serve answers requests until ctx is cancelled, then refuses new ones and lets
// the running ones end.
func (s *Server) Serve(ctx context.Context) error {
	failed := make(chan error, len(s.listeners))
	for _, listener := range s.listeners {
		go func() { failed <- s.http.Serve(s.secured(listener)) }()
	}
	select {
	case err := <-failed:
		err = fmt.Errorf("serve: %w", err)
		return errors.Join(err, s.shutdown())
	case <-ctx.Done():
		return s.shutdown()
	}
}

// shutdown ends the server. Requests that do not end in time are cancelled.
func (s *Server) shutdown() error {
	ctx, cancel := context.WithTimeout(context.Background(), s.config.Grace)
	defer cancel()
	err := s.http.Shutdown(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		s.config.Log.Warn("requests are still running and are cancelled", "after", s.config.Grace)
		s.cancel(errors.New("the service stops"))
		ctx, cancel := context.WithTimeout(context.Background(), cancelTime)
		defer cancel()
		err = s.http.Shutdown(ctx)
	}
	s.cancel(errors.New("the service has stopped"))
	if err != nil {
		err = errors.Join(fmt.Errorf("stop serving: %w", err), s.http.Close())
	}
	return err
}

func (s *Server) closeListeners() error {
	var errs []error
	for _, listener := range s.listeners {
		errs = append(errs, listener.Close())
	}
	return errors.Join(errs...)
}
