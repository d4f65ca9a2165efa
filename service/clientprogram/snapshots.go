package clientprogram

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strconv"

	"github.com/disnix-go/disnix/service/commandline"
	"github.com/disnix-go/disnix/service/spool"
)

// QueryAllSnapshots implements [service.Snapshots].
func (c *Client) QueryAllSnapshots(ctx context.Context, container, component string) ([]string, error) {
	return c.querySnapshots(ctx, "query-all-snapshots", container, component)
}

// QueryLatestSnapshot implements [service.Snapshots].
func (c *Client) QueryLatestSnapshot(ctx context.Context, container, component string) ([]string, error) {
	return c.querySnapshots(ctx, "query-latest-snapshot", container, component)
}

func (c *Client) querySnapshots(ctx context.Context, operation, container, component string) ([]string, error) {
	args := []string{"--target", c.address, "--" + operation}
	return c.lines(ctx, operation, append(args, commandline.Selection(container, component)...)...)
}

// PrintMissingSnapshots implements [service.Snapshots].
func (c *Client) PrintMissingSnapshots(ctx context.Context, snapshots []string) ([]string, error) {
	return c.each(ctx, snapshots, "print-missing-snapshots", "--target", c.address, "--print-missing-snapshots")
}

// ResolveSnapshots implements [service.Snapshots].
func (c *Client) ResolveSnapshots(ctx context.Context, snapshots []string) ([]string, error) {
	return commandline.Resolve(ctx, snapshots, func(ctx context.Context, snapshots []string) ([]string, error) {
		return c.each(ctx, snapshots, "resolve-snapshots", "--target", c.address, "--resolve-snapshots")
	})
}

// ImportSnapshot implements [service.Snapshots].
func (c *Client) ImportSnapshot(ctx context.Context, container, component, id string, stream io.Reader) (err error) {
	dir, snapshot, err := spool.UnpackSnapshot(ctx, "", id, stream)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, spool.RemoveTree(dir)) }()
	return c.importSnapshots(ctx, "--localfile", container, component, []string{snapshot})
}

// RegisterSnapshots implements [service.Snapshots].
func (c *Client) RegisterSnapshots(ctx context.Context, container, component string, paths []string) error {
	for _, path := range paths {
		if err := c.importSnapshots(ctx, "--remotefile", container, component, []string{path}); err != nil {
			return err
		}
	}
	return nil
}

func (c *Client) importSnapshots(ctx context.Context, where, container, component string, paths []string) error {
	args := []string{"--target", c.address, "--import-snapshots", where, "--container", container, "--component", component}
	return c.run(ctx, call{operation: "import-snapshots", args: append(args, paths...)})
}

// ExportSnapshot implements [service.Snapshots].
func (c *Client) ExportSnapshot(ctx context.Context, path string, stream io.Writer) (err error) {
	lines, err := c.lines(ctx, "export-snapshots", "--target", c.address, "--export-snapshots", path)
	for _, dir := range lines {
		defer func() { err = errors.Join(err, removeExported(dir)) }()
	}
	if err != nil {
		return err
	}
	if len(lines) != 1 {
		return fmt.Errorf("export snapshot %s: %s printed %d directories instead of one", path, c.program, len(lines))
	}
	return spool.PackSnapshot(ctx, filepath.Join(lines[0], filepath.Base(path)), stream)
}

// removeExported removes a directory that the program says it has made. What
// is not a directory of its own in TMPDIR is left alone.
func removeExported(dir string) error {
	if !isTemporary(dir) {
		return nil
	}
	return spool.RemoveTree(dir)
}

// isTemporary reports whether a path is an entry of TMPDIR.
func isTemporary(path string) bool {
	parent, err := filepath.EvalSymlinks(filepath.Dir(path))
	if err != nil {
		return false
	}
	temporary, err := filepath.EvalSymlinks(tempDir())
	return err == nil && parent == temporary && filepath.IsAbs(path) && filepath.Base(path) != ".."
}

// CleanSnapshots implements [service.Snapshots].
func (c *Client) CleanSnapshots(ctx context.Context, keep int, container, component string) error {
	args := []string{"--target", c.address, "--clean-snapshots", "--keep", strconv.Itoa(keep)}
	return c.run(ctx, call{operation: "clean-snapshots", args: append(args, commandline.Selection(container, component)...)})
}
