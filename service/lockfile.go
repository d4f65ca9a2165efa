package service

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// ErrNotLocked says that a profile cannot be unlocked because it is not
// locked.
var ErrNotLocked = errors.New("it is not locked")

// LockedError says that a profile is locked already.
type LockedError struct {
	Profile string
	Holder  LockHolder
}

// Error says who holds the lock since when, and how it is released.
func (e *LockedError) Error() string {
	return fmt.Sprintf("profile %q is locked by %s: wait until that has ended; "+
		"if it is known to be gone, release the lock with `disnix-lock --unlock`, "+
		"or on the target with `disnix-run-activity --unlock --profile '%s'`",
		e.Profile, e.Holder, e.Profile)
}

// lockFile is the lock of a profile: $TMPDIR/disnix-<profile>.lock (formats,
// section 10). The original creates it empty, here it says who holds the lock.
type lockFile struct {
	profile string
	path    string
}

func newLockFile(profile string) lockFile {
	return lockFile{profile, filepath.Join(os.TempDir(), "disnix-"+profile+".lock")}
}

// lockContent is what a lock file says, as JSON.
type lockContent struct {
	LockHolder
	// Services are those that are notified of the lock; nil if it is not
	// known.
	Services []lockedService `json:"services"`
}

// acquire creates the lock file. One that was left behind by a holder that is
// gone is replaced, and stale then tells about it. If somebody else holds the
// lock the error is a [*LockedError].
func (f lockFile) acquire(lock lockContent) (stale string, err error) {
	content, err := json.Marshal(lock)
	if err != nil {
		return "", err
	}
	content = append(content, '\n')
	for {
		err := f.create(content)
		if !errors.Is(err, fs.ErrExist) {
			return stale, err
		}
		found, err := f.open()
		if errors.Is(err, fs.ErrNotExist) {
			continue // released meanwhile
		}
		if err != nil {
			return "", err
		}
		why := found.content.gone()
		if why == "" {
			found.close()
			return "", &LockedError{Profile: f.profile, Holder: found.content.LockHolder}
		}
		err = f.removeStale(found)
		found.close()
		if err != nil {
			return "", fmt.Errorf("remove the lock that %s left behind (%s): %w", found.content.LockHolder, why, err)
		}
		stale = fmt.Sprintf("took over the lock that %s left behind: %s", found.content.LockHolder, why)
	}
}

// create creates the lock file with its content at once: nobody ever sees it
// unfinished.
func (f lockFile) create(content []byte) error {
	file, err := os.CreateTemp(filepath.Dir(f.path), ".disnix-lock-")
	if err != nil {
		return fmt.Errorf("create lock file: %w", err)
	}
	defer os.Remove(file.Name())
	_, err = file.Write(content)
	if err = errors.Join(err, file.Close()); err != nil {
		return fmt.Errorf("create lock file: %w", err)
	}
	if err := os.Link(file.Name(), f.path); err != nil {
		return fmt.Errorf("create lock file: %w", err)
	}
	return nil
}

// foundLock is a lock file as it was found.
type foundLock struct {
	file    *os.File // nil if it belongs to somebody else and cannot be read
	info    fs.FileInfo
	content lockContent
}

// isOurs reports whether this user has created the lock file.
func (l foundLock) isOurs() bool {
	stat, ok := l.info.Sys().(*syscall.Stat_t)
	return ok && int(stat.Uid) == os.Geteuid()
}

func (l foundLock) close() {
	if l.file != nil {
		_ = l.file.Close() // it was only read
	}
}

// open reads the lock file.
func (f lockFile) open() (foundLock, error) {
	info, err := os.Lstat(f.path)
	if err != nil {
		return foundLock{}, fmt.Errorf("inspect lock file: %w", err)
	}
	if !info.Mode().IsRegular() {
		return foundLock{}, fmt.Errorf("%s is in the way of the lock file: remove it", f.path)
	}
	// Others may replace it before it is opened: neither follow nor wait.
	file, err := os.OpenFile(f.path, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if errors.Is(err, fs.ErrPermission) {
		return foundLock{info: info, content: lockContent{LockHolder: foreignHolder(info)}}, nil
	}
	if err != nil {
		return foundLock{}, fmt.Errorf("inspect lock file: %w", err)
	}
	found := foundLock{file: file}
	const longest = 16 << 20
	content, err := io.ReadAll(io.LimitReader(file, longest))
	if err == nil {
		found.info, err = file.Stat()
	}
	if err != nil {
		found.close()
		return foundLock{}, fmt.Errorf("inspect lock file: %w", err)
	}
	if json.Unmarshal(content, &found.content) != nil || found.content.Since.IsZero() {
		found.content = lockContent{LockHolder: foreignHolder(found.info)}
	}
	return found, nil
}

// removeStale removes the lock file that was found, but not one that somebody
// else has put in its place meanwhile.
func (f lockFile) removeStale(found foundLock) error {
	if found.file == nil {
		return fmt.Errorf("%s: %w: ask its owner or root", f.path, fs.ErrPermission)
	}
	// Whoever replaces a lock file holds this lock on the old one.
	if err := flock(found.file); err != nil {
		return err
	}
	info, err := os.Lstat(f.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil || !os.SameFile(info, found.info) {
		return err
	}
	return os.Remove(f.path)
}

// flock waits for a moment at most: this lock is never held for long by
// anybody who only wants to replace a lock file.
func flock(file *os.File) error {
	for range 50 {
		err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err != syscall.EINTR && err != syscall.EWOULDBLOCK {
			return err
		}
		time.Sleep(10 * time.Millisecond)
	}
	return fmt.Errorf("%s: somebody keeps it from being replaced: remove it", file.Name())
}

// release removes the lock file.
func (f lockFile) release() error {
	err := os.Remove(f.path)
	if errors.Is(err, fs.ErrNotExist) {
		return ErrNotLocked
	}
	if err != nil {
		return fmt.Errorf("remove lock file: %w", err)
	}
	return nil
}
