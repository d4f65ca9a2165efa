package plan_test

import (
	"slices"
	"testing"

	"github.com/disnix-go/disnix/coordinator/plan"
	"github.com/disnix-go/disnix/models/modelstest"
)

func TestSubsetKeepsTheOrderAmongWhatIsLeft(t *testing.T) {
	p, err := plan.New(nil, modelstest.Chain(5, 2, 1), plan.Options{})
	if err != nil {
		t.Fatal(err)
	}
	steps := p.Activations()
	subset := plan.Subset(steps, func(s *plan.Step) bool { return s.ID != 0 && s.ID != 3 })
	var after [][]int
	for i, s := range subset {
		if s.ID != i {
			t.Errorf("step %d has the ID %d", i, s.ID)
		}
		after = append(after, s.After)
	}
	// 1 came after 0, which is left out; 4 came after 3, which is, too.
	want := [][]int{nil, {0}, nil}
	if !slices.EqualFunc(after, want, slices.Equal[[]int]) {
		t.Errorf("the steps come after %v, want %v", after, want)
	}
	if steps[1].ID != 1 || len(steps[1].After) != 1 {
		t.Error("the plan was changed")
	}
}
