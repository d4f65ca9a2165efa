package sshclient

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"path/filepath"
	"strings"

	"github.com/disnix-go/disnix/service/commandline"
)

// QueryAllSnapshots implements [service.Snapshots].
func (c *commands) QueryAllSnapshots(ctx context.Context, container, component string) ([]string, error) {
	return c.lines(ctx, "query-all-snapshots", append([]string{"--query-all-snapshots"}, commandline.Selection(container, component)...)...)
}

// QueryLatestSnapshot implements [service.Snapshots].
func (c *commands) QueryLatestSnapshot(ctx context.Context, container, component string) ([]string, error) {
	return c.lines(ctx, "query-latest-snapshot", append([]string{"--query-latest-snapshot"}, commandline.Selection(container, component)...)...)
}

// PrintMissingSnapshots implements [service.Snapshots].
func (c *commands) PrintMissingSnapshots(ctx context.Context, snapshots []string) ([]string, error) {
	return c.each(ctx, "print-missing-snapshots", snapshots)
}

// ResolveSnapshots implements [service.Snapshots].
func (c *commands) ResolveSnapshots(ctx context.Context, snapshots []string) ([]string, error) {
	return commandline.Resolve(ctx, snapshots, func(ctx context.Context, snapshots []string) ([]string, error) {
		return c.each(ctx, "resolve-snapshots", snapshots)
	})
}

// ImportSnapshot implements [service.Snapshots]. If it fails, a Read of the
// archive that is under way may end later.
func (c *commands) ImportSnapshot(ctx context.Context, container, component, id string, archive io.Reader) (err error) {
	if !filepath.IsLocal(id) || id == "." || strings.ContainsRune(id, '/') {
		return fmt.Errorf("import snapshot: %q is not the name of a snapshot", id)
	}
	dir, err := c.temporary(ctx, "--directory")
	if err != nil {
		return fmt.Errorf("import snapshot %s: %w", id, err)
	}
	defer func() { err = errors.Join(err, c.remove(ctx, dir)) }()
	snapshot := path.Join(dir, id)
	if err := c.unpack(ctx, archive, snapshot); err != nil {
		return fmt.Errorf("upload snapshot %s: %w", id, err)
	}
	return c.RegisterSnapshots(ctx, container, component, []string{snapshot})
}

// RegisterSnapshots implements [service.Snapshots].
func (c *commands) RegisterSnapshots(ctx context.Context, container, component string, paths []string) error {
	for _, path := range paths {
		words := []string{"--container", container, "--component", component, "--import-snapshots", path}
		if err := c.run(ctx, command{operation: "import-snapshots", words: words}); err != nil {
			return err
		}
	}
	return nil
}

// ExportSnapshot implements [service.Snapshots].
func (c *commands) ExportSnapshot(ctx context.Context, name string, archive io.Writer) error {
	err := c.checkSnapshot(ctx, name)
	if err == nil {
		err = c.pack(ctx, name, archive)
	}
	if err != nil {
		return fmt.Errorf("export snapshot %s: %w", name, err)
	}
	return nil
}

// checkSnapshot returns an error if the path is not that of a snapshot.
func (c *commands) checkSnapshot(ctx context.Context, name string) error {
	parts := strings.Split(path.Clean(name), "/")
	if len(parts) < 4 || !path.IsAbs(name) {
		return errors.New("it is not the path of a snapshot")
	}
	resolved, err := c.ResolveSnapshots(ctx, []string{path.Join(parts[len(parts)-3:]...)})
	if err == nil && resolved[0] != name {
		err = fmt.Errorf("it is not in the target's repository, where it would be %s", resolved[0])
	}
	return err
}
