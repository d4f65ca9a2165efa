package stafftracker

import (
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/disnix-go/disnix/test/lab"
)

// largeModels are a database with 200 MB of rows, half of which are noise, on
// the machine that the distribution names.
var largeModels = map[string]string{
	"services.nix": `{ ... }: {
  large = { name = "large"; type = "mysql-database"; deployState = true; pkg = derivation {
    name = "large"; system = builtins.currentSystem; builder = "/bin/sh"; PATH = "/bin:/usr/bin";
    schema = ''
      CREATE TABLE measurement (id INT NOT NULL PRIMARY KEY, reading VARCHAR(250) NOT NULL, place INT NOT NULL, KEY (place));
      INSERT INTO measurement SELECT seq,
        CONCAT(MD5(seq), MD5(seq + 1), MD5(seq + 2), REPEAT('reading ', 13)), seq MOD 1000 FROM seq_1_to_1000000;
    '';
    args = [ "-c" "mkdir -p $out/mysql-databases; printf %s \"$schema\" > $out/mysql-databases/large.sql" ];
  }; };
}`,
	"infrastructure.nix": `let machine = hostname: { properties = { inherit hostname; }; containers.mysql-database =
  { mysqlUsername = "root"; mysqlSocket = "/run/mysqld-primary/mysqld.sock"; timeout = 60; }; };
in { east = machine "east"; west = machine "west"; }`,
	"east.nix": `{ infrastructure }: { large = [ infrastructure.east ]; }`,
	"west.nix": `{ infrastructure }: { large = [ infrastructure.west ]; }`,
}

// mostMemory is what the coordinator may need, in KB: much less than the
// database has, so that it does not depend on that.
const mostMemory = 96 << 10

// phaseClock is the output of a command that says what it begins with.
type phaseClock struct {
	output []byte
	at     map[string]time.Time
}

func (p *phaseClock) Write(text []byte) (int, error) {
	p.output = append(p.output, text...)
	for line := range strings.Lines(string(text)) {
		_, phase, _ := strings.Cut(strings.TrimSpace(line), "[coordinator]: ")
		if p.at == nil {
			p.at = make(map[string]time.Time)
		}
		p.at[phase] = time.Now()
	}
	return len(text), nil
}

func (p *phaseClock) since(phase string, begin time.Time) float64 {
	return p.at[phase].Sub(begin).Seconds()
}

// BenchmarkMigration moves a database of 200 MB between two machines and
// compares that, and each of its phases, with what dumping, copying and loading
// it take by hand.
func BenchmarkMigration(b *testing.B) {
	l := lab.New(b)
	coordinator := l.Host("coordinator")
	east, west := machine{l.Host("east"), b}, machine{l.Host("west"), b}
	for _, m := range []machine{east, west} {
		m.mysql("primary", 3306)
	}
	for name, content := range largeModels {
		coordinator.WriteFile(b, "/root/models/"+name, content, 0o644)
	}
	manifest := func(distribution string) string {
		return strings.TrimSpace(coordinator.Run(b, "env", "--chdir=/root/models", "disnix-manifest",
			"-s", "services.nix", "-i", "infrastructure.nix", "-d", distribution))
	}
	before, after := manifest("east.nix"), manifest("west.nix")
	coordinator.Run(b, "disnix-deploy", before)
	coordinator.Run(b, "disnix-distribute", after)
	coordinator.Run(b, "disnix-activate", "-o", before, after)

	timed := func(h *lab.Host, command string) float64 {
		start := time.Now()
		h.Run(b, "sh", "-ec", command)
		return time.Since(start).Seconds()
	}
	const mysql = "--no-defaults --socket=/run/mysqld-primary/mysqld.sock"
	var migration, snapshot, transfer, dump, link, load float64
	var memory int64
	for b.Loop() {
		dump += timed(east.Host, "mariadb-dump "+mysql+" --single-transaction large | zstd > /root/dump.zst")
		link += timed(coordinator, "ssh east cat /root/dump.zst | ssh west 'cat > /root/dump.zst'")
		load += timed(west.Host, "mariadb "+mysql+" -e 'CREATE DATABASE hand'; zstdcat /root/dump.zst | mariadb "+mysql+" hand")
		west.sql("primary", "", "DROP DATABASE hand")

		coordinator.Run(b, "rm", "-rf", "/var/state/dysnomia")
		east.Run(b, "rm", "-rf", "/var/state/dysnomia/snapshots", "/var/state/dysnomia/generations")
		west.Run(b, "rm", "-rf", "/var/state/dysnomia/snapshots", "/var/state/dysnomia/generations")
		start := time.Now()
		cmd := coordinator.Command(b.Context(), "disnix-migrate", "-o", before, after)
		var phases phaseClock
		cmd.Stdout, cmd.Stderr = &phases, &phases
		if err := cmd.Run(); err != nil {
			b.Fatalf("%v\n%s", err, phases.output)
		}
		migration += time.Since(start).Seconds()
		snapshot += phases.since("Retrieving snapshots...", start)
		transfer += phases.since("Restoring state of services...", phases.at["Retrieving snapshots..."])
		memory = max(memory, cmd.ProcessState.SysUsage().(*syscall.Rusage).Maxrss)
		if rows := west.sql("primary", "large", "SELECT COUNT(*) FROM measurement"); rows != "1000000\n" {
			b.Fatalf("%s rows were restored", rows)
		}
	}
	if memory > mostMemory {
		b.Errorf("the coordinator needed %d KB", memory)
	}
	n := float64(b.N)
	b.ReportMetric(migration/n, "s/migration")
	b.ReportMetric(snapshot/n, "s/snapshot")
	b.ReportMetric(transfer/n, "s/transfer")
	b.ReportMetric((migration-snapshot-transfer)/n, "s/restore")
	b.ReportMetric(dump/n, "s/dump")
	b.ReportMetric(link/n, "s/link")
	b.ReportMetric(load/n, "s/load")
	b.ReportMetric(migration/max(dump, link, load), "of-the-slowest")
	b.ReportMetric(float64(memory)/1024, "MB-coordinator")
	b.ReportMetric(0, "ns/op")
}
