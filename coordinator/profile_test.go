package coordinator_test

import (
	"testing"

	"github.com/disnix-go/disnix/coordinator"
	"github.com/disnix-go/disnix/models"
)

func TestProfileName(t *testing.T) {
	local := &models.Target{ClientInterface: "disnix-run-activity"}
	remote := &models.Target{ClientInterface: "disnix-ssh-client"}
	for _, test := range []struct {
		name           string
		infrastructure models.Infrastructure
		target, want   string
	}{
		{"one local target", models.Infrastructure{"a": local, "b": remote}, "a", "default"},
		{"several local targets", models.Infrastructure{"a": local, "b": local, "c": remote}, "a", "default@a"},
		{"a remote target beside them", models.Infrastructure{"a": local, "b": local, "c": remote}, "c", "default"},
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
