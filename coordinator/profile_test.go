package coordinator_test

import (
	"context"
	"errors"
	"testing"

	"github.com/disnix-go/disnix/coordinator"
	"github.com/disnix-go/disnix/models"
	"github.com/disnix-go/disnix/models/modelstest"
	"github.com/disnix-go/disnix/service/servicetest"
)

func TestProfileName(t *testing.T) {
	local := &models.Target{ClientInterface: "disnix-run-activity"}
	service := &models.Target{ClientInterface: "disnix-client"}
	remote := &models.Target{ClientInterface: "disnix-ssh-client"}
	over := func(address string) *models.Target {
		return &models.Target{
			ClientInterface: "disnix-ssh-client", TargetProperty: "hostname",
			Properties: models.Properties{"hostname": {Type: models.String, Text: address}},
		}
	}
	for _, test := range []struct {
		name           string
		infrastructure models.Infrastructure
		target, want   string
	}{
		{"one local target", models.Infrastructure{"a": local, "b": remote}, "a", "default"},
		{"several local targets", models.Infrastructure{"a": local, "b": local, "c": remote}, "a", "default@a"},
		{"one through the service", models.Infrastructure{"a": local, "b": service, "c": remote}, "b", "default@b"},
		{"all through the service", models.Infrastructure{"a": service, "b": service}, "a", "default@a"},
		{"a remote target beside them", models.Infrastructure{"a": local, "b": local, "c": remote}, "c", "default"},
		{"several users of a machine", models.Infrastructure{"a": over("node"), "b": over("root@NODE:22"), "c": over("other")}, "b", "default@b"},
		{"another machine", models.Infrastructure{"a": over("node"), "b": over("root@node"), "c": over("other")}, "c", "default"},
		{"another port", models.Infrastructure{"a": over("node"), "b": over("node:2222")}, "b", "default"},
		{"IPv6", models.Infrastructure{"a": over("fd77::1"), "b": over("me@[fd77::1]"), "c": over("[fd77::1]:22")}, "c", "default@c"},
		{"without an address", models.Infrastructure{"a": remote, "b": remote}, "a", "default"},
		{"unknown target", models.Infrastructure{"a": local, "b": local}, "x", "default"},
		{"another program of that name", models.Infrastructure{
			"a": {ClientInterface: "/opt/bin/disnix-run-activity"},
			"b": {ClientInterface: "/opt/bin/disnix-run-activity"},
		}, "a", "default"},
	} {
		t.Run(test.name, func(t *testing.T) {
			equal(t, "profile", coordinator.ProfileName(test.infrastructure, "default", test.target), test.want)
		})
	}
}

// TestRenamedProfile removes one of two targets on this machine: the profile of
// the other has another name then.
func TestRenamedProfile(t *testing.T) {
	const empty = "/nix/store/00000000000000000000000000000000-empty"
	local := func(m *models.Manifest) *models.Manifest {
		for _, target := range m.Infrastructure {
			target.ClientInterface = "disnix-run-activity"
		}
		return m
	}
	old := local(configuration("a b", part{name: "web", on: "a b"}))
	next := local(configuration("a", part{name: "web", on: "a"}))
	machine := &servicetest.Fake{}
	s := newSite(t)
	s.here.AddValid(empty)
	s.targets["a"], s.targets["b"] = machine, machine
	if err := s.deployment(old, nil).Deploy(t.Context()); err != nil {
		t.Fatal(err)
	}
	d := s.deployment(next, old)
	d.EmptyProfile = func(context.Context) (string, error) { return empty, nil }
	locks, err := d.Lock(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	// The services deployed under the former name are notified, too.
	equal(t, "locks", machine.Locked(), []string{"default", "default@a", "default@b"})
	if err := locks.Release(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := d.SetProfiles(t.Context()); err != nil {
		t.Fatal(err)
	}
	equal(t, "profile", machine.Profile("default"), next.Profiles["a"])
	equal(t, "former profile", machine.Profile("default@a"), empty)
	equal(t, "profile of the target that has left", machine.Profile("default@b"), empty)

	t.Run("but not on what may be another machine", func(t *testing.T) {
		next.Infrastructure["a"].ClientInterface = "disnix-ssh-client"
		if _, err := d.Lock(t.Context()); err != nil {
			t.Fatal(err)
		}
		equal(t, "locks", machine.Locked(), []string{"default", "default@b"})
	})
}

// TestRenamedTarget deploys to a machine whose target has got another name in
// the infrastructure model: its profile, its lock and its state are those of the
// target with the new name.
func TestRenamedTarget(t *testing.T) {
	for _, client := range []string{"disnix-ssh-client", "disnix-run-activity", "/opt/bin/client"} {
		t.Run(client, func(t *testing.T) {
			at := func(m *models.Manifest) *models.Manifest {
				for _, target := range m.Infrastructure {
					target.ClientInterface = client
					target.Properties["hostname"] = models.Value{Type: models.String, Text: "machine.example"}
				}
				return m
			}
			old := at(configuration("node1", part{name: "db", on: "node1", stateful: true}))
			next := at(configuration("web", part{name: "db", on: "web", stateful: true}))
			machine := &servicetest.Fake{}
			machine.AddSnapshots("process/db/1")
			s := newSite(t)
			s.targets["node1"], s.targets["web"] = machine, machine
			must(t, s.deployment(old, nil).Deploy(t.Context()))
			s.forget()
			d := s.deployment(next, old)
			d.EmptyProfile = func(context.Context) (string, error) {
				t.Error("the profile is emptied")
				return "", errors.New("it is not to be emptied")
			}
			d.Options.Migration.DeleteState = true
			must(t, d.Deploy(t.Context()))
			equal(t, "profile", machine.Profile("default"), next.Profiles["web"])
			equal(t, "active", machine.Active(), []string{"process/" + modelstest.StorePath("db", 0)})
			equal(t, "locks", machine.Locked(), nil)

			t.Run("and back", func(t *testing.T) {
				locks, err := s.deployment(old, next).Lock(t.Context())
				must(t, err)
				equal(t, "locks", machine.Locked(), []string{"default"})
				must(t, locks.Release(t.Context()))
			})
		})
	}
}
