// Package subversionrepository is the plugin for repositories of Subversion
// (modules page, section 23).
package subversionrepository

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/disnix-go/disnix/dysnomia"
	"github.com/disnix-go/disnix/dysnomia/plugins/dump"
	"github.com/disnix-go/disnix/dysnomia/plugins/lifecycle"
)

// Plugin manages repositories, each called as its component. The container
// properties are:
//
//	svnBaseDir  the directory of the repositories, an absolute path
//	svnGroup    the group that may write to them (default: that of who runs
//	            the plugin)
//
// A component may have subversion-repositories/*: dumps that are loaded.
//
// Snapshots are dump.xz, made by svnadmin dump, with all revisions.
type Plugin struct{}

var (
	_ dysnomia.Snapshotter      = Plugin{}
	_ dysnomia.GarbageCollector = Plugin{}
	_ dysnomia.ShellGuide       = Plugin{}
)

const dumpFile = "dump.xz"

// Activate creates the repository and loads its initial content if there is
// none. It appears in its place when it is complete.
func (Plugin) Activate(ctx context.Context, r *dysnomia.Request) error {
	s, err := read(r)
	if err != nil {
		return err
	}
	exists, err := s.exists()
	if err == nil && !exists {
		err = s.initialise(ctx, r)
	}
	var place string
	if err == nil {
		place, err = filepath.EvalSymlinks(s.path)
	}
	if err != nil {
		return fmt.Errorf("create repository %s: %w", s.path, err)
	}
	return lifecycle.MarkStateful(r, place)
}

func (s repository) initialise(ctx context.Context, r *dysnomia.Request) (err error) {
	dir := filepath.Join(r.Component, "subversion-repositories")
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := s.createFresh(ctx); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(s.fresh)) }()
	for _, entry := range entries {
		if strings.HasPrefix(entry.Name(), ".") {
			continue
		}
		if err := s.loadFile(ctx, filepath.Join(dir, entry.Name())); err != nil {
			return err
		}
	}
	if err := s.share(ctx, r); err != nil {
		return err
	}
	return os.Rename(s.fresh, s.path)
}

// Deactivate marks the repository as garbage. It stays as it is.
func (Plugin) Deactivate(_ context.Context, r *dysnomia.Request) error {
	return r.State.MarkGarbage(r.Container, r.ComponentName)
}

// CollectGarbage deletes the repository of a component that is garbage.
func (Plugin) CollectGarbage(ctx context.Context, r *dysnomia.Request) error {
	return lifecycle.Collect(ctx, r, func(context.Context) error {
		s, err := read(r)
		if err != nil {
			return err
		}
		if err := s.remove(r); err != nil {
			return fmt.Errorf("delete repository %s: %w", s.path, err)
		}
		return nil
	})
}

func (s repository) remove(r *dysnomia.Request) error {
	exists, err := s.exists()
	if err != nil {
		return err
	}
	if err := os.RemoveAll(s.fresh); err != nil || !exists {
		return err
	}
	place, err := filepath.EvalSymlinks(s.path)
	if err != nil {
		return err
	}
	if shared, err := lifecycle.Shared(r, place); err != nil || shared {
		return err
	}
	// At no moment is a part of it in its place.
	if err := os.Rename(s.path, s.fresh); err != nil {
		return err
	}
	return os.RemoveAll(s.fresh)
}

// Snapshot stores a dump of the repository.
func (Plugin) Snapshot(ctx context.Context, r *dysnomia.Request) error {
	s, err := read(r)
	if err != nil {
		return err
	}
	exists, err := s.exists()
	if err == nil && !exists {
		err = errors.New("there is no such repository: activate the component first")
	}
	if err == nil {
		err = dump.Take(r, func(dir string) (string, error) {
			program, err := s.clients.Command(ctx, []string{"svnadmin"}, "dump", "--quiet", "--", s.path)
			if err != nil {
				return "", err
			}
			return s.clients.Write(ctx, filepath.Join(dir, dumpFile), program, nil, dump.Thorough)
		})
	}
	if err != nil {
		return fmt.Errorf("take a snapshot of repository %s: %w", s.path, err)
	}
	return nil
}

// Restore makes the repository that of the latest snapshot, if there is one.
// Its configuration and hooks, which are not part of a snapshot, stay.
func (Plugin) Restore(ctx context.Context, r *dysnomia.Request) error {
	latest, err := r.State.LatestSnapshot(r.Container, r.ComponentName)
	if err != nil || latest == "" {
		return err
	}
	s, err := read(r)
	if err != nil {
		return err
	}
	if err := s.restore(ctx, r, filepath.Join(latest, dumpFile)); err != nil {
		return fmt.Errorf("restore repository %s from %s: it is as it was: %w", s.path, latest, err)
	}
	return nil
}

// ShellHelp says how to look at the repository by hand.
func (Plugin) ShellHelp(r *dysnomia.Request) string {
	s, err := read(r)
	if err != nil {
		return err.Error() + "\n"
	}
	return fmt.Sprintf(`This is a shell session for the Subversion repository %s

  svnlook tree %[2]s
                show its content
  svnadmin verify %[2]s
                check it
`, s.path, dysnomia.ShellQuote(s.path))
}
