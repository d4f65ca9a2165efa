package dysnomia

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// Restrict lets only the owner of the snapshot, and the group of the
// repository's directory of snapshots, read it: it is a copy of what others may
// not read where it comes from. It is called when the snapshot is complete.
func (n *NewSnapshot) Restrict() error {
	return filepath.WalkDir(n.Path, func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.Type() == fs.ModeSymlink {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		owner := info.Mode() & 0o700
		return os.Chmod(name, owner|owner>>3&0o050)
	})
}

// ShareSnapshots lets a group read the snapshots, unless the directory of
// snapshots has been given to another group than that of this process already.
func (s *State) ShareSnapshots(group int) error {
	unlock, err := s.lock()
	if err != nil {
		return err
	}
	defer unlock()
	dir := s.path(snapshotsDir)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("share snapshots: %w", err)
	}
	info, err := os.Stat(dir)
	if err == nil && info.Sys().(*syscall.Stat_t).Gid == uint32(os.Getegid()) {
		if err = os.Chown(dir, -1, group); err == nil {
			err = s.giveToGroup(dir)
		}
	}
	if err != nil {
		return fmt.Errorf("share snapshots: %w", err)
	}
	return nil
}

// giveToGroup gives a snapshot to the group of the directory of snapshots, if
// that is another one and this process may do so.
func (s *State) giveToGroup(path string) error {
	directory, err := os.Stat(s.path(snapshotsDir))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	group := directory.Sys().(*syscall.Stat_t).Gid
	return filepath.WalkDir(path, func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if err != nil || info.Sys().(*syscall.Stat_t).Gid == group {
			return err
		}
		err = os.Lchown(name, -1, int(group))
		if errors.Is(err, fs.ErrPermission) {
			return nil
		}
		return err
	})
}
