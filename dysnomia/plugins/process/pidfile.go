package process

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"
)

// pidFile is what there is in the place of a PID file. Others than who runs
// the plugin may be able to write there.
type pidFile struct {
	// text is its content, cut to the length that a process id can have.
	text string
	info fs.FileInfo
	// link is the symbolic link that leads to it, if it is behind one.
	link fs.FileInfo
}

// longestPID is more than a process id and blanks around it need.
const longestPID = 64

// readPIDFile does not wait for anybody, whatever is there.
func readPIDFile(path string) (pidFile, error) {
	var f pidFile
	const flags = os.O_RDONLY | syscall.O_NONBLOCK | syscall.O_NOCTTY
	file, err := os.OpenFile(path, flags|syscall.O_NOFOLLOW, 0)
	if errors.Is(err, syscall.ELOOP) {
		if f.link, err = os.Lstat(path); err == nil {
			file, err = os.OpenFile(path, flags, 0)
		}
	}
	if err != nil {
		return f, err
	}
	defer file.Close()
	if f.info, err = file.Stat(); err != nil {
		return f, err
	}
	if !f.info.Mode().IsRegular() {
		return f, fmt.Errorf("%s is not a file", path)
	}
	content, err := io.ReadAll(io.LimitReader(file, longestPID))
	f.text = string(content)
	return f, err
}

// mayName reports whether whoever has made the file, and the link to it, may
// decide that the process is stopped.
func (f pidFile) mayName(pid int) bool {
	return mayName(f.info, pid) && (f.link == nil || mayName(f.link, pid))
}
