package network

import (
	"strings"
	"testing"

	"github.com/disnix-go/disnix/test/lab"
)

// statefulModels have a directory whose content is state, on either machine.
var statefulModels = map[string]string{
	"services.nix": `{ ... }: {
  notes = {
    name = "notes"; type = "fileset"; deployState = true;
    pkg = derivation {
      name = "notes"; system = builtins.currentSystem; builder = "/bin/sh"; PATH = "/bin:/usr/bin";
      args = [ "-c" "mkdir $out; echo mkdir notes > $out/.dysnomia-fileset" ];
    };
  };
}`,
	"infrastructure.nix": `let machine = hostname: { properties = { inherit hostname; }; containers.fileset.targetDir = "/srv/files"; };
in { node1 = machine "node1"; node2 = machine "node2"; }`,
	"distribution.nix": `{ infrastructure, on }: { notes = [ infrastructure.${on} ]; }`,
}

// TestUnprivilegedUserMovesState: snapshots are not for everybody on a machine,
// but for the members of the group disnix.
func TestUnprivilegedUserMovesState(t *testing.T) {
	t.Parallel()
	l := lab.New(t)
	coordinator, node1, node2 := l.Host("coordinator"), l.Host("node1"), l.Host("node2")
	for name, content := range statefulModels {
		coordinator.WriteFile(t, "/root/state/"+name, content, 0o644)
	}
	for _, node := range []*lab.Host{node1, node2} {
		node.Run(t, "disnix-service", "--daemon")
	}
	deploy := func(on string) {
		t.Helper()
		coordinator.Run(t, "env", "--chdir=/root/state", "SSH_USER=operator", "DISNIX_REMOTE_CLIENT=disnix-client",
			"disnix-env", "-s", "services.nix", "-i", "infrastructure.nix", "-d", "distribution.nix", "--delete-state",
			"--extra-params", `{ on = "`+on+`"; }`)
	}
	deploy("node1")
	node1.WriteFile(t, "/srv/files/notes/note", "private\n", 0o600)
	deploy("node2")
	if note := node2.Run(t, "cat", "/srv/files/notes/note"); note != "private\n" {
		t.Errorf("the note: %q", note)
	}
	if _, _, err := node1.Try(t, "test", "-e", "/srv/files/notes"); err == nil {
		t.Error("the former state is still there")
	}
	const read = "cat /var/state/dysnomia/snapshots/fileset/notes/*/*"
	for _, node := range []*lab.Host{node1, node2} {
		if _, _, err := node.Try(t, "setpriv", "--reuid=guest", "--regid=guest", "--clear-groups", "sh", "-c", read); err == nil {
			t.Errorf("guest can read snapshots on %s", node.Name())
		}
		if out := node.Run(t, "sh", "-c", "ls /var/state/dysnomia/snapshots/fileset/notes"); strings.TrimSpace(out) == "" {
			t.Errorf("there is no snapshot on %s", node.Name())
		}
	}
}
