package network

import "testing"

// TestCoordinatorKilled kills the coordinator in phases in which targets are
// locked: one command completes or undoes the upgrade, and leaves no locks.
func TestCoordinatorKilled(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ fault, command, greeting string }{
		"lock":       {"target/lock/done#2:kill", "--abort", "Hello"},
		"activation": {"target/activate/done:kill", "--resume", "Good morning"},
		"set":        {"target/set/done:kill", "--abort", "Hello"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSystem(t)
			s.coordinator.Run(t, deployment(first, "Hello")...)
			if stdout, _, err := s.coordinator.Try(t, deployment(first, "Good morning", "DISNIX_FAULT="+c.fault)...); err == nil {
				t.Fatalf("the coordinator was not killed:\n%s", stdout)
			}
			s.coordinator.Run(t, "disnix-env", c.command)
			s.requireGreeting(t, c.greeting)
			s.requireUnlocked(t)
		})
	}
}
