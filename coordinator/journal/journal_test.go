package journal_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/disnix-go/disnix/coordinator/journal"
	"github.com/disnix-go/disnix/service/fault"
)

var (
	description = journal.Description{New: "/nix/store/new.xml", Old: "/nix/store/old.xml", NewHash: "1", OldHash: "2"}
	run         = journal.Run{Direction: journal.Forward, User: "alice", Host: "here", PID: 7, Purpose: "disnix-env", Began: time.Unix(0, 0)}
	errRefused  = errors.New("refused")
)

func activate(name string) journal.Action {
	return journal.Action{Kind: journal.Activate, Target: "node1", Container: "process", Subject: name}
}

func create(t testing.TB, place journal.Place) *journal.Journal {
	t.Helper()
	j, err := journal.Create(place, description, run, 10)
	if err != nil {
		t.Fatal(err)
	}
	return j
}

func newPlace(t testing.TB) journal.Place {
	t.Helper()
	return journal.Place{Dir: t.TempDir(), Profile: "default"}
}

// reopen opens a journal that was left.
func reopen(t testing.TB, place journal.Place) *journal.Journal {
	t.Helper()
	j, err := journal.Open(place)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = j.Leave() })
	return j
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func succeed() error { return nil }

func TestJournalTellsWhatWasDone(t *testing.T) {
	place := newPlace(t)
	j := create(t, place)
	must(t, j.Enter(journal.Locking))
	must(t, j.Enter(journal.Transition))
	must(t, j.Do(activate("a"), succeed))
	if err := j.Do(activate("b"), func() error { return errRefused }); !errors.Is(err, errRefused) {
		t.Errorf("an action that fails: %v", err)
	}
	deactivation := activate("a")
	deactivation.Kind = journal.Deactivate
	must(t, j.Do(deactivation, succeed))
	must(t, j.Leave())

	state := reopen(t, place).State()
	if state.New != description.New || state.Old != description.Old || len(state.Runs) != 1 || state.Runs[0].User != "alice" {
		t.Errorf("the deployment is %+v", state)
	}
	if o := state.Of(activate("a")); o.Kind != journal.Deactivate || o.Before != journal.Done {
		t.Errorf("the latest action is %+v", o)
	}
	if state.Phase != journal.Transition || !state.Begun(journal.Locking) || state.Begun(journal.Profiles) {
		t.Errorf("the phase is %q", state.Phase)
	}
	got := ""
	for _, o := range state.All() {
		got += fmt.Sprintln(o, o.Result)
	}
	want := "deactivate a on target node1 in container process done\nactivate b on target node1 in container process failed\n"
	if got != want {
		t.Errorf("got:\n%swant:\n%s", got, want)
	}
}

func TestTheBeginIsOnTheDiskBeforeTheAction(t *testing.T) {
	place := newPlace(t)
	j := create(t, place)
	must(t, j.Do(activate("a"), func() error {
		content, err := os.ReadFile(place.Path())
		if !bytes.Contains(content, []byte(`"subject":"a"`)) {
			t.Errorf("the journal does not have the action: %s", content)
		}
		return err
	}))
	must(t, j.Leave())
}

func TestAnActionWithoutAnEndIsInDoubt(t *testing.T) {
	place := newPlace(t)
	j := create(t, place)
	must(t, j.Do(activate("a"), succeed))
	cut(t, place, `"kind":"end"`)
	must(t, j.Leave())
	if o := reopen(t, place).State().Of(activate("a")); o.Result != journal.InDoubt {
		t.Errorf("the action is %q", o.Result)
	}
}

// cut ends the file before the line that contains the text.
func cut(t *testing.T, place journal.Place, text string) {
	t.Helper()
	content, err := os.ReadFile(place.Path())
	must(t, err)
	i := bytes.Index(content, []byte(text))
	must(t, os.Truncate(place.Path(), int64(bytes.LastIndexByte(content[:i], '\n')+1)))
}

func TestAFileThatIsCutAnywhereIsReadUpToThere(t *testing.T) {
	place := newPlace(t)
	j := create(t, place)
	for i := range 5 {
		must(t, j.Do(activate(fmt.Sprint("service", i)), succeed))
	}
	must(t, j.Leave())
	content, err := os.ReadFile(place.Path())
	must(t, err)
	first := bytes.IndexByte(content, '\n') + 1
	rapid.Check(t, func(rt *rapid.T) {
		length := rapid.IntRange(first, len(content)).Draw(rt, "length")
		tail := rapid.SampledFrom([]string{"", "\x00\x00\x00\x00", "00000000 {}", "xyz\n"}).Draw(rt, "tail")
		must(t, os.WriteFile(place.Path(), append(bytes.Clone(content[:length]), tail...), 0o600))
		j, err := journal.Open(place)
		if err != nil {
			rt.Fatal(err)
		}
		known := len(j.State().All())
		want := bytes.Count(content[:length][:bytes.LastIndexByte(content[:length], '\n')+1], []byte(`"kind":"begin"`))
		if known != want {
			rt.Fatalf("%d actions are known, want %d", known, want)
		}
		// It can be continued.
		must(t, j.Do(activate("later"), succeed))
		must(t, j.Leave())
		j, err = journal.Open(place)
		if err != nil {
			rt.Fatal(err)
		}
		if !j.IsDone(activate("later")) {
			rt.Fatal("what was recorded later is not known")
		}
		must(t, j.Leave())
	})
}

// TestALineWithoutItsEndIsTorn checks the one place where a cut leaves a line
// that is whole but for its end.
func TestALineWithoutItsEndIsTorn(t *testing.T) {
	place := newPlace(t)
	j := create(t, place)
	must(t, j.Do(activate("a"), succeed))
	must(t, j.Leave())
	content, err := os.ReadFile(place.Path())
	must(t, err)
	must(t, os.WriteFile(place.Path(), bytes.TrimSuffix(content, []byte("\n")), 0o600))
	j, err = journal.Open(place)
	must(t, err)
	if j.IsDone(activate("a")) {
		t.Error("the torn record is believed")
	}
	must(t, j.Leave())
}

func TestDamageIsNoticed(t *testing.T) {
	place := newPlace(t)
	j := create(t, place)
	must(t, j.Do(activate("a"), succeed))
	must(t, j.Do(activate("b"), succeed))
	must(t, j.Leave())
	content, err := os.ReadFile(place.Path())
	must(t, err)
	lines := bytes.SplitAfter(content, []byte("\n"))
	flipped := bytes.Clone(content)
	flipped[bytes.Index(flipped, []byte(`"a"`))+1] = 'x'
	for name, damaged := range map[string][]byte{
		"changed in the middle": flipped,
		"empty":                 nil,
		"not a journal":         []byte("hello\n"),
		"first line missing":    bytes.Join(lines[1:], nil),
		"first line torn":       lines[0][:20],
		"two in one":            bytes.Join([][]byte{content, content}, nil),
	} {
		t.Run(name, func(t *testing.T) {
			must(t, os.WriteFile(place.Path(), damaged, 0o600))
			for what, err := range map[string]error{"open": second(journal.Open(place)), "check": journal.Check(place)} {
				if err == nil || !strings.Contains(err.Error(), place.Path()) {
					t.Errorf("%s: %v", what, err)
				}
			}
		})
	}
}

func second[T any](_ T, err error) error { return err }

func TestThereIsOneJournalAtATime(t *testing.T) {
	place := newPlace(t)
	j := create(t, place)
	var unfinished *journal.UnfinishedError
	for what, err := range map[string]error{
		"create": second(journal.Create(place, description, run, 1)),
		"open":   second(journal.Open(place)),
		"check":  journal.Check(place),
	} {
		if !errors.As(err, &unfinished) || !unfinished.Running || !strings.Contains(err.Error(), "alice on here (disnix-env, process 7)") {
			t.Errorf("%s while a deployment is in progress: %v", what, err)
		}
	}
	must(t, j.Leave())
	for what, err := range map[string]error{
		"create": second(journal.Create(place, description, run, 1)),
		"check":  journal.Check(place),
	} {
		if !errors.As(err, &unfinished) || unfinished.Running {
			t.Errorf("%s after a deployment was interrupted: %v", what, err)
		}
	}
	other := journal.Place{Dir: place.Dir, Profile: "other"}
	must(t, journal.Check(other))
}

func TestTheEndOfADeployment(t *testing.T) {
	place := newPlace(t)
	place.Protect = func(link, path string) error { return os.Symlink(path, link) }
	j := create(t, place)
	if names := list(t, place.Dir); names != "default.journal default.journal-new default.journal-old" {
		t.Errorf("while it is open there are: %s", names)
	}
	if info, err := os.Stat(place.Path()); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the permissions: %v, %v", info, err)
	}
	must(t, j.Close())
	if names := list(t, place.Dir); names != "default.journal.last" {
		t.Errorf("afterwards there are: %s", names)
	}
	if err := second(journal.Open(place)); !errors.Is(err, journal.ErrNone) {
		t.Errorf("opening it: %v", err)
	}
	must(t, create(t, place).Close())
}

func TestACoordinatorThatDiesAtTheVeryEnd(t *testing.T) {
	place := newPlace(t)
	place.Protect = func(link, path string) error { return os.Symlink(path, link) }
	j := create(t, place)
	restore := fault.Inject(failAt("journal/close"))
	if err := j.Close(); !errors.Is(err, fault.ErrInjected) {
		t.Errorf("closing: %v", err)
	}
	restore()
	must(t, journal.Check(place))
	if names := list(t, place.Dir); names != "default.journal.last" {
		t.Errorf("there are: %s", names)
	}
}

// TestRemainsOfACoordinatorThatDiedAtTheVeryBeginning are a file that is not
// complete, or one that has got its final name, too.
func TestRemainsOfACoordinatorThatDiedAtTheVeryBeginning(t *testing.T) {
	place := newPlace(t)
	unfinished := place.Path() + ".new"
	must(t, os.WriteFile(unfinished, []byte("unfinished"), 0o600))
	j := create(t, place)
	must(t, os.Link(place.Path(), unfinished))
	must(t, j.Close())
	ended, err := os.ReadFile(place.Path() + ".last")
	must(t, err)
	j = create(t, place)
	must(t, j.Leave())
	reopen(t, place)
	if names := list(t, place.Dir); names != "default.journal default.journal.last" {
		t.Errorf("there are: %s", names)
	}
	if after, err := os.ReadFile(place.Path() + ".last"); err != nil || !bytes.Equal(after, ended) {
		t.Errorf("the former journal was changed: %v", err)
	}
}

func list(t *testing.T, dir string) string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	must(t, err)
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return strings.Join(names, " ")
}

func failAt(point string) fault.Injector {
	return func(p string) error {
		if p == point {
			return fault.ErrInjected
		}
		return nil
	}
}

func TestNothingBeginsThatCannotBeRecorded(t *testing.T) {
	for _, point := range []string{"journal/write", "journal/sync", "journal/synced"} {
		t.Run(point, func(t *testing.T) {
			j := create(t, newPlace(t))
			t.Cleanup(fault.Inject(failAt(point)))
			for range 2 {
				if err := j.Do(activate("a"), func() error {
					t.Error("the action was carried out")
					return nil
				}); !errors.Is(err, fault.ErrInjected) {
					t.Errorf("error %v", err)
				}
			}
			must(t, j.Leave())
		})
	}
}

func TestProtectionThatFails(t *testing.T) {
	place := newPlace(t)
	place.Protect = func(string, string) error { return errRefused }
	if _, err := journal.Create(place, description, run, 1); !errors.Is(err, errRefused) {
		t.Errorf("error %v", err)
	}
	must(t, journal.Check(place))
}

func TestManyActionsAtOnce(t *testing.T) {
	place := newPlace(t)
	j := create(t, place)
	var all sync.WaitGroup
	for i := range 200 {
		all.Go(func() {
			if err := j.Do(activate(fmt.Sprint(i)), succeed); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	must(t, j.Leave())
	state := reopen(t, place).State()
	if len(state.All()) != 200 {
		t.Errorf("%d actions are known", len(state.All()))
	}
	for _, o := range state.All() {
		if o.Result != journal.Done {
			t.Errorf("%v is %s", o, o.Result)
		}
	}
}

func TestMigrationIsForgottenWhenOldServicesRunAgain(t *testing.T) {
	place := newPlace(t)
	j := create(t, place)
	restore := journal.Action{Kind: journal.Restore, Target: "node1", Container: "db", Subject: "data"}
	must(t, j.Do(restore, succeed))
	back := run
	back.Direction = journal.Back
	must(t, j.Begin(back, 10))
	if !j.IsDone(restore) {
		t.Error("it is forgotten too early")
	}
	must(t, j.Do(activate("old"), succeed))
	if j.IsDone(restore) {
		t.Error("it is not forgotten")
	}
	must(t, j.Leave())
}

func TestNoJournalRecordsNothing(t *testing.T) {
	var j *journal.Journal
	called := false
	must(t, j.Enter(journal.Locking))
	must(t, j.Do(activate("a"), func() error { called = true; return nil }))
	if !called || j.IsDone(activate("a")) || j.State() != nil {
		t.Error("a nil journal does not behave like none")
	}
	must(t, errors.Join(j.Close(), j.Leave()))
}

func FuzzOpen(f *testing.F) {
	place := newPlace(f)
	j := create(f, place)
	must(f, j.Do(activate("a"), succeed))
	must(f, j.Leave())
	content, err := os.ReadFile(place.Path())
	must(f, err)
	f.Add(content)
	f.Add([]byte("00000000 null\n"))
	f.Fuzz(func(t *testing.T, content []byte) {
		must(t, os.WriteFile(place.Path(), content, 0o600))
		if j, err := journal.Open(place); err == nil {
			must(t, j.Leave())
		}
	})
}
