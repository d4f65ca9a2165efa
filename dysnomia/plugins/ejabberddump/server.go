package ejabberddump

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"github.com/disnix-go/disnix/dysnomia"
	"github.com/disnix-go/disnix/dysnomia/plugins/await"
	"github.com/disnix-go/disnix/dysnomia/plugins/dump"
	"github.com/disnix-go/disnix/dysnomia/plugins/lifecycle"
)

// server is the server of a container.
type server struct {
	clients dump.Clients
	// account is that of the server, nil if it is that of this process.
	account *syscall.Credential
	// exchange is a directory in which the server reads and writes files. As
	// its account can put there what it likes, the plugin, which may be root,
	// never leaves it.
	exchange *os.Root
}

func newServer(r *dysnomia.Request) (*server, error) {
	s := &server{clients: dump.Clients{Search: r.Environment}}
	name := r.Properties["ejabberdUser"]
	if name == "" {
		return s, nil
	}
	account, err := user.Lookup(name)
	if err != nil {
		return nil, fmt.Errorf("read property ejabberdUser of container %q: %w", r.Container, err)
	}
	// The server's secret is in the home directory.
	s.clients.Variables = []string{"HOME=" + account.HomeDir, "USER=" + name}
	if os.Geteuid() == 0 {
		uid, err := strconv.ParseUint(account.Uid, 10, 32)
		if err != nil {
			return nil, fmt.Errorf("find account %q: its id is %q", name, account.Uid)
		}
		gid, err := strconv.ParseUint(account.Gid, 10, 32)
		if err != nil {
			return nil, fmt.Errorf("find account %q: its group is %q", name, account.Gid)
		}
		s.account = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
		s.clients.Account = s.account
	}
	return s, nil
}

// with calls do when the server runs.
func with(ctx context.Context, r *dysnomia.Request, do func(*server) error) (err error) {
	timeout, err := dump.Timeout(r)
	if err != nil {
		return err
	}
	s, err := newServer(r)
	if err != nil {
		return err
	}
	err = await.Until(ctx, "the ejabberd server", timeout, func(ctx context.Context) (bool, string, error) {
		err := s.control(ctx, "status")
		var absent notExecuted
		if errors.As(err, &absent) {
			return false, "", err
		}
		if err != nil {
			return false, err.Error(), nil
		}
		return true, "", nil
	})
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "dysnomia-ejabberd-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	if s.exchange, err = os.OpenRoot(dir); err != nil {
		return err
	}
	defer s.exchange.Close()
	if s.account != nil {
		if err := s.exchange.Chown(".", int(s.account.Uid), int(s.account.Gid)); err != nil {
			return err
		}
	}
	return do(s)
}

// notExecuted is the error when the control program could not be run at all.
type notExecuted struct{ error }

func (e notExecuted) Unwrap() error { return e.error }

// control runs a command of the server. It prints its complaints on either
// output.
func (s *server) control(ctx context.Context, args ...string) error {
	program, err := s.clients.Command(ctx, []string{"ejabberdctl"}, args...)
	if err != nil {
		return notExecuted{err}
	}
	out, err := dump.Output(ctx, program)
	if err != nil && program.ProcessState == nil {
		return notExecuted{err}
	}
	if text := strings.TrimSpace(out); err != nil && text != "" {
		err = fmt.Errorf("%w: %s", err, text[:min(len(text), 500)])
	}
	if err != nil {
		err = discreet{err}
	}
	return err
}

// discreet is an error of the control program. When it complains, it also shows
// what it has worked on, such as accounts with their passwords: these are left
// out, with all that follows.
type discreet struct{ error }

func (e discreet) Unwrap() error { return e.error }

func (e discreet) Error() string {
	text := e.error.Error()
	for _, data := range []string{"<<\"", " … "} {
		if before, _, found := strings.Cut(text, data); found {
			text = strings.TrimRight(before, " \n[{,") + " …"
		}
	}
	return text
}

// load lets the server read a dump, which it need not have access to.
func (s *server) load(ctx context.Context, name string) error {
	if err := s.share(name, "load"); err != nil {
		return fmt.Errorf("copy %s for the server: %w", name, err)
	}
	if err := s.control(ctx, "load", filepath.Join(s.exchange.Name(), "load")); err != nil {
		return fmt.Errorf("load %s: %w", name, err)
	}
	return nil
}

// share makes a copy of a file that the server can read.
func (s *server) share(name, as string) error {
	source, err := os.Open(name)
	if err != nil {
		return err
	}
	defer source.Close()
	if err := s.exchange.RemoveAll(as); err != nil {
		return err
	}
	target, err := s.exchange.OpenFile(as, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	if s.account != nil {
		err = target.Chown(int(s.account.Uid), int(s.account.Gid))
	}
	if err == nil {
		_, err = io.Copy(target, source)
	}
	return errors.Join(err, target.Close())
}

// dump lets the server write a dump and copies it.
func (s *server) dump(ctx context.Context, name string) error {
	if err := s.control(ctx, "dump", filepath.Join(s.exchange.Name(), "dump")); err != nil {
		return err
	}
	written, err := s.exchange.OpenFile("dump", os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return fmt.Errorf("the server has written no dump: %w", err)
	}
	defer written.Close()
	info, err := written.Stat()
	switch {
	case err != nil:
		return fmt.Errorf("the server has written no dump: %w", err)
	case !info.Mode().IsRegular():
		return errors.New("the server has written no dump: it is not a file")
	case info.Size() == 0:
		return errors.New("the server has written an empty dump")
	}
	target, err := os.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(target, written)
	return errors.Join(err, target.Close())
}

// spoolDir is the directory of the server's database.
func spoolDir(r *dysnomia.Request) (string, error) {
	dir, err := r.Directory("ejabberdSpoolDir", "/var/lib/ejabberd")
	if err == nil && dir == "/" {
		err = fmt.Errorf("read property ejabberdSpoolDir of container %q: it is the root directory", r.Container)
	}
	return dir, err
}

// deleteDatabase deletes what is in the directory of the database.
func deleteDatabase(ctx context.Context, r *dysnomia.Request) error {
	dir, err := spoolDir(r)
	if err != nil {
		return err
	}
	if shared, err := lifecycle.Shared(r, dir); err != nil || shared {
		return err
	}
	s, err := newServer(r)
	if err != nil {
		return err
	}
	err = s.control(ctx, "status")
	var unknown notExecuted
	switch {
	case err == nil:
		return errors.New("the server runs: stop it first, then collect garbage again")
	case errors.As(err, &unknown):
		return fmt.Errorf("see whether the server runs: %w", err)
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	entries, err := os.ReadDir(dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	for _, entry := range entries {
		err = errors.Join(err, os.RemoveAll(filepath.Join(dir, entry.Name())))
	}
	return err
}
