// Package network deploys examples/hello to hosts of the lab, through SSH.
package network

import (
	"fmt"
	"strings"
	"testing"

	"github.com/disnix-go/disnix/test/lab"
)

const (
	first = "network/distribution.nix"
	moved = "network/distribution-moved.nix"
)

// system is examples/hello on three targets and a coordinator.
type system struct {
	*lab.Lab
	coordinator *lab.Host
	nodes       map[string]*lab.Host
}

func newSystem(t *testing.T) *system {
	t.Helper()
	l := lab.New(t)
	s := &system{Lab: l, coordinator: l.Host("coordinator"), nodes: map[string]*lab.Host{}}
	for _, name := range []string{"node1", "node2", "node3"} {
		s.nodes[name] = l.Host(name)
	}
	s.coordinator.CopyDir(t, "../../examples/hello", "/root/hello")
	return s
}

// deployment returns the command that deploys the models, with words for the
// environment before it.
func deployment(distribution, greeting string, environment ...string) []string {
	command := append([]string{"env", "--chdir=/root/hello"}, environment...)
	return append(command, "disnix-env", "-s", "services.nix", "-i", "network/infrastructure.nix", "-d", distribution,
		"--extra-params", fmt.Sprintf("{ greeting = %q; }", greeting))
}

// says returns what the deployed client says, with a message for the error if
// it fails.
func (s *system) says(t *testing.T) string {
	t.Helper()
	stdout, stderr, _ := s.nodes["node3"].Try(t, "/nix/var/nix/profiles/disnix/default/bin/hello")
	return stdout + stderr
}

func (s *system) requireGreeting(t *testing.T, greeting string) {
	t.Helper()
	if got := s.says(t); !strings.HasPrefix(got, greeting+" from the server") {
		t.Errorf("the client says %q instead of %q", got, greeting)
	}
}

// requireServer checks where the server runs.
func (s *system) requireServer(t *testing.T, name string) {
	t.Helper()
	for _, node := range s.nodes {
		_, _, err := node.Try(t, "pgrep", "-f", "bin/hello-server")
		if runs := err == nil; runs != (node.Name() == name) {
			t.Errorf("the server runs on %s: %t, but belongs to %s", node.Name(), runs, name)
		}
	}
}

// requireUnlocked checks that no target is locked.
func (s *system) requireUnlocked(t *testing.T) {
	t.Helper()
	for _, node := range s.nodes {
		if s.locked(t, node) {
			t.Errorf("target %s is still locked", node.Name())
		}
	}
}

func (s *system) locked(t *testing.T, node *lab.Host) bool {
	t.Helper()
	_, _, err := node.Try(t, "test", "-e", "/tmp/disnix-default.lock")
	return err == nil
}

// show runs a command on a host and shows it with its output: `make
// demo-network` is this test.
func show(t *testing.T, h *lab.Host, command ...string) {
	t.Helper()
	stdout, stderr, err := h.Try(t, command...)
	fmt.Fprintf(t.Output(), "\n%s$ %s\n%s%s", h.Name(), strings.Join(command, " "), stdout, stderr)
	if err != nil {
		t.Fatalf("%s: %v", command[0], err)
	}
}

func TestDeployMoveAndRollBack(t *testing.T) {
	s := newSystem(t)
	node3 := s.nodes["node3"]
	const client = "/nix/var/nix/profiles/disnix/default/bin/hello"

	show(t, s.coordinator, deployment(first, "Hello")...)
	show(t, node3, client)
	s.requireGreeting(t, "Hello")
	s.requireServer(t, "node1")
	s.requireUnlocked(t)

	show(t, s.coordinator, deployment(moved, "Good morning")...)
	show(t, node3, client)
	s.requireGreeting(t, "Good morning")
	s.requireServer(t, "node3")

	show(t, s.coordinator, "disnix-env", "--rollback")
	show(t, node3, client)
	s.requireGreeting(t, "Hello")
	s.requireServer(t, "node1")
	s.requireUnlocked(t)

	show(t, s.coordinator, "disnix-env", "--undeploy", "-i", "/root/hello/network/infrastructure.nix")
	s.requireServer(t, "nowhere")
}
