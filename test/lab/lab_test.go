package lab

import (
	"errors"
	"fmt"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"
)

// eventually waits for what takes the kernel or a daemon a moment.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(2 * time.Minute); !holds(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not after two minutes: %s", what)
		}
	}
}

// reaches takes its time, so that a busy machine makes no difference.
func reaches(t *testing.T, from *Host, address string) bool {
	t.Helper()
	_, _, err := from.Try(t, "ssh", address, "true")
	return err == nil
}

func requireNotReached(t *testing.T, from *Host, address string) {
	t.Helper()
	if _, _, err := from.Try(t, "ssh", "-o", "ConnectTimeout=1", address, "true"); err == nil {
		t.Errorf("%s is reached", address)
	}
}

func TestHosts(t *testing.T) {
	l := New(t)
	coordinator, node1, node2 := l.Host("coordinator"), l.Host("node1"), l.Host("node2")
	hosts := []*Host{coordinator, node1, node2}

	t.Run("each has its own name", func(t *testing.T) {
		for _, h := range hosts {
			if got := strings.TrimSpace(h.Run(t, "hostname")); got != h.Name() {
				t.Errorf("host %s calls itself %q", h.Name(), got)
			}
		}
	})

	t.Run("each reaches every other over SSH by name and by both addresses", func(t *testing.T) {
		for i, from := range hosts {
			to := hosts[(i+1)%len(hosts)]
			for _, address := range []string{to.Name(), to.Addr(), to.Addr6()} {
				if got := strings.TrimSpace(from.Run(t, "ssh", address, "hostname")); got != to.Name() {
					t.Errorf("%s found %q at %s", from.Name(), got, address)
				}
			}
		}
	})

	t.Run("an unknown host key is refused", func(t *testing.T) {
		_, stderr, err := coordinator.Try(t, "ssh", "-o", "GlobalKnownHostsFile=/dev/null", "node1", "true")
		if err == nil || !strings.Contains(stderr, "Host key verification failed") {
			t.Errorf("logged in at a host without a known key: %v %s", err, stderr)
		}
	})

	t.Run("the machine's network is out of reach", func(t *testing.T) {
		out := node1.Run(t, "ip", "-oneline", "link")
		if lines := strings.Count(out, "\n"); lines != 2 {
			t.Errorf("there are other links than lo and eth0:\n%s", out)
		}
		if out := node1.Run(t, "ip", "route", "show", "default"); out != "" {
			t.Errorf("there is a default route: %s", out)
		}
	})

	t.Run("each has its own Nix store", func(t *testing.T) {
		const expression = `derivation { name = "own"; system = builtins.currentSystem; builder = "/bin/sh"; args = [ "-c" "echo built > $out" ]; }`
		path := strings.TrimSpace(node1.Run(t, "nix-build", "--no-out-link", "-E", expression))
		if got := node1.Run(t, "cat", path); got != "built\n" {
			t.Errorf("%s contains %q", path, got)
		}
		node1.Run(t, "nix-store", "--check-validity", path)
		if _, _, err := node2.Try(t, "nix-store", "--check-validity", path); err == nil {
			t.Errorf("%s is valid on another host", path)
		}
		if _, _, err := node2.Try(t, "test", "-e", path); err == nil {
			t.Errorf("%s exists on another host", path)
		}
	})

	t.Run("each has its own files", func(t *testing.T) {
		for _, file := range []string{"/etc/own", "/var/own", "/tmp/own", "/run/own", "/root/own", "/opt/own"} {
			node1.WriteFile(t, file, "own\n", 0o600)
			if got := node1.Run(t, "cat", file); got != "own\n" {
				t.Errorf("%s contains %q", file, got)
			}
			if _, _, err := node2.Try(t, "test", "-e", file); err == nil {
				t.Errorf("%s of one host exists on another", file)
			}
			if err := exec.Command("test", "-e", file).Run(); err == nil {
				t.Errorf("%s of a host exists on the machine", file)
			}
		}
	})

	t.Run("each has its own processes and no zombies", func(t *testing.T) {
		node1.Run(t, "sh", "-c", "for i in 1 2 3; do (sleep 0 & sleep 0 &); done")
		eventually(t, "all orphans are reaped", func() bool {
			return !strings.Contains(node1.Run(t, "ps", "-eo", "stat"), "Z")
		})
		pid := strings.TrimSpace(node1.Run(t, "sh", "-c", "sleep 600 > /dev/null 2>&1 & echo $!"))
		if out := node2.Run(t, "ps", "-eo", "args"); strings.Contains(out, "sleep 600") {
			t.Errorf("a process of one host is seen on another:\n%s", out)
		}
		number, err := strconv.Atoi(pid)
		if err != nil {
			t.Fatal(err)
		}
		node1.Kill(t, number)
		eventually(t, "the process that was killed is gone", func() bool {
			_, _, err := node1.Try(t, "test", "-e", "/proc/"+pid)
			return err != nil
		})
	})

	t.Run("the system bus answers", func(t *testing.T) {
		out := node1.Run(t, "dbus-send", "--system", "--print-reply", "--dest=org.freedesktop.DBus",
			"/", "org.freedesktop.DBus.ListNames")
		if !strings.Contains(out, "org.freedesktop.DBus") {
			t.Errorf("the bus says %s", out)
		}
	})

	t.Run("operator is in the group disnix, guest is not", func(t *testing.T) {
		for user, member := range map[string]bool{"operator": true, "guest": false} {
			out := node1.Run(t, As(user, "id")...)
			if !strings.Contains(out, "("+user+")") || strings.Contains(out, "disnix") != member {
				t.Errorf("%s is %s", user, out)
			}
			if got := strings.TrimSpace(node1.Run(t, As(user, "ssh", "node2", "id", "-un")...)); got != user {
				t.Errorf("%s is %q on another host", user, got)
			}
		}
	})

	t.Run("the programs are installed", func(t *testing.T) {
		out := coordinator.Run(t, "ssh", "node1", "disnix-run-activity", "--version")
		if !strings.HasPrefix(out, "disnix-run-activity (") {
			t.Errorf("the version is %q", out)
		}
	})

	t.Run("a failing command says why", func(t *testing.T) {
		stdout, stderr, err := node1.Try(t, "sh", "-c", "echo out; echo err >&2; exit 7")
		var exit *exec.ExitError
		if stdout != "out\n" || stderr != "err\n" || !errors.As(err, &exit) || exit.ExitCode() != 7 {
			t.Errorf("got %q, %q, %v", stdout, stderr, err)
		}
	})

	t.Run("a directory is copied", func(t *testing.T) {
		coordinator.CopyDir(t, "../../examples/hello", "/root/models")
		coordinator.Run(t, "test", "-s", "/root/models/services.nix")
	})
}

func TestLinks(t *testing.T) {
	l := New(t)
	coordinator, node1, node2 := l.Host("coordinator"), l.Host("node1"), l.Host("node2")

	l.CutLink(node1)
	for _, address := range []string{node1.Name(), node1.Addr(), node1.Addr6()} {
		requireNotReached(t, coordinator, address)
	}
	requireNotReached(t, node1, coordinator.Name())
	if !reaches(t, coordinator, node2.Name()) {
		t.Error("the link of another host is cut, too")
	}
	l.RestoreLink(node1)
	if !reaches(t, coordinator, node1.Name()) {
		t.Error("the host is not reached again")
	}
}

func TestLimitRate(t *testing.T) {
	l := New(t)
	coordinator, node1 := l.Host("coordinator"), l.Host("node1")
	send := func() time.Duration {
		start := time.Now()
		coordinator.Run(t, "sh", "-c", "head -c 1000000 /dev/zero | ssh node1 'cat > /dev/null'")
		return time.Since(start)
	}
	send()
	l.LimitRate(node1, "4mbit")
	// A million bytes less the bucket: 1.87 s at four million bits per second.
	if took := send(); took < 1500*time.Millisecond {
		t.Errorf("a million bytes took only %v", took)
	}
}

func TestStopAndStart(t *testing.T) {
	l := New(t)
	coordinator, node1 := l.Host("coordinator"), l.Host("node1")
	node1.WriteFile(t, "/var/lib/kept", "kept\n", 0o644)
	node1.WriteFile(t, "/run/lost", "lost\n", 0o644)

	node1.Stop(t)
	requireNotReached(t, coordinator, node1.Name())
	node1.Start(t)
	if !reaches(t, coordinator, node1.Name()) {
		t.Error("a host that was switched on again is not reached")
	}
	if got := node1.Run(t, "cat", "/var/lib/kept"); got != "kept\n" {
		t.Errorf("the file contains %q", got)
	}
	if _, _, err := node1.Try(t, "test", "-e", "/run/lost"); err == nil {
		t.Error("/run has survived")
	}
}

// BenchmarkHost makes hosts of one lab; each must be there within 3 s.
func BenchmarkHost(b *testing.B) {
	l := New(b)
	for number := 0; b.Loop(); number++ {
		l.Host(fmt.Sprintf("node%d", number))
	}
}
