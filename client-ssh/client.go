package sshclient

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"strings"
	"sync"
	"time"

	"github.com/disnix-go/disnix/service"
	"github.com/disnix-go/disnix/service/commandline"
	"github.com/disnix-go/disnix/service/session"
)

// runActivity is the program on the target, unless DISNIX_REMOTE_CLIENT names
// another one; busClient is the one for users without privileges.
const (
	runActivity = "disnix-run-activity"
	busClient   = "disnix-client"
)

// greetingTimeout is how long the program on the target may take to start.
const greetingTimeout = 15 * time.Second

// Config are the circumstances of a [Client].
type Config struct {
	// Log receives what programs on the target print on their standard error;
	// it may be nil, and must be safe for concurrent use.
	Log io.Writer
}

// Client is the contract over SSH.
type Client struct {
	service.Service // over the session, or by one command per operation

	link     *link
	commands *commands
}

var _ service.Service = (*Client)(nil)

// Dial connects to the target with the address [user@]host[:port] and finds
// out how it is talked to.
func Dial(ctx context.Context, address string, config Config) (*Client, error) {
	e, err := parseEndpoint(address)
	if err != nil {
		return nil, err
	}
	configuration, err := readConfiguration()
	if err != nil {
		return nil, err
	}
	if e.user == "" && configuration.options.first("user") == "" {
		e.user = os.Getenv("SSH_USER")
	}
	l, err := configuration.dial(ctx, e)
	if err != nil {
		return nil, err
	}
	if config.Log == nil {
		config.Log = io.Discard
	}
	program := os.Getenv("DISNIX_REMOTE_CLIENT")
	if program == "" {
		program = runActivity
	}
	c := &Client{link: l, commands: &commands{link: l, program: program, log: config.Log}}
	if c.Service, err = c.choose(ctx); err != nil {
		l.fail(session.ErrClosed)
		return nil, err
	}
	if serving, ok := c.Service.(*session.Client); ok {
		go func() {
			<-serving.Done()
			l.fail(serving.Err())
		}()
	}
	return c, nil
}

// Close ends the connection.
func (c *Client) Close() error {
	reason := session.ErrClosed
	if serving, ok := c.Service.(*session.Client); ok && serving.Err() != nil {
		reason = serving.Err()
	}
	c.link.fail(reason)
	return c.Service.Close()
}

// RunCommand runs the program on the target with these arguments: what is not
// part of the contract, such as the import of a file that is there.
func (c *Client) RunCommand(ctx context.Context, operation string, args []string, stdout io.Writer) error {
	return c.commands.run(ctx, command{operation: operation, words: args, stdout: stdout})
}

// choose returns a session if the program on the target can serve one.
// Otherwise each operation is a command.
func (c *Client) choose(ctx context.Context) (service.Service, error) {
	program := c.commands.program
	if name := path.Base(program); name != runActivity && name != busClient {
		return c.commands, nil
	}
	ctx, cancel := context.WithTimeoutCause(ctx, greetingTimeout, fmt.Errorf("%s --serve says nothing for %s: the login shell of the user may wait for something", program, greetingTimeout))
	defer cancel()
	p, err := c.link.start("exec "+quote(program, "--serve"), nil)
	if err != nil {
		return nil, fmt.Errorf("run %s on the target: %w", program, err)
	}
	diagnostics := new(held)
	go newOutlet(diagnostics).drain(p.stderr)
	stream := &stream{process: p, link: c.link}
	serving, err := session.Connect(ctx, stream, session.Config{})
	if err == nil {
		diagnostics.release(c.commands.log)
		return serving, nil
	}
	var version *session.VersionError
	if errors.As(err, &version) {
		fmt.Fprintf(c.commands.log, "%v; until then each operation is a command of its own\n", err)
		return c.commands, nil
	}
	var handshake *session.HandshakeError
	if !errors.As(err, &handshake) || handshake.Err == nil {
		return nil, c.link.lost(fmt.Errorf("run %s --serve on the target: %w", program, err))
	}
	select {
	case <-p.exited:
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	return c.withoutSession(ctx, p.status, handshake)
}

// withoutSession finds out why the program on the target does not serve.
func (c *Client) withoutSession(ctx context.Context, status exitStatus, reason error) (service.Service, error) {
	if status.status == 127 || status.status == 126 {
		return nil, c.missing(ctx)
	}
	var help strings.Builder
	err := c.commands.run(ctx, command{operation: "help", words: []string{"--help"}, stdout: &help})
	if err == nil && strings.Contains(help.String(), "--query-installed") {
		return c.commands, nil
	}
	return nil, c.link.lost(fmt.Errorf("run %s --serve on the target: %w", c.commands.program, errors.Join(reason, err)))
}

// missing says where the program was looked for.
func (c *Client) missing(ctx context.Context) error {
	var places strings.Builder
	where := "the PATH of the user's login shell"
	err := c.link.run(ctx, command{operation: "path", words: []string{"sh", "-c", `printf %s "$PATH"`}, stdout: &places}, c.commands.log)
	if err == nil {
		where = "PATH=" + printable([]byte(places.String()))
	}
	return fmt.Errorf("the target has no program %s (looked for in %s): install Disnix there, or make it visible to commands that are run through ssh", c.commands.program, where)
}

// stream is the standard input and output of a program on the target.
type stream struct {
	*process
	link *link
}

func (s *stream) Read(p []byte) (int, error) {
	n, err := s.channel.Read(p)
	if err != nil {
		err = s.link.lost(err)
	}
	return n, err
}

func (s *stream) Write(p []byte) (int, error) {
	n, err := s.channel.Write(p)
	if err != nil {
		err = s.link.lost(err)
	}
	return n, err
}

// Close gives up the program. A Write that waits for a target which is dead
// ends only with the connection.
func (s *stream) Close() error {
	_ = s.channel.CloseWrite()
	return s.channel.Close()
}

// held keeps what is written until it is known whether somebody wants it.
type held struct {
	mu   sync.Mutex
	kept commandline.Tail
}

func (h *held) Write(p []byte) (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.kept.Next != nil {
		return h.kept.Next.Write(p)
	}
	return h.kept.Write(p)
}

// release passes on everything to w, from the beginning.
func (h *held) release(w io.Writer) {
	h.mu.Lock()
	defer h.mu.Unlock()
	_, _ = w.Write(h.kept.Bytes())
	h.kept.Next = w
}
