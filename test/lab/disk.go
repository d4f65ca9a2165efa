package lab

import (
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// own are the directories of a host that show nothing of the machine's. The
// rest of its root is the machine's, and changes to it stay with the host.
var own = []string{
	"etc/nix", "etc/ssh", "etc/dbus-1/system.d",
	"home", "nix", "root", "usr/local/bin", "var",
}

const nixConfiguration = `build-users-group =
sandbox = false
substituters =
`

const sshdConfiguration = `HostKey /etc/ssh/ssh_host_ed25519_key
PermitRootLogin prohibit-password
PasswordAuthentication no
KbdInteractiveAuthentication no
UsePAM no
UseDNS no
PrintMotd no
MaxStartups 200
MaxSessions 200
Subsystem sftp internal-sftp
`

const sshConfiguration = `Host *
    BatchMode yes
    StrictHostKeyChecking yes
`

type user struct {
	home string
	id   int // of the user and of the group
}

// Root, operator, who is in the group disnix, and guest, who is not.
var users = []user{{"root", 0}, {"home/operator", 1000}, {"home/guest", 1001}}

const (
	passwd = `root:x:0:0:root:/root:/bin/sh
messagebus:x:100:100::/nonexistent:/usr/sbin/nologin
sshd:x:101:65534::/run/sshd:/usr/sbin/nologin
operator:x:1000:1000::/home/operator:/bin/sh
guest:x:1001:1001::/home/guest:/bin/sh
nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin
`
	group = `root:x:0:
tty:x:5:
messagebus:x:100:
disnix:x:200:operator
operator:x:1000:
guest:x:1001:
nogroup:x:65534:
`
	// No password, but not locked either: keys are accepted.
	shadow = `root:*:19000:0:99999:7:::
operator:*:19000:0:99999:7:::
guest:*:19000:0:99999:7:::
`
)

// format makes the disk of a host: the upper layer of its root.
func (h *Host) format() error {
	upper := h.disk("upper")
	for _, dir := range append([]string{"../work", "var/lib/dbus", "var/log", "var/cache"}, own...) {
		if err := os.MkdirAll(filepath.Join(upper, dir), 0o755); err != nil {
			return err
		}
	}
	for _, dir := range own {
		if err := unix.Setxattr(filepath.Join(upper, dir), "trusted.overlay.opaque", []byte("y"), 0); err != nil {
			return fmt.Errorf("hide the machine's /%s: %w", dir, err)
		}
	}
	files := []struct {
		path, content string
		mode          os.FileMode
	}{
		{"etc/hostname", h.name + "\n", 0o644},
		{"etc/machine-id", fmt.Sprintf("%032x\n", h.number), 0o644},
		{"etc/passwd", passwd, 0o644},
		{"etc/group", group, 0o644},
		{"etc/shadow", shadow, 0o600},
		{"etc/resolv.conf", "", 0o644},
		{"etc/nix/nix.conf", nixConfiguration, 0o644},
		{"etc/ssh/sshd_config", sshdConfiguration, 0o644},
		{"etc/ssh/ssh_config", sshConfiguration, 0o644},
		{"etc/ssh/ssh_host_ed25519_key", h.key.private, 0o600},
	}
	for _, file := range files {
		if err := writeFile(filepath.Join(upper, file.path), file.content, file.mode); err != nil {
			return err
		}
	}
	for _, user := range users {
		if err := user.moveIn(upper, h.lab.keys); err != nil {
			return err
		}
	}
	if err := os.Mkdir(filepath.Join(upper, "var/tmp"), 0o755); err != nil {
		return err
	}
	if err := os.Chmod(filepath.Join(upper, "var/tmp"), 0o777|os.ModeSticky); err != nil {
		return err
	}
	if err := os.Symlink("/run", filepath.Join(upper, "var/run")); err != nil {
		return err
	}
	return h.install(upper)
}

// moveIn makes the user's home and the keys to log in elsewhere and here.
func (u user) moveIn(upper string, k keyPair) error {
	directory := filepath.Join(upper, u.home, ".ssh")
	if err := os.MkdirAll(directory, 0o700); err != nil {
		return err
	}
	if err := writeFile(filepath.Join(directory, "id_ed25519"), k.private, 0o600); err != nil {
		return err
	}
	if err := writeFile(filepath.Join(directory, "authorized_keys"), k.public, 0o600); err != nil {
		return err
	}
	return filepath.WalkDir(filepath.Join(upper, u.home), func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Chown(path, u.id, u.id)
	})
}

// install puts the programs in place, as `make install` does: one file under
// many names.
func (h *Host) install(upper string) error {
	program := h.lab.path("disnix")
	bin := filepath.Join(upper, "usr/local/bin")
	if err := os.Link(program, filepath.Join(bin, "disnix")); err != nil {
		return err
	}
	names, err := exec.Command(program, "--list-programs").Output()
	if err != nil {
		return fmt.Errorf("list the programs: %w", err)
	}
	for _, name := range strings.Fields(string(names)) {
		if err := os.Symlink("disnix", filepath.Join(bin, name)); err != nil {
			return err
		}
	}
	module, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}").Output()
	if err != nil {
		return fmt.Errorf("find the source: %w", err)
	}
	policy, err := os.ReadFile(filepath.Join(strings.TrimSpace(string(module)), "share/dbus-1/system.d/disnix.conf"))
	if err != nil {
		return err
	}
	return writeFile(filepath.Join(upper, "etc/dbus-1/system.d/disnix.conf"), string(policy), 0o644)
}

// writeFile writes a file that may be a program: a process that is started
// meanwhile would keep it open for writing, so that it cannot be run.
func writeFile(path, content string, mode os.FileMode) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	// A file of the machine's stays as it is: this one replaces it.
	if err := os.RemoveAll(path); err != nil {
		return err
	}
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	return os.WriteFile(path, []byte(content), mode)
}
