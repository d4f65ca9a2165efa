// Package coordinator carries out deployments: it distributes closures, locks
// the targets, executes the plan, migrates state, and sets the profiles.
//
// The phases are one file each, in this reading order: deploy.go,
// distribute.go, lock.go, transition.go, migrate.go, set.go. What they do is
// recorded in a journal (record.go), from which an interrupted deployment is
// completed or undone (recover.go). Targets are reached
// only through [service.Service]; nothing is printed, a [Reporter] is told
// instead.
package coordinator
