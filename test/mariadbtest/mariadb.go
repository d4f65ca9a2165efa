// Package mariadbtest gives tests a MariaDB server of their own, on a private
// socket, port and directory.
package mariadbtest

import (
	"bytes"
	"database/sql"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/disnix-go/disnix/test/porttest"
	"github.com/go-sql-driver/mysql"
)

// Root is the password of the account root: it needs every kind of quoting.
const Root = `s"e'c #r\et`

// Server is a server that runs, or ran.
type Server struct {
	// Socket is the path of its socket; Port its port on 127.0.0.1.
	Socket string
	Port   int
	// Dir has its files; Data the databases, each a directory.
	Dir, Data string
	// Options are added to the command line at the next [Server.Start].
	Options []string

	cmd   *exec.Cmd
	ended chan struct{}
}

// New makes the files of a server, in memory if possible, and starts it. It
// must be ended by [Server.Remove].
func New(options ...string) (*Server, error) {
	dir, err := directory()
	if err != nil {
		return nil, err
	}
	s, err := NewAt(dir, options...)
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	return s, nil
}

// NewAt is [New] in a directory that has a short name, as sockets need it.
func NewAt(dir string, options ...string) (*Server, error) {
	s := &Server{Socket: filepath.Join(dir, "socket"), Dir: dir, Data: filepath.Join(dir, "data"), Options: options}
	out, err := exec.Command("mariadb-install-db", "--no-defaults", "--user=root", "--datadir="+s.Data,
		"--auth-root-authentication-method=normal", "--skip-test-db").CombinedOutput()
	if err != nil {
		return nil, fmt.Errorf("mariadb-install-db: %w: %s: run `make setup-databases`", err, out)
	}
	if err := s.Start(); err != nil {
		return nil, err
	}
	pool, err := s.pool("")
	if err != nil {
		return nil, err
	}
	defer pool.Close()
	for _, host := range []string{"localhost", "127.0.0.1"} {
		_, err := pool.Exec("CREATE OR REPLACE USER root@'" + host + `' IDENTIFIED BY "s\"e'c #r\\et"`)
		if err == nil {
			_, err = pool.Exec("GRANT ALL PRIVILEGES ON *.* TO root@'" + host + "' WITH GRANT OPTION")
		}
		if err != nil {
			return nil, errors.Join(err, s.Stop())
		}
	}
	return s, nil
}

// directory makes one with a short name, as sockets need it.
func directory() (string, error) {
	dir, err := os.MkdirTemp("/dev/shm", "mysql.")
	if err != nil {
		dir, err = os.MkdirTemp("/tmp", "mysql.")
	}
	return dir, err
}

// Remove stops the server and removes its files.
func (s *Server) Remove() error { return errors.Join(s.Stop(), os.RemoveAll(s.Dir)) }

// Start starts the server and waits until it accepts connections.
func (s *Server) Start() error {
	if s.Port == 0 {
		var err error
		if s.Port, err = porttest.Reserve(); err != nil {
			return err
		}
	}
	log, err := os.OpenFile(filepath.Join(s.Dir, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer log.Close()
	args := []string{"--no-defaults", "--user=root", "--datadir=" + s.Data, "--socket=" + s.Socket,
		"--bind-address=127.0.0.1", "--skip-name-resolve", "--port=" + strconv.Itoa(s.Port), "--pid-file=" + filepath.Join(s.Dir, "pid")}
	cmd := exec.Command("mariadbd", append(args, s.Options...)...)
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start mariadbd: %w: run `make setup-databases`", err)
	}
	s.cmd, s.ended = cmd, make(chan struct{})
	go func() {
		_ = cmd.Wait()
		close(s.ended)
	}()
	return s.await()
}

func (s *Server) await() error {
	deadline := time.After(5 * time.Minute)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		if conn, err := net.Dial("unix", s.Socket); err == nil {
			return conn.Close()
		}
		select {
		case <-tick.C:
		case <-s.ended:
			return fmt.Errorf("mariadbd has ended: %s", s.log())
		case <-deadline:
			return errors.Join(fmt.Errorf("mariadbd does not accept connections: %s", s.log()), s.Stop())
		}
	}
}

func (s *Server) log() []byte {
	content, _ := os.ReadFile(filepath.Join(s.Dir, "log"))
	return bytes.TrimSpace(content[max(0, len(content)-2000):])
}

// Stop kills the server and waits for its end.
func (s *Server) Stop() error {
	err := s.cmd.Process.Kill()
	<-s.ended
	if errors.Is(err, os.ErrProcessDone) {
		return nil
	}
	return err
}

func (s *Server) pool(password string) (*sql.DB, error) {
	config := mysql.NewConfig()
	config.Net, config.Addr, config.User, config.Passwd, config.MultiStatements = "unix", s.Socket, "root", password, true
	connector, err := mysql.NewConnector(config)
	if err != nil {
		return nil, err
	}
	return sql.OpenDB(connector), nil
}

// Pool returns sessions of root. They end with the test.
func (s *Server) Pool(t testing.TB) *sql.DB {
	t.Helper()
	pool, err := s.pool(Root)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { pool.Close() })
	return pool
}
