package coordinator

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/disnix-go/disnix/models"
	"github.com/disnix-go/disnix/service"
)

// Build is a build of store derivations on the targets.
type Build struct {
	// Derivations says what is built where.
	Derivations *models.DistributedDerivation
	// Targets reaches the interfaces of the distributed derivation, by name.
	Targets *Targets
	// Store is the Nix store of the coordinator. It has the derivations, and
	// gets the results.
	Store    service.Store
	Reporter Reporter
	// Transfers is the number of targets to or from which closures are copied
	// at once; below one means 2.
	Transfers int
}

// machineBuild is what one target builds: each derivation once, however often
// it is mapped there.
type machineBuild struct {
	target      string
	derivations []string
	outputs     [][]string // the results of each derivation
}

// Run copies the derivations to the targets, builds them there and copies the
// results to the store of the coordinator (transition, section 9). A target
// builds as many derivations at once as it has cores, and all targets build at
// the same time.
//
// Each phase is completed on all targets before the next one; after a failure
// on a target the others are still served, and there is no next phase. Nothing
// but the stores is changed.
func (b *Build) Run(ctx context.Context) error {
	builds := b.byTarget()
	b.Reporter.Progress("", "Distributing store derivation files...")
	if err := inParallel(ctx, builds, b.transfers(), func(m *machineBuild) error { return b.distribute(ctx, m) }); err != nil {
		return fmt.Errorf("distribute store derivation files: %w", err)
	}
	b.Reporter.Progress("", "Realising store derivation files...")
	if err := inParallel(ctx, builds, 0, func(m *machineBuild) error { return b.realise(ctx, m) }); err != nil {
		return fmt.Errorf("build on the targets: %w", err)
	}
	b.Reporter.Progress("", "Retrieving build results...")
	if err := inParallel(ctx, builds, b.transfers(), func(m *machineBuild) error { return b.retrieve(ctx, m) }); err != nil {
		return fmt.Errorf("retrieve build results: %w", err)
	}
	return nil
}

func (b *Build) transfers() int { return transfersOr(b.Transfers) }

// byTarget assigns the derivations to their targets, which are sorted; the
// derivations keep their order.
func (b *Build) byTarget() []*machineBuild {
	builds := make(map[string]*machineBuild)
	assigned := make(map[models.DerivationMapping]bool)
	for _, mapping := range b.Derivations.Mappings {
		if assigned[mapping] {
			continue
		}
		assigned[mapping] = true
		if builds[mapping.Interface] == nil {
			builds[mapping.Interface] = &machineBuild{target: mapping.Interface}
		}
		m := builds[mapping.Interface]
		m.derivations = append(m.derivations, mapping.Derivation)
	}
	sorted := make([]*machineBuild, 0, len(builds))
	for _, target := range slices.Sorted(maps.Keys(builds)) {
		m := builds[target]
		m.outputs = make([][]string, len(m.derivations))
		sorted = append(sorted, m)
	}
	return sorted
}

// distribute copies the closures of all derivations of a target at once.
func (b *Build) distribute(ctx context.Context, m *machineBuild) error {
	for _, derivation := range m.derivations {
		b.Reporter.Progress(m.target, "Receiving intra-dependency closure of store derivation: "+derivation)
	}
	to, err := b.Targets.Get(ctx, m.target)
	if err == nil {
		if _, err = service.CopyClosure(ctx, b.Store, to, m.derivations); err != nil {
			err = fmt.Errorf("target %q: copy the closures of %d store derivations: %w", m.target, len(m.derivations), err)
		}
	}
	if err != nil {
		for _, derivation := range m.derivations {
			b.Reporter.Problem(m.target, "Cannot receive intra-dependency closure of store derivation: "+derivation)
		}
	}
	return err
}

// realise builds the derivations of a target, as many at once as it has cores.
func (b *Build) realise(ctx context.Context, m *machineBuild) error {
	on, err := b.Targets.Get(ctx, m.target)
	if err != nil {
		return err // it names the target
	}
	numbers := make([]int, len(m.derivations))
	for i := range numbers {
		numbers[i] = i
	}
	cores := b.Derivations.Interfaces[m.target].NumOfCores
	return inParallel(ctx, numbers, max(1, cores), func(i int) error {
		derivation := m.derivations[i]
		b.Reporter.Progress(m.target, "Realising derivation: "+derivation)
		outputs, err := on.Realise(ctx, []string{derivation})
		if err != nil {
			b.Reporter.Problem(m.target, "Realising derivation: "+derivation+" has failed!")
			return fmt.Errorf("target %q: %w", m.target, err)
		}
		m.outputs[i] = outputs
		return nil
	})
}

// retrieve copies the results of a target to the coordinator at once.
func (b *Build) retrieve(ctx context.Context, m *machineBuild) error {
	for _, outputs := range m.outputs {
		b.Reporter.Progress(m.target, "Sending build results to coordinator: "+strings.Join(outputs, " "))
	}
	from, err := b.Targets.Get(ctx, m.target)
	if err == nil {
		if _, err = service.CopyClosure(ctx, from, b.Store, slices.Concat(m.outputs...)); err != nil {
			err = fmt.Errorf("target %q: copy the results of %d store derivations: %w", m.target, len(m.derivations), err)
		}
	}
	if err != nil {
		for _, derivation := range m.derivations {
			b.Reporter.Problem(m.target, "Cannot send build result of store derivation to coordinator: "+derivation)
		}
	}
	return err
}
