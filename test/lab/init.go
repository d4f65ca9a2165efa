package lab

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// SSHLog is where a host's SSH server logs: a line with "Accepted publickey"
// for each login.
const SSHLog = "/var/log/sshd.log"

// initName is the name under which a test program starts itself as the first
// process of a host.
const initName = "lab-init"

// The test program is the only program at hand that can be the first process
// of a host, and this is the only place where it can become that.
func init() {
	if filepath.Base(os.Args[0]) != initName {
		return
	}
	err := boot(os.Args[1], os.Args[2])
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	reap()
}

// boot makes the namespaces that this process begins in a host: its root is
// made of the layers on the disk, then its daemons are started.
func boot(name, disk string) error {
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(0) // the host ends with its first process
	}()
	if err := unix.Sethostname([]byte(name)); err != nil {
		return fmt.Errorf("set the host name: %w", err)
	}
	if err := mountRoot(disk); err != nil {
		return err
	}
	if err := startDaemons(); err != nil {
		return err
	}
	// The test waits for the end of what this process says.
	fmt.Println("ready")
	null, err := os.OpenFile("/dev/null", os.O_RDWR, 0)
	if err != nil {
		return err
	}
	for _, fd := range []int{1, 2} {
		if err := unix.Dup2(int(null.Fd()), fd); err != nil {
			return err
		}
	}
	return nil
}

type mount struct {
	source, target, kind string
	flags                uintptr
	options              string
}

// mountRoot makes the host's tree of mounts and forgets the machine's.
func mountRoot(disk string) error {
	root := filepath.Join(disk, "root")
	if err := os.MkdirAll(root, 0o755); err != nil {
		return err
	}
	layers := fmt.Sprintf("lowerdir=/,upperdir=%s/upper,workdir=%s/work", disk, disk)
	mounts := []mount{
		{"overlay", "", "overlay", 0, layers},
		{"proc", "proc", "proc", 0, ""},
		{"sysfs", "sys", "sysfs", unix.MS_RDONLY, ""},
		{"tmpfs", "run", "tmpfs", 0, "mode=755"},
		{"tmpfs", "tmp", "tmpfs", 0, "mode=1777"},
		{"tmpfs", "dev", "tmpfs", 0, "mode=755"},
	}
	for _, m := range mounts {
		if err := unix.Mount(m.source, filepath.Join(root, m.target), m.kind, m.flags, m.options); err != nil {
			return fmt.Errorf("mount the host's /%s: %w", m.target, err)
		}
	}
	if err := makeDevices(filepath.Join(root, "dev")); err != nil {
		return err
	}
	if err := os.Chdir(root); err != nil {
		return err
	}
	// Both on one place: the old root lies over the new one and is taken off.
	if err := unix.PivotRoot(".", "."); err != nil {
		return fmt.Errorf("change the root: %w", err)
	}
	if err := unix.Unmount(".", unix.MNT_DETACH); err != nil {
		return fmt.Errorf("leave the machine's root: %w", err)
	}
	return os.Chdir("/")
}

func makeDevices(dev string) error {
	unix.Umask(0)
	defer unix.Umask(0o022)
	for _, device := range []struct {
		name         string
		major, minor uint32
	}{{"null", 1, 3}, {"zero", 1, 5}, {"full", 1, 7}, {"random", 1, 8}, {"urandom", 1, 9}, {"tty", 5, 0}} {
		number := int(unix.Mkdev(device.major, device.minor))
		if err := unix.Mknod(filepath.Join(dev, device.name), unix.S_IFCHR|0o666, number); err != nil {
			return fmt.Errorf("make /dev/%s: %w", device.name, err)
		}
	}
	for name, target := range map[string]string{
		"ptmx": "pts/ptmx", "fd": "/proc/self/fd",
		"stdin": "/proc/self/fd/0", "stdout": "/proc/self/fd/1", "stderr": "/proc/self/fd/2",
	} {
		if err := os.Symlink(target, filepath.Join(dev, name)); err != nil {
			return err
		}
	}
	for _, m := range []mount{
		{"devpts", "pts", "devpts", 0, "newinstance,ptmxmode=0666,mode=620,gid=5"},
		{"tmpfs", "shm", "tmpfs", 0, "mode=1777"},
	} {
		target := filepath.Join(dev, m.target)
		if err := os.Mkdir(target, 0o755); err != nil {
			return err
		}
		if err := unix.Mount(m.source, target, m.kind, m.flags, m.options); err != nil {
			return fmt.Errorf("mount the host's /dev/%s: %w", m.target, err)
		}
	}
	return nil
}

// startDaemons returns when the daemons accept connections.
func startDaemons() error {
	for _, dir := range []string{"/run/sshd", "/run/dbus", "/run/lock"} {
		if err := os.Mkdir(dir, 0o755); err != nil {
			return err
		}
	}
	for _, command := range [][]string{
		{"ip", "link", "set", "lo", "up"},
		{"dbus-daemon", "--system", "--fork", "--nopidfile"},
		{"/usr/sbin/sshd", "-E", SSHLog},
	} {
		if out, err := exec.Command(command[0], command[1:]...).CombinedOutput(); err != nil {
			return fmt.Errorf("run %s: %w: %s", command[0], err, out)
		}
	}
	// The file with its process number is the only sign that sshd listens.
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		if _, err := os.Stat("/run/sshd.pid"); err == nil {
			return nil
		}
	}
	return errors.New("start sshd: it did not listen within a minute")
}

// reap waits for the orphans of the host, for ever.
func reap() {
	ended := make(chan os.Signal, 1)
	signal.Notify(ended, syscall.SIGCHLD)
	for {
		for {
			pid, err := syscall.Wait4(-1, nil, syscall.WNOHANG, nil)
			if pid <= 0 && !errors.Is(err, syscall.EINTR) {
				break
			}
		}
		<-ended
	}
}
