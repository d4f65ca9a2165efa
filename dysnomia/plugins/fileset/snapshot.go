package fileset

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"

	"github.com/disnix-go/disnix/dysnomia"
	"github.com/disnix-go/disnix/dysnomia/archive"
	"github.com/ulikunitz/xz"
)

const stateFile = "state.tar.xz"

// Snapshot stores the mutable directories. Their names are printed. A fileset
// without any has no state, and no snapshot.
func (Plugin) Snapshot(ctx context.Context, r *dysnomia.Request) (err error) {
	f, root, err := open(r)
	if err != nil || len(f.dirs) == 0 {
		return err
	}
	if root == nil {
		return fmt.Errorf("take a snapshot of fileset %s: %s does not exist: activate the component first", r.ComponentName, f.targetDir)
	}
	defer root.Close()
	snapshot, err := r.State.NewSnapshot(r.Container, r.ComponentName)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, snapshot.Discard()) }()
	file := filepath.Join(snapshot.Path, stateFile)
	if err := f.pack(ctx, r, root, file); err != nil {
		return fmt.Errorf("take a snapshot of fileset %s in %s: %w", r.ComponentName, f.targetDir, err)
	}
	id, err := dysnomia.ContentID(file)
	if err == nil {
		err = snapshot.Restrict()
	}
	if err != nil {
		return err
	}
	return snapshot.Commit(id)
}

func (f fileset) pack(ctx context.Context, r *dysnomia.Request, root *os.Root, name string) error {
	file, err := os.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer file.Close()
	buffered := bufio.NewWriter(file)
	compressed, err := xz.NewWriter(buffered)
	if err != nil {
		return err
	}
	tape := archive.NewWriter(compressed)
	tape.Skip = func(name string) bool {
		return slices.ContainsFunc(f.links, func(l link) bool { return l.name == name })
	}
	tape.Special = func(name string) {
		fmt.Fprintf(r.Stderr, "%s is left out: it is neither a file, a directory nor a link.\n", name)
	}
	for _, dir := range f.dirs {
		if err := tape.Add(ctx, root, dir, dir); err != nil {
			return err
		}
		fmt.Fprintln(r.Stdout, dir+"/")
	}
	for _, end := range []func() error{tape.Close, compressed.Close, buffered.Flush, file.Close} {
		if err := end(); err != nil {
			return err
		}
	}
	return nil
}

// Restore replaces the mutable directories by those of the latest snapshot, if
// there is one. They are unpacked beside the present ones and take their
// places only when everything is there. A directory that the snapshot does not
// have stays as it is.
func (Plugin) Restore(ctx context.Context, r *dysnomia.Request) error {
	f, err := read(r)
	if err != nil {
		return err
	}
	latest, err := r.State.LatestSnapshot(r.Container, r.ComponentName)
	if err != nil || latest == "" {
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
	if err := f.restore(ctx, r, root, filepath.Join(latest, stateFile)); err != nil {
		return fmt.Errorf("restore fileset %s in %s from %s: %w", r.ComponentName, f.targetDir, latest, err)
	}
	return nil
}

// asideOf returns the directory in which state is unpacked, and in which the
// former state is while the new one takes its place.
func asideOf(r *dysnomia.Request) string { return ".dysnomia-restore-" + r.ComponentName }

// putBack brings back mutable directories that were taken away, but not
// replaced, because a restore was killed in between.
func (f fileset) putBack(root *os.Root, aside string) error {
	for _, dir := range f.dirs {
		former := formerPlace(aside, dir)
		if _, err := root.Lstat(dir); !errors.Is(err, fs.ErrNotExist) {
			continue // it is there, or whatever is wrong will show
		}
		if _, err := root.Lstat(former); errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err := root.MkdirAll(path.Dir(dir), 0o755); err != nil {
			return err
		}
		if err := root.Rename(former, dir); err != nil {
			return fmt.Errorf("bring back the former directory %s, which is %s now: %w", dir, former, err)
		}
	}
	return nil
}

func formerPlace(aside, dir string) string { return path.Join(aside, "old", dir) }

func (f fileset) restore(ctx context.Context, r *dysnomia.Request, root *os.Root, file string) (err error) {
	aside := asideOf(r)
	if err := f.putBack(root, aside); err != nil {
		return err
	}
	if err := root.RemoveAll(aside); err != nil {
		return err
	}
	for _, dir := range []string{aside, path.Join(aside, "new"), path.Join(aside, "old")} {
		if err := root.Mkdir(dir, 0o700); err != nil {
			return err
		}
	}
	defer func() {
		problem := f.putBack(root, aside)
		if problem == nil {
			problem = root.RemoveAll(aside)
		}
		err = errors.Join(err, problem)
	}()
	fresh, err := root.OpenRoot(path.Join(aside, "new"))
	if err != nil {
		return err
	}
	defer fresh.Close()
	if err := unpack(ctx, fresh, file); err != nil {
		return err
	}
	if err := f.giveToOwner(ctx, r, fresh); err != nil {
		return err
	}
	if err := f.swap(root, aside); err != nil {
		return err
	}
	warnOfRest(r, fresh)
	if active, err := r.State.IsActive(r.Container, r.ComponentName); err != nil || !active {
		return err
	}
	return f.installLinks(root)
}

func unpack(ctx context.Context, root *os.Root, name string) error {
	file, err := os.Open(name)
	if err != nil {
		return err
	}
	defer file.Close()
	decompressed, err := xz.NewReader(bufio.NewReader(file))
	if err != nil {
		return fmt.Errorf("read %s: %w", name, err)
	}
	return archive.Extract(ctx, root, ".", decompressed)
}

func (f fileset) giveToOwner(ctx context.Context, r *dysnomia.Request, root *os.Root) error {
	uid, gid, err := dysnomia.LookupOwner(ctx, r.Environment, f.owner)
	if err != nil || uid == -1 && gid == -1 {
		return err
	}
	return fs.WalkDir(root.FS(), ".", func(name string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return root.Lchown(name, uid, gid)
	})
}

// swap puts the new directories into the places of the old ones. When it fails
// the old ones come back.
func (f fileset) swap(root *os.Root, aside string) error {
	var undo []func() error
	move := func(from, to string) error {
		if err := root.Rename(from, to); err != nil {
			return err
		}
		undo = append(undo, func() error { return root.Rename(to, from) })
		return nil
	}
	err := func() error {
		for _, dir := range f.dirs {
			fresh, former := path.Join(aside, "new", dir), formerPlace(aside, dir)
			if _, err := root.Lstat(fresh); errors.Is(err, fs.ErrNotExist) {
				continue
			}
			if err := errors.Join(root.MkdirAll(path.Dir(dir), 0o755), root.MkdirAll(path.Dir(former), 0o700)); err != nil {
				return err
			}
			err := move(dir, former)
			if err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
			if err := move(fresh, dir); err != nil {
				return err
			}
		}
		return nil
	}()
	if err != nil {
		for _, back := range slices.Backward(undo) {
			err = errors.Join(err, back())
		}
	}
	return err
}

// warnOfRest names what the snapshot has and the fileset does not want.
func warnOfRest(r *dysnomia.Request, root *os.Root) {
	_ = fs.WalkDir(root.FS(), ".", func(name string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() {
			fmt.Fprintf(r.Stderr, "%s of the snapshot is not restored: the fileset has no such directory.\n", name)
		}
		return nil
	})
}
