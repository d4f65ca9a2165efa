package dysnomia

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// State is the state directory of a machine: activation markers, garbage
// markers and the snapshot repository (host page, section 5).
//
// Several processes may use one state directory at once: what changes it
// holds a lock meanwhile, which the kernel releases when a process dies. Every
// change is made under a temporary name, flushed and renamed, so that a crash
// leaves the state before or after it. Directories are created when needed.
type State struct {
	// Dir is the absolute path of the directory.
	Dir string

	// point is that of the host.
	point func(name string) error

	markedAs *Marker // see MarkedAs
}

// The parts of a state directory. Names with a dot are ours: the original
// does not see them.
const (
	activatedDir   = "activated"
	garbageDir     = "garbage"
	snapshotsDir   = "snapshots"
	generationsDir = "generations"
	checksumsDir   = "checksums"
	accountsDir    = ".accounts"
	temporaryDir   = ".tmp"
	lockFile       = ".lock"
)

func (s *State) path(elements ...string) string {
	return filepath.Join(append([]string{s.Dir}, elements...)...)
}

// lock waits until no other process changes the state directory. The returned
// function lets the next one in.
//
// Whoever can read the lock file can hold the lock, so nobody else may.
func (s *State) lock() (unlock func(), err error) {
	if err := os.MkdirAll(s.Dir, 0o755); err != nil {
		return nil, fmt.Errorf("create state directory: %w: choose another with DYSNOMIA_STATEDIR", err)
	}
	file, err := os.OpenFile(s.path(lockFile), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock state directory: %w", err)
	}
	if err := flock(file, unix.LOCK_EX); err != nil {
		file.Close()
		return nil, fmt.Errorf("lock state directory %s: %w", s.Dir, err)
	}
	return func() { file.Close() }, nil
}

func flock(file *os.File, how int) error {
	for {
		err := unix.Flock(int(file.Fd()), how)
		if !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}

// checkStateName refuses what cannot be the name of one directory entry and of one
// line in a list of names.
func checkStateName(kind, name string) error {
	switch {
	case name == "":
		return fmt.Errorf("%s name is empty", kind)
	case name == ".", name == "..", strings.ContainsAny(name, "/\n\x00"):
		return fmt.Errorf("%s name %q is not the name of a file", kind, name)
	}
	return nil
}

func checkStateNames(container, component string) error {
	return errors.Join(checkStateName("container", container), checkStateName("component", component))
}

// writeFile replaces a file of the state directory and flushes it: after a
// crash it has the old content or the new one. Its directory is created.
func (s *State) writeFile(path string, content []byte, mode fs.FileMode) error {
	if err := s.replaceFile(path, content, mode, (*os.File).Sync); err != nil {
		return err
	}
	return syncPath(filepath.Dir(path))
}

// replaceFile replaces a file at once, after it was flushed as told. Its
// directory is created.
func (s *State) replaceFile(path string, content []byte, mode fs.FileMode, flush func(*os.File) error) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	if err := os.MkdirAll(s.path(temporaryDir), 0o755); err != nil {
		return err
	}
	file, err := os.CreateTemp(s.path(temporaryDir), "file-")
	if err != nil {
		return err
	}
	_, err = file.Write(content)
	err = errors.Join(err, file.Chmod(mode), flush(file), file.Close())
	if err == nil {
		err = os.Rename(file.Name(), path)
	}
	if err != nil {
		os.Remove(file.Name())
	}
	return err
}

// syncPath flushes one file or directory.
func syncPath(path string) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(file.Sync(), file.Close())
}

// removeIfPresent removes a file and flushes its directory; a file that does
// not exist is removed already.
func removeIfPresent(path string) error {
	err := os.Remove(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return syncPath(filepath.Dir(path))
}

// entries lists the names in a directory of the state, sorted by bytes, that
// keep accepts. A missing directory is empty.
func (s *State) entries(keep func(fs.DirEntry) bool, elements ...string) ([]string, error) {
	list, err := os.ReadDir(s.path(elements...))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var names []string
	for _, entry := range list {
		if keep(entry) {
			names = append(names, entry.Name())
		}
	}
	return names, nil
}

func isDirEntry(entry fs.DirEntry) bool  { return entry.IsDir() }
func isFileEntry(entry fs.DirEntry) bool { return entry.Type().IsRegular() }
