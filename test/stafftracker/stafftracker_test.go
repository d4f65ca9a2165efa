// Package stafftracker deploys examples/stafftracker to hosts of the lab with
// real database servers, servlet containers and process managers.
package stafftracker

import (
	"fmt"
	"strings"
	"testing"

	"github.com/disnix-go/disnix/test/lab"
)

const frontEnd = "http://east:8081/stafftracker/"

// system is a coordinator and the two machines of the infrastructure model.
type system struct {
	t           *testing.T
	coordinator *lab.Host
	east, west  machine
}

func newSystem(t *testing.T) *system {
	t.Helper()
	l := lab.New(t)
	s := &system{t: t, coordinator: l.Host("coordinator"),
		east: machine{l.Host("east"), t}, west: machine{l.Host("west"), t}}
	s.coordinator.CopyDir(t, "../../examples/stafftracker", "/root/stafftracker")
	for instance, offset := range map[string]int{"primary": 0, "secondary": 1} {
		s.east.tomcat(instance, 8080+offset)
		s.east.mysql(instance, 3306+offset)
		s.east.supervisord(instance)
	}
	s.west.tomcat("primary", 8080)
	s.west.mysql("primary", 3306)
	s.west.supervisord("primary")
	for instance := range 2 {
		s.east.awaitTomcat(8080 + instance)
	}
	s.west.awaitTomcat(8080)
	return s
}

// deploy deploys the example by one command and shows it with its output:
// `make demo-stafftracker` is this test.
func (s *system) deploy(distribution string) {
	s.t.Helper()
	s.show(s.coordinator, "env", "--chdir=/root/stafftracker", "disnix-env",
		"-s", "services.nix", "-i", "infrastructure.nix", "-d", distribution)
}

func (s *system) show(h *lab.Host, command ...string) {
	s.t.Helper()
	stdout, stderr, err := h.Try(s.t, command...)
	fmt.Fprintf(s.t.Output(), "\n%s$ %s\n%s%s", h.Name(), strings.Join(command, " "), stdout, stderr)
	if err != nil {
		s.t.Fatalf("%s: %v", command[0], err)
	}
}

// requirePage checks what the front end shows: a row for each member of staff,
// whose name, room and place come from all three databases.
func (s *system) requirePage(rows ...string) {
	s.t.Helper()
	page := s.coordinator.Run(s.t, "curl", "--silent", "--show-error", "--fail", frontEnd)
	for _, row := range rows {
		cells := "<tr><td>" + strings.ReplaceAll(row, "|", "</td><td>") + "</td></tr>"
		if !strings.Contains(page, cells) {
			s.t.Errorf("the front end does not show %s:\n%s", row, page)
		}
	}
	if got := strings.Count(page, "<tr><td>"); got != len(rows) {
		s.t.Errorf("the front end shows %d members of staff, not %d:\n%s", got, len(rows), page)
	}
}

var staff = []string{
	"Ada|EWI-1020|Mekelweg 4|2628 CD|Delft",
	"Edsger|EWI-8190|Mekelweg 4|2628 CD|Delft",
	"Grace|IO-3.10|Landbergstraat 15|2628 CE|Delft",
}

const newcomer = "Barbara|AE-201|Kluyverweg 1|2629 HS|Delft"

// requireFinger asks the supervised process where somebody is.
func (s *system) requireFinger(name, answer string) {
	s.t.Helper()
	got := s.coordinator.Run(s.t, "perl", "-MIO::Socket::INET", "-e",
		`$s = IO::Socket::INET->new("east:7079") or die $@; print $s "$ARGV[0]\n"; print <$s>`, name)
	if strings.TrimSpace(got) != answer {
		s.t.Errorf("finger says %q, not %q", got, answer)
	}
}

func (s *system) requireDatabase(m machine, instance, name string, exists bool) {
	s.t.Helper()
	if got := m.sql(instance, "", "SHOW DATABASES LIKE '"+name+"'") != ""; got != exists {
		s.t.Errorf("%s, %s: database %s exists: %t", m.Name(), instance, name, got)
	}
}

// testFailedUpgrades deploys what does not start. The messages say what is
// wrong where, and the system is as before.
func (s *system) testFailedUpgrades(t *testing.T, rows []string) {
	for _, f := range []struct {
		name        string
		spoil, mend func()
		change      string // a program for sed, for all models
		words       []string
	}{
		{
			"web applications that do not start", func() {}, func() {},
			"s|</Context>|</Contxt>|", []string{
				`service "location-service" in container "tomcat-webapplication-primary" on target "east"`,
				`service "staff-service" in container "tomcat-webapplication" on target "west"`,
				"Tomcat cannot start staff-service.war: ", "log: /srv/tomcat-primary/logs",
			},
		},
		{
			"a process that is never ready", func() {}, func() {},
			`s|readiness = {.*|readiness = { tcp = 7080; timeout = 1; }; version = 2;|; s|port = 7079|port = 7081|`, []string{
				`service "finger" in container "supervisord-program-secondary" on target "east"`, "not ready", "7080", "within 1s",
			},
		},
		{
			"a process manager that does not run",
			func() { s.west.killSupervisord("primary") },
			func() { s.west.supervisord("primary") },
			`s|finger = on .*|finger = [ infrastructure.west ];|`, []string{
				`service "finger" in container "supervisord-program" on target "west"`, "/run/supervisor-primary/socket",
			},
		},
		{
			"a database server that does not run",
			func() { s.west.killMySQL("primary") },
			func() { s.west.startMySQL("primary", 3306) },
			`s|staff ? {.*|staff ? { target = infrastructure.west; }|; s|mysqlUsername = .*|& timeout = 1;|`, []string{
				`service "staff" in container "mysql-database" on target "west"`, "/run/mysqld-primary/mysqld.sock",
			},
		},
	} {
		t.Run(f.name, func(t *testing.T) {
			s.coordinator.Run(t, "sh", "-ec", `cp -r /root/stafftracker /root/spoiled; sed -i "$1" /root/spoiled/*.nix`, "sh", f.change)
			f.spoil()
			stdout, stderr, err := s.coordinator.Try(t, "env", "--chdir=/root/spoiled", "disnix-env",
				"-s", "services.nix", "-i", "infrastructure.nix", "-d", "distribution.nix")
			f.mend()
			if err == nil || !strings.Contains(err.Error(), "exit status 1") {
				t.Errorf("got %v\n%s", err, stdout)
			}
			for _, word := range append(f.words, "the old configuration stands") {
				if !strings.Contains(stderr, word) {
					t.Errorf("%q is not in the message:\n%s", word, stderr)
				}
			}
			s.coordinator.Run(t, "rm", "-r", "/root/spoiled")
			s.requirePage(rows...)
			s.requireFinger("Grace", "Grace is in room IO-3.10.")
		})
	}
}

func TestDataFollowsAMovedDatabase(t *testing.T) {
	t.Parallel()
	s := newSystem(t)

	s.deploy("distribution.nix")
	s.requirePage(staff...)
	s.requireFinger("Grace", "Grace is in room IO-3.10.")
	s.requireFinger("Barbara", "Nobody knows Barbara.")
	s.requireDatabase(s.east, "secondary", "staff", true)
	s.requireDatabase(s.east, "primary", "staff", false)

	s.show(s.east.Host, "mariadb", "--no-defaults", "--socket=/run/mysqld-secondary/mysqld.sock", "staff",
		"-e", "INSERT INTO staff (name, room) VALUES ('Barbara', 'AE-201')")
	all := append([]string{newcomer}, staff...)
	s.requirePage(all...)

	if !testing.Short() { // the demo does without
		t.Run("a failed upgrade is undone", func(t *testing.T) { s.testFailedUpgrades(t, all) })
	}

	s.deploy("distribution-moved.nix")
	s.show(s.coordinator, "curl", "--silent", "--show-error", "--fail", frontEnd)
	s.requirePage(all...)
	s.requireFinger("Barbara", "Barbara is in room AE-201.")
	s.requireDatabase(s.west, "primary", "staff", true)

	s.show(s.coordinator, "disnix-env", "--rollback")
	s.requirePage(all...)
	s.requireFinger("Barbara", "Barbara is in room AE-201.")

	s.show(s.coordinator, "disnix-env", "--undeploy", "-i", "/root/stafftracker/infrastructure.nix")
	if _, _, err := s.coordinator.Try(t, "curl", "--silent", "--fail", frontEnd); err == nil {
		t.Error("the front end still answers")
	}
}
