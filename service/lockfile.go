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

// lockFile is the lock of a profile: $TMPDIR/disnix-<profile>.lock (formats,
// section 10). The original creates it empty, here it says who holds the lock.
//
// Whatever is done on behalf of the lock holds a shared flock(2) on the file
// meanwhile, and whoever releases or replaces it an exclusive one: when a lock
// is released, nothing is under way any more that was begun with it.
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

// acquire creates the lock file and returns it in use. One that was left
// behind by a holder that is gone is replaced, and stale then tells about it.
// If somebody else holds the lock the error is a [*LockedError].
func (f lockFile) acquire(lock lockContent) (held foundLock, stale string, err error) {
	content, err := json.Marshal(lock)
	if err != nil {
		return foundLock{}, "", err
	}
	content = append(content, '\n')
	for {
		held, err := f.create(content)
		if !errors.Is(err, fs.ErrExist) {
			return held, stale, err
		}
		found, err := f.open()
		if errors.Is(err, fs.ErrNotExist) {
			continue // released meanwhile
		}
		if err != nil {
			return foundLock{}, "", err
		}
		holder := found.content.LockHolder
		why := holder.gone()
		if why == "" {
			found.close()
			return foundLock{}, "", &LockedError{Profile: f.profile, Holder: holder, Interrupted: holder.interrupted()}
		}
		err = f.removeStale(found)
		found.close()
		if err != nil {
			return foundLock{}, "", fmt.Errorf("remove the lock that %s left behind (%s): %w", holder, why, err)
		}
		stale = fmt.Sprintf("took over the lock that %s left behind: %s", holder, why)
	}
}

// create creates the lock file with its content at once: nobody ever sees it
// unfinished. It is in use until it is closed.
func (f lockFile) create(content []byte) (held foundLock, err error) {
	file, err := os.CreateTemp(filepath.Dir(f.path), ".disnix-lock-")
	if err != nil {
		return foundLock{}, fmt.Errorf("create lock file: %w", err)
	}
	defer os.Remove(file.Name())
	held = foundLock{file: file}
	_, err = file.Write(content)
	if err == nil {
		err = syscall.Flock(int(file.Fd()), syscall.LOCK_SH) // nobody else knows it yet
	}
	if err == nil {
		held.info, err = file.Stat()
	}
	if err == nil {
		err = os.Link(file.Name(), f.path)
	}
	if err != nil {
		held.close()
		return foundLock{}, fmt.Errorf("create lock file: %w", err)
	}
	return held, nil
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
	if err := flock(found.file); err != nil {
		return err
	}
	err := f.remove(found)
	if errors.Is(err, ErrNotLocked) {
		return nil
	}
	return err
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

// isAt reports whether the lock file is still the one that was found.
func (f lockFile) isAt(found foundLock) (bool, error) {
	info, err := os.Lstat(f.path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil && os.SameFile(info, found.info), err
}

// remove removes the lock file that was found, but not one that somebody else
// has put in its place meanwhile: then it is not locked any more.
func (f lockFile) remove(found foundLock) error {
	there, err := f.isAt(found)
	if err == nil && !there {
		return ErrNotLocked
	}
	if err == nil {
		err = os.Remove(f.path)
	}
	if err != nil {
		return fmt.Errorf("remove lock file: %w", err)
	}
	return nil
}
