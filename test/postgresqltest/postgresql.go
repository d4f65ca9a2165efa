// Package postgresqltest gives tests a PostgreSQL server of their own, on a
// private socket and directory. It runs as the account postgres.
package postgresqltest

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
	"time"
)

// Port is the port in the names of sockets. The servers do not listen on it.
const Port = 5433

// Account is the account of the operating system and of the server that may do
// everything.
const Account = "postgres"

// Login is an account of the server only, which needs a password and may
// create databases.
const (
	Login    = "log in"
	Password = `s"e'c \ret`
)

// Server is a server that runs, or ran.
type Server struct {
	// Dir is the directory of the socket and of all files.
	Dir string

	account *syscall.Credential
	cmd     *exec.Cmd
	ended   chan struct{}
}

// New makes the files of a server, in memory if possible, and starts it. It
// must be ended by [Server.Remove].
func New() (_ *Server, err error) {
	dir, err := directory()
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.RemoveAll(dir))
		}
	}()
	account, err := user.Lookup(Account)
	if err != nil {
		return nil, fmt.Errorf("%w: run `make setup-databases`", err)
	}
	uid, _ := strconv.Atoi(account.Uid)
	gid, _ := strconv.Atoi(account.Gid)
	s := &Server{Dir: dir}
	if os.Geteuid() == 0 {
		s.account = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
		if err := errors.Join(os.Chown(dir, uid, gid), os.Chmod(dir, 0o755)); err != nil {
			return nil, err
		}
	}
	initialise, err := s.command("initdb", "--pgdata="+s.data(), "--auth=peer", "--no-sync", "--encoding=UTF8", "--locale=C")
	if err != nil {
		return nil, err
	}
	if out, err := initialise.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("initdb: %w: %s", err, out)
	}
	rules := fmt.Sprintf("local all %q scram-sha-256\nlocal all all peer\n", Login)
	if err := os.WriteFile(filepath.Join(s.data(), "pg_hba.conf"), []byte(rules), 0o644); err != nil {
		return nil, err
	}
	if err := s.Start(); err != nil {
		return nil, err
	}
	create, err := s.command("psql", "--host="+dir, "--port="+strconv.Itoa(Port), "--dbname=postgres", "--no-psqlrc",
		"--command=CREATE ROLE \""+Login+"\" LOGIN CREATEDB PASSWORD 's\"e''c \\ret'")
	if err == nil {
		var out []byte
		if out, err = create.CombinedOutput(); err != nil {
			err = fmt.Errorf("create an account: %w: %s", err, out)
		}
	}
	if err != nil {
		return nil, errors.Join(err, s.Stop())
	}
	return s, nil
}

func (s *Server) data() string { return filepath.Join(s.Dir, "data") }

// command prepares a program of the newest version that is installed.
func (s *Server) command(name string, args ...string) (*exec.Cmd, error) {
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/" + name)
	if len(found) == 0 {
		return nil, fmt.Errorf("find %s: run `make setup-databases`", name)
	}
	cmd := exec.Command(found[len(found)-1], args...)
	cmd.Env = []string{"PATH=/usr/bin:/bin", "LC_ALL=C"}
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: s.account}
	return cmd, nil
}

// directory makes one with a short name, as sockets need it.
func directory() (string, error) {
	dir, err := os.MkdirTemp("/dev/shm", "pgsql.")
	if err != nil {
		dir, err = os.MkdirTemp("/tmp", "pgsql.")
	}
	return dir, err
}

// Remove stops the server and removes its files.
func (s *Server) Remove() error { return errors.Join(s.Stop(), os.RemoveAll(s.Dir)) }

// Start starts the server and waits until it accepts connections.
func (s *Server) Start() error {
	cmd, err := s.command("postgres", "-D", s.data(), "-k", s.Dir, "-p", strconv.Itoa(Port), "-c", "listen_addresses=", "-F")
	if err != nil {
		return err
	}
	log, err := os.OpenFile(filepath.Join(s.Dir, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer log.Close()
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start postgres: %w", err)
	}
	s.cmd, s.ended = cmd, make(chan struct{})
	go func() {
		_ = cmd.Wait()
		close(s.ended)
	}()
	return s.await()
}

// await waits until the server says that it is ready: it listens before.
func (s *Server) await() error {
	deadline := time.After(5 * time.Minute)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		status, _ := os.ReadFile(filepath.Join(s.data(), "postmaster.pid"))
		lines := bytes.Split(status, []byte("\n"))
		if len(lines) > 7 && bytes.HasPrefix(lines[7], []byte("ready")) && string(lines[0]) == strconv.Itoa(s.cmd.Process.Pid) {
			conn, err := net.Dial("unix", filepath.Join(s.Dir, ".s.PGSQL."+strconv.Itoa(Port)))
			if err != nil {
				return err
			}
			return conn.Close()
		}
		select {
		case <-tick.C:
		case <-s.ended:
			return fmt.Errorf("postgres has ended: %s", s.log())
		case <-deadline:
			return errors.Join(fmt.Errorf("postgres does not accept connections: %s", s.log()), s.Stop())
		}
	}
}

func (s *Server) log() []byte {
	content, _ := os.ReadFile(filepath.Join(s.Dir, "log"))
	return bytes.TrimSpace(content[max(0, len(content)-2000):])
}

// Stop ends the server and all its sessions at once and waits for its end.
func (s *Server) Stop() error {
	err := s.cmd.Process.Signal(syscall.SIGQUIT)
	<-s.ended
	if errors.Is(err, os.ErrProcessDone) {
		return nil
	}
	return err
}
