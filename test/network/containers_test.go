package network

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/disnix-go/disnix/test/lab"
	"github.com/disnix-go/disnix/test/tomcattest"
)

// containers is test/network/containers on two targets and a coordinator.
type containers struct {
	coordinator, node1, node2 *lab.Host
}

func newContainers(t *testing.T) containers {
	t.Helper()
	l := lab.New(t)
	c := containers{l.Host("coordinator"), l.Host("node1"), l.Host("node2")}
	models := t.TempDir()
	if err := os.CopyFS(models, os.DirFS("containers")); err != nil {
		t.Fatal(err)
	}
	ports := "{\n"
	for _, name := range []string{"primary", "secondary"} {
		s, err := tomcattest.Prepare(filepath.Join(t.TempDir(), name))
		if err != nil {
			t.Fatal(err)
		}
		c.node1.CopyDir(t, s.Base, "/srv/"+name)
		s.Base = "/srv/" + name
		ports += fmt.Sprintf("  %s = %d;\n", name, s.Port)
		write(t, filepath.Join(models, "bin", name), "#!/bin/sh\n"+`"`+strings.Join(s.Command(), `" "`)+`" > /srv/`+name+"/temp/output 2>&1 &\n"+
			"echo $! > \"$runtimeDir/"+name+".pid\"\n")
	}
	write(t, filepath.Join(models, "ports.nix"), ports+"}\n")
	write(t, filepath.Join(models, "webapps/shop.war"), tomcattest.WAR(t, map[string]string{"index.html": "this is the shop"}))
	c.coordinator.CopyDir(t, models, "/root/containers")
	c.node2.WriteFile(t, "/etc/hostname-of-test", "node2\n", 0o644)
	return c
}

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o755); err != nil {
		t.Fatal(err)
	}
}

func (c containers) deploy(t *testing.T, extraParams string) (stderr string, err error) {
	t.Helper()
	_, stderr, err = c.coordinator.Try(t, "env", "--chdir=/root/containers", "disnix-env",
		"-s", "services.nix", "-i", "infrastructure.nix", "-d", "distribution.nix", "--extra-params", extraParams)
	return stderr, err
}

// requireApplications checks in which servers the application is unpacked.
func (c containers) requireApplications(t *testing.T, want ...string) {
	t.Helper()
	out := c.node1.Run(t, "sh", "-c", "cd /srv && ls -d */webapps/shop/index.html 2> /dev/null; true")
	if got := strings.Fields(out); strings.Join(got, " ") != strings.Join(want, " ") {
		t.Errorf("the application is at %v, want %v", got, want)
	}
}

// TestContainersOfServices deploys two servers and what runs in them over SSH,
// and waits on one host for what another needs.
func TestContainersOfServices(t *testing.T) {
	c := newContainers(t)
	both := []string{"primary/webapps/shop/index.html", "secondary/webapps/shop/index.html"}

	// What is ready is asked on the target, and a failure there undoes
	// everything on the other.
	stderr, err := c.deploy(t, `{ watcherReadiness = { exec = [ "sh" "-c" "cat /etc/hostname-of-test; exit 1" ]; timeout = 5; }; }`)
	if err == nil || !strings.Contains(stderr, "not ready") || !strings.Contains(stderr, "exit status 1: node2") {
		t.Errorf("error: %v\n%s", err, stderr)
	}
	c.requireApplications(t)
	if _, _, err := c.node1.Try(t, "pgrep", "-f", "catalina.base=/srv/"); err == nil {
		t.Error("a server still runs")
	}

	if stderr, err := c.deploy(t, "{ }"); err != nil {
		t.Fatalf("%v\n%s", err, stderr)
	}
	c.requireApplications(t, both...)
	if got := c.node1.Run(t, "pgrep", "-c", "-f", "catalina.base=/srv/"); strings.TrimSpace(got) != "2" {
		t.Errorf("%s servers run", got)
	}
	out := c.coordinator.Run(t, "disnix-query", "-f", "containers", "/root/containers/infrastructure.nix")
	for _, name := range []string{"tomcat-webapplication-primary", "tomcat-webapplication-secondary"} {
		if !strings.Contains(out, name) {
			t.Errorf("%s is not queried:\n%s", name, out)
		}
	}

	c.coordinator.Run(t, "disnix-env", "--undeploy", "-i", "/root/containers/infrastructure.nix")
	c.requireApplications(t)
}
