package sshclient

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"

	"github.com/disnix-go/disnix/service"
	"github.com/disnix-go/disnix/service/closure"
	"github.com/disnix-go/disnix/service/commandline"
)

// commands is the contract by one run of a program on the target per
// operation, on a channel of its own (protocol, section 5).
type commands struct {
	link    *link
	program string
	log     io.Writer
}

var _ service.Service = (*commands)(nil)

// Close does nothing: the connection is the client's.
func (c *commands) Close() error { return nil }

// run runs the program with the words of the command as arguments.
func (c *commands) run(ctx context.Context, cmd command) error {
	cmd.words = append([]string{c.program}, cmd.words...)
	return c.link.run(ctx, cmd, c.log)
}

// lines runs an operation and returns what it prints.
func (c *commands) lines(ctx context.Context, operation string, args ...string) ([]string, error) {
	var out commandline.Result
	err := c.run(ctx, command{operation: operation, words: args, stdout: &out})
	return commandline.Lines(out.String()), err
}

// each runs an operation on every part of the operands that fits on a command
// line, and returns what it prints without repetitions.
func (c *commands) each(ctx context.Context, operation string, operands []string) ([]string, error) {
	return closure.Each(operands, func(batch []string) ([]string, error) {
		return c.lines(ctx, operation, append([]string{"--" + operation}, batch...)...)
	})
}

// PrintInvalid implements [service.Store].
func (c *commands) PrintInvalid(ctx context.Context, paths []string) ([]string, error) {
	return c.each(ctx, "print-invalid", paths)
}

// QueryRequisites implements [service.Store].
func (c *commands) QueryRequisites(ctx context.Context, paths []string) ([]string, error) {
	return c.each(ctx, "query-requisites", paths)
}

// Realise implements [service.Store].
func (c *commands) Realise(ctx context.Context, derivations []string) ([]string, error) {
	return c.each(ctx, "realise", derivations)
}

// ImportClosure implements [service.Store]. Not all programs print what they
// have imported: it is asked for. If it fails, a Read of the stream that is
// under way may end later.
func (c *commands) ImportClosure(ctx context.Context, stream io.Reader) (paths []string, err error) {
	file, err := c.temporary(ctx)
	if err != nil {
		return nil, fmt.Errorf("import closure: %w", err)
	}
	defer func() { err = errors.Join(err, c.remove(ctx, file)) }()
	if paths, err = c.uploadClosure(ctx, stream, file); err != nil {
		return nil, fmt.Errorf("upload closure: %w", err)
	}
	if err := c.run(ctx, command{operation: "import", words: []string{"--import", file}}); err != nil {
		return nil, err
	}
	return service.CheckImported(ctx, c, paths)
}

// uploadClosure writes a closure to a file, and reads on the way which paths it
// holds.
func (c *commands) uploadClosure(ctx context.Context, stream io.Reader, file string) ([]string, error) {
	reader, writer := io.Pipe()
	uploaded := make(chan error, 1)
	go func() {
		err := c.upload(ctx, reader, file)
		_ = reader.CloseWithError(errUpload)
		uploaded <- err
	}()
	paths, err := closure.Paths(io.TeeReader(stream, writer))
	_ = writer.CloseWithError(err) // the end, if it is nil
	if failure := <-uploaded; failure != nil {
		return nil, failure
	}
	return paths, err
}

// errUpload says that the target reads no further.
var errUpload = errors.New("the upload has ended")

// ExportClosure implements [service.Store].
func (c *commands) ExportClosure(ctx context.Context, paths []string, w io.Writer) error {
	err := closure.Export(ctx, paths, w, closure.Source{Requisites: c.QueryRequisites, Export: c.export})
	if err != nil {
		return fmt.Errorf("export closure: %w", err)
	}
	return nil
}

// export writes paths that fit on one command line.
func (c *commands) export(ctx context.Context, paths []string, w io.Writer) error {
	file, err := c.printedFile(ctx, "export", append([]string{"--export"}, paths...))
	if err != nil {
		return err
	}
	return errors.Join(c.download(ctx, file, w), c.remove(ctx, file))
}

// CollectGarbage implements [service.Store].
func (c *commands) CollectGarbage(ctx context.Context, deleteOld bool) error {
	words := []string{"--collect-garbage"}
	if deleteOld {
		words = append(words, "-d")
	}
	return c.run(ctx, command{operation: "collect-garbage", words: words})
}

// SetProfile implements [service.Profiles].
func (c *commands) SetProfile(ctx context.Context, profile, path string) error {
	return c.run(ctx, command{operation: "set", words: []string{"--profile", profile, "--set", path}, leaves: true})
}

// QueryInstalled implements [service.Profiles].
func (c *commands) QueryInstalled(ctx context.Context, profile string) ([]byte, error) {
	var out commandline.Result
	err := c.run(ctx, command{operation: "query-installed", words: []string{"--profile", profile, "--query-installed"}, stdout: &out})
	if err != nil || len(bytes.TrimSpace(out.Bytes())) == 0 {
		return nil, err
	}
	return out.Bytes(), nil
}

// Lock implements [service.Profiles].
func (c *commands) Lock(ctx context.Context, profile string) error {
	return c.run(ctx, command{operation: "lock", words: []string{"--lock", "--profile", profile}, leaves: true})
}

// Unlock implements [service.Profiles].
func (c *commands) Unlock(ctx context.Context, profile string) error {
	return c.run(ctx, command{operation: "unlock", words: []string{"--unlock", "--profile", profile}, leaves: true})
}

// Activate implements [service.Activities].
func (c *commands) Activate(ctx context.Context, a service.Activity) error {
	return c.activity(ctx, "activate", a)
}

// Deactivate implements [service.Activities].
func (c *commands) Deactivate(ctx context.Context, a service.Activity) error {
	return c.activity(ctx, "deactivate", a)
}

// Snapshot implements [service.Activities].
func (c *commands) Snapshot(ctx context.Context, a service.Activity) error {
	return c.activity(ctx, "snapshot", a)
}

// Restore implements [service.Activities].
func (c *commands) Restore(ctx context.Context, a service.Activity) error {
	return c.activity(ctx, "restore", a)
}

// DeleteState implements [service.Activities].
func (c *commands) DeleteState(ctx context.Context, a service.Activity) error {
	return c.activity(ctx, "delete-state", a)
}

func (c *commands) activity(ctx context.Context, operation string, a service.Activity) error {
	cmd := command{operation: operation, words: append(activityWords(a), "--"+operation, a.Component), leaves: true}
	cmd.stdout, cmd.stderr = a.Writers()
	return c.run(ctx, cmd)
}

func activityWords(a service.Activity) []string {
	words := []string{"--type", a.Type}
	for _, argument := range a.Arguments {
		words = append(words, "--arguments", argument)
	}
	container := a.Container
	if container == "" {
		container = a.Type
	}
	return append(words, "--container", container)
}

// CaptureConfig implements [service.Service].
func (c *commands) CaptureConfig(ctx context.Context) (string, error) {
	file, err := c.printedFile(ctx, "capture-config", []string{"--capture-config"})
	if err != nil {
		return "", fmt.Errorf("capture the configuration: %w", err)
	}
	var expression commandline.Result
	err = errors.Join(c.download(ctx, file, &expression), c.remove(ctx, file))
	if err == nil && expression.Len() == 0 {
		err = errors.New("the target has captured nothing")
	}
	return expression.String(), err
}

// CleanSnapshots implements [service.Snapshots].
func (c *commands) CleanSnapshots(ctx context.Context, keep int, container, component string) error {
	words := []string{"--clean-snapshots", "--keep", strconv.Itoa(keep)}
	return c.run(ctx, command{operation: "clean-snapshots", words: append(words, commandline.Selection(container, component)...)})
}
