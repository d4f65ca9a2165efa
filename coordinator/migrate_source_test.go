package coordinator_test

import (
	"testing"

	"github.com/disnix-go/disnix/coordinator"
	"github.com/disnix-go/disnix/models"
)

// TestMigrateToContainerOfAnotherName: state follows its component into one of
// several servers of a machine, and back.
func TestMigrateToContainerOfAnotherName(t *testing.T) {
	orders := func(container, on string) *models.Manifest {
		return configuration("a b", part{name: "orders", on: on, container: container, kind: "db", stateful: true})
	}
	for _, test := range []struct {
		name     string
		old, new *models.Manifest
		from, to string
		options  coordinator.MigrationOptions
	}{
		{"to another machine", orders("db", "a"), orders("db-1", "b"), "a/db/orders", "b/db-1/orders", coordinator.MigrationOptions{}},
		{"on the same machine", orders("db-1", "a"), orders("db-2", "a"), "a/db-1/orders", "a/db-2/orders", coordinator.MigrationOptions{}},
		{"depth-first", orders("db-1", "a"), orders("db-2", "a"), "a/db-1/orders", "a/db-2/orders", coordinator.MigrationOptions{DepthFirst: true, Keep: 1}},
		{"every generation", orders("db-1", "b"), orders("db", "a"), "b/db-1/orders", "a/db/orders", coordinator.MigrationOptions{All: true}},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := newSite(t)
			s.setData(test.from, "1001")
			d := s.deployment(test.new, test.old)
			d.Options.Migration = test.options
			migrate(t, d)
			equal(t, "restored", s.allData()[test.to], "1001")

			// Once more: the receiver has the snapshot already.
			s.setData(test.to, "")
			migrate(t, d)
			equal(t, "restored again", s.allData()[test.to], "1001")
		})
	}
}
