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
)

// server is the server of a container.
type server struct {
	clients dump.Clients
	// account is that of the server, nil if it is that of this process.
	account *syscall.Credential
	// exchange is a directory in which the server reads and writes files.
	exchange string
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
	s.exchange, err = os.MkdirTemp("", "dysnomia-ejabberd-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(s.exchange)) }()
	if err := s.give(s.exchange); err != nil {
		return err
	}
	return do(s)
}

// give makes a file or directory the server's own.
func (s *server) give(name string) error {
	if s.account == nil {
		return nil
	}
	return os.Lchown(name, int(s.account.Uid), int(s.account.Gid))
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
	return err
}

// load lets the server read a dump, which it need not have access to.
func (s *server) load(ctx context.Context, name string) error {
	copied := filepath.Join(s.exchange, "load")
	if err := copyFile(name, copied); err != nil {
		return err
	}
	if err := s.give(copied); err != nil {
		return err
	}
	if err := s.control(ctx, "load", copied); err != nil {
		return fmt.Errorf("load %s: %w", name, err)
	}
	return nil
}

// dump lets the server write a dump and copies it.
func (s *server) dump(ctx context.Context, name string) error {
	written := filepath.Join(s.exchange, "dump")
	if err := s.control(ctx, "dump", written); err != nil {
		return err
	}
	info, err := os.Stat(written)
	if err != nil {
		return fmt.Errorf("the server has written no dump: %w", err)
	}
	if info.Size() == 0 {
		return errors.New("the server has written an empty dump")
	}
	return copyFile(written, name)
}

func copyFile(from, to string) error {
	source, err := os.Open(from)
	if err != nil {
		return err
	}
	defer source.Close()
	target, err := os.OpenFile(to, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(target, source)
	return errors.Join(err, target.Close())
}

// deleteDatabase deletes what is in the directory of the database.
func deleteDatabase(ctx context.Context, r *dysnomia.Request) error {
	dir := r.Properties["ejabberdSpoolDir"]
	if dir == "" {
		dir = "/var/lib/ejabberd"
	}
	if !filepath.IsAbs(dir) || filepath.Clean(dir) == "/" {
		return fmt.Errorf("read property ejabberdSpoolDir of container %q: %q is not an absolute path of a directory", r.Container, dir)
	}
	s, err := newServer(r)
	if err != nil {
		return err
	}
	if s.control(ctx, "status") == nil {
		return errors.New("the server runs: stop it first, then collect garbage again")
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
