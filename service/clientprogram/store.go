package clientprogram

import (
	"context"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

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
	var result []string
	seen := make(map[string]bool)
	for batch := range closure.Batches(paths) {
		lines, err := c.lines(ctx, operation, slices.Concat(args, batch)...)
		if err != nil {
			return nil, err
		}
		for _, line := range lines {
			if !seen[line] {
				seen[line] = true
				result = append(result, line)
			}
		}
	}
	return result, nil
}

// ImportClosure implements [service.Store]. The imported paths are those that
// the stream holds: not all programs print them.
func (c *Client) ImportClosure(ctx context.Context, stream io.Reader) ([]string, error) {
	file, paths, err := spool.Closure(ctx, stream)
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
	return paths, nil
}

// ExportClosure implements [service.Store].
func (c *Client) ExportClosure(ctx context.Context, paths []string, w io.Writer) error {
	batches := slices.Collect(closure.Batches(paths))
	if len(batches) > 1 {
		ordered, err := c.dependencyOrder(ctx, paths)
		if err != nil {
			return err
		}
		batches = slices.Collect(closure.Batches(ordered))
	}
	joined := closure.NewJoiner(w)
	for _, batch := range batches {
		if err := c.export(ctx, batch, joined); err != nil {
			return fmt.Errorf("export closure: %w", err)
		}
	}
	return joined.Close()
}

// export adds the paths to the joined stream.
func (c *Client) export(ctx context.Context, paths []string, joined *closure.Joiner) error {
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
	if err := spool.CopyFile(ctx, joined, lines[0]); err != nil {
		return err
	}
	return joined.Next()
}

// dependencyOrder sorts paths so that dependencies come before dependants.
func (c *Client) dependencyOrder(ctx context.Context, paths []string) ([]string, error) {
	wanted := make(map[string]bool, len(paths))
	for _, path := range paths {
		wanted[path] = true
	}
	requisites, err := c.QueryRequisites(ctx, paths)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(requisites, func(path string) bool { return !wanted[path] }), nil
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
