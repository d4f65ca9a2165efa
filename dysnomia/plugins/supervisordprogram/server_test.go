package supervisordprogram

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/disnix-go/disnix/dysnomia/plugins/await"
	"github.com/disnix-go/disnix/test/porttest"
)

// server is a real supervisord.
type server struct {
	dir  string
	port string
	cmd  *exec.Cmd
}

func (s *server) conf() string      { return filepath.Join(s.dir, "supervisord.conf") }
func (s *server) socket() string    { return filepath.Join(s.dir, "s.sock") }
func (s *server) targetDir() string { return filepath.Join(s.dir, "conf.d") }

const serverConf = `; a comment
[unix_http_server]
file = %%(here)s/s.sock   ; another
username = operator
password = secret
[inet_http_server]
port=%s
username = operator
password = secret
[supervisord]
logfile=%%(here)s/log
pidfile=%%(here)s/pid
childlogdir=%%(here)s
nodaemon=true
[rpcinterface:supervisor]
supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface
[supervisorctl]
serverurl=unix://%%(here)s/s.sock
username = operator
password = secret
[include]
files=conf.d/*.conf
`

// startServer starts a supervisord in a directory of its own.
func startServer() (*server, error) {
	dir, err := os.MkdirTemp("/tmp", "supervisord.") // the name of a socket must be short
	if err != nil {
		return nil, err
	}
	port, err := porttest.Reserve()
	if err != nil {
		return nil, err
	}
	s := &server{dir: dir, port: fmt.Sprintf("127.0.0.1:%d", port)}
	if err := os.Mkdir(s.targetDir(), 0o755); err != nil {
		return nil, err
	}
	if err := os.WriteFile(s.conf(), []byte(fmt.Sprintf(serverConf, s.port)), 0o600); err != nil {
		return nil, err
	}
	return s, s.start()
}

func (s *server) start() error {
	s.cmd = exec.Command("supervisord", "-c", s.conf())
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	if err := s.cmd.Start(); err != nil {
		return fmt.Errorf("%w: run `make setup-process-managers`", err)
	}
	return await.Until(context.Background(), "supervisord to listen", 5*time.Minute, func(context.Context) (bool, string, error) {
		conn, err := net.Dial("unix", s.socket())
		if err == nil {
			conn.Close()
		}
		return err == nil, fmt.Sprint(err), nil
	})
}

func (s *server) stop() {
	_ = s.cmd.Process.Signal(syscall.SIGTERM)
	_ = s.cmd.Wait()
}

func (s *server) remove() {
	s.stop()
	_ = os.RemoveAll(s.dir)
}

// shared is the server of all tests that do not stop it.
var shared = sync.OnceValues(startServer)

func TestMain(m *testing.M) {
	code := m.Run()
	if s, err := shared(); err == nil {
		s.remove()
	}
	os.Exit(code)
}

func sharedServer(t testing.TB) *server {
	t.Helper()
	s, err := shared()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// own starts a server for one test.
func own(t *testing.T) *server {
	t.Helper()
	s, err := startServer()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.remove)
	return s
}

// ctl runs supervisorctl.
func (s *server) ctl(t testing.TB, args ...string) string {
	t.Helper()
	out, _ := exec.Command("supervisorctl", append([]string{"-c", s.conf()}, args...)...).CombinedOutput()
	return strings.TrimSpace(string(out))
}

// status returns the state of a process, or nothing if there is none.
func (s *server) status(t testing.TB, name string) string {
	t.Helper()
	c := newRPC(endpoint{network: "unix", address: s.socket(), username: "operator", password: "secret"})
	processes, err := c.processes(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range processes {
		if p.fullName() == name {
			return p.state
		}
	}
	return ""
}
