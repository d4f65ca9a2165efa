package servicetest

import (
	"testing"

	"github.com/disnix-go/disnix/service"
)

// Config says which implementation of the contract is tested.
type Config struct {
	// Machine points the environment of the test at a private Nix store and
	// private state directories, and returns the directory that holds them.
	Machine func(t testing.TB) string
	// Connect connects to a target that is this machine with the environment
	// that the test has at this moment. It closes what it opens at the end of
	// the test.
	Connect func(t *testing.T) service.Service
	// NoShell says that the wire cannot carry a terminal, so that Shell fails
	// with errors.ErrUnsupported.
	NoShell bool
}

// Run tests an implementation of the contract. The tests use the environment
// of the process, so they cannot be parallel.
func Run(t *testing.T, config Config) {
	for _, group := range []struct {
		name  string
		tests []conformanceTest
	}{
		{"Store", storeTests},
		{"Profiles", profileTests},
		{"Locks", lockTests},
		{"Activities", activityTests},
		{"Snapshots", snapshotTests},
	} {
		t.Run(group.name, func(t *testing.T) {
			for _, test := range group.tests {
				t.Run(test.name, func(t *testing.T) { test.run(newMachine(t, config)) })
			}
		})
	}
}

// conformanceTest is one test of the suite; each has a machine of its own.
type conformanceTest struct {
	name string
	run  func(m *machine)
}
