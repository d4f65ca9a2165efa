package stafftracker

import (
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/disnix-go/disnix/test/lab"
)

// stateModels are databases whose names and place are parameters. The names of
// the targets, left and right, are not their addresses, east and west.
var stateModels = map[string]string{
	"services.nix": `{ databases, stateful ? true, ... }:
builtins.listToAttrs (map (name: { inherit name; value = {
  inherit name; type = "mysql-database";
  pkg = derivation {
    inherit name; system = builtins.currentSystem; builder = "/bin/sh"; PATH = "/bin:/usr/bin";
    schema = "CREATE TABLE note (text VARCHAR(100)); INSERT INTO note VALUES ('first');";
    args = [ "-c" "mkdir -p $out/mysql-databases; printf %s \"$schema\" > $out/mysql-databases/note.sql" ];
  };
} // (if stateful then { deployState = true; } else { }); }) databases)`,
	"distribution.nix": `{ infrastructure, databases, on }:
builtins.listToAttrs (map (name: { inherit name; value = [ infrastructure.${on} ]; }) databases)`,
	"infrastructure.nix": `let machine = hostname: { properties = { inherit hostname; }; numOfCores = 2; containers.mysql-database = {
  mysqlUsername = "disnix"; mysqlPassword = "` + administration + `"; mysqlSocket = "/run/mysqld-primary/mysqld.sock"; timeout = 6; }; };
in { left = machine "east"; right = machine "west"; }`,
}

// administration is the password of the account of the plugins, and needs
// quoting everywhere.
const administration = `it's $(a) secret`

// stateSite is a coordinator and two machines with a database server each.
type stateSite struct {
	coordinator *lab.Host
	east, west  machine
}

func newStateSite(t *testing.T) *stateSite {
	t.Helper()
	l := lab.New(t)
	s := &stateSite{coordinator: l.Host("coordinator"), east: machine{l.Host("east"), t}, west: machine{l.Host("west"), t}}
	for _, m := range []machine{s.east, s.west} {
		m.mysql("primary", 3306)
		m.sql("primary", "", `CREATE USER disnix@localhost IDENTIFIED BY "`+administration+`"; GRANT ALL ON *.* TO disnix@localhost`)
	}
	for name, content := range stateModels {
		s.coordinator.WriteFile(t, "/root/models/"+name, content, 0o644)
	}
	return s
}

// scenario is a system of some databases with a profile of its own. All of
// them have the same rows.
type scenario struct {
	*stateSite
	t          *testing.T
	profile    string
	databases  []string
	stateless  bool // the model does not say that there is state
	background sync.WaitGroup
}

// scenario deploys databases on the left, each with a row that is not in the
// schema.
func (s *stateSite) scenario(t *testing.T, databases ...string) *scenario {
	t.Helper()
	c := s.prepare(t, databases...)
	c.mustDeploy("left")
	c.write(c.east, "kept")
	return c
}

// prepare is a scenario of which nothing is deployed.
func (s *stateSite) prepare(t *testing.T, databases ...string) *scenario {
	return &scenario{stateSite: &stateSite{s.coordinator, machine{s.east.Host, t}, machine{s.west.Host, t}}, t: t, profile: databases[0], databases: databases}
}

// deploy deploys by one command, with more options and variables.
func (c *scenario) deploy(on string, more ...string) (output string, err error) {
	c.t.Helper()
	var words []string
	for len(more) > 0 && !strings.HasPrefix(more[0], "-") {
		words, more = append(words, more[0]), more[1:]
	}
	parameters := `{ databases = [ "` + strings.Join(c.databases, `" "`) + `" ]; on = "` + on + `"; stateful = ` + strconv.FormatBool(!c.stateless) + `; }`
	words = append(words, "disnix-env", "-s", "services.nix", "-i", "infrastructure.nix", "-d", "distribution.nix",
		"-p", c.profile, "--extra-params", parameters)
	stdout, stderr, err := c.coordinator.Try(c.t, append([]string{"env", "--chdir=/root/models"}, append(words, more...)...)...)
	if strings.Contains(stdout+stderr, administration) {
		c.t.Errorf("the password is in the output:\n%s%s", stdout, stderr)
	}
	return stdout + stderr, err
}

func (c *scenario) mustDeploy(on string, more ...string) string {
	c.t.Helper()
	output, err := c.deploy(on, more...)
	if err != nil {
		c.t.Fatalf("deploy on the %s: %v\n%s", on, err, output)
	}
	return output
}

// write adds a row to each database.
func (c *scenario) write(m machine, text string) {
	c.t.Helper()
	for _, name := range c.databases {
		m.sql("primary", name, "INSERT INTO note VALUES ('"+text+"')")
	}
}

const absent = "no database"

// requireRows checks the rows of each database on a machine.
func (c *scenario) requireRows(m machine, want string) {
	c.t.Helper()
	for _, name := range c.databases {
		got := absent
		if strings.TrimSpace(m.sql("primary", "", "SHOW DATABASES LIKE '"+name+"'")) != "" {
			got = strings.TrimSpace(m.sql("primary", name, "SELECT GROUP_CONCAT(text ORDER BY text) FROM note"))
		}
		if got != want {
			c.t.Errorf("database %s on %s: %s, want %s", name, m.Name(), got, want)
		}
	}
}

// snapshotsOn counts the generations of the first database.
func (c *scenario) snapshotsOn(h *lab.Host) int {
	c.t.Helper()
	return len(strings.Fields(h.Run(c.t, "dysnomia-snapshots", "--query-all", "--container", "mysql-database", "--component", c.databases[0])))
}

// runPrinted runs the first command that a message recommends and that begins
// like this, as a user would: through a shell.
func (c *scenario) runPrinted(output, command string) string {
	c.t.Helper()
	for line := range strings.Lines(output) {
		if line, ok := strings.CutPrefix(line, "$ "); ok && strings.HasPrefix(line, command) {
			return c.coordinator.Run(c.t, "sh", "-c", line)
		}
	}
	c.t.Fatalf("%s is not recommended:\n%s", command, output)
	return ""
}

func (c *scenario) requireWords(output string, words ...string) {
	c.t.Helper()
	for _, word := range words {
		if !strings.Contains(output, word) {
			c.t.Errorf("%q is not in the output:\n%s", word, output)
		}
	}
}
