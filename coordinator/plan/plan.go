// Package plan computes what has to be done to get from one manifest to
// another. It is pure: two manifests in, a [Plan] out; no target is contacted
// and nothing depends on time or on the order of hash tables.
package plan

import (
	"errors"
	"fmt"
	"maps"

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

// The kinds of steps of a migration of state, which are not part of a [Plan].
const (
	Snapshot    Kind = "snapshot"
	Restore     Kind = "restore"
	DeleteState Kind = "delete state of"
)

// Step is one activity on one target. A step is not changed after it has been
// made, so it may be shared between goroutines.
type Step struct {
	// ID is the index in Plan.Steps, or in what [Inverse] returned.
	ID   int
	Kind Kind
	// Mapping says which service in which container of which target.
	Mapping models.ServiceMapping
	// Service is the service of the mapping.
	Service *models.Service
	// Type is the module: the service's type, or the package path of the
	// service that provides the container.
	Type string
	// Arguments are the container properties as key=value, sorted. Values may
	// be secret: they are for the plugin, never for a log or a person.
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
// before the last deactivation has ended. What is kept comes last.
type Plan struct {
	Steps []*Step
	// Infrastructure holds the targets of both manifests; where they describe
	// one differently, the new description counts (transition, section 1).
	Infrastructure models.Infrastructure
	// Upgrade says that an old manifest was taken into account.
	Upgrade bool

	deactivations, activations int
}

// Options of a plan.
type Options struct {
	// NoUpgrade ignores the old manifest: everything in the new one is
	// activated and nothing is deactivated.
	NoUpgrade bool
}

// New plans the transition from old to new; old is nil if nothing has been
// deployed yet. It takes time and memory linear in the services and their
// dependencies.
//
// A mapping is kept if the same service is in the same container of the same
// target in both manifests, if the same service provides that container, and
// if all this is true of everything it depends on. All others of the old
// manifest are deactivated and all others of the new one are activated
// (transition, section 4; formats, rough edge 5). Services on a target that
// only the old manifest knows are deactivated there.
//
// The error wraps a [models.Problems] with everything that is wrong with the new
// manifest, and with those parts of the old one that matter to the plan: what
// is deployed already can only be mended by an upgrade.
func New(old, new *models.Manifest, o Options) (*Plan, error) {
	upgrade := old != nil && !o.NoUpgrade
	if !upgrade {
		old = &models.Manifest{}
	}
	from, problems := newDeployment("old manifest", old)
	to, more := newDeployment("new manifest", new)
	if complete := validate("new manifest", new); complete != nil {
		more = complete
	}
	if len(problems) > 0 {
		return nil, fmt.Errorf("%w\nto ignore the old manifest, use --no-upgrade", append(problems, more...))
	}
	if len(more) > 0 {
		return nil, more
	}

	p := &planner{
		Plan:      &Plan{Infrastructure: merge(old.Infrastructure, new.Infrastructure), Upgrade: upgrade},
		options:   o,
		from:      newSide(from, to),
		to:        newSide(to, from),
		arguments: make(map[containerOf][]string),
	}
	p.compare()
	p.explain()
	p.deactivate()
	p.activate()
	p.keep()
	return p.Plan, nil
}

// validate returns everything that is wrong with a manifest. Problems begin with
// label.
func validate(label string, m *models.Manifest) models.Problems {
	var problems models.Problems
	errors.As(m.Validate(), &problems)
	for i, err := range problems {
		problems[i] = fmt.Errorf("%s: %w", label, err)
	}
	return problems
}

func merge(old, new models.Infrastructure) models.Infrastructure {
	merged := make(models.Infrastructure, len(new))
	maps.Copy(merged, old)
	maps.Copy(merged, new)
	return merged
}

// Deactivations returns the first part of the steps.
func (p *Plan) Deactivations() []*Step { return p.Steps[:p.deactivations] }

// Activations returns the steps after the deactivations.
func (p *Plan) Activations() []*Step {
	return p.Steps[p.deactivations : p.deactivations+p.activations]
}

// Execution returns the steps that have to be executed: all but the kept ones.
func (p *Plan) Execution() []*Step { return p.Steps[:p.deactivations+p.activations] }

// Kept returns what stays as it is.
func (p *Plan) Kept() []*Step { return p.Steps[p.deactivations+p.activations:] }

// Inverse returns the steps that undo the given ones: in the reverse order,
// each with the opposite kind, numbered from 0. The steps are deactivations or
// activations of one plan, not both, in the plan's order; with a step all
// steps that it comes after must be among them, as is the case with those that
// have been started.
func Inverse(steps []*Step) []*Step {
	inverse := make([]*Step, len(steps))
	number := make(map[int]int, len(steps))
	for i, s := range steps {
		undo := *s
		undo.ID = len(steps) - 1 - i
		undo.After = nil
		undo.Kind, undo.Reason = Activate, "rollback: was deactivated"
		if s.Kind == Activate {
			undo.Kind, undo.Reason = Deactivate, "rollback: was activated"
		}
		number[s.ID] = undo.ID
		inverse[undo.ID] = &undo
	}
	// From the last step to the first, so that every After is sorted.
	for i := len(steps) - 1; i >= 0; i-- {
		for _, before := range steps[i].After {
			undo := inverse[number[before]]
			undo.After = append(undo.After, number[steps[i].ID])
		}
	}
	return inverse
}
