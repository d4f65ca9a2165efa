package dysnomia

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/disnix-go/disnix/dysnomia/archive"
)

// Import makes a snapshot, a directory or a file at an absolute path, the
// newest generation of a component; its base name is the id. One that is in
// the repository as a snapshot of the component is only registered, unless it
// is damaged; all others are copied, and what is at path stays there.
func (s *State) Import(ctx context.Context, container, component, path string) error {
	g := Generation{Container: container, Component: component, ID: filepath.Base(path)}
	if err := g.check(); err != nil {
		return fmt.Errorf("import snapshot %s: %w", path, err)
	}
	source, err := filepath.EvalSymlinks(path)
	if err == nil {
		err = s.importPath(ctx, g, source)
	}
	if err != nil {
		return fmt.Errorf("import snapshot %s: %w", path, err)
	}
	return nil
}

func (s *State) importPath(ctx context.Context, g Generation, path string) error {
	given, err := os.Lstat(path)
	if err != nil {
		return err
	}
	if stored, err := os.Lstat(s.snapshotPath(g)); err == nil && os.SameFile(given, stored) {
		if err := s.checkUndamaged(g); err != nil {
			return err
		}
		unlock, err := s.lock()
		if err != nil {
			return err
		}
		defer unlock()
		return s.register(g, "")
	}
	// A copy is an archive that is unpacked at once.
	reader, writer := io.Pipe()
	defer reader.Close()
	go func() { writer.CloseWithError(writeArchive(ctx, path, writer)) }()
	return s.ImportArchive(ctx, g.Container, g.Component, g.ID, reader)
}

// ImportArchive stores a snapshot from a tar archive of its directory, with
// entries relative to it, or of a single file called ".", and makes it the
// newest generation of the component. An archive that leads out of the
// snapshot, or is cut off, is refused (see [archive.Extract]).
func (s *State) ImportArchive(ctx context.Context, container, component, id string, r io.Reader) (err error) {
	if err := checkStateName("snapshot", id); err != nil {
		return fmt.Errorf("import snapshot: %w", err)
	}
	n, err := s.NewSnapshot(container, component)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, n.Discard()) }()
	room, err := os.OpenRoot(n.room.Name())
	if err != nil {
		return fmt.Errorf("import snapshot: %w", err)
	}
	defer room.Close()
	if err := os.Remove(n.Path); err != nil {
		return fmt.Errorf("import snapshot: %w", err)
	}
	if err := archive.Extract(ctx, room, filepath.Base(n.Path), r); err != nil {
		return fmt.Errorf("import snapshot %s/%s/%s: %w", container, component, id, err)
	}
	return n.Commit(id)
}

// Export writes a snapshot (container/component/id) as a tar archive with
// entries relative to it; a snapshot that is a file becomes the entry ".". One
// that is damaged is an error, as state is deleted for which there is a copy.
func (s *State) Export(ctx context.Context, snapshot string, w io.Writer) error {
	g, err := parseSnapshot(snapshot)
	if err != nil {
		return fmt.Errorf("export snapshot: %w", err)
	}
	if err := s.checkUndamaged(g); err != nil {
		return fmt.Errorf("export snapshot %s: %w", snapshot, err)
	}
	if err := writeArchive(ctx, s.snapshotPath(g), w); err != nil {
		return fmt.Errorf("export snapshot %s: %w", snapshot, err)
	}
	return nil
}

func writeArchive(ctx context.Context, path string, w io.Writer) error {
	root, err := os.OpenRoot(filepath.Dir(filepath.Clean(path)))
	if err != nil {
		return err
	}
	defer root.Close()
	archive := archive.NewWriter(w)
	archive.Times = true
	if err := archive.Add(ctx, root, filepath.Base(path), "."); err != nil {
		return err
	}
	return archive.Close()
}
