package stafftracker

import (
	"strings"
	"testing"
)

// containerFiles are what the operating system of the east tells about itself:
// one server under two names, as if it were two.
var containerFiles = map[string]string{
	"/etc/dysnomia/properties":                          "hostname=east\nmem=$(echo 1024)\n",
	"/etc/dysnomia/containers/mysql-database-primary":   mysqlContainer,
	"/opt/dysnomia/containers/mysql-database-secondary": mysqlContainer + "note='two words \"${x}\"'\n",
}

const mysqlContainer = `type=mysql-database
mysqlUsername=disnix
mysqlPassword="it's \$(a) secret"
mysqlSocket=/run/mysqld-primary/mysqld.sock
`

// testCaptured deploys to an infrastructure that is not written by hand, but
// captured from a machine with several instances of a container, whose files
// are in two directories.
func (s *stateSite) testCaptured(t *testing.T) {
	for path, content := range containerFiles {
		s.east.WriteFile(t, path, content, 0o600)
	}
	// What a login on the machine has in its environment.
	s.east.program("disnix-run-activity", `export DYSNOMIA_CONTAINERS_PATH=/etc/dysnomia/containers:/opt/dysnomia/containers
exec /usr/local/bin/disnix run-activity "$@"`)
	models := "/root/captured"
	s.coordinator.WriteFile(t, models+"/east.nix", `{ left.properties.hostname = "east"; }`, 0o644)
	s.coordinator.WriteFile(t, models+"/services.nix", stateModels["services.nix"], 0o644)
	s.coordinator.WriteFile(t, models+"/distribution.nix", `{ infrastructure, databases, on }: {
  captured.targets = [ { target = infrastructure.left; container = "mysql-database-${on}"; } ]; }`, 0o644)
	s.coordinator.Run(t, "sh", "-ec", "cd "+models+"; disnix-capture-infra east.nix > infrastructure.nix")
	again := s.coordinator.Run(t, "disnix-capture-infra", models+"/infrastructure.nix")
	if captured := s.coordinator.Run(t, "cat", models+"/infrastructure.nix"); again != captured {
		t.Errorf("captured again:\n%s, not\n%s", again, captured)
	}
	out := s.coordinator.Run(t, "nix-instantiate", "--eval", "--strict", "--json", "-E",
		"let t = (import "+models+"/infrastructure.nix).left; in [ (builtins.attrNames t.containers) t.properties t.containers.mysql-database-secondary.note ]")
	for _, want := range []string{
		`"mysql-database-primary","mysql-database-secondary"`, `"hostname":"east"`, `"mem":"1024"`, `"two words \"${x}\""`,
	} {
		if !strings.Contains(out, want) {
			t.Errorf("%s is not captured: %s", want, out)
		}
	}
	for _, instance := range []string{"primary", "secondary"} {
		s.coordinator.Run(t, "env", "--chdir="+models, "disnix-env", "-s", "services.nix", "-i", "infrastructure.nix",
			"-d", "distribution.nix", "-p", "captured", "--delete-state", "--extra-params", `{ databases = [ "captured" ]; on = "`+instance+`"; }`)
	}
	c := &scenario{stateSite: s, t: t, databases: []string{"captured"}}
	c.requireRows(s.east, fresh) // it was not deleted as garbage of the first name
	if n := strings.Count(s.east.Run(t, "dysnomia-snapshots", "--query-all", "--container", "mysql-database-secondary"), "\n"); n != 1 {
		t.Errorf("%d snapshots came from the other instance", n)
	}
	s.east.removeProgram("disnix-run-activity")
	s.east.Run(t, "ln", "-s", "disnix", "/usr/local/bin/disnix-run-activity")
}
