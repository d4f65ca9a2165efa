package network

import (
	"fmt"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/disnix-go/disnix/test/lab"
)

// These benchmarks measure deployments from outside, with everything that
// belongs to them: the start of the programs, logins, Nix. They need root.

const (
	fleetTargets  = 10
	fleetServices = 100
)

// fleetModels are services of type echo in five tiers, spread evenly.
var fleetModels = map[string]string{
	"services.nix": `{ version ? "1", ... }:
let
  name = i: "service${toString i}";
  pkg = i: derivation {
    name = name i;
    inherit version;
    system = builtins.currentSystem;
    builder = "/bin/sh";
    args = [ "-c" "echo $version > $out" ];
  };
  services = builtins.listToAttrs (builtins.genList (i: {
    name = name i;
    value = {
      name = name i;
      type = "echo";
      pkg = if i < 20 then pkg i else { ... }: pkg i;
      dependsOn = if i < 20 then { } else { below = services.${name (i - 20)}; };
    };
  }) ` + strconv.Itoa(fleetServices) + `);
in services`,
	"infrastructure.nix": `builtins.listToAttrs (builtins.genList (i: {
  name = "node${toString i}";
  value = { properties.hostname = "node${toString i}"; containers.echo = { }; };
}) ` + strconv.Itoa(fleetTargets) + `)`,
	"distribution.nix": `{ infrastructure }:
builtins.listToAttrs (builtins.genList (i: {
  name = "service${toString i}";
  value = [ infrastructure."node${toString (i - i / ` + strconv.Itoa(fleetTargets) + ` * ` + strconv.Itoa(fleetTargets) + `)}" ];
}) ` + strconv.Itoa(fleetServices) + `)`,
}

// fleet is a coordinator and many targets.
type fleet struct {
	*lab.Lab
	coordinator *lab.Host
	nodes       []*lab.Host
}

func newFleet(t testing.TB, targets int) *fleet {
	t.Helper()
	l := lab.New(t)
	f := &fleet{Lab: l, coordinator: l.Host("coordinator")}
	for i := range targets {
		f.nodes = append(f.nodes, l.Host(fmt.Sprintf("node%d", i)))
	}
	return f
}

// logins returns how often somebody has logged in at any of the targets.
func (f *fleet) logins(t testing.TB) int {
	t.Helper()
	n := 0
	for _, node := range f.nodes {
		n += strings.Count(node.Run(t, "cat", lab.SSHLog), "Accepted publickey")
	}
	return n
}

// timed runs a command on the coordinator and returns how long it took.
func (f *fleet) timed(b *testing.B, command ...string) time.Duration {
	b.Helper()
	start := time.Now()
	f.coordinator.Run(b, command...)
	return time.Since(start)
}

// BenchmarkDeployment installs a hundred services on ten targets that have the
// closures already, and deploys them again without changes.
func BenchmarkDeployment(b *testing.B) {
	f := newFleet(b, fleetTargets)
	for name, content := range fleetModels {
		f.coordinator.WriteFile(b, "/root/models/"+name, content, 0o644)
	}
	models := []string{"-s", "services.nix", "-i", "infrastructure.nix", "-d", "distribution.nix"}
	in := func(program string, words ...string) []string {
		return append([]string{"env", "--chdir=/root/models", program}, words...)
	}
	manifest := strings.TrimSpace(f.coordinator.Run(b, in("disnix-manifest", models...)...))
	f.coordinator.Run(b, "disnix-distribute", manifest)
	var install, repeat, all time.Duration
	var logins int
	for b.Loop() {
		before := f.logins(b)
		install += f.timed(b, "disnix-deploy", manifest)
		logins += f.logins(b) - before
		repeat += f.timed(b, "disnix-deploy", manifest)
		all += f.timed(b, in("disnix-env", models...)...)
		f.coordinator.Run(b, in("disnix-env", "--undeploy", "-i", "infrastructure.nix")...)
	}
	n := float64(b.N)
	b.ReportMetric(install.Seconds()/n, "s/install")
	b.ReportMetric(repeat.Seconds()/n, "s/repeat")
	b.ReportMetric(all.Seconds()/n, "s/repeat-with-evaluation")
	b.ReportMetric(float64(logins)/n, "logins/install")
	b.ReportMetric(0, "ns/op")
}

// BenchmarkActivation activates services that do nothing one after another:
// what a step costs, with its share of the start of the program and the login.
func BenchmarkActivation(b *testing.B) {
	const services = 100
	f := newFleet(b, 1)
	f.coordinator.WriteFile(b, "/root/models/services.nix", `{ ... }:
let
  name = i: "service${toString i}";
  pkg = i: derivation { name = name i; system = builtins.currentSystem; builder = "/bin/sh"; args = [ "-c" "echo > $out" ]; };
  services = builtins.listToAttrs (builtins.genList (i: {
    name = name i;
    value = {
      name = name i;
      type = "echo";
      pkg = if i == 0 then pkg i else { ... }: pkg i;
      dependsOn = if i == 0 then { } else { below = services.${name (i - 1)}; };
    };
  }) `+strconv.Itoa(services)+`);
in services`, 0o644)
	f.coordinator.WriteFile(b, "/root/models/infrastructure.nix", `{ node0 = { properties.hostname = "node0"; containers.echo = { }; }; }`, 0o644)
	f.coordinator.WriteFile(b, "/root/models/distribution.nix", `{ infrastructure }:
builtins.listToAttrs (builtins.genList (i: { name = "service${toString i}"; value = [ infrastructure.node0 ]; }) `+strconv.Itoa(services)+`)`, 0o644)
	manifest := strings.TrimSpace(f.coordinator.Run(b, "env", "--chdir=/root/models", "disnix-manifest", "-s", "services.nix", "-i", "infrastructure.nix", "-d", "distribution.nix"))
	f.coordinator.Run(b, "disnix-distribute", manifest)
	var chain time.Duration
	for b.Loop() {
		chain += f.timed(b, "disnix-activate", "--no-upgrade", manifest)
	}
	step := chain / time.Duration(b.N) / services
	b.ReportMetric(float64(step.Microseconds())/1000, "ms/activation")
	b.ReportMetric(0, "ns/op")
}

// BenchmarkTransfer copies a closure of one large file or of many small paths,
// and does the same with nix-store and ssh. The memory is that of the largest
// process, and at least that of this one.
func BenchmarkTransfer(b *testing.B) {
	for name, c := range map[string]struct {
		rate             string
		megabytes, paths int
	}{
		"large, unlimited link":  {"", 256, 1},
		"large, 200 Mbit/s":      {"200mbit", 64, 1},
		"1000 paths, unlimited":  {"", 0, 1000},
		"1000 paths, 200 Mbit/s": {"200mbit", 0, 1000},
	} {
		b.Run(name, func(b *testing.B) {
			f := newFleet(b, 1)
			path := f.addPaths(b, c.megabytes, c.paths)
			if c.rate != "" {
				f.LimitRate(f.nodes[0], c.rate)
			}
			size, err := strconv.Atoi(strings.TrimSpace(f.coordinator.Run(b, "sh", "-c", `nix-store --export $(nix-store -qR "$1") | wc -c`, "sh", path)))
			if err != nil {
				b.Fatal(err)
			}
			var ours, theirs time.Duration
			var memory int64
			for b.Loop() {
				theirs += f.timed(b, "sh", "-c", `nix-store --export $(nix-store -qR "$1") | ssh node0 nix-store --import > /dev/null`, "sh", path)
				f.nodes[0].Run(b, "nix-store", "--gc")
				start := time.Now()
				cmd := f.coordinator.Command(b.Context(), "disnix-copy-closure", "--to", "--target", "node0", path)
				if out, err := cmd.CombinedOutput(); err != nil {
					b.Fatalf("%v\n%s", err, out)
				}
				ours += time.Since(start)
				memory = max(memory, cmd.ProcessState.SysUsage().(*syscall.Rusage).Maxrss)
				f.nodes[0].Run(b, "nix-store", "--gc")
			}
			rate := func(d time.Duration) float64 { return float64(size) * float64(b.N) / 1e6 / d.Seconds() }
			b.ReportMetric(rate(ours), "MB/s")
			b.ReportMetric(rate(theirs), "ssh-MB/s")
			b.ReportMetric(100*rate(ours)/rate(theirs), "%-of-ssh")
			b.ReportMetric(float64(memory)/1024, "MB-memory")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// addPaths adds a path to the coordinator's store whose closure has so many
// paths or megabytes.
func (f *fleet) addPaths(b *testing.B, megabytes, paths int) string {
	b.Helper()
	f.coordinator.WriteFile(b, "/root/closure.nix", `{ megabytes, paths }:
let
  small = i: builtins.toFile "path${toString i}" (toString i);
in derivation {
  name = "top";
  system = builtins.currentSystem;
  builder = "/bin/sh";
  PATH = "/bin:/usr/bin";
  all = builtins.genList small paths;
  passAsFile = [ "all" ];
  args = [ "-c" "mkdir $out; cp $allPath $out/all; head -c ${toString megabytes}000000 /dev/urandom > $out/content" ];
}`, 0o644)
	return strings.TrimSpace(f.coordinator.Run(b, "nix-build", "--no-out-link", "/root/closure.nix",
		"--arg", "megabytes", strconv.Itoa(megabytes), "--arg", "paths", strconv.Itoa(paths)))
}
