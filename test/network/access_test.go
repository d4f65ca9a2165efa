package network

import (
	"strings"
	"testing"
)

// TestUnprivilegedUser logs in at the targets as a user who may only talk to
// disnix-service.
func TestUnprivilegedUser(t *testing.T) {
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
