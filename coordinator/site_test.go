package coordinator_test

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/disnix-go/disnix/coordinator"
	"github.com/disnix-go/disnix/coordinator/plan"
	"github.com/disnix-go/disnix/models"
	"github.com/disnix-go/disnix/models/modelstest"
	"github.com/disnix-go/disnix/models/nix"
	"github.com/disnix-go/disnix/service"
	"github.com/disnix-go/disnix/service/servicetest"
)

// part is a service of a test configuration.
type part struct {
	name      string
	version   int
	on        string   // targets, separated by blanks
	container string   // process if empty
	kind      string   // its type; the container if empty
	stateful  bool     // its state is managed
	dependsOn []string // parts that come before; others do not count
	provides  string   // the container that it provides
	in        string   // the part that provides its container
}

// configuration makes a manifest; every target has a profile whose path
// depends on the parts that are there.
func configuration(targets string, parts ...part) *models.Manifest {
	m := &models.Manifest{
		Profiles:       make(map[string]string),
		Services:       make(map[string]*models.Service),
		Infrastructure: make(models.Infrastructure),
	}
	contents := make(map[string]int)
	for _, target := range strings.Fields(targets) {
		contents[target] = 0
		m.Infrastructure[target] = &models.Target{
			Name:            target,
			Properties:      models.Properties{"hostname": {Type: models.String, Text: target + ".example"}},
			Containers:      map[string]models.Properties{"process": {"place": {Type: models.String, Text: target}}},
			NumOfCores:      2,
			ClientInterface: "disnix-ssh-client",
			TargetProperty:  "hostname",
		}
	}
	mapped := make(map[string][]models.Dependency)
	for i, p := range parts {
		if p.container == "" {
			p.container = "process"
		}
		s := &models.Service{Name: p.name, Type: cmp.Or(p.kind, p.container), Package: modelstest.StorePath(p.name, p.version)}
		for _, name := range p.dependsOn {
			s.DependsOn = append(s.DependsOn, mapped[name]...)
		}
		provider := ""
		if p.in != "" {
			provider = mapped[p.in][0].Service
			s.DependsOn = append(s.DependsOn, mapped[p.in]...)
		}
		if p.provides != "" {
			s.ProvidesContainers = map[string]models.Properties{
				p.provides: {"version": {Type: models.Int, Text: fmt.Sprint(p.version)}},
			}
		}
		key := models.ServiceKey(s.Name, s.Type, s.Package, s.DependsOn)
		m.Services[key] = s
		for _, target := range strings.Fields(p.on) {
			mapping := models.ServiceMapping{Service: key, Container: p.container, Target: target, ContainerProvidedByService: provider}
			m.ServiceMappings = append(m.ServiceMappings, mapping)
			mapped[p.name] = append(mapped[p.name], mapping.Identity())
			if p.stateful {
				m.SnapshotMappings = append(m.SnapshotMappings, models.SnapshotMapping{ServiceMapping: mapping, Component: p.name})
			}
			contents[target] = 31*contents[target] + 100*i + p.version + 1
		}
	}
	for target, content := range contents {
		m.Profiles[target] = modelstest.StorePath(target, content)
	}
	return m
}

// site is a set of targets in memory and a coordinator, whose components have
// data: activities on state behave as those of a database would.
type site struct {
	t       testing.TB
	targets map[string]*servicetest.Fake
	here    *servicetest.Fake // the coordinator's store and snapshots
	report  *record
	// onCall may fail, delay or observe the operations of the targets.
	onCall func(ctx context.Context, target string, call servicetest.Call) error
	// unreachable says which targets cannot be connected to.
	unreachable map[string]bool

	mu   sync.Mutex
	data map[string]string // target/container/component -> content
	log  []string          // operations in order, as "target operation component"
}

func newSite(t testing.TB) *site {
	return &site{
		t:           t,
		targets:     make(map[string]*servicetest.Fake),
		here:        new(servicetest.Fake),
		report:      new(record),
		unreachable: make(map[string]bool),
		data:        make(map[string]string),
	}
}

// target returns the target with that name.
func (s *site) target(name string) *servicetest.Fake {
	s.mu.Lock()
	defer s.mu.Unlock()
	fake, ok := s.targets[name]
	if !ok {
		fake = new(servicetest.Fake)
		fake.Hook = func(ctx context.Context, call servicetest.Call) error { return s.called(ctx, name, fake, call) }
		s.targets[name] = fake
	}
	return fake
}

func (s *site) called(ctx context.Context, name string, fake *servicetest.Fake, call servicetest.Call) error {
	a := call.Activity
	component := nix.PackageName(a.Component)
	s.mu.Lock()
	s.log = append(s.log, strings.TrimSuffix(name+" "+call.Operation+" "+component, " ."))
	s.mu.Unlock()
	if s.onCall != nil {
		if err := s.onCall(ctx, name, call); err != nil {
			return err
		}
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	place := name + "/" + a.Container + "/" + component
	switch call.Operation {
	case "snapshot":
		if content, ok := s.data[place]; ok {
			fake.AddSnapshots(a.Container + "/" + component + "/" + content)
		}
	case "delete-state":
		if !slices.Contains(fake.Active(), a.Container+"/"+a.Component) {
			delete(s.data, place)
		}
	case "restore":
		var latest string
		for _, c := range fake.Calls() {
			if c.Operation == "import-snapshots" && c.Words[0] == a.Container && c.Words[1] == component {
				latest = c.Words[2]
			}
			if c.Operation == "register-snapshots" && c.Words[0] == a.Container && c.Words[1] == component {
				latest = c.Words[2][strings.LastIndexByte(c.Words[2], '/')+1:]
			}
		}
		if latest != "" {
			s.data[place] = latest
		}
	}
	return nil
}

// deployment prepares the deployment of a configuration; the coordinator has
// its profiles in its store.
func (s *site) deployment(manifest, previous *models.Manifest) *coordinator.Deployment {
	s.t.Helper()
	for _, profile := range manifest.Profiles {
		s.here.AddValid(profile)
	}
	infrastructure := coordinator.ReachableInfrastructure(manifest, previous)
	targets := coordinator.NewTargets(infrastructure, func(_ context.Context, t *models.Target) (service.Service, error) {
		if s.unreachable[t.Name] {
			return nil, errors.New("no route to host")
		}
		return s.target(t.Name), nil
	})
	s.t.Cleanup(func() {
		if err := targets.Close(); err != nil {
			s.t.Error(err)
		}
	})
	d := &coordinator.Deployment{
		Manifest:     manifest,
		Previous:     previous,
		ManifestPath: "new.xml",
		Targets:      targets,
		Store:        s.here,
		Snapshots:    s.here,
		Reporter:     s.report,
		Options: coordinator.Options{
			NoCoordinatorProfile: true,
			Migration:            coordinator.MigrationOptions{Keep: 1},
		},
	}
	if previous != nil {
		d.PreviousPath = "old.xml"
	}
	return d
}

// forget forgets what was called and reported so far.
func (s *site) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.log = nil
	*s.report = record{}
}

// operations returns what was called, in order; only the named operations if
// there are any.
func (s *site) operations(names ...string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(s.log), func(line string) bool {
		return len(names) > 0 && !slices.Contains(names, strings.Fields(line)[1])
	})
}

// count returns how often an operation was called.
func (s *site) count(line string) int {
	n := 0
	for _, l := range s.operations() {
		if l == line {
			n++
		}
	}
	return n
}

func (s *site) setData(place, content string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.data[place] = content
}

func (s *site) allData() map[string]string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.data)
}

// active returns target/container/package name of what is active.
func (s *site) active() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []string
	for name, fake := range s.targets {
		for _, component := range fake.Active() {
			all = append(all, name+"/"+component)
		}
	}
	slices.Sort(all)
	return all
}

// expected returns what active returns while a configuration is active.
func expected(m *models.Manifest) []string {
	var all []string
	for _, mapping := range m.ServiceMappings {
		all = append(all, mapping.Target+"/"+mapping.Container+"/"+m.Services[mapping.Service].Package)
	}
	slices.Sort(all)
	return all
}

// assertUnlocked fails the test if a lock is held, or if locks and unlocks
// were not balanced.
func (s *site) assertUnlocked() {
	s.t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	for name, fake := range s.targets {
		if locked := fake.Locked(); len(locked) > 0 {
			s.t.Errorf("target %s: %v is still locked", name, locked)
		}
	}
}

// failOn makes operations fail: "target operation", or "target operation
// component".
func (s *site) failOn(what ...string) {
	s.onCall = func(_ context.Context, target string, call servicetest.Call) error {
		short := target + " " + call.Operation
		long := short + " " + nix.PackageName(call.Activity.Component)
		if slices.Contains(what, short) || slices.Contains(what, long) {
			return errInjected
		}
		return nil
	}
}

var errInjected = errors.New("injected failure")

// record is a [coordinator.Reporter] that remembers everything.
type record struct {
	mu       sync.Mutex
	progress []string
	problems []string
	notices  []string
	output   bytes.Buffer
}

func (r *record) Progress(target, message string) { r.add(&r.progress, target, message) }
func (r *record) Problem(target, message string)  { r.add(&r.problems, target, message) }
func (r *record) Notice(text string)              { r.add(&r.notices, "", text) }

func (r *record) add(list *[]string, target, message string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if target != "" {
		message = target + ": " + message
	}
	*list = append(*list, message)
}

func (r *record) PlanReady([]*plan.Step)                        {}
func (r *record) StepStarted(*plan.Step)                        {}
func (r *record) StepFinished(*plan.Step, time.Duration, error) {}
func (r *record) Output(string) io.Writer                       { return recordWriter{r} }

type recordWriter struct{ *record }

func (w recordWriter) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.output.Write(p)
}

func contains(t testing.TB, list []string, part string) {
	t.Helper()
	if !slices.ContainsFunc(list, func(line string) bool { return strings.Contains(line, part) }) {
		t.Errorf("nothing contains %q:\n%s", part, strings.Join(list, "\n"))
	}
}

func containsNot(t testing.TB, list []string, part string) {
	t.Helper()
	if slices.ContainsFunc(list, func(line string) bool { return strings.Contains(line, part) }) {
		t.Errorf("something contains %q:\n%s", part, strings.Join(list, "\n"))
	}
}

func errorContains(t testing.TB, err error, parts ...string) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error; want one that contains %q", parts)
	}
	for _, part := range parts {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("the error does not contain %q:\n%v", part, err)
		}
	}
}

func equal[T any](t testing.TB, what string, got, want T) {
	t.Helper()
	if g, w := fmt.Sprintf("%q", any(got)), fmt.Sprintf("%q", any(want)); g != w {
		t.Errorf("%s:\n got %s\nwant %s", what, g, w)
	}
}
