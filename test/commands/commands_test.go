package commands

import (
	"strings"
	"testing"

	"github.com/disnix-go/disnix/test/lab"
)

// TestCommands goes through the life of one system: each part begins where the
// former one has ended.
func TestCommands(t *testing.T) {
	s := newSystem(t)
	for _, part := range []struct {
		name string
		run  func(*testing.T, *system)
	}{
		{"commands 1 and 3: every target is reached in its own way, and builds what is for it", testMixedDeployment},
		{"numOfCores is how many activities run on a target at once", testCores},
		{"a shell for a service, with a terminal", testDiagnose},
		{"closures between two stores", testCopyClosure},
		{"commands 11: another coordinator takes over", testTakeOver},
		{"garbage collection with and without old generations", testCollectGarbage},
		{"profiles of an unprivileged user", testProfileOfUser},
	} {
		if !t.Run(part.name, func(t *testing.T) { part.run(t, s) }) {
			return
		}
	}
}

func testMixedDeployment(t *testing.T, s *system) {
	out := s.coordinator.Run(t, deploy("infrastructure.nix", "distribution.nix", 1, "--build-on-targets")...)
	for service, host := range map[string]string{"a1": "node1", "a4": "node1", "b": "node2", "c": "node3", "d": "coordinator"} {
		pkg := s.storePath(t, s.coordinator, service)
		if got := strings.TrimSpace(s.coordinator.Run(t, "cat", pkg+"/built-on")); got != host {
			t.Errorf("service %s was built on %s, not on %s", service, got, host)
		}
	}
	for _, line := range []string{"[target: node2]: Realising derivation: ", "[target: node3]: Sending build results to coordinator: "} {
		if !strings.Contains(out, line) {
			t.Errorf("the output has no line %q:\n%s", line, out)
		}
	}
	requireActive(t, s.node1, "a1", "a2", "a3", "a4")
	requireActive(t, s.node2, "b")
	requireActive(t, s.node3, "c")
	requireActive(t, s.coordinator, "d")
	// The program that is the client interface of node3 was used for all of it.
	log := s.coordinator.Run(t, "cat", "/root/client.log")
	for _, operation := range []string{"--realise --target node3 ", "--activate --target node3 ", "--lock --target node3 ", "--set "} {
		if !strings.Contains(log, operation) {
			t.Errorf("the client interface was not called with %s:\n%s", operation, log)
		}
	}
	if strings.Contains(log, "node1") || strings.Contains(log, "node2") {
		t.Errorf("the client interface of node3 was used for others:\n%s", log)
	}
}

func testCores(t *testing.T, s *system) {
	for host, cores := range map[*lab.Host]int{s.node1: 2, s.node2: 1, s.node3: 1} {
		running, most := 0, 0
		for _, word := range strings.Fields(host.Run(t, "cat", "/root/activities")) {
			if word == "begin" {
				running++
			} else {
				running--
			}
			most = max(most, running)
		}
		if most != cores || running != 0 {
			t.Errorf("%s: %d activities at once, want %d; %d never ended", host.Name(), most, cores, running)
		}
	}
}

func testDiagnose(t *testing.T, s *system) {
	// script gives the command a terminal.
	out := s.coordinator.Run(t, "sh", "-c", `printf 'echo "host $(hostname) $cores"\ntty\nexit 5\n' |
		script -qec "disnix-diagnose -S a1" /dev/null; echo "status $?"`)
	for _, want := range []string{"host node1 2", "/dev/pts/", "status 5"} {
		if !strings.Contains(out, want) {
			t.Errorf("the session has no %q:\n%s", want, out)
		}
	}
	out = s.coordinator.Run(t, "disnix-diagnose", "-S", "b", "--command", `echo "host $(hostname) $cores"; tty || true`)
	if !strings.Contains(out, "host node2 1\nnot a tty\n") {
		t.Errorf("the command printed %q", out)
	}
}

func testCopyClosure(t *testing.T, s *system) {
	const expression = `let say = name: input: derivation { inherit name input; system = builtins.currentSystem;
		builder = "/bin/sh"; args = [ "-c" "echo $input > $out" ]; }; in say "upper" (say "lower" "")`
	upper := strings.TrimSpace(s.coordinator.Run(t, "nix-build", "--no-out-link", "-E", expression))
	lower := s.storePath(t, s.coordinator, "lower")
	if valid(t, s.node1, upper) || valid(t, s.node1, lower) {
		t.Fatal("node1 has the closure already")
	}
	sent := s.coordinator.Run(t, "disnix-copy-closure", "--to", "-t", "node1", upper)
	if want := lower + "\n" + upper + "\n"; sent != want {
		t.Errorf("printed %q, want %q", sent, want)
	}
	s.node1.Run(t, "nix-store", "--verify-path", upper, lower)
	if again := s.coordinator.Run(t, "disnix-copy-closure", "--to", "-t", "node1", upper); again != "" {
		t.Errorf("copied again: %q", again)
	}
	// Back, through another client, to a coordinator that has lost a part.
	s.coordinator.Run(t, "nix-store", "--delete", upper)
	received := s.coordinator.Run(t, "disnix-copy-closure", "--from", "--target", "node1", "--interface", "/root/system/client.sh", upper)
	if received != upper+"\n" {
		t.Errorf("printed %q, want %q", received, upper)
	}
	s.coordinator.Run(t, "nix-store", "--verify-path", upper, lower)
	// What the sender does not have.
	_, stderr, err := s.coordinator.Try(t, "disnix-copy-closure", "--from", "-t", "node2", upper)
	if err == nil || !strings.Contains(stderr, `target "node2"`) || !strings.Contains(stderr, upper) {
		t.Errorf("%v: %s", err, stderr)
	}
}

func testTakeOver(t *testing.T, s *system) {
	s.coordinator.Run(t, deploy("network.nix", "distribution-network.nix", 1)...)
	requireActive(t, s.coordinator)
	want := s.coordinator.Run(t, "disnix-query", "-f", "xml", "/root/system/network.nix")

	if valid(t, s.another, s.storePath(t, s.node1, "a1")) {
		t.Fatal("the other coordinator has the profiles already")
	}
	model := s.another.Run(t, "disnix-capture-manifest", "-m", "1", "/root/system/network.nix")
	for _, part := range []string{`"node3" = builtins.storePath /nix/store/`, `"clientInterface" = "/root/system/client.sh";`, `"targetProperty" = "address";`} {
		if !strings.Contains(model, part) {
			t.Errorf("the deployment model has no %s:\n%s", part, model)
		}
	}
	if out := s.another.Run(t, "disnix-reconstruct", "/root/system/network.nix"); out != "" {
		t.Errorf("disnix-reconstruct printed %q", out)
	}
	// A deployment from there is an upgrade, and its models are the same.
	out := s.another.Run(t, deploy("network.nix", "distribution-network.nix", 1, "--build-on-targets")...)
	if strings.Contains(out, "ctivating service") || strings.Contains(out, "installation from scratch") {
		t.Errorf("something was activated:\n%s", out)
	}
	if got := s.another.Run(t, "disnix-query", "-f", "xml", "/root/system/network.nix"); got != want {
		t.Errorf("deployed is\n%s\nwant\n%s", got, want)
	}
}

func testCollectGarbage(t *testing.T, s *system) {
	old := s.storePath(t, s.node1, "a1")
	s.another.Run(t, deploy("network.nix", "distribution-network.nix", 2)...)
	collect := func(more ...string) {
		s.another.Run(t, in(append(append([]string{"disnix-collect-garbage"}, more...), "network.nix")...)...)
	}
	collect()
	if !valid(t, s.node1, old) {
		t.Error("an old generation was collected")
	}
	collect("--delete-old")
	if valid(t, s.node1, old) {
		t.Error("an old generation is still there")
	}
	requireActive(t, s.node1, "a1", "a2", "a3", "a4")
	s.another.Run(t, "disnix-query", "/root/system/network.nix")
}

// testProfileOfUser asks a target as a user who deploys without disnix-service,
// through the daemon of Nix.
func testProfileOfUser(t *testing.T, s *system) {
	s.node1.Run(t, "sh", "-c", `echo "trusted-users = operator" >> /etc/nix/nix.conf && nix-daemon > /dev/null 2>&1 &
		while [ ! -e /nix/var/nix/daemon-socket/socket ]; do sleep 0.05; done`)
	for name, content := range map[string]string{
		"services.nix":     `{ ... }: { own = { name = "own"; type = "echo"; pkg = builtins.toFile "own" ""; }; }`,
		"distribution.nix": `{ infrastructure }: { own = [ infrastructure.node1 ]; }`,
		"network.nix":      `{ node1 = { properties.hostname = "node1"; }; }`,
	} {
		s.coordinator.WriteFile(t, "/root/own/"+name, content, 0o644)
		s.another.WriteFile(t, "/root/own/"+name, content, 0o644)
	}
	as := []string{"env", "--chdir=/root/own", "SSH_USER=operator", "DISNIX_PROFILE=own"}
	s.coordinator.Run(t, append(as, "disnix-env", "-s", "services.nix", "-i", "network.nix", "-d", "distribution.nix")...)
	s.node1.Run(t, "test", "-e", "/nix/var/nix/profiles/per-user/operator/disnix/own")
	model := s.another.Run(t, append(as, "disnix-capture-manifest", "network.nix")...)
	if !strings.Contains(model, `"name" = "own";`) {
		t.Errorf("the deployment model has no service:\n%s", model)
	}
}
