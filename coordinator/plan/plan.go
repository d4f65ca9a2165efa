// Package plan computes what has to be done to get from one manifest to
// another. It is pure: two manifests in, a [Plan] out; no target is contacted
// and nothing depends on time or on the order of hash tables.
package plan

import (
	"github.com/disnix-go/disnix/models"
)

// Kind is what a step does.
type Kind string

// The kinds of steps.
const (
	Deactivate Kind = "deactivate"
	Activate   Kind = "activate"
	Keep       Kind = "keep" // nothing is executed
)

// Step is one activity on one target.
type Step struct {
	// ID is the index in Plan.Steps.
	ID   int
	Kind Kind
	// Mapping says which service in which container of which target.
	Mapping models.ServiceMapping
	// Service is the service of the mapping.
	Service *models.Service
	// Type is the module: the service's type, or the package path of the
	// service that provides the container.
	Type string
	// Arguments are the container properties as key=value, sorted.
	Arguments []string
	// Reason says why the step is needed, for a person to read.
	Reason string
	// After holds the IDs of the steps that must have succeeded before this
	// one starts, sorted.
	After []int
}

// Plan is what a transition executes. Steps are in a valid order of
// execution: first all deactivations, dependants before their providers, then
// all activations, providers before their dependants. No activation starts
// before the last deactivation has ended.
type Plan struct {
	Steps []*Step
}
