package xinetdservice

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/disnix-go/disnix/dysnomia"
)

// findServer returns the process id of the xinetd that runs.
func findServer(r *dysnomia.Request) (int, error) {
	if r.Properties["xinetdPidFile"] != "" {
		return readPIDFile(r)
	}
	names, err := filepath.Glob("/proc/[0-9]*/comm")
	if err != nil {
		return 0, err
	}
	var found []int
	for _, name := range names {
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(name)))
		if err == nil && isServer(pid) && !isChild(pid) {
			found = append(found, pid)
		}
	}
	switch len(found) {
	case 0:
		return 0, errors.New("find xinetd: cannot detect a running xinetd instance: start it, or set xinetdPidFile")
	case 1:
		return found[0], nil
	}
	return 0, fmt.Errorf("find xinetd: the processes %v all are xinetd: set xinetdPidFile", found)
}

func readPIDFile(r *dysnomia.Request) (int, error) {
	path, err := r.Directory("xinetdPidFile", "")
	if err != nil {
		return 0, err
	}
	content, err := os.ReadFile(path)
	if err != nil {
		return 0, fmt.Errorf("find xinetd: %w", err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(content)))
	if err != nil || pid <= 1 {
		return 0, fmt.Errorf("find xinetd: %s has no process id", path)
	}
	if !isServer(pid) {
		return 0, fmt.Errorf("find xinetd: process %d of %s is not a running xinetd: start it, or correct xinetdPidFile", pid, path)
	}
	return pid, nil
}

var errNotServer = errors.New("it is not a running xinetd any more")

func isServer(pid int) bool {
	name, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
	return err == nil && strings.TrimSpace(string(name)) == "xinetd"
}

// isChild reports whether a process was started by another xinetd, which is
// about to become a server of it.
func isChild(pid int) bool {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	_, rest, _ := strings.Cut(string(status), "\nPPid:")
	line, _, _ := strings.Cut(rest, "\n")
	parent, parentErr := strconv.Atoi(strings.TrimSpace(line))
	return err == nil && parentErr == nil && isServer(parent)
}
