package idassign

import (
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/disnix-go/disnix/models"
)

type ids = map[string]map[string]int

func assign(t *testing.T, m Models) *models.IDs {
	t.Helper()
	got, err := m.Assign()
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func ports(min, max int) map[string]models.IDResource {
	return map[string]models.IDResource{"ports": {Min: min, Max: max}}
}

func needPorts(services ...string) map[string][]string {
	needs := map[string][]string{}
	for _, service := range services {
		needs[service] = []string{"ports"}
	}
	return needs
}

// expect compares ids as the original prints them.
func expect(t *testing.T, got *models.IDs, want string) {
	t.Helper()
	var text strings.Builder
	if err := got.WriteNix(&text); err != nil {
		t.Fatal(err)
	}
	if text.String() != want {
		t.Errorf("got:\n%s\nwant:\n%s", text.String(), want)
	}
}

// TestFacts are the facts of the original's tests (process management page,
// section 8.4).
func TestFacts(t *testing.T) {
	first := assign(t, Models{Services: needPorts("c", "a", "b"), Resources: ports(3000, 4000)})
	t.Run("ids are assigned in the order of names", func(t *testing.T) {
		expect(t, first, `{
  "ids" = {
    "ports" = {
      "a" = 3000;
      "b" = 3001;
      "c" = 3002;
    };
  };
  "lastAssignments" = {
    "ports" = 3002;
  };
}`)
	})
	t.Run("a removed service that comes back gets a new id", func(t *testing.T) {
		without := assign(t, Models{Services: needPorts("b", "c"), Resources: ports(3000, 4000), Previous: first})
		again := assign(t, Models{Services: needPorts("a", "b", "c"), Resources: ports(3000, 4000), Previous: without})
		if want := (ids{"ports": {"a": 3003, "b": 3001, "c": 3002}}); !reflect.DeepEqual(again.Assigned, want) {
			t.Errorf("%v, want %v", again.Assigned, want)
		}
	})
	t.Run("another range keeps what is in it", func(t *testing.T) {
		moved := assign(t, Models{Services: needPorts("a", "b", "c"), Resources: ports(2000, 3000), Previous: first})
		if want := (ids{"ports": {"a": 3000, "b": 2000, "c": 2001}}); !reflect.DeepEqual(moved.Assigned, want) {
			t.Errorf("%v, want %v", moved.Assigned, want)
		}
	})
	t.Run("ids are unique on a machine", func(t *testing.T) {
		got := assign(t, Models{
			Services:     needPorts("a", "b", "c", "unmapped"),
			Distribution: map[string][]string{"a": {"node1"}, "b": {"node2"}, "c": {"node1"}, "unmapped": {}},
			Resources:    map[string]models.IDResource{"ports": {Min: 3000, Max: 4000, Scope: models.MachineScope}, "uids": {Min: 1, Max: 2}},
		})
		expect(t, got, `{
  "ids" = {
    "ports" = {
      "a" = 3000;
      "b" = 3000;
      "c" = 3001;
    };
    "uids" = {
    };
  };
  "lastAssignmentsPerTarget" = {
    "node1" = {
      "ports" = 3001;
    };
    "node2" = {
      "ports" = 3000;
    };
  };
}`)
	})
	t.Run("every target appears once a resource has machine scope", func(t *testing.T) {
		got := assign(t, Models{
			Services:     map[string][]string{"a": {"ports"}, "idle": nil},
			Distribution: map[string][]string{"a": {"node1"}, "idle": {"node2"}},
			Resources:    map[string]models.IDResource{"ports": {Min: 3000, Max: 4000, Scope: models.MachineScope}},
		})
		if want := (ids{"node1": {"ports": 3000}, "node2": {}}); !reflect.DeepEqual(got.LastPerTarget, want) {
			t.Errorf("%v, want %v", got.LastPerTarget, want)
		}
	})
}

func TestWhatIsDropped(t *testing.T) {
	previous := &models.IDs{
		Assigned: ids{
			"ports": {"a": 3000, "gone": 3001, "silent": 3002, "high": 9000, "unmapped": 3003},
			"gone":  {"a": 1},
		},
		Last:          map[string]int{"ports": 3005, "gone": 1},
		LastPerTarget: ids{"node1": {"ports": 3000, "gone": 1}, "gone": {"ports": 3000}},
	}
	m := Models{
		Services:     map[string][]string{"a": {"ports"}, "silent": nil, "high": {"ports"}, "unmapped": {"ports"}},
		Distribution: map[string][]string{"a": {"node1"}, "silent": {"node1"}, "high": {"node1"}},
		Resources:    ports(3000, 4000),
		Previous:     previous,
	}
	got := assign(t, m)
	want := &models.IDs{
		Assigned:      ids{"ports": {"a": 3000, "high": 3006}},
		Last:          map[string]int{"ports": 3006},
		LastPerTarget: ids{"node1": {"ports": 3000}},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, want %+v", got, want)
	}
	m.Distribution = nil
	if got := assign(t, m); len(got.LastPerTarget) != 0 {
		t.Errorf("without a distribution: %+v", got)
	}
}

func TestMistakes(t *testing.T) {
	for want, m := range map[string]Models{
		"Unknown scope: planet":                {Resources: map[string]models.IDResource{"ports": {Scope: "planet"}}},
		"Unknown scope: machine":               {Resources: map[string]models.IDResource{"ports": {Scope: "machine"}}},
		"min 2 is larger than max 1":           {Resources: ports(2, 1)},
		"step -1 is not positive":              {Resources: map[string]models.IDResource{"ports": {Step: -1}}},
		`mapping of service "x", which is not`: {Distribution: map[string][]string{"x": nil}},
	} {
		if _, err := m.Assign(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error: %v, want: %s", err, want)
		}
	}
	_, err := Models{Services: needPorts("a", "b", "c"), Resources: ports(1, 2)}.Assign()
	if !errors.Is(err, ErrDepleted) || !strings.Contains(err.Error(), `resource "ports", service "c"`) {
		t.Errorf("error: %v", err)
	}
	warnings := Models{Services: map[string][]string{"a": {"prots"}}, Resources: ports(1, 2)}.Warnings()
	if len(warnings) != 1 || !strings.Contains(warnings[0], `"prots"`) {
		t.Errorf("%v", warnings)
	}
}

func TestRoughEdge_processmgmt12(t *testing.T) {
	t.Run("processmgmt 12: the step counts", func(t *testing.T) {
		got := assign(t, Models{Services: needPorts("a", "b"), Resources: map[string]models.IDResource{"ports": {Min: 10, Max: 19, Step: 5}}})
		if want := (ids{"ports": {"a": 10, "b": 15}}); !reflect.DeepEqual(got.Assigned, want) {
			t.Errorf("%v", got.Assigned)
		}
	})
	t.Run("processmgmt 12: no id is below min after min was raised", func(t *testing.T) {
		got := assign(t, Models{
			Services: needPorts("a"), Resources: ports(5000, 6000),
			Previous: &models.IDs{Last: map[string]int{"ports": 3000}},
		})
		if got.Assigned["ports"]["a"] != 5000 {
			t.Errorf("%v", got.Assigned)
		}
	})
	t.Run("processmgmt 12: a search with a step ends", func(t *testing.T) {
		_, err := Models{Services: needPorts("a", "b", "c"), Resources: map[string]models.IDResource{"ports": {Min: 0, Max: 9, Step: 5}}}.Assign()
		if !errors.Is(err, ErrDepleted) {
			t.Errorf("error: %v", err)
		}
	})
	t.Run("processmgmt 12: a service on several targets keeps its id", func(t *testing.T) {
		for _, scope := range []models.IDScope{models.GlobalScope, models.MachineScope} {
			m := Models{
				Services:     needPorts("a", "b", "c"),
				Distribution: map[string][]string{"a": {"node1", "node2"}, "b": {"node2"}, "c": {"node1"}},
				Resources:    map[string]models.IDResource{"ports": {Min: 1, Max: 9, Scope: scope}},
			}
			m.Previous = assign(t, m)
			if again := assign(t, m); !reflect.DeepEqual(again, m.Previous) {
				t.Errorf("%+v became %+v", m.Previous, again)
			}
			if id := m.Previous.Assigned["ports"]; id["a"] == id["b"] || id["a"] == id["c"] {
				t.Errorf("two services on one target have the same id: %v", id)
			}
		}
	})
	t.Run("processmgmt 12: a removed target is forgotten, and nothing else", func(t *testing.T) {
		got := assign(t, Models{
			Services:     needPorts("a"),
			Distribution: map[string][]string{"a": {"node1"}},
			Resources:    map[string]models.IDResource{"ports": {Min: 1, Max: 9, Scope: models.MachineScope}},
			Previous: &models.IDs{
				Assigned: ids{"ports": {"a": 4}}, Last: map[string]int{"ports": 7},
				LastPerTarget: ids{"node1": {"ports": 4}, "node2": {"ports": 5}},
			},
		})
		want := &models.IDs{Assigned: ids{"ports": {"a": 4}}, Last: map[string]int{"ports": 7}, LastPerTarget: ids{"node1": {"ports": 4}}}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%+v, want %+v", got, want)
		}
	})
	t.Run("two services never keep the same id", func(t *testing.T) {
		got := assign(t, Models{Services: needPorts("a", "b"), Resources: ports(1, 9), Previous: &models.IDs{Assigned: ids{"ports": {"a": 3, "b": 3}}}})
		if want := (ids{"ports": {"a": 3, "b": 1}}); !reflect.DeepEqual(got.Assigned, want) {
			t.Errorf("%v", got.Assigned)
		}
	})
}

// drawModels makes models of few names, so that collisions are frequent.
func drawModels(t *rapid.T, previous *models.IDs) Models {
	m := Models{Services: map[string][]string{}, Resources: map[string]models.IDResource{}, Previous: previous}
	if rapid.Bool().Draw(t, "distributed") {
		m.Distribution = map[string][]string{}
	}
	for _, name := range []string{"ports", "uids"} {
		min := rapid.IntRange(0, 5).Draw(t, "min")
		resource := models.IDResource{Min: min, Max: min + rapid.IntRange(0, 8).Draw(t, "length"), Step: rapid.IntRange(0, 3).Draw(t, "step")}
		if m.Distribution != nil && rapid.Bool().Draw(t, "machine") {
			resource.Scope = models.MachineScope
		}
		m.Resources[name] = resource
	}
	for i := range rapid.IntRange(0, 6).Draw(t, "services") {
		service := fmt.Sprintf("s%d", i)
		m.Services[service] = rapid.SliceOfDistinct(rapid.SampledFrom([]string{"ports", "uids"}), func(s string) string { return s }).Draw(t, "needs")
		if m.Distribution != nil {
			m.Distribution[service] = rapid.SliceOfDistinct(rapid.SampledFrom([]string{"n1", "n2"}), func(s string) string { return s }).Draw(t, "targets")
		}
	}
	return m
}

func TestProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var previous *models.IDs
		for range 4 {
			m := drawModels(t, previous)
			got, err := m.Assign()
			if errors.Is(err, ErrDepleted) {
				continue
			}
			if err != nil {
				t.Fatal(err)
			}
			m.verify(t, got)
			m.Previous = got
			again, err := m.Assign()
			if err != nil || !reflect.DeepEqual(again, got) {
				t.Fatalf("the second time: %+v became %+v, %v", got, again, err)
			}
			previous = got
		}
	})
}

// verify checks that ids are complete, within ranges, unique, and those of the
// last run where these are valid.
func (m Models) verify(t *rapid.T, got *models.IDs) {
	for name, resource := range m.Resources {
		for service, needs := range m.Services {
			id, has := got.Assigned[name][service]
			if wanted := slices.Contains(needs, name) && m.considered(service); has != wanted {
				t.Fatalf("service %s has an id of %s: %t, want %t", service, name, has, wanted)
			}
			if has && (id < resource.Min || id > resource.Max) {
				t.Fatalf("%d is not in %+v", id, resource)
			}
		}
		for _, pair := range pairsOf(got.Assigned[name]) {
			together := resource.Scope != models.MachineScope ||
				slices.ContainsFunc(m.Distribution[pair[0]], func(target string) bool { return slices.Contains(m.Distribution[pair[1]], target) })
			if together && got.Assigned[name][pair[0]] == got.Assigned[name][pair[1]] {
				t.Fatalf("%v have the same id of %s: %v", pair, name, got.Assigned[name])
			}
		}
		for service, id := range m.valid().Assigned[name] {
			if got.Assigned[name][service] != id {
				t.Fatalf("the id of %s has changed: %d, %v", service, id, got.Assigned[name])
			}
		}
	}
}

func pairsOf(assigned map[string]int) [][2]string {
	names := slices.Sorted(maps.Keys(assigned))
	var pairs [][2]string
	for i := range names {
		for j := range i {
			pairs = append(pairs, [2]string{names[j], names[i]})
		}
	}
	return pairs
}

// FuzzNext checks that the search ends and finds what there is.
func FuzzNext(f *testing.F) {
	f.Add(0, 9, 5, 7, true, uint16(0xffff))
	f.Fuzz(func(t *testing.T, min, length, step, last int, hasLast bool, mask uint16) {
		if length < 0 || length > 100 || step < 1 || min > 1<<40 || min < -1<<40 {
			t.Skip()
		}
		used := map[int]bool{}
		for i := range 16 {
			used[min+i] = mask&(1<<i) != 0
		}
		resource := models.IDResource{Min: min, Max: min + length, Step: step}
		if id, ok := next(resource, last, hasLast, used); ok && (id < resource.Min || id > resource.Max || used[id]) {
			t.Errorf("%d in %+v, used %v", id, resource, used)
		}
	})
}
