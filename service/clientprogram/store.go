package clientprogram

import (
	"context"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/disnix-go/disnix/service"
	"github.com/disnix-go/disnix/service/closure"
	"github.com/disnix-go/disnix/service/spool"
)

// PrintInvalid implements [service.Store].
func (c *Client) PrintInvalid(ctx context.Context, paths []string) ([]string, error) {
	return c.each(ctx, paths, "print-invalid", "--target", c.address, "--print-invalid")
}

// QueryRequisites implements [service.Store].
func (c *Client) QueryRequisites(ctx context.Context, paths []string) ([]string, error) {
	return c.each(ctx, paths, "query-requisites", "--query-requisites", "--target", c.address)
}

// Realise implements [service.Store].
func (c *Client) Realise(ctx context.Context, derivations []string) ([]string, error) {
	return c.each(ctx, derivations, "realise", "--realise", "--target", c.address)
}

// each runs an operation on every part of the paths that fits on a command
// line, and returns what it prints without repetitions.
func (c *Client) each(ctx context.Context, paths []string, operation string, args ...string) ([]string, error) {
	return closure.Each(paths, func(batch []string) ([]string, error) {
		return c.lines(ctx, operation, slices.Concat(args, batch)...)
	})
}

// ImportClosure implements [service.Store]. Not all programs print what they
// have imported: it is asked for.
func (c *Client) ImportClosure(ctx context.Context, stream io.Reader) ([]string, error) {
	file, paths, err := spool.Closure(ctx, "", stream)
	if err != nil {
		return nil, err
	}
	defer os.Remove(file)
	err = c.run(ctx, call{
		operation: "import",
		args:      []string{"--import", "--target", c.address, "--localfile", file},
	})
	if err != nil {
		return nil, err
	}
	return service.CheckImported(ctx, c, paths)
}

// ExportClosure implements [service.Store].
func (c *Client) ExportClosure(ctx context.Context, paths []string, w io.Writer) error {
	err := closure.Export(ctx, paths, w, closure.Source{Requisites: c.QueryRequisites, Export: c.export})
	if err != nil {
		return fmt.Errorf("export closure: %w", err)
	}
	return nil
}

// export writes paths that fit on one command line.
func (c *Client) export(ctx context.Context, paths []string, w io.Writer) error {
	args := append([]string{"--target", c.address, "--export", "--remotefile"}, paths...)
	lines, err := c.lines(ctx, "export", args...)
	for _, file := range lines {
		defer removeTemporary(file) // the contract leaves it to the caller
	}
	if err != nil {
		return err
	}
	if len(lines) != 1 {
		return fmt.Errorf("%s printed %d file names instead of one: the paths may be invalid on the target", c.program, len(lines))
	}
	return spool.CopyFile(ctx, w, lines[0])
}

// CollectGarbage implements [service.Store].
func (c *Client) CollectGarbage(ctx context.Context, deleteOld bool) error {
	args := []string{"--target", c.address, "--collect-garbage"}
	if deleteOld {
		args = append(args, "-d")
	}
	return c.run(ctx, call{operation: "collect-garbage", args: args})
}

// removeTemporary removes a file that the program says it has made.
func removeTemporary(file string) {
	if isTemporary(file) {
		_ = os.Remove(file)
	}
}

// CaptureConfig implements [service.Service]. Some programs print the name of
// a temporary file instead of the expression. What they print may come from
// the target, so that no other file is read.
func (c *Client) CaptureConfig(ctx context.Context) (string, error) {
	out, err := c.result(ctx, "capture-config", "--capture-config", "--target", c.address)
	if err != nil {
		return "", err
	}
	file := strings.TrimSpace(string(out))
	if !strings.HasPrefix(file, "/") || strings.Contains(file, "\n") {
		return string(out), nil
	}
	if info, err := os.Lstat(file); err == nil && (!isTemporary(file) || !info.Mode().IsRegular()) {
		return "", fmt.Errorf("read the captured configuration: %s is not a file in %s", file, tempDir())
	}
	expression, err := os.ReadFile(file)
	if err != nil {
		return "", fmt.Errorf("read the captured configuration: %w", err)
	}
	return string(expression), os.Remove(file)
}
