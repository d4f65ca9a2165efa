package dysnomia

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"syscall"
)

// Removed is what [State.CleanSnapshots] has removed.
type Removed struct {
	// Generations are entries of histories; their snapshots may still exist.
	Generations []Generation
	// Snapshots are relative paths, container/component/id.
	Snapshots []string
}

// CleanSnapshots keeps the newest generations of each component, at most keep
// of them, and the snapshots that they refer to; all others are removed, also
// snapshots that no generation ever referred to. An empty container or
// component selects all. It returns what was removed, also when it fails.
func (s *State) CleanSnapshots(container, component string, keep int) (Removed, error) {
	var removed Removed
	if keep < 0 {
		return removed, fmt.Errorf("clean snapshots: cannot keep %d generations: give 0 or more", keep)
	}
	if _, err := os.Lstat(s.Dir); errors.Is(err, fs.ErrNotExist) {
		return removed, nil
	}
	unlock, err := s.lock()
	if err != nil {
		return removed, fmt.Errorf("clean snapshots: %w", err)
	}
	defer unlock()
	err = s.removeAbandoned()
	if err == nil {
		parts := []string{generationsDir, snapshotsDir, checksumsDir}
		err = s.eachComponent(container, component, parts, func(container, component string) error {
			return s.clean(container, component, keep, &removed)
		})
	}
	if err != nil {
		return removed, fmt.Errorf("clean snapshots: %w", err)
	}
	return removed, nil
}

// clean removes the generations of one component first: after a crash no
// generation refers to a snapshot that is gone.
func (s *State) clean(container, component string, keep int, removed *Removed) error {
	history, err := s.history(container, component)
	if err != nil {
		return err
	}
	kept := map[string]bool{}
	for i, g := range history {
		if len(history)-i <= keep {
			kept[g.ID] = true
			continue
		}
		if err := removeIfPresent(s.generationPath(g)); err != nil {
			return err
		}
		removed.Generations = append(removed.Generations, g)
	}
	// The listed ids are those of directories, files and checksums alike.
	notKept := func(entry fs.DirEntry) bool { return !kept[entry.Name()] }
	snapshots, err := s.entries(notKept, snapshotsDir, container, component)
	if err != nil {
		return err
	}
	checksums, err := s.entries(notKept, checksumsDir, container, component)
	if err != nil {
		return err
	}
	for _, id := range checksums {
		if err := removeIfPresent(s.path(checksumsDir, container, component, id)); err != nil {
			return err
		}
	}
	for _, id := range slices.Sorted(slices.Values(snapshots)) {
		g := Generation{Container: container, Component: component, ID: id}
		if err := s.remove(s.snapshotPath(g)); err != nil {
			return err
		}
		removed.Snapshots = append(removed.Snapshots, g.Snapshot())
	}
	for _, part := range []string{generationsDir, snapshotsDir, checksumsDir} {
		err := errors.Join(removeIfEmpty(s.path(part, container, component)), removeIfEmpty(s.path(part, container)))
		if err != nil {
			return err
		}
	}
	return nil
}

// remove takes a file or tree out of the repository at once, and then deletes
// it: after a crash it is there or not, but never half.
func (s *State) remove(path string) error {
	if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err := os.MkdirAll(s.path(temporaryDir), 0o755); err != nil {
		return err
	}
	aside, err := os.MkdirTemp(s.path(temporaryDir), "removed-")
	if err != nil {
		return err
	}
	if err := moveTree(path, filepath.Join(aside, "content")); err != nil {
		return errors.Join(err, os.Remove(aside))
	}
	return errors.Join(syncPath(filepath.Dir(path)), removeTree(aside))
}

// moveTree renames a file or directory. A directory can only be moved by those
// who may write to it.
func moveTree(from, to string) error {
	if info, err := os.Lstat(from); err == nil && info.IsDir() && info.Mode()&0o200 == 0 {
		if err := os.Chmod(from, info.Mode()|0o200); err != nil {
			return err
		}
	}
	return os.Rename(from, to)
}

// removeTree removes a tree, also if directories in it may not be changed.
func removeTree(path string) error {
	err := os.RemoveAll(path)
	if !errors.Is(err, fs.ErrPermission) {
		return err
	}
	_ = filepath.WalkDir(path, func(name string, entry fs.DirEntry, _ error) error {
		if entry != nil && entry.IsDir() {
			_ = os.Chmod(name, 0o700)
		}
		return nil
	})
	return os.RemoveAll(path)
}

func removeIfEmpty(dir string) error {
	err := os.Remove(dir)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTEMPTY) || errors.Is(err, syscall.EEXIST) {
		return nil
	}
	return err
}

// syncTree flushes a file or everything below a directory.
func syncTree(path string) error {
	return filepath.WalkDir(path, func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() || entry.Type().IsRegular() {
			return syncPath(name)
		}
		return nil
	})
}
