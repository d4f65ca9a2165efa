package dbusservice

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"unicode/utf8"

	"github.com/godbus/dbus/v5"

	"github.com/disnix-go/disnix/service"
	"github.com/disnix-go/disnix/service/dbuswire"
)

// maxResult bounds the results of a job: the bus disconnects who sends larger
// messages than it is configured for, usually 32 MiB.
const maxResult = 16 << 20

// job is one operation.
type job struct {
	// title is the first line of the log file, if not empty.
	title string
	// hasResult says that the signal is success with the results, and not
	// finish.
	hasResult bool
	run       func(*running) ([]string, error)
}

// running is a job while it runs.
type running struct {
	service.Service
	ctx    context.Context
	log    *os.File
	caller string // unique name on the bus
	server *Server
}

// answered marks calls that are answered by [Server.begin] itself. It is no
// flag of the wire.
const answered dbus.Flags = 1 << 7

// replyLater takes the replies to calls of jobs away from the connection, which
// would send them at some time after the method has returned: a signal could
// come first. (Interceptors see messages before they are dispatched.)
func replyLater(m *dbus.Message) {
	if m.Type != dbus.TypeMethodCall || m.Flags&dbus.FlagNoReplyExpected != 0 {
		return
	}
	path, _ := m.Headers[dbus.FieldPath].Value().(dbus.ObjectPath)
	member, _ := m.Headers[dbus.FieldMember].Value().(string)
	if path == dbuswire.Path && beginsJob[member] {
		m.Flags |= dbus.FlagNoReplyExpected | answered
	}
}

// beginsJob holds the names of the methods that begin jobs.
var beginsJob = func() map[string]bool {
	names := make(map[string]bool)
	for _, method := range dbuswire.Methods() {
		names[method.Name] = true
	}
	for _, name := range []string{dbuswire.GetJobID, dbuswire.GetLogDir, dbuswire.Cancel, dbuswire.Claim} {
		delete(names, name)
	}
	return names
}()

// reply sends the empty reply to a call that begins a job.
func (s *Server) reply(call dbus.Message) {
	if call.Flags&answered == 0 {
		return
	}
	s.conn.Send(&dbus.Message{
		Type: dbus.TypeMethodReply,
		Headers: map[dbus.HeaderField]dbus.Variant{
			dbus.FieldDestination: call.Headers[dbus.FieldSender],
			dbus.FieldReplySerial: dbus.MakeVariant(call.Serial()),
		},
	}, nil)
}

// checkSignature refuses a call whose arguments have other types than the
// method's: the D-Bus library would convert them.
func checkSignature(call dbus.Message) *dbus.Error {
	method, _ := call.Headers[dbus.FieldMember].Value().(string)
	got, _ := call.Headers[dbus.FieldSignature].Value().(dbus.Signature)
	if want := dbuswire.Signature(method); got.String() != want {
		return dbusError("InvalidArgs", fmt.Sprintf("%s has arguments of the types %q, not %q", method, want, got))
	}
	return nil
}

func sender(call dbus.Message) string {
	name, _ := call.Headers[dbus.FieldSender].Value().(string)
	return name
}

// begin answers a call and runs its job.
func (s *Server) begin(call dbus.Message, id int32, j job) *dbus.Error {
	if err := checkSignature(call); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(s.ctx)
	claim, failure := s.jobs.begin(id, sender(call), cancel)
	if failure != nil {
		cancel()
		return failure
	}
	if claim != nil {
		ctx = service.WithClaim(ctx, *claim)
	}
	log, err := s.logs.create(id, s.jobs.runs)
	s.reply(call)
	go func() {
		defer cancel()
		defer s.jobs.end(id)
		if err != nil {
			s.log.printf("Cannot write logfile for job id: %d: %v", id, err)
			s.emit(dbuswire.Failure, id)
			return
		}
		s.run(id, j, &running{s.config.NewService(log), ctx, log, sender(call), s})
	}()
	return nil
}

// run runs a job and tells how it ended. Everything is in the log file before.
func (s *Server) run(id int32, j job, r *running) {
	if j.title != "" {
		fmt.Fprintln(r.log, j.title)
	}
	results, err := j.run(r)
	if err == nil {
		err = checkResults(results)
	}
	if err != nil {
		fmt.Fprintln(r.log, err)
		if _, claims := service.ClaimOf(r.ctx); claims {
			fmt.Fprint(r.log, service.RefusalLine(err))
		}
	}
	if closeErr := errors.Join(r.Close(), r.log.Close()); closeErr != nil {
		s.log.printf("Job %d: %v", id, closeErr)
	}
	switch {
	case err != nil:
		s.emit(dbuswire.Failure, id)
	case j.hasResult:
		s.emit(dbuswire.Success, id, append([]string{}, results...))
	default:
		s.emit(dbuswire.Finish, id)
	}
}

// checkResults makes sure that results can be sent.
func checkResults(results []string) error {
	size := 0
	for _, result := range results {
		size += len(result)
		if !utf8.ValidString(result) || strings.ContainsRune(result, 0) {
			return fmt.Errorf("the result %q is not text, which D-Bus cannot carry", result)
		}
	}
	if size > maxResult {
		return fmt.Errorf("the results have %d bytes, but D-Bus is only for short messages: ask for less at once", size)
	}
	return nil
}

func (s *Server) emit(signal string, args ...any) {
	if err := s.conn.Emit(dbuswire.Path, dbuswire.Interface+"."+signal, args...); err != nil {
		s.log.printf("Cannot send the signal %s of job %v: %v", signal, args[0], err)
	}
}

// temporaryFile writes a file for the caller, who becomes its owner, and
// returns its name. If that fails there is no file.
func (r *running) temporaryFile(mode os.FileMode, write func(io.Writer) error) (name string, err error) {
	file, err := os.CreateTemp(r.server.config.Directory, "disnix.")
	if err != nil {
		return "", fmt.Errorf("create temporary file: %w", err)
	}
	err = write(file)
	if err == nil {
		err = r.giveToCaller(file, mode)
	}
	name = filepath.Join(os.TempDir(), filepath.Base(file.Name()))
	if err = errors.Join(err, file.Close()); err == nil {
		err = os.Rename(file.Name(), name)
	}
	if err != nil {
		return "", errors.Join(err, os.Remove(file.Name()))
	}
	return name, nil
}

// giveToCaller makes the caller the owner of a file.
func (r *running) giveToCaller(file *os.File, mode os.FileMode) error {
	var uid uint32
	err := r.server.conn.BusObject().CallWithContext(r.ctx, busName+".GetConnectionUnixUser", 0, r.caller).Store(&uid)
	if err != nil {
		return fmt.Errorf("find out who the caller is: %w", err)
	}
	if int(uid) != os.Geteuid() {
		if err := file.Chown(int(uid), -1); err != nil {
			return fmt.Errorf("give the file to user %d: %w", uid, err)
		}
	}
	return file.Chmod(mode)
}
