package lab

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// patience is how long Run waits for a command: long enough for any on a
// machine that is busy with something else.
const patience = 5 * time.Minute

// path is the PATH of the commands that run on hosts.
const path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// A Host is a machine of a lab.
type Host struct {
	lab    *Lab
	name   string
	number int
	key    keyPair
	init   *exec.Cmd // nil while the host is off
	power  io.Closer // the host goes off when this closes
}

// Host adds a host to the lab and starts it. The name is its host name, by
// which the other hosts reach it.
func (l *Lab) Host(name string) *Host {
	l.t.Helper()
	h := &Host{lab: l, name: name, number: len(l.hosts) + 1, key: newKeyPair(l.t)}
	if err := h.format(); err != nil {
		l.t.Fatalf("make the disk of host %s: %v", name, err)
	}
	l.hosts = append(l.hosts, h)
	h.boot(l.t)
	return h
}

// Name returns the host name.
func (h *Host) Name() string { return h.name }

// disk returns where the test process finds a part of the host's disk.
func (h *Host) disk(part string) string {
	return h.lab.path("disks", h.name, part)
}

// Start switches on a host that was stopped: with the files that it had,
// except for those in /tmp and /run.
func (h *Host) Start(t testing.TB) {
	t.Helper()
	if h.init != nil {
		t.Fatalf("start host %s: it is on", h.name)
	}
	h.boot(t)
	if err := h.lab.forgetNeighbours(); err != nil {
		t.Fatalf("start host %s: %v", h.name, err)
	}
}

func (h *Host) boot(t testing.TB) {
	t.Helper()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	namespace := fmt.Sprintf("--mount=/proc/%d/ns/mnt", h.lab.keeper.Process.Pid)
	// Each program replaces the one before: the last is the first process of
	// the new namespaces.
	init := exec.Command("nsenter", namespace,
		"unshare", "--mount", "--propagation", "private",
		"sh", "-c", `ln -sfn "$1" "$2" && exec "$2" "$3" "$4"`, "sh",
		program, filepath.Join(storage, initName), h.name, filepath.Join(storage, "disks", h.name))
	init.Env = []string{"PATH=" + path, "GORACE=atexit_sleep_ms=0"}
	init.SysProcAttr = &syscall.SysProcAttr{
		Setsid:     true,
		Cloneflags: syscall.CLONE_NEWPID | syscall.CLONE_NEWNET | syscall.CLONE_NEWUTS | syscall.CLONE_NEWIPC,
	}
	power, err := startReady(init)
	if err != nil {
		t.Fatalf("start host %s: %v", h.name, err)
	}
	h.init, h.power = init, power
	if err := h.plugIn(); err != nil {
		t.Fatalf("start host %s: %v", h.name, err)
	}
	h.lab.introduce()
}

// Stop switches the host off, as a power failure does: no process gets to do
// anything more. Files keep what was written to them.
func (h *Host) Stop(t testing.TB) {
	t.Helper()
	if h.init == nil {
		t.Fatalf("stop host %s: it is off", h.name)
	}
	if err := h.unplug(); err != nil {
		t.Fatalf("stop host %s: %v", h.name, err)
	}
	h.halt()
}

// halt ends all processes of the host and waits until they are gone.
func (h *Host) halt() {
	if h.init == nil {
		return
	}
	_ = h.power.Close()
	_ = h.init.Process.Kill()
	_ = h.init.Wait()
	h.init = nil
}

// Command prepares a command of root's on the host, which must be on. It
// begins in root's home directory with the environment of a login, not that of
// the test. Killing the command's process does not end what runs on the host:
// see Kill.
func (h *Host) Command(ctx context.Context, command ...string) *exec.Cmd {
	if h.init == nil {
		h.lab.t.Fatalf("run %s on host %s: it is off", command[0], h.name)
	}
	enter := []string{"--target", strconv.Itoa(h.init.Process.Pid),
		"--mount", "--uts", "--ipc", "--net", "--pid", "--", "env", "--chdir=/root"}
	cmd := exec.CommandContext(ctx, "nsenter", append(enter, command...)...)
	cmd.Env = []string{"PATH=" + path, "HOME=/root", "USER=root", "LOGNAME=root", "LANG=C.UTF-8"}
	// What the command left behind on the host may hold its output open.
	cmd.WaitDelay = 30 * time.Second
	return cmd
}

// Run runs a command as root and returns its standard output. The test ends
// when it fails.
func (h *Host) Run(t testing.TB, command ...string) string {
	t.Helper()
	stdout, stderr, err := h.Try(t, command...)
	if err != nil {
		t.Fatalf("%s: %s: %v\n%s%s", h.name, strings.Join(command, " "), err, stdout, stderr)
	}
	return stdout
}

// Try runs a command as root and returns its standard output, its standard
// error and how it failed: an *exec.ExitError if it ran.
func (h *Host) Try(t testing.TB, command ...string) (stdout, stderr string, err error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	cmd := h.Command(ctx, command...)
	var out, diagnostics bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &diagnostics
	err = cmd.Run()
	if ctx.Err() != nil {
		err = fmt.Errorf("%w after at most %v", ctx.Err(), patience)
	}
	return out.String(), diagnostics.String(), err
}

// As returns the command with which root runs another as a user of the host:
// operator, who is in the group disnix, or guest, who is not.
func As(user string, command ...string) []string {
	as := []string{"setpriv", "--reuid", user, "--regid", user, "--init-groups",
		"env", "HOME=/home/" + user, "USER=" + user, "LOGNAME=" + user}
	return append(as, command...)
}

// Kill sends SIGKILL to a process, by its number on the host.
func (h *Host) Kill(t testing.TB, pid int) {
	t.Helper()
	h.Run(t, "sh", "-c", `kill -KILL "$1"`, "sh", strconv.Itoa(pid))
}

// path returns where the test process finds a file of the host, which is on.
func (h *Host) path(file string) string {
	return filepath.Join(fmt.Sprintf("/proc/%d/root", h.init.Process.Pid), file)
}

// WriteFile writes a file on the host, which must be on, and makes the
// directories that lead to it.
func (h *Host) WriteFile(t testing.TB, file, content string, mode os.FileMode) {
	t.Helper()
	if err := writeFile(h.path(file), content, mode); err != nil {
		t.Fatalf("write %s on host %s: %v", file, h.name, err)
	}
}

// CopyDir copies a directory of the machine to a new one on the host.
func (h *Host) CopyDir(t testing.TB, from, to string) {
	t.Helper()
	syscall.ForkLock.RLock()
	err := os.CopyFS(h.path(to), os.DirFS(from))
	syscall.ForkLock.RUnlock()
	if err != nil {
		t.Fatalf("copy %s to host %s: %v", from, h.name, err)
	}
}
