package sshclient

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"

	"golang.org/x/crypto/ssh"
)

// process is a program that runs on the target, with its three streams.
type process struct {
	channel ssh.Channel
	stderr  io.Reader
	// exited is closed when the status or signal is known, or when there will
	// be none.
	exited chan struct{}
	status exitStatus
}

// exitStatus is how a program has ended: with a status, by a signal, or for a
// reason that is not known.
type exitStatus struct {
	known  bool
	status int
	signal string
}

func (s exitStatus) err() error {
	switch {
	case !s.known:
		return errors.New("the connection ended before the program")
	case s.signal != "":
		return fmt.Errorf("killed by signal %s", s.signal)
	case s.status != 0:
		return fmt.Errorf("exit status %d", s.status)
	default:
		return nil
	}
}

// terminal is what a program on the target knows about the user's terminal.
type terminal struct {
	name          string
	width, height int
}

// start runs a command line, which the login shell of the user reads.
func (l *link) start(command string, term *terminal) (*process, error) {
	channel, requests, err := l.client.OpenChannel("session", nil)
	if err != nil {
		return nil, l.lost(fmt.Errorf("open a channel: %w", err))
	}
	p := &process{channel: channel, stderr: channel.Stderr(), exited: make(chan struct{})}
	go p.listen(requests)
	if term != nil {
		err = p.request("pty-req", ssh.Marshal(ptyRequest{
			Term: term.name, Columns: uint32(term.width), Rows: uint32(term.height), Modes: "\x00",
		}))
	}
	if err == nil {
		err = p.request("exec", ssh.Marshal(struct{ Command string }{command}))
	}
	if err != nil {
		_ = channel.Close()
		return nil, l.lost(err)
	}
	return p, nil
}

type ptyRequest struct {
	Term                         string
	Columns, Rows, Width, Height uint32
	Modes                        string
}

// resize tells the program the size of the user's terminal.
func (p *process) resize(width, height int) {
	size := struct{ Columns, Rows, Width, Height uint32 }{Columns: uint32(width), Rows: uint32(height)}
	_, _ = p.channel.SendRequest("window-change", false, ssh.Marshal(size))
}

func (p *process) request(name string, payload []byte) error {
	ok, err := p.channel.SendRequest(name, true, payload)
	if err == nil && !ok {
		err = errors.New("the server refuses it")
	}
	if err != nil {
		return fmt.Errorf("request %s: %w", name, err)
	}
	return nil
}

// listen takes what the server tells about the program.
func (p *process) listen(requests <-chan *ssh.Request) {
	var once sync.Once
	ended := func() { once.Do(func() { close(p.exited) }) }
	defer ended()
	for request := range requests {
		switch request.Type {
		case "exit-status":
			var message struct{ Status uint32 }
			if ssh.Unmarshal(request.Payload, &message) == nil && !p.status.known {
				p.status = exitStatus{known: true, status: int(message.Status)}
				ended()
			}
		case "exit-signal":
			var message struct {
				Signal          string
				Dumped          bool
				Error, Language string
			}
			if ssh.Unmarshal(request.Payload, &message) == nil && !p.status.known {
				p.status = exitStatus{known: true, signal: message.Signal}
				ended()
			}
		}
		if request.WantReply {
			_ = request.Reply(false, nil)
		}
	}
}

// quote returns a command line whose words every usual shell reads as they
// are.
func quote(words ...string) string {
	quoted := make([]string, len(words))
	for i, word := range words {
		quoted[i] = "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
	}
	return strings.Join(quoted, " ")
}
