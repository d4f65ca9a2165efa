package daemon

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"syscall"
)

// PIDFile says which process the daemon is: its decimal number, without a
// newline (formats, section 10). As long as the daemon runs it holds a lock on
// the file, so that a file that a crash has left behind is told from one that
// is in use.
type PIDFile struct {
	file *os.File
	path string
}

// CreatePIDFile creates the file, or takes over one that was left behind. It
// fails if the process that it names is running. The name is what programs
// that know nothing of the lock, such as the original's, are called.
func CreatePIDFile(path, name string) (*PIDFile, error) {
	for {
		file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|syscall.O_NOFOLLOW, 0o600)
		if err != nil {
			return nil, fmt.Errorf("create pid file: %w", err)
		}
		p := &PIDFile{file, path}
		again, err := p.take(name)
		if err == nil && !again {
			return p, nil
		}
		_ = file.Close() // nothing was written
		if err != nil {
			return nil, err
		}
	}
}

// take locks the file and writes to it. It says that it should be tried again
// if the file was removed meanwhile.
func (p *PIDFile) take(name string) (again bool, err error) {
	content, err := io.ReadAll(io.LimitReader(p.file, 32))
	if err != nil {
		return false, fmt.Errorf("read pid file: %w", err)
	}
	pid, _ := strconv.Atoi(strings.TrimSpace(string(content)))
	err = syscall.Flock(int(p.file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) || err == nil && pid != os.Getpid() && isRunning(pid, name) {
		return false, fmt.Errorf("create pid file %s: process %d is running: stop it first", p.path, pid)
	}
	if err != nil {
		return false, fmt.Errorf("lock pid file %s: %w", p.path, err)
	}
	ours, err := p.file.Stat()
	if err != nil {
		return false, fmt.Errorf("inspect pid file: %w", err)
	}
	there, err := os.Lstat(p.path)
	if errors.Is(err, fs.ErrNotExist) || err == nil && !os.SameFile(ours, there) {
		return true, nil
	}
	if err == nil {
		err = p.file.Truncate(0)
	}
	if err == nil {
		_, err = p.file.WriteAt([]byte(strconv.Itoa(os.Getpid())), 0)
	}
	if err != nil {
		return false, fmt.Errorf("write pid file: %w", err)
	}
	return false, nil
}

// isRunning tells whether there is a process of that number and name. One that
// only waits for its parent to take note of its end is not running.
func isRunning(pid int, name string) bool {
	if pid <= 0 {
		return false
	}
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	state, found := strings.CutPrefix(string(stat), fmt.Sprintf("%d (%s) ", pid, name))
	return found && !strings.HasPrefix(state, "Z") && !strings.HasPrefix(state, "X")
}

// Remove removes the file.
func (p *PIDFile) Remove() error {
	if err := errors.Join(os.Remove(p.path), p.file.Close()); err != nil {
		return fmt.Errorf("remove pid file: %w", err)
	}
	return nil
}
