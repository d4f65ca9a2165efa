package network

import (
	"fmt"
	"strings"
	"testing"

	"github.com/disnix-go/disnix/test/lab"
)

// sabotage is something that is wrong with node2, the target of the gateway.
type sabotage struct {
	name string
	// do spoils the host, undo repairs it.
	do, undo func(t *testing.T, s *system, h *lab.Host)
	// environment is that of the coordinator.
	environment []string
	// want is what the error says beside the name of the target.
	want []string
}

func run(script string) func(*testing.T, *system, *lab.Host) {
	return func(t *testing.T, _ *system, h *lab.Host) {
		t.Helper()
		h.Run(t, "sh", "-c", script)
	}
}

func onCoordinator(script string) func(*testing.T, *system, *lab.Host) {
	return func(t *testing.T, s *system, _ *lab.Host) {
		t.Helper()
		s.coordinator.Run(t, "sh", "-c", script)
	}
}

// replaced lets a script run instead of disnix-run-activity. Its %s is the
// real program.
func replaced(script string) func(*testing.T, *system, *lab.Host) {
	return func(t *testing.T, _ *system, h *lab.Host) {
		t.Helper()
		h.Run(t, "mv", "/usr/local/bin/disnix-run-activity", "/usr/local/bin/disnix-run-activity.away")
		h.WriteFile(t, "/usr/local/bin/disnix-run-activity", "#!/bin/sh\n"+script+"\n", 0o755)
	}
}

const (
	putBack = "rm -f /usr/local/bin/disnix-run-activity; mv /usr/local/bin/disnix-run-activity.away /usr/local/bin/disnix-run-activity"
	// commandsOnly makes a program one that knows only the command line of the
	// original.
	commandsOnly = `case " $* " in *" --serve "*) echo "unrecognized option '--serve'" >&2; exit 1;; esac
`
	real = `exec /usr/local/bin/disnix run-activity "$@"`
)

var sabotages = []sabotage{
	{
		name: "host unreachable",
		do:   func(_ *testing.T, s *system, h *lab.Host) { s.CutLink(h) },
		undo: func(_ *testing.T, s *system, h *lab.Host) { s.RestoreLink(h) },
		want: []string{"connect to node2:22", "no answer within 2s"},

		environment: []string{"SSH_OPTS=-o ConnectTimeout=2"},
	},
	{
		name: "connection refused",
		do:   run(`kill $(cat /run/sshd.pid); while pgrep -x sshd > /dev/null; do sleep 0.01; done`),
		undo: run(`/usr/sbin/sshd -E ` + lab.SSHLog + `; while [ ! -e /run/sshd.pid ]; do sleep 0.01; done`),
		want: []string{"connect to node2:22", "connection refused"},
	},
	{
		name:        "host that hangs",
		do:          run(`kill -STOP $(cat /run/sshd.pid)`),
		undo:        run(`kill -CONT $(cat /run/sshd.pid)`),
		environment: []string{"SSH_OPTS=-o ConnectTimeout=2"},
		want:        []string{"connect to node2:22", "no login within 2s", "is it an ssh server"},
	},
	{
		name: "wrong key of the host",
		do:   onCoordinator(`cp /etc/ssh/ssh_known_hosts /root/known; { grep -v '^node2\|,node2' /root/known; grep node1 /root/known | head -1 | sed 's/^[^ ]*/node2/'; } > /etc/ssh/ssh_known_hosts`),
		undo: onCoordinator(`cp /root/known /etc/ssh/ssh_known_hosts`),
		want: []string{"host node2 is not the one that is known", "ssh-keygen -f /etc/ssh/ssh_known_hosts"},
	},
	{
		name: "unknown key of the host",
		do:   onCoordinator(`cp /etc/ssh/ssh_known_hosts /root/known; grep -v 'node2' /root/known > /etc/ssh/ssh_known_hosts; :`),
		undo: onCoordinator(`cp /root/known /etc/ssh/ssh_known_hosts`),
		want: []string{"host node2 is not known", "ssh-keyscan"},
	},
	{
		name: "user that may not log in",
		do:   run(`mv /root/.ssh/authorized_keys /root/.ssh/away`),
		undo: run(`mv /root/.ssh/away /root/.ssh/authorized_keys`),
		want: []string{"the login is refused", "authorized_keys"},
	},
	{
		name: "remote program missing",
		do:   run(`mv /usr/local/bin/disnix-run-activity /usr/local/bin/disnix-run-activity.away`),
		undo: run(`mv /usr/local/bin/disnix-run-activity.away /usr/local/bin/disnix-run-activity`),
		want: []string{"no program disnix-run-activity", "looked for in PATH=", "install Disnix there"},
	},
	{
		name: "remote that prints garbage",
		do:   replaced(`head -c 100000 /dev/urandom`),
		undo: run(putBack),
		want: []string{"disnix-run-activity --serve", "does not speak the session protocol"},
	},
	{
		name: "remote that ends at once",
		do:   replaced(`echo 'This account is currently not available.'; exit 1`),
		undo: run(putBack),
		want: []string{"This account is currently not available."},
	},
	{
		name: "remote that lies about an import",
		do:   replaced(commandsOnly + `case " $* " in *" --import "*) exit 0;; esac` + "\n" + real),
		undo: run(putBack),
		want: []string{"did not become valid", "nix-store --verify"},
	},
	{
		name: "remote that answers with something else",
		do:   replaced(commandsOnly + `case " $* " in *" --print-invalid "*) echo 'lorem ipsum'; exit 0;; esac` + "\n" + real),
		undo: run(putBack),
		want: []string{"lorem ipsum"},
	},
	{
		name: "store that is full",
		do: run(`mkdir -p /full && mount -t tmpfs -o size=16m full /full && cp -a /nix/store/. /full &&
			{ cat /dev/zero > /full/.filled 2> /dev/null; mount --bind /full /nix/store; }`),
		undo: run(`umount /nix/store /full`),
		want: []string{"copy the closure of /nix/store/", "at the destination", "No space left on device"},
	},
	{
		name:        "D-Bus absent",
		do:          run(`mv /run/dbus/system_bus_socket /run/dbus/away`),
		undo:        run(`mv /run/dbus/away /run/dbus/system_bus_socket`),
		environment: []string{"DISNIX_REMOTE_CLIENT=disnix-client"},
		want:        []string{"disnix-client", "Cannot connect to system bus!"},
	},
	{
		name:        "disnix-service not running",
		do:          run(`true`),
		undo:        run(`true`),
		environment: []string{"DISNIX_REMOTE_CLIENT=disnix-client"},
		want:        []string{"disnix-service is not running: start it"},
	},
	{
		name: "corrupt profile manifest",
		do: run(`mkdir /tmp/corrupt && echo '<profilemanifest version="2"><services>' > /tmp/corrupt/profilemanifest.xml &&
			cp -P /nix/var/nix/profiles/disnix/default /tmp/link &&
			ln -sfn $(nix-store --add /tmp/corrupt) /nix/var/nix/profiles/disnix/default`),
		undo: run(`mv -T /tmp/link /nix/var/nix/profiles/disnix/default`),
		want: []string{"profile manifest", "profilemanifest.xml", "nix-env -p /nix/var/nix/profiles/disnix/default --rollback"},
	},
}

// TestSabotagedTarget upgrades a system one of whose targets does not do what
// it should: the error says which, what was attempted and what to do, nothing
// has changed, and nothing stays locked.
func TestSabotagedTarget(t *testing.T) {
	t.Parallel()
	s := newSystem(t)
	node2 := s.nodes["node2"]
	s.coordinator.Run(t, deployment(first, "Hello")...)
	for i, c := range sabotages {
		t.Run(c.name, func(t *testing.T) {
			c.do(t, s, node2)
			stdout, stderr, err := s.coordinator.Try(t, deployment(first, fmt.Sprintf("Good morning %d", i), c.environment...)...)
			c.undo(t, s, node2)
			if err == nil {
				t.Fatalf("the upgrade succeeded:\n%s%s", stdout, stderr)
			}
			for _, part := range append(c.want, `target "node2"`) {
				if !strings.Contains(stderr, part) {
					t.Errorf("the error does not say %q:\n%s", part, stderr)
				}
			}
			s.requireGreeting(t, "Hello")
			s.requireUnlocked(t)
		})
	}
	s.coordinator.Run(t, deployment(first, "Good morning")...)
	s.requireGreeting(t, "Good morning")
}
