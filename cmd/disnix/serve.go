package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/urfave/cli/v2"
	"golang.org/x/sys/unix"

	"github.com/disnix-go/disnix/service"
	protocol "github.com/disnix-go/disnix/service/session"
)

// serveFlag is the option of the programs that serve sessions.
func serveFlag() cli.Flag {
	return &cli.BoolFlag{Name: "serve", Usage: "Serves a client on the standard input and output, as disnix-ssh-client does on a target"}
}

// serveSession carries out what a client on the standard input and output asks
// the service for, until it is gone.
func (inv *invocation) serveSession(connect func() (service.Service, error)) error {
	if operands, err := inv.operands(0); err != nil || len(operands) > 0 {
		return err
	}
	here, err := connect()
	if err != nil {
		return err
	}
	defer here.Close()
	// A write to a client that is gone is an error, not the end.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	stream, err := takeStandardStreams()
	if err != nil {
		return fmt.Errorf("serve a session: %w", err)
	}
	return protocol.Serve(inv.Context.Context, stream, here)
}

// duplex is a stream in two files.
type duplex struct {
	io.Reader
	io.Writer
	files []*os.File
}

func (d duplex) Close() error {
	var errs []error
	for _, file := range d.files {
		errs = append(errs, file.Close())
	}
	return errors.Join(errs...)
}

// takeStandardStreams returns the standard input and output as a stream. In
// their place remain nothing and the diagnostics, so that no plugin or other
// program can read or spoil what belongs to the client.
func takeStandardStreams() (duplex, error) {
	null, err := os.Open(os.DevNull)
	if err != nil {
		return duplex{}, err
	}
	defer null.Close()
	input, err := moveDescriptor(0, int(null.Fd()), "input")
	if err != nil {
		return duplex{}, err
	}
	output, err := moveDescriptor(1, 2, "output")
	if err != nil {
		return duplex{}, errors.Join(err, input.Close())
	}
	return duplex{input, output, []*os.File{input, output}}, nil
}

// moveDescriptor returns the file of a descriptor, which gets that of another
// one. Reads of the file end when it is closed.
func moveDescriptor(descriptor, replacement int, name string) (*os.File, error) {
	moved, err := unix.FcntlInt(uintptr(descriptor), unix.F_DUPFD_CLOEXEC, 3)
	if err != nil {
		return nil, fmt.Errorf("duplicate the standard %s: %w", name, err)
	}
	if err := unix.SetNonblock(moved, true); err != nil {
		return nil, fmt.Errorf("prepare the standard %s: %w", name, err)
	}
	if err := unix.Dup3(replacement, descriptor, 0); err != nil {
		return nil, fmt.Errorf("replace the standard %s: %w", name, err)
	}
	return os.NewFile(uintptr(moved), name), nil
}
