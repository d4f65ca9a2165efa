package dysnomia

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"pgregory.net/rapid"
)

// store makes a snapshot of one file and returns its id.
func store(t *testing.T, s *State, container, component, content string) string {
	t.Helper()
	n, err := s.NewSnapshot(container, component)
	check(t, err)
	defer n.Discard()
	file := filepath.Join(n.Path, "state")
	check(t, os.WriteFile(file, []byte(content), 0o600))
	id, err := ContentID(file)
	check(t, err)
	check(t, n.Commit(id))
	return id
}

func snapshots(t *testing.T, s *State, container, component string) []string {
	t.Helper()
	history, err := s.QueryAll(container, component)
	check(t, err)
	paths := []string{}
	for _, g := range history {
		paths = append(paths, g.Snapshot())
	}
	return paths
}

func contents(t *testing.T, s *State, component string) []string {
	t.Helper()
	history, err := s.QueryAll("db", component)
	check(t, err)
	var list []string
	for _, g := range history {
		content, err := os.ReadFile(filepath.Join(s.snapshotPath(g), "state"))
		check(t, err)
		list = append(list, string(content))
	}
	return list
}

func TestGenerationsAndCleaning(t *testing.T) {
	s := newState(t)
	for _, content := range []string{"1", "2", "3", "3"} {
		store(t, s, "db", "k", content)
	}
	if got := contents(t, s, "k"); !slices.Equal(got, []string{"1", "2", "3"}) {
		t.Errorf("three changes and one snapshot without change: %v", got)
	}
	all := snapshots(t, s, "db", "k")
	missing, err := s.PrintMissing([]string{all[0], "db/k/new"})
	check(t, err)
	if !slices.Equal(missing, []string{"db/k/new"}) {
		t.Errorf("missing: %v", missing)
	}
	removed, err := s.CleanSnapshots("", "", 1)
	check(t, err)
	if len(removed.Generations) != 2 || len(removed.Snapshots) != 2 {
		t.Errorf("removed %+v", removed)
	}
	if got := contents(t, s, "k"); !slices.Equal(got, []string{"3"}) {
		t.Errorf("after cleaning: %v", got)
	}
	store(t, s, "db", "k", "4")
	latest, err := s.QueryLatest("db", "k")
	check(t, err)
	if latest[0].Number != 4 {
		t.Errorf("numbering continues at %d, want 4", latest[0].Number)
	}
	_, err = s.CleanSnapshots("db", "k", 0)
	check(t, err)
	if got := snapshots(t, s, "", ""); len(got) != 0 {
		t.Errorf("after keeping none: %v", got)
	}
	for _, part := range []string{"generations", "snapshots", "checksums"} {
		entries, err := os.ReadDir(s.path(part))
		if err != nil || len(entries) != 0 {
			t.Errorf("%s: %v, %v", part, entries, err)
		}
	}
}

func TestStateThatReturnsToEarlierContent(t *testing.T) {
	s := newState(t)
	first := store(t, s, "db", "k", "a")
	store(t, s, "db", "k", "b")
	store(t, s, "db", "k", "a")
	if got := contents(t, s, "k"); !slices.Equal(got, []string{"a", "b", "a"}) {
		t.Errorf("history: %v", got)
	}
	removed, err := s.CleanSnapshots("", "", 1)
	check(t, err)
	if len(removed.Snapshots) != 1 || strings.HasSuffix(removed.Snapshots[0], first) {
		t.Errorf("removed %v; %s is still referred to", removed.Snapshots, first)
	}
	if got := contents(t, s, "k"); !slices.Equal(got, []string{"a"}) {
		t.Errorf("after cleaning: %v", got)
	}
}

func TestLayoutIsThatOfTheOriginal(t *testing.T) {
	s := newState(t)
	id := store(t, s, "db", "k", "content")
	target, err := os.Readlink(s.path("generations", "db", "k", "1"))
	check(t, err)
	if want := "../../../snapshots/db/k/" + id; target != want {
		t.Errorf("generation points to %s, want %s", target, want)
	}
	sum, err := os.ReadFile(s.path("checksums", "db", "k", id))
	check(t, err)
	if len(sum) != len("sha256:")+64 || !bytes.HasPrefix(sum, []byte("sha256:")) {
		t.Errorf("checksum file: %q", sum)
	}
}

func TestRoughEdge_host12_generationsAreOrderedNumerically(t *testing.T) {
	s := newState(t)
	var want []string
	for i := range 12 {
		want = append(want, fmt.Sprint(i))
		store(t, s, "db", "k", fmt.Sprint(i))
	}
	if got := contents(t, s, "k"); !slices.Equal(got, want) {
		t.Errorf("order: %v", got)
	}
	latest, err := s.LatestSnapshot("db", "k")
	check(t, err)
	content, err := os.ReadFile(filepath.Join(latest, "state"))
	check(t, err)
	if string(content) != "11" {
		t.Errorf("latest is %s", content)
	}
}

func TestRoughEdge_host13_checksums(t *testing.T) {
	tree := map[string]string{"b": "B", "a b": "blank", `c\d`: "backslash", "dir/x": "X", "a-b": "1", "a/b": "2"}
	generation := Generation{Container: "c", Component: "k", ID: "id"}
	imported := func(t *testing.T) *State {
		s := newState(t)
		writeTree(t, filepath.Join(filepath.Dir(s.Dir), "id"), tree)
		check(t, os.Symlink("b", filepath.Join(filepath.Dir(s.Dir), "id", "link")))
		check(t, s.Import(t.Context(), "c", "k", filepath.Join(filepath.Dir(s.Dir), "id")))
		check(t, s.Check(generation))
		return s
	}
	t.Run("host 13: checksums of the original are accepted", func(t *testing.T) {
		s := imported(t)
		for _, order := range []traversal{directoryOrder, directoryOrderWithoutBlanks} {
			sum, err := checksum(s.snapshotPath(generation), order)
			check(t, err)
			check(t, os.WriteFile(s.checksumPath(generation), []byte(sum), 0o644))
			check(t, s.Check(generation))
		}
	})
	for name, tamper := range map[string]func(dir string) error{
		"content of a name with a blank": func(dir string) error { return os.WriteFile(filepath.Join(dir, "a b"), []byte("other"), 0o644) },
		"content of a nested file":       func(dir string) error { return os.WriteFile(filepath.Join(dir, "dir/x"), nil, 0o644) },
		"an added file":                  func(dir string) error { return os.WriteFile(filepath.Join(dir, "new"), nil, 0o644) },
		"the target of a link": func(dir string) error {
			link := filepath.Join(dir, "link")
			return errors.Join(os.Remove(link), os.Symlink("a b", link))
		},
	} {
		t.Run("host 13: noticed: "+name, func(t *testing.T) {
			s := imported(t)
			check(t, tamper(s.snapshotPath(generation)))
			var mismatch *ChecksumError
			if err := s.Check(generation); !errors.As(err, &mismatch) {
				t.Errorf("error: %v", err)
			}
		})
	}
	t.Run("no checksum is not a mismatch", func(t *testing.T) {
		s := imported(t)
		check(t, os.Remove(s.checksumPath(generation)))
		if err := s.Check(generation); !errors.Is(err, ErrNoChecksum) {
			t.Errorf("error: %v", err)
		}
	})
}

func TestRoughEdge_host13_checksumDoesNotDependOnCreationOrder(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		names := rapid.SliceOfNDistinct(rapid.StringMatching(`[a-c -]{1,4}(/[a-c]{1,2})?`), 1, 8, func(name string) string {
			return strings.ReplaceAll(name, "/", "")[:1] + name
		}).Draw(r, "names")
		shuffled := rapid.Permutation(names).Draw(r, "shuffled")
		sums := map[string]bool{}
		for _, order := range [][]string{names, shuffled} {
			dir, err := os.MkdirTemp("", "checksum")
			check(t, err)
			defer os.RemoveAll(dir)
			for _, name := range order {
				path := filepath.Join(dir, "d"+strings.ReplaceAll(name, "/", "/f"))
				if os.MkdirAll(filepath.Dir(path), 0o755) == nil {
					_ = os.WriteFile(path+".txt", []byte(name), 0o644)
				}
			}
			sum, err := Checksum(dir)
			check(t, err)
			sums[sum] = true
		}
		if len(sums) != 1 {
			r.Fatalf("checksums differ: %v", sums)
		}
	})
}

func TestRoughEdge_host14_snapshotsAreNotMadeInPlace(t *testing.T) {
	t.Run("host 14: what is not committed is not in the repository", func(t *testing.T) {
		s := newState(t)
		n, err := s.NewSnapshot("db", "k")
		check(t, err)
		check(t, os.WriteFile(filepath.Join(n.Path, "half"), nil, 0o600))
		if got := snapshots(t, s, "", ""); len(got) != 0 {
			t.Errorf("generations: %v", got)
		}
		if missing, _ := s.PrintMissing([]string{"db/k/content"}); len(missing) != 1 {
			t.Error("the snapshot counts as stored")
		}
		check(t, n.Discard())
		check(t, n.Discard())
		if left, _ := os.ReadDir(s.path(temporaryDir)); len(left) != 0 {
			t.Errorf("left: %v", left)
		}
	})
	t.Run("host 14: a half-filled directory of the original is missing and replaced", func(t *testing.T) {
		s := newState(t)
		n, err := s.NewSnapshot("db", "k")
		check(t, err)
		defer n.Discard()
		writeTree(t, n.Path, map[string]string{"state": "whole"})
		writeTree(t, s.Dir, map[string]string{"snapshots/db/k/id/state": "hal"})
		if missing, _ := s.PrintMissing([]string{"db/k/id"}); len(missing) != 1 {
			t.Error("the half-filled snapshot counts as stored")
		}
		check(t, n.Commit("id"))
		if got := contents(t, s, "k"); !slices.Equal(got, []string{"whole"}) {
			t.Errorf("content: %q", got)
		}
	})
	t.Run("host 14: a damaged snapshot is replaced", func(t *testing.T) {
		s := newState(t)
		id := store(t, s, "db", "k", "good")
		writeTree(t, s.Dir, map[string]string{"snapshots/db/k/" + id + "/state": "bad"})
		store(t, s, "db", "k", "good")
		if got := contents(t, s, "k"); !slices.Equal(got, []string{"good"}) {
			t.Errorf("content: %q", got)
		}
	})
	t.Run("host 14: what a killed process left is removed, what is in use is not", func(t *testing.T) {
		s := newState(t)
		writeTree(t, s.Dir, map[string]string{".tmp/snapshot-dead/content/x": "", ".tmp/file-dead": ""})
		n, err := s.NewSnapshot("db", "k")
		check(t, err)
		defer n.Discard()
		_, err = s.CleanSnapshots("", "", 1)
		check(t, err)
		left, err := os.ReadDir(s.path(temporaryDir))
		check(t, err)
		if len(left) != 1 || left[0].Name() != filepath.Base(filepath.Dir(n.Path)) {
			t.Errorf("left: %v", left)
		}
	})
	t.Run("host 14: concurrent snapshots get numbers of their own", func(t *testing.T) {
		s := newState(t)
		var group sync.WaitGroup
		for i := range 16 {
			group.Go(func() { store(t, s, "db", "k", fmt.Sprint(i)) })
		}
		group.Wait()
		history, err := s.QueryAll("db", "k")
		check(t, err)
		for i, g := range history {
			if g.Number != i+1 {
				t.Errorf("generation %d has number %d", i, g.Number)
			}
		}
		if len(history) != 16 {
			t.Errorf("%d generations", len(history))
		}
	})
}

func TestRoughEdge_host16_cleaning(t *testing.T) {
	t.Run("host 16: orphans go even if nothing else does", func(t *testing.T) {
		s := newState(t)
		store(t, s, "db", "k", "x")
		writeTree(t, s.Dir, map[string]string{
			"snapshots/db/k/orphan/state": "", "checksums/db/k/gone": "sha256:0", "snapshots/db/other/orphan/x": ""})
		removed, err := s.CleanSnapshots("", "", 5)
		check(t, err)
		if want := []string{"db/k/orphan", "db/other/orphan"}; !slices.Equal(removed.Snapshots, want) {
			t.Errorf("removed %v, want %v", removed.Snapshots, want)
		}
		for _, gone := range []string{"checksums/db/k/gone", "snapshots/db/other"} {
			if _, err := os.Lstat(s.path(gone)); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("%s is still there", gone)
			}
		}
		if got := contents(t, s, "k"); !slices.Equal(got, []string{"x"}) {
			t.Errorf("history: %q", got)
		}
	})
	t.Run("host 16: a negative number is refused", func(t *testing.T) {
		s := newState(t)
		store(t, s, "db", "k", "x")
		if _, err := s.CleanSnapshots("", "", -1); err == nil {
			t.Error("accepted")
		}
		if got := contents(t, s, "k"); len(got) != 1 {
			t.Errorf("history: %q", got)
		}
	})
	t.Run("only what is selected", func(t *testing.T) {
		s := newState(t)
		for _, name := range []string{"k", "l"} {
			store(t, s, "db", name, "1")
			store(t, s, "db", name, "2")
		}
		_, err := s.CleanSnapshots("db", "k", 1)
		check(t, err)
		if k, l := contents(t, s, "k"), contents(t, s, "l"); len(k) != 1 || len(l) != 2 {
			t.Errorf("k: %v, l: %v", k, l)
		}
	})
	t.Run("a missing store", func(t *testing.T) {
		s := newState(t)
		if _, err := s.CleanSnapshots("", "", 1); err != nil {
			t.Error(err)
		}
		if _, err := os.Lstat(s.Dir); !errors.Is(err, os.ErrNotExist) {
			t.Error("the state directory was created")
		}
	})
}

func TestRoughEdge_host18_snapshotNames(t *testing.T) {
	s := newState(t)
	id := store(t, s, "db", "my service *", "x")
	if got := snapshots(t, s, "", ""); !slices.Equal(got, []string{"db/my service */" + id}) {
		t.Errorf("snapshots: %v", got)
	}
	for _, snapshot := range []string{"", "a", "a/b", "a/b/c/d", "../b/c", "a/../c", "a/b/..", "a//c", "/a/b/c"} {
		if _, err := s.Resolve([]string{snapshot}); err == nil {
			t.Errorf("%q was resolved", snapshot)
		}
		if _, err := s.PrintMissing([]string{snapshot}); err == nil {
			t.Errorf("%q was looked up", snapshot)
		}
		if err := s.Export(t.Context(), snapshot, io.Discard); err == nil {
			t.Errorf("%q was exported", snapshot)
		}
	}
	n, err := s.NewSnapshot("db", "k")
	check(t, err)
	defer n.Discard()
	for _, id := range []string{"", ".", "..", "a/b"} {
		if err := n.Commit(id); err == nil {
			t.Errorf("id %q was accepted", id)
		}
	}
}
