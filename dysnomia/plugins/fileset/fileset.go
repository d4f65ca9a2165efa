// Package fileset is the plugin for files that are linked into a directory,
// next to directories of files that change (modules page, section 5).
package fileset

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"syscall"

	"github.com/disnix-go/disnix/dysnomia"
	"github.com/disnix-go/disnix/dysnomia/plugins/lifecycle"
)

// Plugin manages filesets. The container properties are:
//
//	targetDir     where the files appear (default: the content of the
//	              component's .dysnomia-targetdir); it must be absolute
//	filesetOwner  owner of the mutable directories, user:group (default: the
//	              content of .dysnomia-filesetowner, or who runs the plugin)
//
// The component's .dysnomia-fileset has a line for each thing:
//
//	mkdir <path>     a mutable directory: its content is the state
//	symlink <path>   an absolute path that is linked to
//	target <path>    the directory in which that link is made
//
// Paths of mkdir and target are relative to targetDir and cannot leave it, not
// even through a link. Empty lines and those that begin with # are ignored.
//
// Snapshots are state.tar.xz, which equal content makes equal: owners and
// modification times are not part of the state, permissions are. Restored
// files belong to filesetOwner. The links of the fileset, sockets, pipes and
// devices are not part of the state either.
type Plugin struct{}

var (
	_ dysnomia.Snapshotter      = Plugin{}
	_ dysnomia.GarbageCollector = Plugin{}
	_ dysnomia.ShellGuide       = Plugin{}
)

// Activate makes the directories and links. If it fails, links that were not
// there before are removed again.
func (Plugin) Activate(ctx context.Context, r *dysnomia.Request) error {
	f, err := read(r)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(f.targetDir, 0o755); err != nil {
		return fmt.Errorf("create the target directory: %w", err)
	}
	root, err := os.OpenRoot(f.targetDir)
	if err != nil {
		return fmt.Errorf("open the target directory: %w", err)
	}
	defer root.Close()
	if err := f.install(ctx, r, root); err != nil {
		return fmt.Errorf("install fileset %s in %s: %w", r.Component, f.targetDir, err)
	}
	places, err := f.places()
	if err != nil {
		return err
	}
	return lifecycle.MarkStateful(r, places...)
}

func (f fileset) install(ctx context.Context, r *dysnomia.Request, root *os.Root) error {
	uid, gid, err := dysnomia.LookupOwner(ctx, r.Environment, f.owner)
	if err != nil {
		return err
	}
	if err := f.putBack(root, asideOf(r)); err != nil {
		return err
	}
	for _, dir := range f.dirs {
		if err := root.MkdirAll(dir, 0o755); err != nil {
			return err
		}
		if err := root.Chown(dir, uid, gid); err != nil {
			return err
		}
	}
	return f.installLinks(root)
}

func (f fileset) installLinks(root *os.Root) error {
	var made []link
	for _, l := range f.links {
		isNew, err := l.install(root)
		if err != nil {
			for _, l := range made {
				err = errors.Join(err, f.remove(root, l))
			}
			return err
		}
		if isNew {
			made = append(made, l)
		}
	}
	return nil
}

// install makes the link, in place of another link of its name.
func (l link) install(root *os.Root) (isNew bool, err error) {
	if err := root.MkdirAll(path.Dir(l.name), 0o755); err != nil {
		return false, err
	}
	switch info, err := root.Lstat(l.name); {
	case errors.Is(err, fs.ErrNotExist):
		return true, root.Symlink(l.target, l.name)
	case err != nil:
		return false, err
	case info.Mode().Type() != fs.ModeSymlink:
		return false, fmt.Errorf("%s exists and is not a link: remove it if it is not needed", l.name)
	}
	if target, err := root.Readlink(l.name); err != nil || target == l.target {
		return false, err
	}
	// At no moment is there no link.
	temporary := path.Join(path.Dir(l.name), ".dysnomia-link-"+path.Base(l.name))
	if err := root.Remove(temporary); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return false, err
	}
	if err := root.Symlink(l.target, temporary); err != nil {
		return false, err
	}
	return false, root.Rename(temporary, l.name)
}

// Deactivate removes the links that are those of the component, and
// directories that are empty then. Mutable directories stay.
func (Plugin) Deactivate(_ context.Context, r *dysnomia.Request) error {
	f, root, err := open(r)
	if err != nil {
		return err
	}
	if root != nil {
		defer root.Close()
		var errs []error
		for _, l := range f.links {
			errs = append(errs, f.remove(root, l))
		}
		if err := errors.Join(errs...); err != nil {
			return fmt.Errorf("remove links from %s: %w", f.targetDir, err)
		}
	}
	return r.State.MarkGarbage(r.Container, r.ComponentName)
}

// remove removes a link, unless another component has replaced it.
func (f fileset) remove(root *os.Root, l link) error {
	target, err := root.Readlink(l.name)
	if err != nil || target != l.target {
		return nil // it is not there, or not ours
	}
	if err := root.Remove(l.name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return f.prune(root, path.Dir(l.name))
}

// prune removes a directory and those above it as far as they are empty.
func (f fileset) prune(root *os.Root, dir string) error {
	for ; dir != "." && !f.isMutable(dir); dir = path.Dir(dir) {
		err := root.Remove(dir)
		if errors.Is(err, syscall.ENOTEMPTY) || errors.Is(err, syscall.EEXIST) || errors.Is(err, syscall.EBUSY) {
			return nil
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// places are the mutable directories, by the name that is not a link's.
func (f fileset) places() ([]string, error) {
	target, err := filepath.EvalSymlinks(f.targetDir)
	if err != nil {
		return nil, fmt.Errorf("find the target directory: %w", err)
	}
	places := make([]string, len(f.dirs))
	for i, dir := range f.dirs {
		places[i] = filepath.Join(target, dir)
	}
	return places, nil
}

// CollectGarbage deletes the mutable directories of a deactivated component,
// except for those that are also of an active one.
func (Plugin) CollectGarbage(ctx context.Context, r *dysnomia.Request) error {
	return lifecycle.Collect(ctx, r, func(context.Context) error {
		f, root, err := open(r)
		if err != nil || root == nil {
			return err
		}
		defer root.Close()
		places, err := f.places()
		if err != nil {
			return err
		}
		inUse := false
		for i, dir := range f.dirs {
			shared, err := lifecycle.Shared(r, places[i])
			if err == nil && !shared {
				err = errors.Join(root.RemoveAll(dir), f.prune(root, path.Dir(dir)))
			}
			if err != nil {
				return fmt.Errorf("delete directory %s of %s: %w", dir, f.targetDir, err)
			}
			inUse = inUse || shared
		}
		if inUse {
			return nil // what a restore has left may be the other one's
		}
		if err := root.RemoveAll(asideOf(r)); err != nil {
			return fmt.Errorf("delete what a restore has left in %s: %w", f.targetDir, err)
		}
		return nil
	})
}

// ShellHelp says where the files are.
func (Plugin) ShellHelp(r *dysnomia.Request) string {
	f, err := read(r)
	if err != nil {
		return err.Error() + "\n"
	}
	help := fmt.Sprintf("This is a shell session for the fileset %s in %s\n\nMutable directories:\n", r.ComponentName, f.targetDir)
	for _, dir := range f.dirs {
		help += "  " + path.Join(f.targetDir, dir) + "\n"
	}
	return help
}

// open reads the fileset and opens its target directory, which is nil if it
// does not exist.
func open(r *dysnomia.Request) (fileset, *os.Root, error) {
	f, err := read(r)
	if err != nil {
		return f, nil, err
	}
	root, err := os.OpenRoot(f.targetDir)
	if errors.Is(err, fs.ErrNotExist) {
		return f, nil, nil
	}
	if err != nil {
		return f, nil, fmt.Errorf("open the target directory: %w", err)
	}
	return f, root, nil
}
