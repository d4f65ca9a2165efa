// Package dbusservice is disnix-service: it offers the contract of a target
// ([service.Service]) on D-Bus (protocol, section 1).
//
// Every operation is a job. A job has an id, which only the connection that
// asked for it can use, and only once; a log file, which the client reads when
// the job has failed; and it ends with a signal, which is always sent after
// the reply to the call that began it. Jobs run at the same time.
//
// Who may call is decided by the bus (share/dbus-1/system.d/disnix.conf).
package dbusservice

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/godbus/dbus/v5"
	"github.com/godbus/dbus/v5/prop"

	"github.com/disnix-go/disnix/service"
	"github.com/disnix-go/disnix/service/dbuswire"
)

// Config are the circumstances of a [Server].
type Config struct {
	SessionBus bool   // otherwise the system bus
	LogDir     string // directory of the jobs' log files
	// LogGroup is the id of the group that may read the log files; with 0, or
	// if they cannot be given to it, only their owner may.
	LogGroup int
	// KeepLogs is how many log files are kept; 1000 if it is 0.
	KeepLogs int
	// Directory is where files for callers are written, before they get their
	// names in TMPDIR; it must be on the same file system. TMPDIR if it is empty.
	Directory string
	// Log receives the messages of the server itself.
	Log io.Writer
	// NewService returns the contract for one job. What is written to log
	// ends up in the job's log file; it may be used by several goroutines.
	NewService func(log io.Writer) service.Service
	// Grace is how long running jobs may take to end when the server stops,
	// before they are cancelled.
	Grace time.Duration
}

// cancelTime is how long cancelled jobs may take to end.
const cancelTime = 15 * time.Second

// Server is the service on a bus.
type Server struct {
	config Config
	conn   *dbus.Conn
	logs   *logDir
	jobs   jobTable
	log    *syncWriter

	// ctx is that of all jobs.
	ctx    context.Context
	cancel context.CancelFunc
	lost   chan struct{} // closed when the name was lost
	once   sync.Once
}

// Listen connects to the bus and takes the service's name. Jobs are accepted
// from then on; [Server.Serve] has to be called.
func Listen(config Config) (*Server, error) {
	s := &Server{config: config, lost: make(chan struct{}), log: &syncWriter{w: config.Log}}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	var err error
	if s.logs, err = newLogDir(config); err != nil {
		return nil, err
	}
	s.jobs.next = s.logs.first
	if err := s.connect(); err != nil {
		s.cancel()
		return nil, err
	}
	if err := s.export(); err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

func (s *Server) connect() error {
	conn, bus, err := dbuswire.Connect(s.config.SessionBus, dbus.WithSignalHandler(s), dbus.WithIncomingInterceptor(replyLater))
	if err != nil {
		return fmt.Errorf("connect to the %s bus: %w", bus, err)
	}
	s.conn = conn
	return nil
}

func (s *Server) export() error {
	err := errors.Join(
		s.conn.ExportMethodTable(s.methods(), dbuswire.Path, dbuswire.Interface),
		s.conn.ExportMethodTable(map[string]any{
			"Introspect": func() (string, *dbus.Error) { return dbuswire.Introspection(), nil },
		}, dbuswire.Path, "org.freedesktop.DBus.Introspectable"),
	)
	if err == nil {
		_, err = prop.Export(s.conn, dbuswire.Path, prop.Map{dbuswire.Interface: {}})
	}
	if err == nil {
		err = s.conn.AddMatchSignal(
			dbus.WithMatchSender(busName), dbus.WithMatchInterface(busName), dbus.WithMatchMember("NameOwnerChanged"))
	}
	if err != nil {
		return fmt.Errorf("offer the service on the bus: %w", err)
	}
	reply, err := s.conn.RequestName(dbuswire.Name, dbus.NameFlagDoNotQueue)
	var refusal dbus.Error
	if errors.As(err, &refusal) && refusal.Name == busName+".Error.AccessDenied" {
		err = fmt.Errorf("%w: run disnix-service as root, and install its policy as /usr/share/dbus-1/system.d/disnix.conf", err)
	}
	if err != nil {
		return fmt.Errorf("take the name %s on the bus: %w", dbuswire.Name, err)
	}
	if reply != dbus.RequestNameReplyPrimaryOwner {
		return fmt.Errorf("take the name %s on the bus: another disnix-service has it", dbuswire.Name)
	}
	return nil
}

// busName is the name, and the interface, of the bus itself.
const busName = "org.freedesktop.DBus"

// DeliverSignal takes note of lost names and vanished callers. It is called by
// the connection.
func (s *Server) DeliverSignal(iface, member string, signal *dbus.Signal) {
	if iface != busName || signal.Sender != busName {
		return
	}
	switch member {
	case "NameLost":
		if len(signal.Body) == 1 && signal.Body[0] == dbuswire.Name {
			s.once.Do(func() { close(s.lost) })
		}
	case "NameOwnerChanged":
		var name, before, after string
		if dbus.Store(signal.Body, &name, &before, &after) == nil && after == "" {
			s.jobs.forgetUnused(name)
		}
	}
}

// ErrNameLost says that somebody else has taken the service's name, or that
// the bus is gone.
var ErrNameLost = errors.New("name lost: " + dbuswire.Name)

// Serve runs until ctx is done, and then returns nil, or until the name is
// lost ([ErrNameLost]). New jobs are refused then, running ones may end within
// the time of grace; those that do not are cancelled and reported as failed.
func (s *Server) Serve(ctx context.Context) error {
	defer s.close()
	var err error
	select {
	case <-ctx.Done():
	case <-s.lost:
		err = fmt.Errorf("%w: it belongs to another process now", ErrNameLost)
	case <-s.conn.Context().Done():
		err = fmt.Errorf("%w: the connection to the bus has ended", ErrNameLost)
	}
	ended := s.jobs.stop()
	if waitFor(ended, s.config.Grace) {
		return err
	}
	s.log.printf("Cancelling the jobs that are still running")
	s.cancel()
	if !waitFor(ended, cancelTime) {
		s.log.printf("Some jobs did not end in spite of having been cancelled")
	}
	return err
}

func waitFor(ended <-chan struct{}, limit time.Duration) bool {
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-ended:
		return true
	case <-timer.C:
		return false
	}
}

func (s *Server) close() {
	s.cancel()
	_ = s.conn.Close() // everything has been sent
}

// syncWriter lets several goroutines write lines.
type syncWriter struct {
	mu sync.Mutex
	w  io.Writer
}

func (w *syncWriter) printf(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	fmt.Fprintf(w.w, format+"\n", args...)
}
