package xinetdservice

import (
	"bufio"
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

// sockets are the sockets that wait for clients: for each, whether it is one of
// the process.
type sockets map[endpoint]bool

type endpoint struct {
	protocol string
	port     int
}

func (s sockets) hasOwn(wanted service) bool { return s[endpoint{wanted.protocol, wanted.port}] }

func (s sockets) hasForeign(wanted service) bool {
	own, there := s[endpoint{wanted.protocol, wanted.port}]
	return there && !own
}

var errEnded = errors.New("it has ended")

// openSockets lists the sockets of the network namespace of a process.
func openSockets(pid int) (sockets, error) {
	own, err := socketInodes(pid)
	if err != nil {
		return nil, fmt.Errorf("look at the sockets of xinetd, process %d: %w", pid, err)
	}
	all := sockets{}
	for _, table := range []string{"tcp", "tcp6", "udp", "udp6"} {
		if err := all.read(fmt.Sprintf("/proc/%d/net/%s", pid, table), table[:3], own); err != nil {
			return nil, fmt.Errorf("look at the sockets of xinetd, process %d: %w", pid, err)
		}
	}
	return all, nil
}

func socketInodes(pid int) (map[string]bool, error) {
	files, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
	if errors.Is(err, os.ErrNotExist) {
		return nil, errEnded
	}
	if err != nil {
		return nil, err
	}
	inodes := map[string]bool{}
	for _, file := range files {
		target, err := os.Readlink(fmt.Sprintf("/proc/%d/fd/%s", pid, file.Name()))
		if inode, ok := strings.CutPrefix(target, "socket:["); err == nil && ok {
			inodes[strings.TrimSuffix(inode, "]")] = true
		}
	}
	return inodes, nil
}

// read reads a table of sockets (proc_net(5)): its fields 2, 4 and 10 are the
// local address, the state and the inode.
func (s sockets) read(path, protocol string, own map[string]bool) error {
	file, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil // no IPv6
	}
	if err != nil {
		return err
	}
	defer file.Close()
	const listening = "0A"
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		fields := strings.Fields(lines.Text())
		if len(fields) < 10 || protocol == "tcp" && fields[3] != listening {
			continue
		}
		_, hex, _ := strings.Cut(fields[1], ":")
		port, err := strconv.ParseUint(hex, 16, 16)
		if err != nil {
			continue // the heading
		}
		where := endpoint{protocol, int(port)}
		s[where] = s[where] || own[fields[9]]
	}
	return lines.Err()
}
