package network

import (
	"bufio"
	"context"
	"io"
	"strings"
	"testing"
	"time"
)

// noticed is by when a deployment must have given up a target that is lost, on
// a busy machine, too: long before the kernel gives up a connection.
const noticed = 5 * time.Minute

// held lets a coordinator wait at a fault point until goOn.
func held(point string) string { return "DISNIX_FAULT=" + point + ":await=/run/go-on" }

func (s *system) goOn(t *testing.T) {
	t.Helper()
	s.coordinator.WriteFile(t, "/run/go-on", "", 0o600)
}

// TestLinkCutBeforeTransition cuts off the target of the gateway in the phases
// of an upgrade that come before the transition: nothing changes, and the same
// command completes the upgrade as soon as the target is back.
func TestLinkCutBeforeTransition(t *testing.T) {
	t.Parallel()
	// The coordinator waits at a fault point, so that the link is cut before
	// the operation begins but after the phase was announced.
	for phase, c := range map[string]struct{ announced, point string }{
		"distribution": {"Distributing intra-dependency closures", "target/import"},
		"lock":         {"Acquiring locks", "target/lock"},
	} {
		t.Run(phase, func(t *testing.T) {
			t.Parallel()
			s := newSystem(t)
			s.coordinator.Run(t, deployment(first, "Hello")...)
			output, err := s.cutDuring(t, c.announced, deployment(first, "Good morning", held(c.point)))
			if err == nil {
				t.Fatalf("the upgrade succeeded without its target:\n%s", output)
			}
			if !strings.Contains(output, `target "node2"`) || !strings.Contains(output, "the target does not answer any more") {
				t.Errorf("the output does not say what happened:\n%s", output)
			}
			s.RestoreLink(s.nodes["node2"])
			s.requireGreeting(t, "Hello")
			s.requireUnlocked(t)
			s.coordinator.Run(t, deployment(first, "Good morning")...)
			s.requireGreeting(t, "Good morning")
			s.requireUnlocked(t)
		})
	}
}

// TestLinkCutDuringTransition cuts off the target of the gateway when it is
// locked and services are changed: one command, when the target is back,
// completes or undoes the upgrade, and leaves no locks.
func TestLinkCutDuringTransition(t *testing.T) {
	t.Parallel()
	activation := [2]string{"Executing activation of services", "target/activate"}
	set := [2]string{"Setting profiles", "target/set"}
	for name, c := range map[string]struct {
		phase    [2]string // what announces it, and where the coordinator waits
		command  string
		greeting string
	}{
		"activation, completed": {activation, "--resume", "Good morning"},
		"activation, undone":    {activation, "--abort", "Hello"},
		"set, completed":        {set, "--resume", "Good morning"},
		"set, undone":           {set, "--abort", "Hello"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSystem(t)
			s.coordinator.Run(t, deployment(first, "Hello")...)
			output, err := s.cutDuring(t, c.phase[0], deployment(first, "Good morning", held(c.phase[1])))
			if err == nil {
				t.Fatalf("the upgrade succeeded without its target:\n%s", output)
			}
			if !strings.Contains(output, "disnix-env "+c.command) {
				t.Errorf("the output does not say what to do:\n%s", output)
			}
			s.RestoreLink(s.nodes["node2"])
			s.coordinator.Run(t, "disnix-env", c.command)
			s.requireGreeting(t, c.greeting)
			s.requireUnlocked(t)
		})
	}
}

// cutDuring runs a command on the coordinator and cuts the link of node2 when
// a line of its output contains a text. It returns the output and how the
// command ended.
func (s *system) cutDuring(t *testing.T, announced string, command []string) (string, error) {
	t.Helper()
	return s.during(t, announced, func() {
		s.CutLink(s.nodes["node2"])
		s.goOn(t)
	}, command)
}

// during runs a command on the coordinator and does something when a line of
// its output contains a text. It returns the output and how the command ended.
func (s *system) during(t *testing.T, announced string, do func(), command []string) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), noticed)
	defer cancel()
	cmd := s.coordinator.Command(ctx, command...)
	in, out := io.Pipe()
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() {
		ended <- cmd.Wait()
		_ = out.Close()
	}()
	var output strings.Builder
	done := false
	for lines := bufio.NewScanner(in); lines.Scan(); {
		output.WriteString(lines.Text() + "\n")
		if !done && strings.Contains(lines.Text(), announced) {
			do()
			done = true
		}
	}
	err := <-ended
	if !done {
		t.Fatalf("the output never contains %q:\n%s", announced, output.String())
	}
	if ctx.Err() != nil {
		t.Fatalf("the loss of the target was not noticed within %v:\n%s", noticed, output.String())
	}
	return output.String(), err
}
