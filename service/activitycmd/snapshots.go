package activitycmd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/disnix-go/disnix/dysnomia/archive"
)

func (c *call) cleanSnapshots() error {
	return c.service.CleanSnapshots(c.ctx, c.Keep, c.Container, c.Component)
}

// importSnapshots makes snapshots the newest generations, in order.
func (c *call) importSnapshots() error {
	if !c.LocalFile {
		return c.service.RegisterSnapshots(c.ctx, c.Container, c.Component, c.Paths)
	}
	for _, path := range c.Paths {
		if err := c.importSnapshot(path); err != nil {
			return fmt.Errorf("import snapshot %s: %w", path, err)
		}
	}
	return nil
}

func (c *call) importSnapshot(path string) error {
	reader, writer := io.Pipe()
	packed := make(chan error, 1)
	go func() {
		err := pack(c.ctx, path, writer)
		_ = writer.CloseWithError(err)
		packed <- err
	}()
	err := c.service.ImportSnapshot(c.ctx, c.Container, c.Component, filepath.Base(path), reader)
	_ = reader.CloseWithError(io.ErrClosedPipe)
	if failure := <-packed; failure != nil && !errors.Is(failure, io.ErrClosedPipe) {
		return failure
	}
	return err
}

// pack writes a file or directory as an archive.
func pack(ctx context.Context, path string, w io.Writer) error {
	root, err := os.OpenRoot(filepath.Dir(path))
	if err != nil {
		return err
	}
	defer root.Close()
	a := archive.NewWriter(w)
	a.Times = true
	if err := a.Add(ctx, root, filepath.Base(path), "."); err != nil {
		return err
	}
	return a.Close()
}

// exportSnapshots prints for each snapshot a temporary directory that contains
// it under its own name. The directories are left to the caller; if one fails
// there are none.
func (c *call) exportSnapshots() error {
	var dirs []string
	for _, path := range c.Paths {
		dir, err := c.exportSnapshot(path)
		if dir != "" {
			dirs = append(dirs, dir)
		}
		if err != nil {
			return errors.Join(err, removeAll(dirs))
		}
	}
	if err := c.print(dirs); err != nil {
		return errors.Join(err, removeAll(dirs))
	}
	return nil
}

// exportSnapshot returns the directory also if it fails later.
func (c *call) exportSnapshot(path string) (dir string, err error) {
	dir, err = os.MkdirTemp("", "disnix.")
	if err != nil {
		return "", fmt.Errorf("export snapshot %s: %w", path, err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return dir, fmt.Errorf("export snapshot %s: %w", path, err)
	}
	defer root.Close()
	reader, writer := io.Pipe()
	exported := make(chan error, 1)
	go func() {
		err := c.service.ExportSnapshot(c.ctx, path, writer)
		_ = writer.CloseWithError(err)
		exported <- err
	}()
	err = archive.Extract(c.ctx, root, filepath.Base(path), reader)
	_ = reader.CloseWithError(io.ErrClosedPipe)
	if failure := <-exported; failure != nil && !errors.Is(failure, io.ErrClosedPipe) {
		return dir, failure
	}
	if err != nil {
		return dir, fmt.Errorf("export snapshot %s: %w", path, err)
	}
	return dir, nil
}

func removeAll(dirs []string) error {
	var errs []error
	for _, dir := range dirs {
		errs = append(errs, os.RemoveAll(dir))
	}
	return errors.Join(errs...)
}
