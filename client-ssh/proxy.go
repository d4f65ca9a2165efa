package sshclient

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"

	"github.com/disnix-go/disnix/service/commandline"
)

// shellCharacters are those that names in a ProxyCommand must not have: names
// may come from a model, and the shell reads the command.
const shellCharacters = "'`\"$\\;&<>|(){}*?!#~\n"

// proxy is a connection through the program of a ProxyCommand, whose standard
// input and output are the other end of a pair of sockets.
type proxy struct {
	net.Conn
	command string
	process *os.Process
	ended   chan struct{}
	said    *saying

	closing sync.Once
}

// saying keeps what a program says last, for errors.
type saying struct {
	mu   sync.Mutex
	tail commandline.Tail
}

func (s *saying) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.tail.Write(p)
}

func (s *saying) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.TrimSpace(s.tail.String())
}

// startProxy starts the ProxyCommand of the settings with the user's shell.
func startProxy(s *settings) (*proxy, error) {
	for _, name := range []string{s.host, s.user, s.alias} {
		if strings.ContainsAny(name, shellCharacters) {
			return nil, fmt.Errorf("run the ProxyCommand of host %q: the name %q has characters that a shell would interpret", s.alias, name)
		}
	}
	command := strings.NewReplacer("%%", "%", "%h", s.host, "%n", s.alias, "%p", s.port, "%r", s.user).Replace(s.proxyCommand)
	near, far, err := socketPair()
	if err != nil {
		return nil, fmt.Errorf("run the ProxyCommand %q: %w", command, err)
	}
	defer far.Close()
	shell := os.Getenv("SHELL")
	if shell == "" {
		shell = "/bin/sh"
	}
	p := &proxy{Conn: near, command: command, ended: make(chan struct{}), said: new(saying)}
	cmd := exec.Command(shell, "-c", "exec "+command)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = far, far, p.said
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // an interrupt must not cut the link
	cmd.WaitDelay = lateOutput
	if err := cmd.Start(); err != nil {
		_ = near.Close()
		return nil, fmt.Errorf("run the ProxyCommand %q: %w", command, err)
	}
	p.process = cmd.Process
	go func() {
		defer close(p.ended)
		_ = cmd.Wait()
	}()
	return p, nil
}

// RemoteAddr returns no address: the host is known by its name only.
func (p *proxy) RemoteAddr() net.Addr { return noAddress{} }

// Close also ends the program.
func (p *proxy) Close() error {
	err := p.Conn.Close()
	p.closing.Do(func() {
		_ = syscall.Kill(-p.process.Pid, syscall.SIGHUP)
	})
	return err
}

// explain adds what the program has said to the error of a connection.
func (p *proxy) explain(ctx context.Context, err error) error {
	select {
	case <-p.ended:
	case <-ctx.Done():
	}
	text := p.said.String()
	if text == "" {
		return fmt.Errorf("through the ProxyCommand %q: %w", p.command, err)
	}
	return fmt.Errorf("through the ProxyCommand %q: %w; it says: %s", p.command, err, printable([]byte(text)))
}

// socketPair returns a connection and the file that is its other end.
func socketPair() (net.Conn, *os.File, error) {
	ends, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, err
	}
	far := os.NewFile(uintptr(ends[1]), "proxy")
	file := os.NewFile(uintptr(ends[0]), "proxy")
	defer file.Close()
	near, err := net.FileConn(file)
	if err != nil {
		return nil, nil, errors.Join(err, far.Close())
	}
	return near, far, nil
}
