package xinetdservice

import (
	"bufio"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
)

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

// watch looks again and again at the sockets of a process. The tables of all
// sockets take milliseconds to read on a large machine: that is done when the
// process has other sockets than before, and now and then, because the others
// have changed.
type watch struct {
	pid      int
	services []service
	// own are the inodes that the process had at the last look, and same is how
	// many looks ago it had others.
	own  map[string]bool
	same int
	seen sockets // in the tables, when they were read last
}

// mostSame is how many looks there are between two that read the tables.
const mostSame = 4

// newWatch begins before the process is told to change something. Where there
// is no time for several looks, the first one reads the tables.
func newWatch(pid int, services []service, limit time.Duration) (*watch, error) {
	own, err := socketInodes(pid)
	if err != nil {
		return nil, fmt.Errorf("look at the sockets of xinetd, process %d: %w", pid, err)
	}
	w := &watch{pid: pid, services: services, own: own}
	if limit < time.Second {
		w.same = mostSame
	}
	return w, nil
}

// look returns the sockets that matter for the services; nothing if nothing has
// happened yet.
func (w *watch) look() (sockets, error) {
	own, err := socketInodes(w.pid)
	if err == nil {
		w.same++
		if w.same < mostSame && maps.Equal(own, w.own) {
			return w.seen, nil
		}
		w.own, w.same = own, 0
		w.seen, err = w.read()
	}
	if err != nil {
		return nil, fmt.Errorf("look at the sockets of xinetd, process %d: %w", w.pid, err)
	}
	return w.seen, nil
}

// read reads the tables of the network namespace of the process, up to that
// which has the last of the services.
func (w *watch) read() (sockets, error) {
	all := sockets{}
	for _, table := range []string{"tcp", "tcp6", "udp", "udp6"} {
		wanted := func(s service) bool { return s.protocol == table[:3] && !all.hasOwn(s) }
		if !slices.ContainsFunc(w.services, wanted) {
			continue
		}
		if err := all.read(fmt.Sprintf("/proc/%d/net/%s", w.pid, table), table[:3], w.own); err != nil {
			return nil, err
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
