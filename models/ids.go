package models

// IDs are the numbers that were assigned to services, as the ids file holds
// them (process management page, section 8.3).
type IDs struct {
	// Assigned are the ids: resource to service to number.
	Assigned map[string]map[string]int
	// Last are the ids that were assigned last: of resources with global
	// scope.
	Last map[string]int
	// LastPerTarget are those of resources with machine scope: target to
	// resource to number.
	LastPerTarget map[string]map[string]int
}

// IDResource is a range of numbers that services get ids from.
type IDResource struct {
	// Min and Max are the first and last number.
	Min, Max int
	// Scope is where ids must be unique; empty means GlobalScope.
	Scope IDScope
	// Step is the distance of ids; 0 means 1.
	Step int
}

// IDScope is where ids must be unique.
type IDScope string

// The scopes.
const (
	GlobalScope  IDScope = "global"
	MachineScope IDScope = "machine"
)
