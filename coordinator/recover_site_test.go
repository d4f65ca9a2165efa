package coordinator_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/disnix-go/disnix/coordinator"
	"github.com/disnix-go/disnix/coordinator/journal"
	"github.com/disnix-go/disnix/models"
	"github.com/disnix-go/disnix/models/modelstest"
	"github.com/disnix-go/disnix/service"
	"github.com/disnix-go/disnix/service/fault"
)

// mortal is a site whose coordinator may die: from one fault point on,
// nothing that it does has an effect any more.
type mortal struct {
	*site
	place    journal.Place
	old, new *models.Manifest
	oldPath  string
	newPath  string

	mu     sync.Mutex
	points int  // that were passed
	silent bool // targets do not tell who has locked them
	last   int  // the one at which the coordinator dies; 0 means never
}

var errDead = errors.New("the coordinator is dead")

// newMortal returns a site on which the old configuration, if there is one, is
// deployed.
func newMortal(t testing.TB, old, new *models.Manifest) *mortal {
	t.Helper()
	dir, err := os.MkdirTemp(t.TempDir(), "")
	must(t, err)
	m := &mortal{
		site:  newSite(t),
		place: journal.Place{Dir: dir, Profile: "default"},
		old:   old,
		new:   new,
	}
	m.newPath = writeManifest(t, dir, "new.xml", new)
	if old != nil {
		m.oldPath = writeManifest(t, dir, "old.xml", old)
		must(t, m.deployment(old, nil).Deploy(t.Context()))
	}
	m.forget()
	return m
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func writeManifest(t testing.TB, dir, name string, m *models.Manifest) string {
	t.Helper()
	path := filepath.Join(dir, name)
	file, err := os.Create(path)
	must(t, err)
	must(t, errors.Join(m.WriteXML(file), file.Close()))
	return path
}

// emptyProfile is the path of a profile without services.
var emptyProfile = modelstest.StorePath("no-services", 1)

// upgrade is the deployment of the new configuration.
func (m *mortal) upgrade() *coordinator.Deployment {
	d := m.deployment(m.new, m.old)
	d.ManifestPath, d.PreviousPath = m.newPath, m.oldPath
	d.Journal = &m.place
	d.Purpose = "test"
	d.EmptyProfile = func(context.Context) (string, error) {
		m.here.AddValid(emptyProfile)
		return emptyProfile, nil
	}
	if m.old != nil {
		for _, profile := range m.old.Profiles {
			m.here.AddValid(profile)
		}
	}
	d.Targets = coordinator.NewTargets(coordinator.ReachableInfrastructure(m.new, m.old),
		func(_ context.Context, t *models.Target) (service.Service, error) {
			return fault.Service(silentTarget{m.target(t.Name), m}), nil
		})
	return d
}

// silentTarget does not tell who holds a lock, as the original's.
type silentTarget struct {
	service.Service
	site *mortal
}

func (t silentTarget) Lock(ctx context.Context, profile string) error {
	err := t.Service.Lock(ctx, profile)
	var locked *service.LockedError
	if t.site.silent && errors.As(err, &locked) {
		return errors.New("the lock file exists")
	}
	return err
}

// dyingAt does something that a coordinator does, which dies at a fault point,
// and reports whether it has died.
func (m *mortal) dyingAt(point int, do func()) (died bool) { return m.failingFrom("", point, do) }

// failingFrom is the same with only those points whose name begins so.
func (m *mortal) failingFrom(prefix string, point int, do func()) (failed bool) {
	m.points, m.last = 0, point
	restore := fault.Inject(func(name string) error {
		m.mu.Lock()
		defer m.mu.Unlock()
		if !strings.HasPrefix(name, prefix) {
			return nil
		}
		m.points++
		if m.last > 0 && m.points >= m.last {
			return errDead
		}
		return nil
	})
	defer restore()
	do()
	return m.last > 0 && m.points >= m.last
}

// recover completes or undoes what is unfinished. It returns what was known
// to be done before.
func (m *mortal) recover(ctx context.Context, direction journal.Direction) (before []journal.Outcome, err error) {
	j, err := journal.Open(m.place)
	if err != nil {
		return nil, err
	}
	before = j.State().All()
	recorded, err := coordinator.ReadRecorded(j.State())
	if err != nil {
		return before, errors.Join(err, j.Leave())
	}
	d := m.upgrade()
	d.Options = recorded.Options
	if direction == journal.Forward {
		return before, d.Resume(ctx, j)
	}
	return before, d.Abort(ctx, j)
}

// wrong returns how the site differs from what it shall be after a deployment
// that led there.
func (m *mortal) wrong(direction journal.Direction) []string {
	want := m.new
	if direction == journal.Back {
		want = m.old
	}
	if want == nil {
		want = new(models.Manifest)
	}
	var wrong []string
	if got, want := m.active(), expected(want); !slices.Equal(got, want) {
		wrong = append(wrong, "active are:", list(got), "instead of:", list(want))
	}
	for name := range m.new.Profiles {
		got := m.target(name).Profile("default")
		if got != want.Profiles[name] && (want.Profiles[name] != "" || got != emptyProfile) {
			wrong = append(wrong, "the profile of "+name+" is "+got)
		}
		if len(m.target(name).Locked()) > 0 {
			wrong = append(wrong, name+" is locked")
		}
	}
	if err := journal.Check(m.place); err != nil {
		wrong = append(wrong, err.Error())
	}
	return wrong
}

func list(lines []string) string {
	text := ""
	for _, line := range lines {
		text += "\n  " + line
	}
	return text
}
