// Package spool keeps closures and snapshots in temporary files, for wires on
// which they are handed over by name. The files are in a directory that the
// caller chooses, or in TMPDIR, and can be read by their owner only.
package spool

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/disnix-go/disnix/dysnomia/archive"
	"github.com/disnix-go/disnix/service/closure"
)

// Closure stores a nix-store --export stream in a file of parent, or of TMPDIR if
// that is empty. The caller removes the file. Closure returns the paths that it
// holds. If it fails there is no file.
func Closure(ctx context.Context, parent string, stream io.Reader) (file string, paths []string, err error) {
	f, err := os.CreateTemp(parent, "disnix.")
	if err != nil {
		return "", nil, fmt.Errorf("store closure: %w", err)
	}
	paths, err = closure.Paths(io.TeeReader(contextReader{ctx, stream}, f))
	if err = errors.Join(err, f.Close()); err != nil {
		return "", nil, errors.Join(fmt.Errorf("store closure: %w", err), os.Remove(f.Name()))
	}
	return f.Name(), paths, nil
}

// CopyFile writes the content of a file to w.
func CopyFile(ctx context.Context, w io.Writer, path string) error {
	file, err := open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	return copyFrom(ctx, w, file)
}

// TakeFile writes the content of a file to w, and removes it, as far as that is
// allowed, before: so it does not stay if this program is killed.
func TakeFile(ctx context.Context, w io.Writer, path string) error {
	file, err := open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	_ = os.Remove(path) // that of the original's service belongs to root
	return copyFrom(ctx, w, file)
}

func open(path string) (*os.File, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("open the exported closure: %w", err)
	}
	return file, nil
}

func copyFrom(ctx context.Context, w io.Writer, file *os.File) error {
	if _, err := io.Copy(w, contextReader{ctx, file}); err != nil {
		return fmt.Errorf("copy closure: %w", err)
	}
	return nil
}

// UnpackSnapshot extracts an archive of the snapshot id into a directory of
// that name, in a new directory of parent, or of TMPDIR if that is empty. It
// returns the latter, which the caller removes with [RemoveTree], and the
// snapshot. If it fails there is none.
func UnpackSnapshot(ctx context.Context, parent, id string, stream io.Reader) (dir, snapshot string, err error) {
	if !filepath.IsLocal(id) || id == "." || strings.ContainsRune(id, '/') {
		return "", "", fmt.Errorf("import snapshot: %q is not the name of a snapshot", id)
	}
	dir, err = os.MkdirTemp(parent, "disnix.")
	if err != nil {
		return "", "", fmt.Errorf("import snapshot %s: %w", id, err)
	}
	root, err := os.OpenRoot(dir)
	if err == nil {
		err = errors.Join(archive.Extract(ctx, root, id, stream), root.Close())
	}
	if err != nil {
		return "", "", errors.Join(fmt.Errorf("import snapshot %s: %w", id, err), RemoveTree(dir))
	}
	return dir, filepath.Join(dir, id), nil
}

// PackSnapshot writes a snapshot as an archive with entries relative to it.
func PackSnapshot(ctx context.Context, path string, stream io.Writer) error {
	root, err := os.OpenRoot(filepath.Dir(path))
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

// RemoveTree removes a tree, also one with read-only directories.
func RemoveTree(dir string) error {
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

// contextReader ends with the error of a context that was cancelled.
type contextReader struct {
	ctx context.Context
	io.Reader
}

func (r contextReader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.Reader.Read(p)
}
