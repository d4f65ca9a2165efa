package lab

import (
	"fmt"
	"os/exec"
	"strconv"
	"strings"
)

// Addr returns the host's IPv4 address.
func (h *Host) Addr() string { return fmt.Sprintf("10.77.%d.%d", h.number/250, h.number%250+1) }

// Addr6 returns the host's IPv6 address.
func (h *Host) Addr6() string { return fmt.Sprintf("fd77::%x", h.number) }

// port returns the name of the host's end at the switch.
func (h *Host) port() string { return fmt.Sprintf("port%d", h.number) }

// plugIn connects the host with the switch.
func (h *Host) plugIn() error {
	init := h.init.Process.Pid
	if err := h.lab.network("ip", "link", "add", h.port(), "type", "veth", "peer", "name", "eth0", "netns", strconv.Itoa(init)); err != nil {
		return err
	}
	if err := h.lab.network("ip", "link", "set", h.port(), "up", "master", "switch"); err != nil {
		return err
	}
	for _, arguments := range []string{
		// The same after every start: nobody announces a new one.
		fmt.Sprintf("link set eth0 address 02:00:00:00:%02x:%02x", h.number/256, h.number%256),
		"link set eth0 up",
		"addr add " + h.Addr() + "/16 dev eth0",
		"addr add " + h.Addr6() + "/64 dev eth0 nodad",
	} {
		if err := inNetwork(init, append([]string{"ip"}, strings.Fields(arguments)...)...); err != nil {
			return err
		}
	}
	return nil
}

func (h *Host) unplug() error {
	return h.lab.network("ip", "link", "del", h.port())
}

// CutLink takes the host off the network: what is sent to it or by it is lost,
// and nobody is told.
func (l *Lab) CutLink(h *Host) {
	l.t.Helper()
	if err := l.network("ip", "link", "set", h.port(), "nomaster"); err != nil {
		l.t.Fatalf("cut the link of host %s: %v", h.name, err)
	}
}

// forgetNeighbours lets the hosts look for each other anew. What they have
// looked for in vain, they would say for a second to be unreachable.
func (l *Lab) forgetNeighbours() error {
	for _, h := range l.hosts {
		if h.init == nil {
			continue
		}
		if err := inNetwork(h.init.Process.Pid, "ip", "neigh", "flush", "dev", "eth0", "nud", "all"); err != nil {
			return err
		}
	}
	return nil
}

// RestoreLink undoes CutLink.
func (l *Lab) RestoreLink(h *Host) {
	l.t.Helper()
	err := l.network("ip", "link", "set", h.port(), "master", "switch")
	if err == nil {
		err = l.forgetNeighbours()
	}
	if err != nil {
		l.t.Fatalf("restore the link of host %s: %v", h.name, err)
	}
}

// LimitRate limits what the host sends and receives to a rate each, in the
// notation of tc: "10mbit" is ten million bits per second.
func (l *Lab) LimitRate(h *Host, rate string) {
	l.t.Helper()
	shape := []string{"root", "tbf", "rate", rate, "burst", "64kb", "latency", "50ms"}
	err := l.network(append([]string{"tc", "qdisc", "replace", "dev", h.port()}, shape...)...)
	if err == nil {
		err = inNetwork(h.init.Process.Pid, append([]string{"tc", "qdisc", "replace", "dev", "eth0"}, shape...)...)
	}
	if err != nil {
		l.t.Fatalf("limit the rate of host %s: %v", h.name, err)
	}
}

// network runs a command in the network namespace of the switch.
func (l *Lab) network(command ...string) error {
	return inNetwork(l.keeper.Process.Pid, command...)
}

// inNetwork runs a command in the network namespace of a process.
func inNetwork(pid int, command ...string) error {
	enter := []string{fmt.Sprintf("--net=/proc/%d/ns/net", pid), "--"}
	out, err := exec.Command("nsenter", append(enter, command...)...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s: %w: %s", strings.Join(command, " "), err, strings.TrimSpace(string(out)))
	}
	return nil
}
