package network

import (
	"strings"
	"testing"

	"github.com/disnix-go/disnix/test/lab"
)

// watchingServices has a service whose activation writes down all processes of
// its machine.
const watchingServices = `{ version, ... }: {
  watcher = {
    name = "watcher";
    type = "wrapper";
    pkg = derivation {
      name = "watcher";
      inherit version;
      system = builtins.currentSystem;
      builder = "/bin/sh";
      PATH = "/bin:/usr/bin";
      script = ''
        #!/bin/sh
        test "$1" = activate || exit 0
        test "$password" = hunter2 || exit 1
        cat /proc/[0-9]*/cmdline > /root/processes
      '';
      args = [ "-c" "mkdir -p $out/bin; echo \"$script\" > $out/bin/wrapper; chmod +x $out/bin/wrapper" ];
    };
  };
}
`

// TestSecrets gives a container a password. While a service is activated there,
// no process has it on its command line, and afterwards no log has it.
func TestSecrets(t *testing.T) {
	t.Parallel()
	l := lab.New(t)
	coordinator, node := l.Host("coordinator"), l.Host("node1")
	node.Run(t, "disnix-service", "--daemon")
	coordinator.Run(t, "mkdir", "/root/watch")
	for name, content := range map[string]string{
		"services.nix":       watchingServices,
		"infrastructure.nix": `{ node1 = { properties.hostname = "node1"; containers.wrapper.password = "hunter2"; }; }`,
		"distribution.nix":   `{ infrastructure }: { watcher = [ infrastructure.node1 ]; }`,
	} {
		coordinator.WriteFile(t, "/root/watch/"+name, content, 0o644)
	}
	for version, environment := range map[string][]string{
		"disnix-run-activity --serve": nil,
		"disnix-client --serve":       {"SSH_USER=operator", "DISNIX_REMOTE_CLIENT=disnix-client"},
	} {
		command := append([]string{"env", "--chdir=/root/watch"}, environment...)
		command = append(command, "disnix-env", "-s", "services.nix", "-i", "infrastructure.nix", "-d", "distribution.nix",
			"--extra-params", `{ version = "`+version+`"; }`)
		stdout, stderr, err := coordinator.Try(t, command...)
		if err != nil || strings.Contains(stdout+stderr, "hunter2") {
			t.Errorf("%s: %v\n%s%s", version, err, stdout, stderr)
		}
		processes := strings.ReplaceAll(node.Run(t, "cat", "/root/processes"), "\x00", " ")
		if strings.Contains(processes, "hunter2") || !strings.Contains(processes, version) {
			t.Errorf("%s: the processes are\n%s", version, processes)
		}
	}
	for _, h := range []*lab.Host{coordinator, node} {
		if found, _, err := h.Try(t, "grep", "-rl", "hunter2", "/var", "/tmp", "/run"); err == nil {
			t.Errorf("%s: the password is in %s", h.Name(), found)
		}
	}
}
