// Package systemdtest gives tests a systemd of their own: a real one, as the
// manager of a user's units, on a bus of its own, in control groups of its own.
// It needs root.
package systemdtest

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Manager is a running systemd.
type Manager struct {
	// Dir is a directory for tests. It is removed at the end.
	Dir string
	// UnitDir is a directory in the search path of units.
	UnitDir string
	// BusAddress is that of the bus on which it is org.freedesktop.systemd1.
	BusAddress string

	cmd     *exec.Cmd
	cgroups []string
}

// script prepares what systemd wants to see: that the machine was started with
// it, and a runtime directory.
const script = `set -e
for group in $CGROUPS; do echo $$ > $group/cgroup.procs; done
exec unshare --mount sh -ec '
mount --make-rprivate /
mount -t tmpfs tmpfs /run
mkdir -p /run/systemd/system
dbus-daemon --session --address=$DBUS_SESSION_BUS_ADDRESS --fork --nosyslog
exec /lib/systemd/systemd --user --log-target=console --log-level=err --show-status=false
'`

// Start starts a systemd and waits until it answers. The caller must close it.
func Start() (*Manager, error) {
	dir, err := os.MkdirTemp("/tmp", "systemd.") // the name of a socket must be short
	if err != nil {
		return nil, err
	}
	m := &Manager{Dir: dir, UnitDir: filepath.Join(dir, "units"), BusAddress: "unix:path=" + filepath.Join(dir, "bus")}
	if err := errors.Join(os.Mkdir(m.UnitDir, 0o755), m.makeCgroups()); err != nil {
		m.Close()
		return nil, err
	}
	m.cmd = exec.Command("sh", "-c", script)
	m.cmd.Env = []string{
		"PATH=" + os.Getenv("PATH") + ":/usr/sbin:/usr/bin:/sbin:/bin", "HOME=" + dir,
		"XDG_RUNTIME_DIR=" + dir, "DBUS_SESSION_BUS_ADDRESS=" + m.BusAddress,
		"SYSTEMD_UNIT_PATH=" + m.UnitDir + ":/usr/lib/systemd/user",
		"CGROUPS=" + strings.Join(m.cgroups, " "),
	}
	m.cmd.Stderr = os.Stderr
	// The signal survives all the execs, so that systemd ends with a test that
	// is killed.
	m.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	if err := m.cmd.Start(); err != nil {
		m.Close()
		return nil, err
	}
	if err := m.await(); err != nil {
		m.Close()
		return nil, err
	}
	return m, nil
}

// makeCgroups makes a group in every hierarchy, below that of this process,
// which systemd takes for its root.
func (m *Manager) makeCgroups() error {
	content, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return err
	}
	for _, line := range strings.Split(strings.TrimSpace(string(content)), "\n") {
		fields := strings.SplitN(line, ":", 3)
		if len(fields) != 3 {
			continue
		}
		mount := filepath.Join("/sys/fs/cgroup", strings.TrimPrefix(fields[1], "name="))
		if fields[1] == "" {
			if _, err := os.Stat("/sys/fs/cgroup/unified"); err == nil {
				mount = "/sys/fs/cgroup/unified"
			}
		}
		if fields[1] == "cpuset" {
			continue // a new group of it accepts no process
		}
		group := filepath.Join(mount, fields[2], filepath.Base(m.Dir))
		if err := os.Mkdir(group, 0o755); err != nil {
			return fmt.Errorf("make a control group: %w", err)
		}
		m.cgroups = append(m.cgroups, group)
	}
	return nil
}

func (m *Manager) await() error {
	deadline := time.Now().Add(5 * time.Minute)
	for {
		state := strings.TrimPrefix(m.Systemctl("show", "-p", "SystemState"), "SystemState=")
		if slices.Contains([]string{"running", "degraded"}, state) {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("wait for systemd: it is %q: it needs root, control groups and `make setup-process-managers`", state)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// Systemctl runs systemctl and returns what it prints, which may be an error.
func (m *Manager) Systemctl(args ...string) string {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "systemctl", append([]string{"--user"}, args...)...)
	cmd.Env = append(os.Environ(), "XDG_RUNTIME_DIR="+m.Dir, "DBUS_SESSION_BUS_ADDRESS="+m.BusAddress)
	out, _ := cmd.CombinedOutput()
	return strings.TrimSpace(string(out))
}

// Close ends systemd and everything that it has started.
func (m *Manager) Close() {
	for _, group := range m.cgroups {
		endProcesses(group)
	}
	if m.cmd != nil && m.cmd.Process != nil {
		_ = m.cmd.Wait()
	}
	for _, group := range m.cgroups {
		for _, dir := range subgroups(group) {
			_ = syscall.Rmdir(dir)
		}
	}
	_ = os.RemoveAll(m.Dir)
}

// endProcesses kills the processes of a group and waits for their end.
func endProcesses(group string) {
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); {
		var processes []string
		for _, dir := range subgroups(group) {
			content, _ := os.ReadFile(filepath.Join(dir, "cgroup.procs"))
			processes = append(processes, strings.Fields(string(content))...)
		}
		if len(processes) == 0 {
			return
		}
		for _, process := range processes {
			if pid, err := strconv.Atoi(process); err == nil && pid > 1 {
				_ = syscall.Kill(pid, syscall.SIGKILL)
			}
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// subgroups returns a group and those below it, the deepest first.
func subgroups(group string) []string {
	var dirs []string
	_ = filepath.WalkDir(group, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && entry.IsDir() {
			dirs = append(dirs, path)
		}
		return nil
	})
	slices.Reverse(dirs)
	return dirs
}
