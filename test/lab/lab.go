// Package lab gives tests throw-away hosts: each has its own network address,
// root file system, Nix store, process tree, users, SSH server and system bus,
// and the programs of this module in /usr/local/bin.
//
// Hosts are Linux namespaces of the machine that runs the tests. Everything
// that belongs to a lab lives in such namespaces: the hosts' disks are on a
// tmpfs that only the lab sees, their addresses and the bridge between them
// are in network namespaces. The kernel takes all of it away with the last
// process, and the processes end with the test process, however that ends:
// they hold the read ends of its pipes. Nothing is left to clean up, and
// several labs can exist at a time.
//
// A lab needs root and the programs that `make setup-lab` installs.
package lab

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/disnix-go/disnix/test/programtest"
)

// needed are the programs without which there is no lab.
var needed = []string{
	"ip", "tc", "nsenter", "unshare", "setpriv", "mount",
	"/usr/sbin/sshd", "ssh", "dbus-daemon", "dbus-send", "nix-store",
}

// storage is where a lab's tmpfs is mounted, in the lab's mount namespace.
const storage = "/mnt"

// A Lab is a set of hosts on one network. Its methods belong to the goroutine
// of its test.
type Lab struct {
	t      testing.TB
	keeper *exec.Cmd // holds the disks and the bridge
	power  io.Closer // the keeper ends when this closes
	keys   keyPair   // with which all users log in
	hosts  []*Host
}

// New makes a lab without hosts, which ends with the test.
func New(t testing.TB) *Lab {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Fatal("a lab consists of Linux namespaces, which only root may make: run these tests as root")
	}
	var missing []string
	for _, program := range needed {
		if _, err := exec.LookPath(program); err != nil {
			missing = append(missing, program)
		}
	}
	if len(missing) > 0 {
		t.Fatalf("make a lab: not found: %s: run `make setup-lab`", strings.Join(missing, ", "))
	}
	l := &Lab{t: t, keys: newKeyPair(t)}
	l.keep()
	t.Cleanup(l.close)
	l.build()
	return l
}

// keeperScript makes what the hosts share and waits for the end of its input.
const keeperScript = `set -e
mount --make-rprivate /
mount -t tmpfs -o mode=755 lab "$1"
ip link add switch type bridge
ip link set switch up
echo ready
exec cat`

// keep starts the process that holds the lab's mount and network namespaces.
func (l *Lab) keep() {
	l.t.Helper()
	l.keeper = exec.Command("sh", "-c", keeperScript, "sh", storage)
	l.keeper.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS | syscall.CLONE_NEWNET}
	power, err := startReady(l.keeper)
	if err != nil {
		l.t.Fatalf("make a lab: %v", err)
	}
	l.power = power
}

// close ends the hosts and the keeper, and with them all that is theirs.
func (l *Lab) close() {
	for _, h := range l.hosts {
		h.halt()
	}
	_ = l.power.Close()
	_ = l.keeper.Process.Kill()
	_ = l.keeper.Wait()
}

// path returns where the test process finds a path of the lab's storage.
func (l *Lab) path(elements ...string) string {
	root := fmt.Sprintf("/proc/%d/root", l.keeper.Process.Pid)
	return filepath.Join(append([]string{root, storage}, elements...)...)
}

// programs are the compiled programs, once there was a lab in this process.
var programs struct {
	sync.Mutex
	content string
}

// build compiles the programs that the hosts get.
func (l *Lab) build() {
	l.t.Helper()
	programs.Lock()
	defer programs.Unlock()
	if programs.content == "" {
		l.compile()
		return
	}
	if err := writeFile(l.path("disnix"), programs.content, 0o755); err != nil {
		l.t.Fatalf("copy the programs to the lab: %v", err)
	}
}

func (l *Lab) compile() {
	l.t.Helper()
	if err := programtest.Build("disnix", l.path("disnix")); err != nil {
		l.t.Fatal(err)
	}
	content, err := os.ReadFile(l.path("disnix"))
	if err != nil {
		l.t.Fatalf("build the programs for the lab: %v", err)
	}
	programs.content = string(content)
}

// startReady starts a process that says "ready" on its standard output when it
// is. It is to end when the returned writer is closed, which happens at the
// latest when this process ends.
func startReady(cmd *exec.Cmd) (io.Closer, error) {
	power, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	in, out, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer in.Close()
	cmd.Stdout, cmd.Stderr = out, out
	err = cmd.Start()
	_ = out.Close()
	if err != nil {
		return nil, err
	}
	said, ready := readReady(in)
	if !ready {
		_ = power.Close()
		_ = cmd.Process.Kill()
		return nil, fmt.Errorf("%w: %s", cmd.Wait(), strings.TrimSpace(said))
	}
	return power, nil
}

// readReady reads up to the line "ready" or the end.
func readReady(in io.Reader) (string, bool) {
	var said strings.Builder
	buffer := make([]byte, 1024)
	for {
		n, err := in.Read(buffer)
		said.Write(buffer[:n])
		if strings.HasSuffix(said.String(), "ready\n") {
			return said.String(), true
		}
		if err != nil {
			return said.String(), false
		}
	}
}
