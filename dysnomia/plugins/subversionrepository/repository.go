package subversionrepository

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/disnix-go/disnix/dysnomia"
	"github.com/disnix-go/disnix/dysnomia/plugins/dump"
	"golang.org/x/sys/unix"
)

// repository is where the repository of a component is.
type repository struct {
	path string
	// fresh is where a new one is made, beside it.
	fresh   string
	group   string
	clients dump.Clients
}

func read(r *dysnomia.Request) (repository, error) {
	base := r.Properties["svnBaseDir"]
	if !filepath.IsAbs(base) {
		return repository{}, fmt.Errorf("read property svnBaseDir of container %q: %q is not an absolute path", r.Container, base)
	}
	return repository{
		path: filepath.Join(base, r.ComponentName), fresh: filepath.Join(base, ".dysnomia-new-"+r.ComponentName),
		group: r.Properties["svnGroup"], clients: dump.Clients{Search: r.Environment},
	}, nil
}

// exists reports whether there is a repository. It is an error if there is
// something else in its place.
func (s repository) exists() (bool, error) {
	if _, err := os.Lstat(s.path); errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if _, err := os.Stat(filepath.Join(s.path, "format")); err != nil {
		return false, fmt.Errorf("what is there is not a repository: %w", err)
	}
	return true, nil
}

// createFresh makes an empty repository beside the place of the component's.
func (s repository) createFresh(ctx context.Context) error {
	if err := os.RemoveAll(s.fresh); err != nil { // of one that was killed
		return err
	}
	if err := os.MkdirAll(filepath.Dir(s.fresh), 0o755); err != nil {
		return err
	}
	program, err := s.clients.Command(ctx, []string{"svnadmin"}, "create", "--", s.fresh)
	if err != nil {
		return err
	}
	if err := dump.Run(ctx, program); err != nil {
		return errors.Join(err, os.RemoveAll(s.fresh))
	}
	return nil
}

func (s repository) loadFile(ctx context.Context, name string) error {
	file, err := os.Open(name)
	if err != nil {
		return err
	}
	defer file.Close()
	program, err := s.clients.Command(ctx, []string{"svnadmin"}, "load", "--quiet", "--", s.fresh)
	if err != nil {
		return err
	}
	program.Stdin = file
	if err := dump.Run(ctx, program); err != nil {
		return fmt.Errorf("load %s: %w", name, err)
	}
	return nil
}

// share lets the group write to the new repository.
func (s repository) share(ctx context.Context, r *dysnomia.Request) error {
	_, gid, err := dysnomia.LookupOwner(ctx, r.Environment, ":"+s.group)
	if err != nil {
		return err
	}
	// As soon as the group can write somewhere, it could let links lead out.
	root, err := os.OpenRoot(s.fresh)
	if err != nil {
		return err
	}
	defer root.Close()
	return fs.WalkDir(root.FS(), ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if err := root.Lchown(name, -1, gid); err != nil {
			return err
		}
		info, err := entry.Info()
		if err != nil || info.Mode()&fs.ModeSymlink != 0 {
			return err
		}
		mode := info.Mode() | 0o020
		if name == "db" {
			mode |= fs.ModeSetgid
		}
		return root.Chmod(name, mode)
	})
}

// restore makes a repository of a dump beside the present one, and lets them
// change places at once.
func (s repository) restore(ctx context.Context, r *dysnomia.Request, file string) (err error) {
	exists, err := s.exists()
	if err != nil {
		return err
	}
	if err := s.createFresh(ctx); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(s.fresh)) }()
	program, err := s.clients.Command(ctx, []string{"svnadmin"}, "load", "--quiet", "--", s.fresh)
	if err != nil {
		return err
	}
	if err := s.clients.Load(ctx, file, program, nil); err != nil {
		return err
	}
	if exists {
		if err := s.keepSettings(); err != nil {
			return err
		}
	}
	if err := s.share(ctx, r); err != nil {
		return err
	}
	if !exists {
		return os.Rename(s.fresh, s.path)
	}
	if err := unix.Renameat2(unix.AT_FDCWD, s.fresh, unix.AT_FDCWD, s.path, unix.RENAME_EXCHANGE); err != nil {
		return fmt.Errorf("exchange %s and %s: %w", s.fresh, s.path, err)
	}
	return nil
}

// keepSettings copies what belongs to the place and not to the content. The
// group may have put links there: they stay links.
func (s repository) keepSettings() error {
	root, err := os.OpenRoot(s.path)
	if err != nil {
		return err
	}
	defer root.Close()
	for _, dir := range []string{"conf", "hooks"} {
		if err := keep(root, dir, filepath.Join(s.fresh, dir)); err != nil {
			return fmt.Errorf("keep the %s of the repository: %w", dir, err)
		}
	}
	return nil
}

func keep(root *os.Root, dir, fresh string) error {
	info, err := root.Lstat(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil {
		err = os.RemoveAll(fresh)
	}
	if err != nil {
		return err
	}
	if info.Mode().Type() == fs.ModeSymlink {
		target, err := root.Readlink(dir)
		if err != nil {
			return err
		}
		return os.Symlink(target, fresh)
	}
	present, err := root.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer present.Close()
	return os.CopyFS(fresh, present.FS())
}
