// Package clientprogram reaches a target through a client interface: any
// executable with the command line of the client-interface contract (protocol,
// section 4).
//
// One process is started per operation, without a shell. Closures and
// snapshots pass through temporary files in TMPDIR, as the contract demands;
// they are always removed. The properties of containers are on the command
// lines, for the same reason; they are in no error.
package clientprogram

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"

	"github.com/disnix-go/disnix/service"
	"github.com/disnix-go/disnix/service/commandline"
)

// Client is the contract over a client interface.
type Client struct {
	program string
	address string
	config  Config
}

// Config are the circumstances of a [Client].
type Config struct {
	// Log receives what the program prints on its standard error while it
	// runs; it may be nil, and must be safe for concurrent use. The last
	// lines are also part of errors.
	Log io.Writer
	// Env holds additional key=value settings for the program.
	Env []string
}

var _ service.Service = (*Client)(nil)

// New returns the contract to the target with this address (the value of the
// target property) over a program, which is found through PATH if its name
// has no slash. It fails if there is no such program.
func New(program, address string, config Config) (*Client, error) {
	path, err := exec.LookPath(program)
	if errors.Is(err, exec.ErrDot) {
		err = nil // "." is in PATH, and so it is meant
	}
	if err != nil {
		return nil, fmt.Errorf("find client interface %q: %w: install it, or put its directory into PATH, or name another one in the infrastructure model (clientInterface)", program, err)
	}
	return &Client{program: path, address: address, config: config}, nil
}

// Close does nothing.
func (c *Client) Close() error { return nil }

// Error says that a client interface could not be started or did not succeed.
type Error struct {
	Program   string
	Operation string // for example activate
	Stderr    string // the last lines of its diagnostics
	Err       error
}

// Error names the program and the operation and repeats the diagnostics.
func (e *Error) Error() string {
	text := fmt.Sprintf("%s --%s: %v", e.Program, e.Operation, e.Err)
	if message := strings.TrimSpace(e.Stderr); message != "" {
		text += ":\n" + message
	}
	return text
}

// Unwrap returns the reason that package os/exec or the context gave.
func (e *Error) Unwrap() error { return e.Err }

// tempDir returns where temporary files are, for this process and the program.
func tempDir() string { return os.TempDir() }

// lines runs an operation and returns what it prints, also if it fails.
func (c *Client) lines(ctx context.Context, operation string, args ...string) ([]string, error) {
	out, err := c.result(ctx, operation, args...)
	return commandline.Lines(string(out)), err
}
