package clientprogram

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/disnix-go/disnix/dysnomia/archive"
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
	return c.lines(ctx, operation, append(args, selection(container, component)...)...)
}

// selection returns the options for the container and component that are given.
func selection(container, component string) []string {
	var args []string
	if container != "" {
		args = append(args, "--container", container)
	}
	if component != "" {
		args = append(args, "--component", component)
	}
	return args
}

// PrintMissingSnapshots implements [service.Snapshots].
func (c *Client) PrintMissingSnapshots(ctx context.Context, snapshots []string) ([]string, error) {
	return c.each(ctx, snapshots, "print-missing-snapshots", "--target", c.address, "--print-missing-snapshots")
}

// ResolveSnapshots implements [service.Snapshots].
func (c *Client) ResolveSnapshots(ctx context.Context, snapshots []string) ([]string, error) {
	paths, err := c.each(ctx, snapshots, "resolve-snapshots", "--target", c.address, "--resolve-snapshots")
	if err != nil {
		return nil, err
	}
	resolved := make(map[string]string, len(paths))
	var result []string
	for _, snapshot := range snapshots {
		path, known := resolved[snapshot]
		if !known {
			if len(resolved) == len(paths) {
				return nil, fmt.Errorf("resolve snapshots: %s printed only %d paths", c.program, len(paths))
			}
			path = paths[len(resolved)]
			resolved[snapshot] = path
		}
		result = append(result, path)
	}
	return result, nil
}

// ImportSnapshot implements [service.Snapshots].
func (c *Client) ImportSnapshot(ctx context.Context, container, component, id string, stream io.Reader) (err error) {
	if !filepath.IsLocal(id) || strings.ContainsRune(id, '/') {
		return fmt.Errorf("import snapshot: %q is not the name of a snapshot", id)
	}
	dir, err := os.MkdirTemp(tempDir(), "disnix.")
	if err != nil {
		return fmt.Errorf("import snapshot %s: %w", id, err)
	}
	defer func() { err = errors.Join(err, removeTree(dir)) }()
	root, err := os.OpenRoot(dir)
	if err != nil {
		return fmt.Errorf("import snapshot %s: %w", id, err)
	}
	defer root.Close()
	if err := archive.Extract(ctx, root, id, stream); err != nil {
		return fmt.Errorf("import snapshot %s: %w", id, err)
	}
	return c.importSnapshots(ctx, "--localfile", container, component, []string{filepath.Join(dir, id)})
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
	root, err := os.OpenRoot(lines[0])
	if err != nil {
		return fmt.Errorf("export snapshot %s: %w", path, err)
	}
	defer root.Close()
	w := archive.NewWriter(stream)
	w.Times = true
	err = w.Add(ctx, root, filepath.Base(path), ".")
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		return fmt.Errorf("export snapshot %s: %w", path, err)
	}
	return nil
}

// removeExported removes a directory that the program says it has made. What
// is not a directory of its own in TMPDIR is left alone.
func removeExported(dir string) error {
	parent, err := filepath.EvalSymlinks(filepath.Dir(dir))
	if err != nil {
		return nil
	}
	temporary, err := filepath.EvalSymlinks(tempDir())
	if err != nil || parent != temporary || !filepath.IsAbs(dir) || filepath.Base(dir) == ".." {
		return nil
	}
	return removeTree(dir)
}

// removeTree removes a tree, also one with read-only directories.
func removeTree(dir string) error {
	if err := os.RemoveAll(dir); err == nil {
		return nil
	}
	_ = filepath.WalkDir(dir, func(path string, entry os.DirEntry, err error) error {
		if err == nil && entry.IsDir() {
			_ = os.Chmod(path, 0o700)
		}
		return nil
	})
	return os.RemoveAll(dir)
}

// CleanSnapshots implements [service.Snapshots].
func (c *Client) CleanSnapshots(ctx context.Context, keep int, container, component string) error {
	args := []string{"--target", c.address, "--clean-snapshots", "--keep", strconv.Itoa(keep)}
	return c.run(ctx, call{operation: "clean-snapshots", args: append(args, selection(container, component)...)})
}
