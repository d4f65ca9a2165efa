// Package commands runs the coordinator's commands against hosts of the lab.
package commands

import (
	"fmt"
	"path"
	"strings"
	"testing"

	"github.com/disnix-go/disnix/test/lab"
)

// system is a coordinator, another one that knows nothing yet, and three
// targets that are each reached in a way of their own.
type system struct {
	*lab.Lab
	coordinator, another, node1, node2, node3 *lab.Host
}

func newSystem(t *testing.T) *system {
	t.Helper()
	l := lab.New(t)
	s := &system{
		Lab: l, coordinator: l.Host("coordinator"), another: l.Host("another"),
		node1: l.Host("node1"), node2: l.Host("node2"), node3: l.Host("node3"),
	}
	for _, h := range []*lab.Host{s.coordinator, s.another} {
		for name, content := range files {
			h.WriteFile(t, path.Join("/root/system", name), content, 0o755)
		}
	}
	return s
}

// in returns a command in the directory of the models.
func in(command ...string) []string {
	return append([]string{"env", "--chdir=/root/system"}, command...)
}

// deploy returns the command that deploys a version of the system.
func deploy(infrastructure, distribution string, version int, more ...string) []string {
	return in(append([]string{"disnix-env", "-s", "services.nix", "-i", infrastructure, "-d", distribution,
		"--extra-params", fmt.Sprintf("{ version = %d; }", version)}, more...)...)
}

// storePath returns the store path of a package on a host.
func (s *system) storePath(t *testing.T, on *lab.Host, name string) string {
	t.Helper()
	found := strings.Fields(on.Run(t, "sh", "-c", "ls -d /nix/store/*-"+name))
	if len(found) != 1 {
		t.Fatalf("%s: packages %q: %q", on.Name(), name, found)
	}
	return found[0]
}

// valid tells whether a path is valid in the Nix store of a host.
func valid(t *testing.T, on *lab.Host, path string) bool {
	t.Helper()
	_, _, err := on.Try(t, "nix-store", "--check-validity", path)
	return err == nil
}

// requireActive checks which services of the system are active on a host.
func requireActive(t *testing.T, on *lab.Host, want ...string) {
	t.Helper()
	got := strings.Fields(on.Run(t, "sh", "-c", "cd /root/active && ls"))
	if strings.Join(got, " ") != strings.Join(want, " ") {
		t.Errorf("%s: active are %q, want %q", on.Name(), got, want)
	}
}

// files are the models. Each service is named for its target; "here" is the
// coordinator itself.
var files = map[string]string{
	"services.nix": `
{ version, ... }:
let
  service = name: {
    inherit name;
    type = "wrapper";
    pkg = derivation {
      inherit name version;
      program = ./wrapper.sh;
      system = builtins.currentSystem;
      builder = "/bin/sh";
      PATH = "/bin:/usr/bin";
      args = [ "-c" ''
        mkdir -p $out/bin
        cp $program $out/bin/wrapper
        chmod 755 $out/bin/wrapper
        cat /proc/sys/kernel/hostname > $out/built-on
      '' ];
    };
  };
in
builtins.listToAttrs (map (name: { inherit name; value = service name; })
  [ "a1" "a2" "a3" "a4" "b" "c" "d" ])
`,
	"infrastructure.nix": `
(import ./network.nix) // {
  here = { properties.hostname = "localhost"; clientInterface = "disnix-run-activity"; containers.wrapper.cores = 1; };
}
`,
	"network.nix": `
{
  node1 = { properties.hostname = "node1"; containers.wrapper.cores = 2; numOfCores = 2; };
  node2 = { properties = { hostname = "nowhere"; address = "node2"; }; targetProperty = "address"; containers.wrapper.cores = 1; };
  node3 = { properties.hostname = "node3"; clientInterface = "/root/system/client.sh"; containers.wrapper.cores = 1; };
}
`,
	"distribution.nix": `
{ infrastructure }:
import ./distribution-network.nix { inherit infrastructure; } // { d = [ infrastructure.here ]; }
`,
	"distribution-network.nix": `
{ infrastructure }:
with infrastructure; { a1 = [ node1 ]; a2 = [ node1 ]; a3 = [ node1 ]; a4 = [ node1 ]; b = [ node2 ]; c = [ node3 ]; }
`,
	// A client interface as others write it.
	"client.sh": `#!/bin/sh
echo "$*" >> /root/client.log
exec disnix-ssh-client "$@"
`,
	// The service records its activation, and waits in it until as many as the
	// container has cores are at work at the same time.
	"wrapper.sh": `#!/bin/sh -e
name=$(basename "$(dirname "$(dirname "$0")")" | cut -d- -f2-)
mkdir -p /root/active
case $1 in
activate) ;;
deactivate) rm /root/active/$name; exit ;;
*) exit 0 ;;
esac
log=/root/activities
echo begin >> $log
for try in $(seq 3000); do
    [ ! -e $log.full ] || break
    if [ $(( $(grep -c begin $log) - $(grep -c end $log || true) )) -ge $cores ]; then touch $log.full; fi
    sleep 0.1
done
[ -e $log.full ]
echo end >> $log
touch /root/active/$name
`,
}
