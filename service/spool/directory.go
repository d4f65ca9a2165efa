package spool

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// Directory is a directory for the temporary files of a program that runs for a
// long time, only for its user. It is removed when it is closed; if the program
// is killed, by the next one of the same name. It is locked as long as it is in
// use, which systemd-tmpfiles respects, too.
type Directory struct {
	path string
	lock *os.File
}

// NewDirectory makes a directory in TMPDIR, and removes those that were left
// behind by programs of this name.
func NewDirectory(program string) (*Directory, error) {
	prefix := program + "."
	if err := removeAbandoned(prefix); err != nil {
		return nil, fmt.Errorf("remove temporary files that were left behind: %w", err)
	}
	for {
		path, err := os.MkdirTemp("", prefix)
		if err != nil {
			return nil, fmt.Errorf("make a directory for temporary files: %w", err)
		}
		// Another program that starts at this moment may remove it before it
		// is locked.
		lock, err := lockDirectory(path)
		if err == nil {
			return &Directory{path, lock}, nil
		}
		if !errors.Is(err, os.ErrNotExist) && !errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, errors.Join(fmt.Errorf("lock the directory for temporary files: %w", err), os.Remove(path))
		}
	}
}

// Path returns its name.
func (d *Directory) Path() string { return d.path }

// Close removes the directory with everything in it.
func (d *Directory) Close() error {
	if err := errors.Join(RemoveTree(d.path), d.lock.Close()); err != nil {
		return fmt.Errorf("remove temporary files: %w", err)
	}
	return nil
}

// lockDirectory locks an existing directory until the file is closed, unless
// somebody else has.
func lockDirectory(path string) (*os.File, error) {
	file, err := os.OpenFile(path, os.O_RDONLY|syscall.O_DIRECTORY|syscall.O_NOFOLLOW, 0)
	if err != nil {
		return nil, err
	}
	err = syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if err == nil {
		_, err = os.Lstat(path) // it may have been removed meanwhile
	}
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return file, nil
}

// removeAbandoned removes the directories of this user that nobody has locked.
func removeAbandoned(prefix string) error {
	entries, err := os.ReadDir(os.TempDir())
	if err != nil {
		return err
	}
	var errs []error
	for _, entry := range entries {
		path := filepath.Join(os.TempDir(), entry.Name())
		if !strings.HasPrefix(entry.Name(), prefix) || !isOurs(path) {
			continue
		}
		lock, err := lockDirectory(path)
		if err != nil {
			continue // it is in use, or gone
		}
		errs = append(errs, RemoveTree(path), lock.Close())
	}
	return errors.Join(errs...)
}

// isOurs tells whether this is a directory of this user.
func isOurs(path string) bool {
	info, err := os.Lstat(path)
	if err != nil || !info.IsDir() {
		return false
	}
	status, ok := info.Sys().(*syscall.Stat_t)
	return ok && int(status.Uid) == os.Geteuid()
}
