package network

import (
	"context"
	"strings"
	"testing"

	"github.com/disnix-go/disnix/test/lab"
)

// TestKilledProcess kills the process of a service. The next deployment of the
// same configuration leaves it alone: nothing has changed, and nothing watches
// processes but what manages them. Deploying without --upgrade starts what is
// not there, and leaves alone what runs.
func TestKilledProcess(t *testing.T) {
	t.Parallel()
	s := newSystem(t)
	node1 := s.nodes["node1"]
	s.coordinator.Run(t, deployment(first, "Hello")...)
	gateway := s.nodes["node2"].Run(t, "pgrep", "-f", "bin/hello-gateway")
	node1.Run(t, "pkill", "-KILL", "-f", "bin/hello-server")
	if said := s.says(t); strings.HasPrefix(said, "Hello") {
		t.Fatalf("the client says %q", said)
	}
	out := s.coordinator.Run(t, deployment(first, "Hello")...)
	if strings.Contains(out, "Activating service") {
		t.Errorf("the deployment of the same configuration has done something:\n%s", out)
	}
	s.requireServer(t, "nowhere")

	s.coordinator.Run(t, append(deployment(first, "Hello"), "--no-upgrade")...)
	s.requireGreeting(t, "Hello")
	s.requireServer(t, "node1")
	s.requireUnlocked(t)
	if again := s.nodes["node2"].Run(t, "pgrep", "-f", "bin/hello-gateway"); again != gateway {
		t.Error("a process that ran was started anew")
	}

	// An upgrade replaces it, whether it runs or not.
	node1.Run(t, "pkill", "-KILL", "-f", "bin/hello-server")
	s.coordinator.Run(t, deployment(first, "Good morning")...)
	s.requireGreeting(t, "Good morning")
}

// TestSilentPeer cuts the link of a target while an activity is under way:
// nobody is told, and still the client gives up, long before the kernel does.
func TestSilentPeer(t *testing.T) {
	t.Parallel()
	for mode, spoil := range map[string]func(*testing.T, *system, *lab.Host){
		"session":  func(*testing.T, *system, *lab.Host) {},
		"commands": replaced(commandsOnly + real),
	} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			s := newSystem(t)
			node2 := s.nodes["node2"]
			spoil(t, s, node2)
			node2.WriteFile(t, "/srv/package/libexec/dysnomia/waiting", "#!/bin/sh\n: > /srv/begun; sleep 600\n", 0o755)
			ctx, cancel := context.WithTimeout(t.Context(), noticed)
			defer cancel()
			cmd := s.coordinator.Command(ctx, "disnix-ssh-client", "--target", "node2", "--activate", "--type", "/srv/package", "--container", "c", "/srv/package")
			var out strings.Builder
			cmd.Stdout, cmd.Stderr = &out, &out
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			for {
				if _, _, err := node2.Try(t, "test", "-e", "/srv/begun"); err == nil {
					break
				}
				if ctx.Err() != nil {
					t.Fatalf("the activity does not begin: %s", out.String())
				}
			}
			s.CutLink(node2)
			if err := cmd.Wait(); err == nil || ctx.Err() != nil {
				t.Errorf("the loss is not noticed: %v", err)
			}
			if !strings.Contains(out.String(), "the target does not answer any more") {
				t.Errorf("the error is %q", out.String())
			}
			// What was sent must not arrive when the link is restored.
			if sockets := s.coordinator.Run(t, "ss", "--no-header", "--tcp", "--all", "dst", node2.Addr()); sockets != "" {
				t.Errorf("the kernel still tries to reach the target:\n%s", sockets)
			}
		})
	}
}
