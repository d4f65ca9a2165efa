package network

import (
	"strings"
	"testing"
	"time"

	"github.com/disnix-go/disnix/test/lab"
)

// eventually waits until something holds.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(5 * time.Minute); !holds(); {
		if time.Now().After(deadline) {
			t.Fatalf("not within five minutes: %s", what)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// secondCoordinator adds another machine that can deploy to the targets.
func (s *system) secondCoordinator(t *testing.T) *lab.Host {
	t.Helper()
	second := s.Host("second")
	second.CopyDir(t, "../../examples/hello", "/root/hello")
	return second
}

func (s *system) allLocked(t *testing.T) bool {
	for _, node := range s.nodes {
		if !s.locked(t, node) {
			return false
		}
	}
	return true
}

// TestTwoCoordinators lets two coordinators deploy at once: the second one is
// told who is at work. When it takes the locks away, the first one, which knows
// nothing of it, can change nothing any more.
func TestTwoCoordinators(t *testing.T) {
	t.Parallel()
	s := newSystem(t)
	second := s.secondCoordinator(t)
	// Behind a shell: nsenter would stop with its child, and not go on with it.
	ours := append([]string{"sh", "-c", `"$@" & wait $!`, "sh"}, deployment(first, "Hello", held("target/activate"))...)
	type result struct {
		output string
		err    error
	}
	ended := make(chan result, 1)
	go func() {
		stdout, stderr, err := s.coordinator.Try(t, ours...)
		ended <- result{stdout + stderr, err}
	}()
	eventually(t, "the first coordinator has all locks", func() bool { return s.allLocked(t) })
	process := strings.TrimSpace(s.coordinator.Run(t, "pgrep", "-x", "disnix-env"))
	s.coordinator.Run(t, "kill", "-STOP", process) // as if its machine were asleep

	theirs := deployment(first, "Good morning")
	stdout, stderr, err := second.Try(t, theirs...)
	if err == nil || !strings.Contains(stdout+stderr, "root on coordinator (disnix-env, process "+process+") since ") {
		t.Errorf("the second coordinator is not told who has the locks: %v\n%s%s", err, stdout, stderr)
	}
	stdout, stderr, err = second.Try(t, append(theirs, "--force-lock")...)
	if err != nil || !strings.Contains(stdout+stderr, "Taking the lock of profile default away from root on coordinator (disnix-env, process "+process+")") {
		t.Errorf("the second coordinator does not get the locks: %v\n%s%s", err, stdout, stderr)
	}
	s.requireGreeting(t, "Good morning")

	s.goOn(t)
	s.coordinator.Run(t, "kill", "-CONT", process)
	r := <-ended
	if r.err == nil || !strings.Contains(r.output, `the lock of profile "default" was lost`) {
		t.Errorf("the first coordinator: %v\n%s", r.err, r.output)
	}
	if stdout, stderr, err := s.coordinator.Try(t, "disnix-env", "--resume"); err == nil {
		t.Errorf("the first coordinator completes its deployment afterwards:\n%s%s", stdout, stderr)
	}
	s.requireGreeting(t, "Good morning")
	s.requireServer(t, "node1")
	s.requireUnlocked(t)
}

// TestInterruptedDeploymentIsRecognised kills a coordinator that has locks:
// others are told that its deployment was interrupted, and it can resume.
func TestInterruptedDeploymentIsRecognised(t *testing.T) {
	t.Parallel()
	s := newSystem(t)
	second := s.secondCoordinator(t)
	if stdout, _, err := s.coordinator.Try(t, deployment(first, "Hello", "DISNIX_FAULT=target/activate/done:kill")...); err == nil {
		t.Fatalf("the coordinator was not killed:\n%s", stdout)
	}
	theirs := deployment(first, "Good morning")
	eventually(t, "the locks are recognised as those of an interrupted deployment", func() bool {
		stdout, stderr, err := second.Try(t, theirs...)
		output := stdout + stderr
		return err != nil && strings.Contains(output, "root on coordinator (disnix-env") &&
			strings.Contains(output, "that deployment was interrupted") && strings.Contains(output, "`disnix-env --resume`")
	})
	s.coordinator.Run(t, "disnix-env", "--resume")
	s.requireGreeting(t, "Hello")
	s.requireUnlocked(t)

	if stdout, _, err := s.coordinator.Try(t, deployment(first, "Hi", "DISNIX_FAULT=target/lock/done#2:kill")...); err == nil {
		t.Fatalf("the coordinator was not killed:\n%s", stdout)
	}
	stdout, stderr, err := s.coordinator.Try(t, "disnix-lock", "--force", "--unlock")
	if err != nil || !strings.Contains(stdout+stderr, "away from root on coordinator") {
		t.Errorf("break the locks: %v\n%s%s", err, stdout, stderr)
	}
	s.requireUnlocked(t)
	s.coordinator.Run(t, "disnix-env", "--abort")
	s.requireGreeting(t, "Hello")
}

// TestTargetThatIsGoneForGood ends an unfinished deployment without a target
// that never comes back.
func TestTargetThatIsGoneForGood(t *testing.T) {
	t.Parallel()
	s := newSystem(t)
	s.coordinator.Run(t, deployment(first, "Hello")...)
	if stdout, _, err := s.coordinator.Try(t, deployment(first, "Good morning", "DISNIX_FAULT=target/activate/done:kill")...); err == nil {
		t.Fatalf("the coordinator was not killed:\n%s", stdout)
	}
	s.CutLink(s.nodes["node2"])
	if stdout, stderr, err := s.coordinator.Try(t, "disnix-env", "--resume"); err == nil || !strings.Contains(stdout+stderr, "--forget") {
		t.Errorf("resume without the target: %v\n%s%s", err, stdout, stderr)
	}
	if _, stderr, err := s.coordinator.Try(t, "disnix-env", "--resume", "--forget", "node9"); err == nil || !strings.Contains(stderr, "node1, node2, node3") {
		t.Errorf("forget an unknown target: %v\n%s", err, stderr)
	}
	stdout, stderr, err := s.coordinator.Try(t, "disnix-env", "--resume", "--forget", "node2")
	if err != nil || !strings.Contains(stdout+stderr, "which were left out: node2") {
		t.Fatalf("forget the target: %v\n%s%s", err, stdout, stderr)
	}
	for _, name := range []string{"node1", "node3"} {
		if s.locked(t, s.nodes[name]) {
			t.Errorf("target %s is still locked", name)
		}
	}

	// It comes back nevertheless, still locked, with its old service or none.
	s.RestoreLink(s.nodes["node2"])
	stdout, stderr, err = s.coordinator.Try(t, append(deployment(first, "Good morning"), "--force-lock")...)
	if err != nil || !strings.Contains(stdout, "[target: node2]: Activating service") {
		t.Fatalf("deploy to the target that has come back: %v\n%s%s", err, stdout, stderr)
	}
	s.requireGreeting(t, "Good morning")
	s.requireUnlocked(t)
	if again := s.coordinator.Run(t, deployment(first, "Good morning")...); strings.Contains(again, "ctivating service") {
		t.Errorf("something is left to be done:\n%s", again)
	}
}

const slowServices = `{ ... }: {
  slow = {
    name = "slow";
    type = "wrapper";
    pkg = derivation {
      name = "slow";
      system = builtins.currentSystem;
      builder = "/bin/sh";
      PATH = "/bin:/usr/bin";
      script = ''
        #!/bin/sh
        test "$1" = activate || exit 0
        echo begin >> /root/log
        while test ! -e /root/go; do sleep 0.1; done
        echo end >> /root/log
      '';
      args = [ "-c" "mkdir -p $out/bin; echo \"$script\" > $out/bin/wrapper; chmod +x $out/bin/wrapper" ];
    };
  };
}
`

// TestActivationOutlivesItsCoordinator kills a coordinator in the middle of an
// activation. That is completed on the target, and the activation by which the
// next coordinator makes sure of it does not begin before.
func TestActivationOutlivesItsCoordinator(t *testing.T) {
	t.Parallel()
	l := lab.New(t)
	s := &system{Lab: l, coordinator: l.Host("coordinator"), nodes: map[string]*lab.Host{"node1": l.Host("node1")}}
	node := s.nodes["node1"]
	s.coordinator.Run(t, "mkdir", "/root/slow")
	for name, content := range map[string]string{
		"services.nix":       slowServices,
		"infrastructure.nix": `{ node1 = { properties.hostname = "node1"; containers.wrapper = { }; }; }`,
		"distribution.nix":   `{ infrastructure }: { slow = [ infrastructure.node1 ]; }`,
	} {
		s.coordinator.WriteFile(t, "/root/slow/"+name, content, 0o644)
	}
	ended := make(chan error, 1)
	go func() {
		_, _, err := s.coordinator.Try(t, "env", "--chdir=/root/slow", "disnix-env", "-s", "services.nix", "-i", "infrastructure.nix", "-d", "distribution.nix")
		ended <- err
	}()
	log := func() string {
		stdout, _, _ := node.Try(t, "cat", "/root/log")
		return strings.Join(strings.Fields(stdout), " ")
	}
	eventually(t, "the activation has begun", func() bool { return log() == "begin" })
	s.coordinator.Run(t, "kill", "-KILL", strings.TrimSpace(s.coordinator.Run(t, "pgrep", "-x", "disnix-env")))
	if err := <-ended; err == nil {
		t.Fatal("the coordinator was not killed")
	}
	output, err := s.during(t, "Taking over the lock", func() {
		if got := log(); got != "begin" {
			t.Errorf("the activation is repeated while the first one still runs: %s", got)
		}
		node.Run(t, "touch", "/root/go")
	}, []string{"disnix-env", "--resume"})
	if err != nil {
		t.Fatalf("resume: %v\n%s", err, output)
	}
	if got := log(); got != "begin end begin end" {
		t.Errorf("the activations overlap, or were cut off: %s", got)
	}
	s.requireUnlocked(t)
}
