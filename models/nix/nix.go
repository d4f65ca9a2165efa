// Package nix starts the programs of the Nix package manager. It works with
// every Nix since 2.8; the programs are found through PATH and configured by
// the usual NIX_* environment variables.
package nix

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"time"
)

// Command describes one run of a Nix program.
type Command struct {
	Name string // for example nix-store
	Args []string
	// Stdin, Stdout and Stderr may be nil: no input; output is discarded;
	// diagnostics are only kept for the error.
	Stdin          io.Reader
	Stdout, Stderr io.Writer
	// Env holds additional key=value settings.
	Env []string
	// OwnGroup keeps the signals of the terminal from the program: a Ctrl-C
	// reaches it only as the cancellation of the context.
	OwnGroup bool
}

// Error says that a Nix program could not be started or did not succeed.
type Error struct {
	Name   string
	Args   []string
	Stderr string // the last 64 KiB of the program's diagnostics
	Err    error
}

// Error names the program and repeats its diagnostics.
func (e *Error) Error() string {
	if errors.Is(e.Err, exec.ErrNotFound) {
		return fmt.Sprintf("%s is not installed or not in PATH: install Nix (for example: apt-get install nix-bin)", e.Name)
	}
	message := strings.TrimSpace(e.Stderr)
	if message == "" {
		return fmt.Sprintf("%s: %v", e.Name, e.Err)
	}
	return fmt.Sprintf("%s: %v:\n%s", e.Name, e.Err, message)
}

// Unwrap returns the reason that package os/exec gave.
func (e *Error) Unwrap() error { return e.Err }

// stopTimeout is how long a cancelled program may take to end after SIGTERM.
const stopTimeout = 5 * time.Second

// Run executes the command and waits for it. The error is an [*Error], or the
// context's if that was cancelled.
func Run(ctx context.Context, c Command) error {
	cmd := exec.CommandContext(ctx, c.Name, c.Args...)
	cmd.Env = append(os.Environ(), c.Env...)
	cmd.Stdin = c.Stdin
	cmd.Stdout = c.Stdout
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = stopTimeout
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: c.OwnGroup}
	kept := &tail{limit: 64 << 10}
	cmd.Stderr = kept
	if c.Stderr != nil {
		cmd.Stderr = io.MultiWriter(kept, c.Stderr)
	}
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			return fmt.Errorf("%s: %w", c.Name, ctx.Err())
		}
		return &Error{Name: c.Name, Args: c.Args, Stderr: kept.String(), Err: err}
	}
	return nil
}

// Output executes a program and returns what it prints.
func Output(ctx context.Context, name string, args ...string) ([]byte, error) {
	var out bytes.Buffer
	err := Run(ctx, Command{Name: name, Args: args, Stdout: &out})
	return out.Bytes(), err
}

// StoreDir returns the directory of the Nix store.
func StoreDir() string { return directory("NIX_STORE_DIR", "/nix/store") }

// StateDir returns the directory that holds Nix' database and the profiles.
func StateDir() string { return directory("NIX_STATE_DIR", "/nix/var/nix") }

func directory(variable, standard string) string {
	if dir := os.Getenv(variable); dir != "" {
		return filepath.Clean(dir)
	}
	return standard
}

// storeEntry is the base name of a store path.
var storeEntry = regexp.MustCompile(`^[0-9a-z]{32}-(.+)$`)

// PackageName returns the base name of a path, without the hash if the path is
// an entry of the Nix store (host page, 4.1).
func PackageName(path string) string {
	path = filepath.Clean(path)
	name := filepath.Base(path)
	if entry := storeEntry.FindStringSubmatch(name); entry != nil && filepath.Dir(path) == StoreDir() {
		return entry[1]
	}
	return name
}

// tail keeps the last bytes that were written to it.
type tail struct {
	limit int
	data  []byte
}

func (t *tail) Write(p []byte) (int, error) {
	t.data = append(t.data, p...)
	if excess := len(t.data) - t.limit; excess > 0 {
		t.data = append(t.data[:0], t.data[excess:]...)
	}
	return len(p), nil
}

func (t *tail) String() string { return string(t.data) }
