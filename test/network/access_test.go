package network

import (
	"strings"
	"testing"

	"github.com/disnix-go/disnix/test/lab"
)

// TestUnprivilegedUser logs in at the targets as a user who may only talk to
// disnix-service.
func TestUnprivilegedUser(t *testing.T) {
	t.Parallel()
	s := newSystem(t)
	for _, node := range s.nodes {
		node.Run(t, "disnix-service", "--daemon")
	}
	as := func(user string) []string {
		return deployment(first, "Hello", "SSH_USER="+user, "DISNIX_REMOTE_CLIENT=disnix-client")
	}

	stdout, stderr, err := s.coordinator.Try(t, as("guest")...)
	if err == nil {
		t.Fatal("a user outside the group disnix has deployed")
	}
	if output := stdout + stderr; !strings.Contains(output, "group disnix") {
		t.Errorf("the output does not name the group that is needed:\n%s", output)
	}
	for name, node := range s.nodes {
		if _, _, err := node.Try(t, "test", "-e", "/nix/var/nix/profiles/disnix"); err == nil {
			t.Errorf("there is a profile on %s", name)
		}
	}

	s.coordinator.Run(t, as("operator")...)
	s.requireGreeting(t, "Hello")
	s.requireServer(t, "node1")
	s.requireUnlocked(t)
}

// TestRoughEdge_protocol7 uploads with another user than that of the
// coordinator.
func TestRoughEdge_protocol7(t *testing.T) {
	t.Parallel()
	s := newSystem(t)
	node1 := s.nodes["node1"]
	node1.Run(t, "disnix-service", "--daemon")
	s.coordinator.WriteFile(t, "/root/snapshots/1/content", "state\n", 0o644)
	for _, operation := range [][]string{
		{"--import-snapshots", "--localfile", "--container", "c", "--component", "k", "/root/snapshots/1"},
		{"--capture-config"},
	} {
		t.Run("protocol 7: SSH_USER counts for "+operation[0], func(t *testing.T) {
			before := node1.Run(t, "cat", lab.SSHLog)
			s.coordinator.Run(t, append([]string{"env", "SSH_USER=operator", "DISNIX_REMOTE_CLIENT=disnix-client", "disnix-ssh-client", "--target", "node1"}, operation...)...)
			log := strings.TrimPrefix(node1.Run(t, "cat", lab.SSHLog), before)
			if n := strings.Count(log, "Accepted publickey for operator"); n != 1 || strings.Contains(log, "for root") {
				t.Errorf("logins:\n%s", log)
			}
		})
	}
	if out := node1.Run(t, "dysnomia-snapshots", "--query-all", "--container", "c", "--component", "k"); strings.TrimSpace(out) != "c/k/1" {
		t.Errorf("snapshots: %q", out)
	}
	if left := node1.Run(t, "sh", "-c", "ls -d /tmp/disnix.* /home/operator/disnix.* 2> /dev/null || :"); left != "" {
		t.Errorf("protocol 7: uploaded files stay behind: %s", left)
	}
}
