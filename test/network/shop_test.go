package network

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// shop is a system with state: version 1 has its orders on node1, version 2 on
// node2.
type shop struct{ *system }

func newShop(t *testing.T) shop {
	t.Helper()
	s := shop{newSystem(t)}
	s.coordinator.CopyDir(t, "testdata/shop", "/root/shop")
	s.coordinator.Run(t, s.deploy(1)...)
	s.nodes["node1"].WriteFile(t, "/srv/shop/orders/1", "a precious order\n", 0o644)
	return s
}

// deploy returns the command that deploys a version, with words for the
// environment before it.
func (shop) deploy(version int, environment ...string) []string {
	return shopCommand(version, "", environment...)
}

func shopCommand(version int, hold string, environment ...string) []string {
	command := append([]string{"env", "--chdir=/root/shop"}, environment...)
	return append(command, "disnix-env", "-s", "services.nix", "-i", "infrastructure.nix", "-d", fmt.Sprintf("distribution%d.nix", version),
		"--extra-params", fmt.Sprintf("{ version = \"%d\"; hold = %q; }", version, hold))
}

// require checks that exactly this version is deployed, with its state, and
// that nothing is locked.
func (s shop) require(t *testing.T, version int) {
	t.Helper()
	orders := fmt.Sprintf("node%d", version)
	if content, _, err := s.nodes[orders].Try(t, "cat", "/srv/shop/orders/1"); err != nil || content != "a precious order\n" {
		t.Errorf("version %d: the orders on %s are %q", version, orders, content)
	}
	where := map[int][]string{1: {"node1 orders", "node2 front", "node3 mailer"}, 2: {"node2 orders", "node3 front", "node3 mailer"}}
	for name, node := range s.nodes {
		manifest, _, _ := node.Try(t, "cat", "/nix/var/nix/profiles/disnix/default/profilemanifest.xml")
		for _, service := range []string{"orders", "front", "mailer"} {
			here := strings.Contains(manifest, "<name>"+service+"</name>")
			wanted := strings.Contains(strings.Join(where[version], ","), name+" "+service)
			if here != wanted {
				t.Errorf("version %d: the profile of %s has the service %s: %t", version, name, service, here)
			}
		}
	}
	s.requireUnlocked(t)
}

// TestCoordinatorKilledInEachPhase kills the coordinator in every phase of an
// upgrade that moves state. One command then completes it, or undoes it;
// before the locks, nothing has been changed, and the upgrade can be repeated.
func TestCoordinatorKilledInEachPhase(t *testing.T) {
	t.Parallel()
	phases := []struct{ name, fault string }{
		{"build", ""},
		{"distribution", "target/import/done:kill"},
		{"journal", "journal/create:kill"},
		{"lock", "target/lock/done#2:kill"},
		{"deactivation", "target/deactivate/done:kill"},
		{"activation", "target/activate/done:kill"},
		{"snapshot", "target/snapshot/done:kill"},
		{"restore", "target/restore/done:kill"},
		{"set", "target/set/done:kill"},
		{"unlock", "target/unlock/done:kill"},
	}
	for command, result := range map[string]int{"--resume": 2, "--abort": 1} {
		t.Run(command, func(t *testing.T) {
			t.Parallel()
			s := newShop(t)
			for _, phase := range phases {
				if !t.Run(phase.name, func(t *testing.T) { s.killIn(t, phase.name, phase.fault, command, result) }) {
					return
				}
			}
		})
	}
}

// killIn kills the coordinator during the upgrade to version 2 and recovers;
// in the end version 1 is deployed again.
func (s shop) killIn(t *testing.T, phase, fault, command string, result int) {
	if phase == "distribution" {
		for _, node := range s.nodes {
			node.Run(t, "nix-store", "--gc")
		}
	}
	if phase == "build" {
		s.killDuringBuild(t)
	} else if stdout, stderr, err := s.coordinator.Try(t, s.deploy(2, "DISNIX_FAULT="+fault)...); err == nil || !strings.Contains(err.Error(), "137") && !strings.Contains(err.Error(), "killed") {
		t.Fatalf("the coordinator was not killed: %v\n%s%s", err, stdout, stderr)
	}
	stdout, stderr, err := s.coordinator.Try(t, "disnix-env", command)
	output := stdout + stderr
	if phase == "build" || phase == "distribution" || phase == "journal" {
		if err == nil || !strings.Contains(output, "There is no unfinished deployment") {
			t.Errorf("%v\n%s", err, output)
		}
		s.require(t, 1)
		return
	}
	if err != nil {
		t.Fatalf("disnix-env %s: %v\n%s", command, err, output)
	}
	s.require(t, result)
	s.coordinator.Run(t, s.deploy(1)...)
	s.require(t, 1)
}

func (s shop) killDuringBuild(t *testing.T) {
	t.Helper()
	s.coordinator.Run(t, "sh", "-c", "rm -f /root/hold /root/hold.begun")
	cmd := s.coordinator.Command(t.Context(), shopCommand(2, "/root/hold")...)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	s.await(t, "test", "-e", "/root/hold.begun")
	s.coordinator.Run(t, "pkill", "-KILL", "-x", "disnix-env")
	if err := cmd.Wait(); err == nil {
		t.Error("the coordinator was not killed")
	}
	s.coordinator.Run(t, "touch", "/root/hold") // what is left of the build ends
}

// await waits until a command succeeds on the coordinator.
func (s shop) await(t *testing.T, command ...string) {
	t.Helper()
	for deadline := time.Now().Add(5 * time.Minute); ; time.Sleep(20 * time.Millisecond) {
		_, _, err := s.coordinator.Try(t, command...)
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("in vain: %s", strings.Join(command, " "))
		}
	}
}

// TestPowerCutDuringDeployment cuts the power of the target that gets the
// state, in the middle of the transition. When it is back, one command
// completes the upgrade, or undoes it.
func TestPowerCutDuringDeployment(t *testing.T) {
	t.Parallel()
	for command, result := range map[string]int{"--resume": 2, "--abort": 1} {
		t.Run(command, func(t *testing.T) {
			t.Parallel()
			s := newShop(t)
			node2 := s.nodes["node2"]
			output, err := s.during(t, "Executing activation of services", func() {
				node2.Stop(t)
				s.goOn(t)
			}, s.deploy(2, held("target/activate")))
			if err == nil || !strings.Contains(output, "disnix-env "+command) {
				t.Fatalf("the output does not say what to do: %v\n%s", err, output)
			}
			node2.Start(t)
			s.coordinator.Run(t, "disnix-env", command)
			s.require(t, result)
		})
	}
}

// TestRenamedTarget gives the target with the state another name in the models.
func TestRenamedTarget(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	rename := func(old, new string) {
		s.coordinator.Run(t, "sed", "-i", fmt.Sprintf(`s/infrastructure\.%s/infrastructure.%s/`, old, new), "/root/shop/distribution1.nix")
	}
	infrastructure := s.coordinator.Run(t, "cat", "/root/shop/infrastructure.nix")
	s.coordinator.WriteFile(t, "/root/shop/infrastructure.nix",
		strings.Replace(infrastructure, "inherit name;", `name = if name == "node1" then "web" else name;`, 1), 0o644)
	rename("node1", "web")
	s.coordinator.Run(t, s.deploy(1, "DISNIX_DELETE_STATE=1")...)
	s.require(t, 1)

	s.coordinator.WriteFile(t, "/root/shop/infrastructure.nix", infrastructure, 0o644)
	rename("web", "node1")
	if stdout, stderr, err := s.coordinator.Try(t, s.deploy(1, "DISNIX_FAULT=target/set/done:kill")...); err == nil {
		t.Fatalf("the coordinator was not killed:\n%s%s", stdout, stderr)
	}
	s.coordinator.Run(t, "disnix-env", "--resume")
	s.require(t, 1)
}
