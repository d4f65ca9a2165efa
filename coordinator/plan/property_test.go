package plan_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/disnix-go/disnix/coordinator/plan"
	"github.com/disnix-go/disnix/models"
)

// tester is what testing.TB and rapid.T have in common.
type tester interface {
	Helper()
	Fatalf(format string, arguments ...any)
}

type active map[models.ServiceMapping]bool

func activeIn(m *models.Manifest) active {
	set := make(active)
	if m != nil {
		for _, sm := range m.ServiceMappings {
			set[sm] = true
		}
	}
	return set
}

// perform carries out a step, and checks that it is possible now: what a
// service needs is active as long as it is itself.
func (a active) perform(t tester, s *plan.Step) {
	t.Helper()
	present := make(map[models.Dependency]bool)
	for sm := range a {
		present[sm.Identity()] = true
	}
	switch s.Kind {
	case plan.Deactivate:
		if !a[s.Mapping] {
			t.Fatalf("%v is deactivated, but not active", s.Mapping)
		}
		delete(a, s.Mapping)
	case plan.Activate:
		if present[s.Mapping.Identity()] {
			t.Fatalf("%v is activated, but active already", s.Mapping)
		}
		for _, d := range s.Service.DependsOn {
			if !present[d] {
				t.Fatalf("%v is activated before %v", s.Mapping, d)
			}
		}
		a[s.Mapping] = true
	}
}

// checkPlan carries out the plan and undoes it again.
func checkPlan(t tester, old, new *models.Manifest, p *plan.Plan) {
	t.Helper()
	system := activeIn(old)
	for i, s := range p.Steps {
		checkStep(t, s, i)
		system.perform(t, s)
	}
	if !maps.Equal(system, activeIn(new)) {
		t.Fatalf("the plan ends with %v active, want %v", system, activeIn(new))
	}
	for _, s := range p.Kept() {
		if !system[s.Mapping] {
			t.Fatalf("%v is kept, but not in the manifest", s.Mapping)
		}
	}
	for _, steps := range [][]*plan.Step{p.Activations(), p.Deactivations()} {
		for i, s := range plan.Inverse(steps) {
			checkStep(t, s, i)
			system.perform(t, s)
		}
	}
	if !maps.Equal(system, activeIn(old)) {
		t.Fatalf("the inverse ends with %v active, want %v", system, activeIn(old))
	}
}

func checkStep(t tester, s *plan.Step, id int) {
	t.Helper()
	if s.ID != id || s.Reason == "" || s.Service == nil {
		t.Fatalf("step %d is incomplete: %+v", id, s)
	}
	for i, before := range s.After {
		if before < 0 || before >= id || i > 0 && before <= s.After[i-1] {
			t.Fatalf("step %d comes after %v", id, s.After)
		}
	}
}

// drawSystem draws a consistent system, as an evaluation makes it.
func drawSystem(t *rapid.T, label string) *models.Manifest {
	names := rapid.SliceOfNDistinct(rapid.StringMatching("[a-h]"), 0, 8, rapid.ID).Draw(t, label+" names")
	slices.Sort(names)
	units := make([]unit, len(names))
	for i, name := range names {
		draw := func(what string) string { return fmt.Sprint(label, " ", name, " ", what) }
		units[i] = unit{
			name:      name,
			version:   rapid.SampledFrom([]string{"1", "2"}).Draw(t, draw("version")),
			on:        rapid.SampledFrom([]string{"node1", "node2", "node1 node2"}).Draw(t, draw("on")),
			container: rapid.SampledFrom([]string{"process", "echo"}).Draw(t, draw("container")),
			dependsOn: rapid.SliceOfNDistinct(rapid.SampledFrom(append(slices.Clone(names[:i]), "nothing")), 0, 3, rapid.ID).Draw(t, draw("dependencies")),
		}
	}
	return system(units...)
}

func TestPlanLeadsFromOldToNewAndBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		old, new := drawSystem(t, "old"), drawSystem(t, "new")
		p, err := plan.New(old, new, plan.Options{})
		if err != nil {
			t.Fatalf("plan: %v", err)
		}
		checkPlan(t, old, new, p)

		// Exactly what has no counterpart is touched (transition, section 4).
		before, after := activeIn(old), activeIn(new)
		kept := 0
		for sm := range before {
			if after[sm] {
				kept++
			}
		}
		if len(p.Kept()) != kept {
			t.Fatalf("%d mappings kept, want %d", len(p.Kept()), kept)
		}
	})
}

func TestPlanDoesNotDependOnTheOrderOfMappings(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		old, new := drawSystem(t, "old"), drawSystem(t, "new")
		random := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
		want := encode(t, old, new)
		for range 3 {
			for _, m := range []*models.Manifest{old, new} {
				random.Shuffle(len(m.ServiceMappings), func(i, j int) {
					m.ServiceMappings[i], m.ServiceMappings[j] = m.ServiceMappings[j], m.ServiceMappings[i]
				})
			}
			if got := encode(t, old, new); got != want {
				t.Fatalf("the plan is\n%s\nwith shuffled mappings\n%s", want, got)
			}
		}
	})
}

func encode(t tester, old, new *models.Manifest) string {
	p, err := plan.New(old, new, plan.Options{})
	if err != nil {
		t.Fatalf("plan: %v", err)
	}
	text, err := json.Marshal(p)
	if err != nil {
		t.Fatalf("encode: %v", err)
	}
	return string(text)
}

// drawAnything draws a manifest that may be wrong in every way, but mostly is
// in a few.
func drawAnything(t *rapid.T, label string) *models.Manifest {
	usually := func(rarely, mostly string) *rapid.Generator[string] {
		return rapid.Custom(func(t *rapid.T) string {
			if rapid.IntRange(0, 19).Draw(t, "rarely") == 0 {
				return rarely
			}
			return mostly
		})
	}
	m := &models.Manifest{
		Services:       make(map[string]*models.Service),
		Infrastructure: make(models.Infrastructure),
	}
	for _, name := range []string{"node1", "node2"} {
		target := usually("node3", name).Draw(t, label+" target")
		m.Infrastructure[target] = newTarget(target)
	}
	for i := range rapid.IntRange(0, 6).Draw(t, label+" mappings") {
		m.ServiceMappings = append(m.ServiceMappings, models.ServiceMapping{
			Service:   rapid.SampledFrom([]string{"k1", "k2", "k3", "k4"}).Draw(t, label+" key"),
			Container: "process",
			Target:    usually("node4", fmt.Sprintf("node%d", 1+i%2)).Draw(t, label+" on"),
		})
	}
	dependency := rapid.Custom(func(t *rapid.T) models.Dependency {
		if len(m.ServiceMappings) == 0 {
			return models.Dependency{}
		}
		sm := rapid.SampledFrom(m.ServiceMappings).Draw(t, "dependency")
		sm.Container = usually("elsewhere", sm.Container).Draw(t, "container")
		return sm.Identity()
	})
	for i, sm := range m.ServiceMappings {
		m.Services[sm.Service] = &models.Service{
			Name:      rapid.SampledFrom([]string{"a", "b"}).Draw(t, label+" name"),
			Package:   rapid.SampledFrom([]string{"/nix/store/1", "/nix/store/2"}).Draw(t, label+" package"),
			Type:      usually("", "process").Draw(t, label+" type"),
			DependsOn: rapid.SliceOfN(dependency, 0, 1).Draw(t, label+" dependencies"),
		}
		if usually("provided", "").Draw(t, label+" provided") != "" {
			m.ServiceMappings[i].ContainerProvidedByService = dependency.Draw(t, label+" provider").Service
		}
	}
	if usually("missing", "").Draw(t, label+" missing") != "" {
		delete(m.Services, "k1")
	}
	for _, sm := range m.ServiceMappings {
		if provider := m.Services[sm.ContainerProvidedByService]; provider != nil {
			provider.ProvidesContainers = map[string]models.Properties{sm.Container: nil}
		}
	}
	return m
}

func anyManifests(t *rapid.T) {
	old, new := drawAnything(t, "old"), drawAnything(t, "new")
	p, err := plan.New(old, new, plan.Options{})
	if err != nil {
		return
	}
	// Duplicates are executed once; nothing else is strange in a valid plan.
	for _, m := range []*models.Manifest{old, new} {
		seen := make(map[models.Dependency]bool)
		m.ServiceMappings = slices.DeleteFunc(m.ServiceMappings, func(sm models.ServiceMapping) bool {
			duplicate := seen[sm.Identity()]
			seen[sm.Identity()] = true
			return duplicate
		})
	}
	checkPlan(t, old, new, p)
}

func TestAnyManifests(t *testing.T) { rapid.Check(t, anyManifests) }

func FuzzAnyManifests(f *testing.F) { f.Fuzz(rapid.MakeFuzz(anyManifests)) }
