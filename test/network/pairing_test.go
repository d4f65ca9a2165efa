package network

import (
	"fmt"
	"strings"
	"testing"

	"github.com/disnix-go/disnix/test/lab"
)

// program writes a client-interface program on the coordinator and returns its
// path.
func (s *system) program(t *testing.T, name, script string) string {
	t.Helper()
	path := "/root/" + name
	s.coordinator.WriteFile(t, path, "#!/bin/sh\n"+script+"\n", 0o755)
	return path
}

// infrastructure writes an infrastructure model with lines for each target,
// and returns its file.
func (s *system) infrastructure(t *testing.T, targets map[string]string) string {
	t.Helper()
	var model strings.Builder
	model.WriteString("{\n")
	for name, lines := range targets {
		fmt.Fprintf(&model, `  %s = {
    containers.process = { runtimeDir = "/run"; listenAddress = "0.0.0.0"; timeout = 30; };
    %s
  };
`, name, lines)
	}
	model.WriteString("}\n")
	s.coordinator.WriteFile(t, "/root/hello/mixed.nix", model.String(), 0o644)
	return "mixed.nix"
}

// on replaces the infrastructure model of a command.
func on(infrastructure string, command []string) []string {
	result := make([]string, len(command))
	for i, word := range command {
		result[i] = strings.ReplaceAll(word, "network/infrastructure.nix", infrastructure)
	}
	return result
}

// TestMixedClientInterfaces deploys to targets that are reached in every way
// at once: over SSH with a session, by commands because the program there is
// the original's, handed over to disnix-service, and through a program with
// the client-interface command line. The upgrade goes other ways than the
// installation.
func TestMixedClientInterfaces(t *testing.T) {
	t.Parallel()
	s := newSystem(t)
	for _, node := range s.nodes {
		node.Run(t, "disnix-service", "--daemon")
	}
	replaced(commandsOnly+real)(t, s, s.nodes["node2"])
	overBus := s.program(t, "over-bus", "exec env DISNIX_REMOTE_CLIENT=disnix-client disnix-ssh-client \"$@\"")
	plain := s.program(t, "plain", `echo "$@" >> /root/plain.log; exec env -u DISNIX_REMOTE_CLIENT disnix-ssh-client "$@"`)

	model := s.infrastructure(t, map[string]string{
		"node1": `properties.hostname = "node1";`,
		"node2": `properties.hostname = "node2";`,
		"node3": fmt.Sprintf(`properties.address = "node3"; targetProperty = "address"; clientInterface = %q;`, plain),
	})
	s.coordinator.Run(t, on(model, deployment(first, "Hello"))...)
	s.requireGreeting(t, "Hello")
	s.requireServer(t, "node1")
	s.requireUnlocked(t)
	if log := s.coordinator.Run(t, "cat", "/root/plain.log"); !strings.Contains(log, "--set") || !strings.Contains(log, "--target node3") {
		t.Errorf("the program was asked for:\n%s", log)
	}

	model = s.infrastructure(t, map[string]string{
		"node1": fmt.Sprintf(`properties.hostname = "node1"; clientInterface = %q;`, overBus),
		"node2": `properties.hostname = "node2";`,
		"node3": `properties.hostname = "node3";`,
	})
	s.coordinator.Run(t, on(model, deployment(moved, "Good morning"))...)
	s.requireGreeting(t, "Good morning")
	s.requireServer(t, "node3")
	s.requireUnlocked(t)

	s.coordinator.Run(t, on(model, deployment(first, "Good evening", "DISNIX_REMOTE_CLIENT=disnix-client"))...)
	s.requireGreeting(t, "Good evening")
	s.requireServer(t, "node1")
	s.requireUnlocked(t)
}

// TestAddresses deploys to targets that are named by IPv6 addresses, with and
// without a port.
func TestAddresses(t *testing.T) {
	t.Parallel()
	s := newSystem(t)
	node1, node2, node3 := s.nodes["node1"], s.nodes["node2"], s.nodes["node3"]
	node2.Run(t, "/usr/sbin/sshd", "-E", lab.SSHLog, "-o", "PidFile=none", "-p", "2222")
	model := s.infrastructure(t, map[string]string{
		"node1": fmt.Sprintf(`properties = { hostname = "node1"; ssh = %q; }; targetProperty = "ssh";`, node1.Addr6()),
		"node2": fmt.Sprintf(`properties = { hostname = "node2"; ssh = "root@[%s]:2222"; }; targetProperty = "ssh";`, node2.Addr6()),
		"node3": fmt.Sprintf(`properties = { hostname = "node3"; ssh = "[%s]"; }; targetProperty = "ssh";`, node3.Addr6()),
	})
	s.coordinator.Run(t, on(model, deployment(first, "Hello"))...)
	s.requireGreeting(t, "Hello")
	s.requireUnlocked(t)
	for name, node := range s.nodes {
		if log := node.Run(t, "cat", lab.SSHLog); !strings.Contains(log, "from fd77::1 port") {
			t.Errorf("nobody has logged in at %s over IPv6:\n%s", name, log)
		}
	}
}

// TestTwoTargetsOnOneMachine has two targets on one machine: each has its own
// profile and lock. If their addresses do not show it, nothing is deployed.
func TestTwoTargetsOnOneMachine(t *testing.T) {
	t.Parallel()
	s := newSystem(t)
	model := s.infrastructure(t, map[string]string{
		"node1": `properties.hostname = "node1";`,
		"node2": `properties = { hostname = "node1"; ssh = "root@node1"; }; targetProperty = "ssh";`,
		"node3": `properties.hostname = "node3";`,
	})
	s.coordinator.Run(t, on(model, deployment(first, "Hello"))...)
	s.requireGreeting(t, "Hello")
	s.requireUnlocked(t)
	s.coordinator.Run(t, on(model, deployment(first, "Good morning"))...)
	s.requireGreeting(t, "Good morning")
	for profile, service := range map[string]string{"default@node1": "hello-server", "default@node2": "hello-gateway"} {
		manifest := s.nodes["node1"].Run(t, "cat", "/nix/var/nix/profiles/disnix/"+profile+"/profilemanifest.xml")
		if strings.Count(manifest, "<name>") != 1 || !strings.Contains(manifest, "<name>"+service+"</name>") {
			t.Errorf("the profile %s is\n%s", profile, manifest)
		}
	}
	hidden := on(s.infrastructure(t, map[string]string{
		"node1": `properties.hostname = "node1";`,
		"node2": `properties.hostname = "` + s.nodes["node1"].Addr() + `";`,
		"node3": `properties.hostname = "node3";`,
	}), deployment(first, "Hi"))
	for _, command := range [][]string{hidden, append(hidden, "--force-lock")} {
		if stdout, stderr, err := s.coordinator.Try(t, command...); err == nil || !strings.Contains(stderr, "it is the same machine as target ") {
			t.Errorf("two names of one machine: %v\n%s%s", err, stdout, stderr)
		}
	}
	s.requireGreeting(t, "Good morning")
	if locks, _, err := s.nodes["node1"].Try(t, "sh", "-c", "ls /tmp/disnix-*.lock"); err == nil {
		t.Errorf("locks are left: %s", locks)
	}
}
