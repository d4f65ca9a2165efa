package stafftracker

import (
	"strings"
	"testing"
)

// testCoordinatorKilled ends the coordinator by SIGKILL during a migration. One
// command completes it.
func (s *stateSite) testCoordinatorKilled(t *testing.T) {
	for _, k := range []struct {
		database, name, at string
		deleting           bool // began
		options            []string
	}{
		{"killed1", "between snapshot and restore", "target/restore:kill", false, nil},
		{"killed2", "between snapshot and restore, depth-first", "target/restore:kill", false, []string{"--depth-first", "--keep", "0"}},
		{"killed3", "during a restore", "target/restore/done:kill", false, nil},
		{"killed4", "between restore and delete", "target/delete-state:kill", true, nil},
		{"killed5", "between restore and delete, depth-first", "target/delete-state:kill", true, []string{"--depth-first", "--all"}},
	} {
		t.Run(k.name, func(t *testing.T) {
			c := s.scenario(t, k.database)
			output, err := c.deploy("right", append([]string{"DISNIX_FAULT=" + k.at, "--delete-state"}, k.options...)...)
			if err == nil {
				t.Fatalf("the coordinator was not killed:\n%s", output)
			}
			c.requireRows(c.east, moved)
			want := moved
			if k.deleting {
				// What the new place has got since is not overwritten.
				c.requireRows(c.west, moved)
				c.write(c.west, "later")
				want = "first,kept,later"
			}
			output, err = c.deploy("left")
			if err == nil {
				t.Fatalf("an unfinished deployment was ignored:\n%s", output)
			}
			if got := strings.Contains(output, "$ disnix-env --abort"); got == k.deleting {
				t.Errorf("it can be undone: %t\n%s", got, output)
			}
			c.runPrinted(output, "disnix-env --resume")
			c.requireRows(c.west, want)
			c.requireRows(c.east, absent)
		})
	}
	t.Run("between snapshot and restore, and undone", func(t *testing.T) {
		c := s.scenario(t, "undone")
		output, err := c.deploy("right", "DISNIX_FAULT=target/restore:kill", "--delete-state")
		if err == nil {
			t.Fatalf("the coordinator was not killed:\n%s", output)
		}
		output, _ = c.deploy("right")
		c.runPrinted(output, "disnix-env --abort")
		c.requireRows(c.east, moved)
		c.write(c.east, "later")
		c.mustDeploy("right", "--delete-state")
		c.requireRows(c.west, "first,kept,later")
		c.requireRows(c.east, absent)
	})
}

// testFailures makes the servers, programs and disks fail under a migration
// that would delete the state at its former place.
func (s *stateSite) testFailures(t *testing.T) {
	const (
		// The schema is loaded by the same program, before.
		afterActivation = `[ -e /run/activated ] || { touch /run/activated; exec /usr/bin/mariadb "$@"; }
`

		atSource    = "nothing was restored or deleted: all state is still where it was"
		atReceiver  = "nothing was deleted: all state is still where it was, and its snapshots are with the coordinator"
		allRestored = "all state was restored; obsolete state that is not deleted is still where it was"
	)
	for _, f := range []struct {
		database string
		target   string // whose failure it is
		// spoil is done after the first deployment, mend before the printed
		// command is run.
		spoil, mend func(c *scenario)
		cause       []string
		where       string
		restored    bool
	}{
		{
			"wrongpassword", "left",
			func(c *scenario) {
				c.east.sql("primary", "", "SET PASSWORD FOR disnix@localhost = PASSWORD('another')")
			},
			func(c *scenario) {
				c.east.sql("primary", "", `SET PASSWORD FOR disnix@localhost = PASSWORD("`+administration+`")`)
			},
			[]string{"Access denied for user 'disnix'"}, atSource, false,
		},
		{
			"sourcedown", "left",
			func(c *scenario) { c.east.killMySQL("primary") },
			func(c *scenario) { c.east.startMySQL("primary", 3306) },
			[]string{"the database server at /run/mysqld-primary/mysqld.sock"}, atSource, false,
		},
		{
			"fulldisk", "left",
			func(c *scenario) { c.grow("fulldisk"); fillDisk(c.east) },
			func(c *scenario) { c.east.Run(c.t, "umount", temporary) },
			[]string{"no space left on device"}, atSource, false,
		},
		{
			"fullcoordinator", "left",
			func(c *scenario) { c.grow("fullcoordinator"); fillDisk(machine{c.coordinator, c.t}) },
			func(c *scenario) { c.coordinator.Run(c.t, "umount", temporary) },
			[]string{"retrieve snapshots", "no space left on device"}, atSource, false,
		},
		{
			"fullreceiver", "right",
			func(c *scenario) {
				c.grow("fullreceiver")
				// The activation there still finds room for its marker.
				c.duringDump(func() { fillDisk(c.west) })
			},
			func(c *scenario) {
				c.removeGate(c.east, "mariadb-dump")
				c.west.Run(c.t, "umount", temporary)
			},
			[]string{"send snapshots", "no space left on device"}, atReceiver, false,
		},
		{
			"killeddump", "left",
			func(c *scenario) {
				c.east.program("mariadb-dump", `/usr/bin/mariadb-dump "$@" | head -n 3; kill -KILL $$`)
			},
			func(c *scenario) { c.east.removeProgram("mariadb-dump") },
			[]string{"run mariadb-dump", "killed"}, atSource, false,
		},
		{
			"receiverdown", "right",
			func(c *scenario) {
				// The server ends when the dump is under way elsewhere.
				c.duringDump(func() { c.west.killMySQL("primary") })
			},
			func(c *scenario) {
				c.removeGate(c.east, "mariadb-dump")
				c.west.startMySQL("primary", 3306)
			},
			[]string{"the database server at /run/mysqld-primary/mysqld.sock"}, atReceiver, false,
		},
		{
			"deniedatreceiver", "right",
			func(c *scenario) {
				// The password changes when the dump is under way elsewhere.
				c.duringDump(func() { c.west.sql("primary", "", "SET PASSWORD FOR disnix@localhost = PASSWORD('another')") })
			},
			func(c *scenario) {
				c.removeGate(c.east, "mariadb-dump")
				c.west.sql("primary", "", `SET PASSWORD FOR disnix@localhost = PASSWORD("`+administration+`")`)
			},
			[]string{"Access denied for user 'disnix'"}, atReceiver, false,
		},
		{
			"diedduringrestore", "right",
			func(c *scenario) {
				c.west.program("mariadb", afterActivation+`kill -KILL "$(cat /run/mysqld-primary/mysqld.pid)"; exec /usr/bin/mariadb "$@"`)
			},
			func(c *scenario) {
				c.west.removeProgram("mariadb")
				c.west.Run(c.t, "rm", "/run/activated")
				c.west.startMySQL("primary", 3306)
			},
			[]string{"run mariadb", "exit status 1"}, atReceiver, false,
		},
		{
			"notdeleted", "left",
			func(c *scenario) {
				c.west.program("mariadb", afterActivation+`/usr/bin/mariadb "$@"; status=$?; echo > /run/gate; cat /run/gate; exit $status`)
				c.atGate(c.west, func() { c.east.killMySQL("primary") })
			},
			func(c *scenario) {
				c.removeGate(c.west, "mariadb")
				c.west.Run(c.t, "rm", "/run/activated")
				c.east.startMySQL("primary", 3306)
			},
			[]string{"delete state of", "the database server at /run/mysqld-primary/mysqld.sock"}, allRestored, true,
		},
	} {
		t.Run(f.database, func(t *testing.T) {
			c := s.scenario(t, f.database)
			f.spoil(c)
			output, err := c.deploy("right", "--delete-state")
			c.background.Wait()
			if err == nil || !strings.Contains(err.Error(), "exit status 2") {
				t.Fatalf("got %v\n%s", err, output)
			}
			c.requireWords(output, `target "`+f.target+`"`, `component "`+f.database+`" in container "mysql-database"`, f.where)
			c.requireWords(output, f.cause...)

			f.mend(c)
			c.requireRows(c.east, moved)
			c.requireRows(c.west, map[bool]string{false: fresh, true: moved}[f.restored])
			c.runPrinted(output, "disnix-env --resume")
			c.requireRows(c.west, moved)
			c.requireRows(c.east, absent)
			if left := c.west.sql("primary", "", "SHOW DATABASES LIKE 'dysnomia-%'"); left != "" {
				t.Errorf("left over: %s", left)
			}
		})
	}
}

// duringDump does something when the dump has begun, and before it ends.
func (c *scenario) duringDump(do func()) {
	c.east.program("mariadb-dump", `echo > /run/gate; /usr/bin/mariadb-dump "$@"; cat /run/gate`)
	c.atGate(c.east, do)
}

// atGate does something when a program of a machine has written to the gate, a
// pipe, and lets what it reads from there come after that.
func (c *scenario) atGate(m machine, do func()) {
	m.Run(c.t, "mkfifo", "/run/gate")
	c.background.Go(func() {
		m.Run(c.t, "cat", "/run/gate")
		do()
		m.Run(c.t, "sh", "-c", "echo > /run/gate")
	})
}

// removeGate removes the gate and the program that goes through it.
func (c *scenario) removeGate(m machine, program string) {
	m.removeProgram(program)
	m.Run(c.t, "rm", "/run/gate")
}

// temporary is where snapshots are made before they are in a repository.
const temporary = "/var/state/dysnomia/.tmp"

// grow makes the database larger than what fits on a full disk.
func (c *scenario) grow(database string) {
	c.east.sql("primary", database, "CREATE TABLE noise SELECT MD5(RAND()) FROM seq_1_to_50000")
}

// fillDisk lets a machine have no room for a snapshot of a database that has
// grown.
func fillDisk(m machine) {
	m.Run(m.t, "sh", "-c", "mkdir -p "+temporary+"; mount -t tmpfs -o size=64k none "+temporary)
}

// testUnrecorded fails without a journal: the printed commands are those of the
// phases that are left.
func (s *stateSite) testUnrecorded(t *testing.T) {
	c := s.scenario(t, "unrecorded")
	c.east.program("mariadb-dump", "kill -KILL $$")
	output, err := c.deploy("right", "--no-coordinator-profile", "--delete-state")
	c.east.removeProgram("mariadb-dump")
	if err == nil || !strings.Contains(err.Error(), "exit status 2") {
		t.Fatalf("got %v\n%s", err, output)
	}
	c.requireRows(c.east, moved)
	c.requireRows(c.west, fresh)
	c.runPrinted(output, "disnix-migrate")
	c.requireRows(c.west, moved)
	c.requireRows(c.east, absent)
	c.runPrinted(output, "disnix-set")
}

// testRepository spoils snapshots.
func (s *stateSite) testRepository(t *testing.T) {
	t.Run("half-written snapshots are not restored", func(t *testing.T) {
		c := s.scenario(t, "half")
		c.coordinator.Run(t, "disnix-snapshot", "-p", c.profile)
		id := c.east.Run(t, "dysnomia-snapshots", "--query-latest", "--container", "mysql-database", "--component", "half")
		dump := "/var/state/dysnomia/snapshots/" + strings.TrimSpace(id) + "/dump.sql.xz"
		// What the original leaves behind when it dies in the middle: a
		// directory that no generation leads to.
		c.coordinator.Run(t, "sh", "-ec", `truncate -s 20 "$1"
			rm -r /var/state/dysnomia/generations/mysql-database/half /var/state/dysnomia/checksums/mysql-database/half`, "sh", dump)
		c.west.Run(t, "sh", "-ec", `mkdir -p "$(dirname "$1")"; echo half > "$1"`, "sh", dump)
		c.mustDeploy("right", "--delete-state")
		c.requireRows(c.west, moved)
		c.requireRows(c.east, absent)
	})
	t.Run("modules 29, item 7: what was at the place before disappears", func(t *testing.T) {
		c := s.scenario(t, "exact")
		c.mustDeploy("right", "--no-migration")
		c.write(c.west, "stale")
		c.west.sql("primary", "exact", "CREATE TABLE stale SELECT * FROM note")
		c.mustDeploy("left", "--no-migration")
		c.mustDeploy("right")
		c.requireRows(c.west, moved)
		if tables := c.west.sql("primary", "exact", "SHOW TABLES"); tables != "note\n" {
			t.Errorf("tables: %s", tables)
		}
	})
	t.Run("there is nothing to restore", func(t *testing.T) {
		c := s.scenario(t, "nothing")
		stdout, stderr, err := c.coordinator.Try(t, "disnix-restore", "--no-upgrade", "-p", c.profile)
		if err != nil {
			t.Fatalf("%v\n%s%s", err, stdout, stderr)
		}
		c.requireWords(stderr, "[target: left]: No snapshots of component: nothing deployed to container: mysql-database: its state stays as it is")
		c.requireRows(c.east, moved)
	})
}
