package dump

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/disnix-go/disnix/dysnomia"
)

// grace is how long a program that was told to stop may go on before it is
// killed.
const grace = 10 * time.Second

// Clients runs the client programs of a server. They get a small environment:
// the container properties, which may be secret, are not passed on.
type Clients struct {
	// Search is an environment (key=value) with the PATH to look in.
	Search []string
	// Variables are added to the environment of the programs, as key=value.
	// Only the account that runs them and root can read these.
	Variables []string
	// Account runs the programs if it is not nil.
	Account *syscall.Credential
}

// Command prepares a program, given by the first of the names that exists. It
// has a session of its own, so that a Ctrl-C that is meant for the caller does
// not interrupt it; it is told to stop when ctx ends.
func (c Clients) Command(ctx context.Context, names []string, args ...string) (*exec.Cmd, error) {
	var path string
	var err error
	for _, name := range names {
		var problem error
		if path, problem = dysnomia.FindProgram(c.Search, name); problem == nil {
			break
		}
		err = errors.Join(err, problem)
	}
	if path == "" {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Env = append([]string{"LC_ALL=C", "HOME=/", "PATH=" + searchPath(c.Search)}, c.Variables...)
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Credential: c.Account}
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = grace
	return cmd, nil
}

func searchPath(environment []string) string {
	path := "/usr/sbin:/usr/bin:/sbin:/bin"
	for _, variable := range environment {
		if value, ok := strings.CutPrefix(variable, "PATH="); ok {
			path = value + ":" + path
		}
	}
	return path
}

// Run runs a prepared program to its end. A failure says what the program
// printed on its standard error, which cmd.Stderr receives too if it is set,
// but not its arguments.
func Run(ctx context.Context, cmd *exec.Cmd) error {
	said := &messages{}
	if cmd.Stderr == nil {
		cmd.Stderr = said
	} else {
		cmd.Stderr = io.MultiWriter(said, cmd.Stderr)
	}
	return failure(ctx, cmd, said, cmd.Run())
}

// Output is [Run] and returns what the program printed on standard output,
// which has to be small.
func Output(ctx context.Context, cmd *exec.Cmd) (string, error) {
	var out bytes.Buffer
	cmd.Stdout = &out
	err := Run(ctx, cmd)
	return out.String(), err
}

// failure describes how a program ended.
func failure(ctx context.Context, cmd *exec.Cmd, said *messages, err error) error {
	if err == nil {
		return nil
	}
	if ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	err = fmt.Errorf("run %s: %w", filepath.Base(cmd.Path), err)
	if text := said.String(); text != "" {
		err = fmt.Errorf("%w: %s", err, text)
	}
	return err
}

// messages keeps the beginning and the end of what a program says on its
// standard error.
type messages struct{ first, last []byte }

const longestMessage = 1000 // of each

// Write never fails.
func (m *messages) Write(p []byte) (int, error) {
	n := len(p)
	part := min(max(0, longestMessage-len(m.first)), n)
	m.first = append(m.first, p[:part]...)
	m.last = append(m.last, p[part:]...)
	if surplus := len(m.last) - longestMessage; surplus > longestMessage {
		m.last = append(m.last[:0], m.last[surplus:]...)
	}
	return n, nil
}

func (m *messages) String() string {
	last := m.last
	if surplus := len(last) - longestMessage; surplus > 0 {
		last = append([]byte(" … "), last[surplus:]...)
	}
	text := strings.Map(func(r rune) rune {
		if r < ' ' && r != '\n' && r != '\t' {
			return -1
		}
		return r
	}, string(m.first)+string(last))
	return strings.TrimSpace(text)
}
