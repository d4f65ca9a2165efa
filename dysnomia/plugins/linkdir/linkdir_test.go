package linkdir

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/disnix-go/disnix/dysnomia"
	"github.com/disnix-go/disnix/dysnomia/plugintest"
)

// request makes a component with two files in conf/ and a state directory of
// its own, or that of another request.
func request(t testing.TB, name string, other *dysnomia.Request) *dysnomia.Request {
	t.Helper()
	component := filepath.Join(t.TempDir(), name)
	plugintest.WriteFile(t, filepath.Join(component, "conf", "a"), "a of "+name)
	plugintest.WriteFile(t, filepath.Join(component, "conf", "b"), "b of "+name)
	r := &dysnomia.Request{Component: component, ComponentName: name, Container: "box", State: &dysnomia.State{Dir: t.TempDir()}}
	if other != nil {
		r.State = other.State
	}
	return r
}

func entries(t testing.TB, r *dysnomia.Request, dir string) []Entry {
	t.Helper()
	list, err := Entries(filepath.Join(r.Component, "conf"), dir)
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// contents lists a directory as name=content.
func contents(t testing.TB, dir string) []string {
	t.Helper()
	list, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, file := range list {
		content, err := os.ReadFile(filepath.Join(dir, file.Name()))
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, file.Name()+"="+string(content))
	}
	return all
}

func expect(t testing.TB, dir string, want ...string) {
	t.Helper()
	if got := contents(t, dir); !slices.Equal(got, want) {
		t.Errorf("the directory has %q, want %q", got, want)
	}
}

func install(t testing.TB, r *dysnomia.Request, list []Entry) {
	t.Helper()
	if err := Install(r, list); err != nil {
		t.Fatal(err)
	}
}

func removeInstalled(t testing.TB, r *dysnomia.Request, list []Entry) []Entry {
	t.Helper()
	placed, err := Installed(r, list)
	if err == nil {
		err = Remove(r, list)
	}
	if err != nil {
		t.Fatal(err)
	}
	return placed
}

func TestInstallAndRemove(t *testing.T) {
	for name, copies := range map[string]bool{"links": false, "copies": true} {
		t.Run(name, func(t *testing.T) {
			r, dir := request(t, "app", nil), filepath.Join(t.TempDir(), "made", "when needed")
			list := entries(t, r, dir)
			for i := range list {
				list[i].Copy = copies
			}
			install(t, r, list)
			install(t, r, list)
			expect(t, dir, "a=a of app", "b=b of app")
			for _, entry := range list {
				if _, err := os.Readlink(entry.Path); (err == nil) == copies {
					t.Errorf("%s: link: %t", entry.Path, err == nil)
				}
			}
			if got := removeInstalled(t, r, list); !slices.Equal(got, list) {
				t.Errorf("installed: %v, want %v", got, list)
			}
			expect(t, dir)
			if got := removeInstalled(t, r, list); len(got) != 0 {
				t.Errorf("installed afterwards: %v", got)
			}
			if known, err := recall(r); err != nil || len(known) != 0 {
				t.Errorf("remembered afterwards: %v, %v", known, err)
			}
		})
	}
}

func TestRemoveFromADirectoryThatIsGone(t *testing.T) {
	r, dir := request(t, "app", nil), filepath.Join(t.TempDir(), "target")
	list := entries(t, r, dir)
	install(t, r, list)
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	removeInstalled(t, r, list)
	if known, err := recall(r); err != nil || len(known) != 0 {
		t.Errorf("remembered afterwards: %v, %v", known, err)
	}
}

func TestEntriesOfNothing(t *testing.T) {
	empty := t.TempDir()
	for _, dir := range []string{empty, filepath.Join(empty, "missing")} {
		if _, err := Entries(dir, "/target"); err == nil || !strings.Contains(err.Error(), dir) {
			t.Errorf("%s: %v", dir, err)
		}
	}
}

func TestAnotherVersionIsReplaced(t *testing.T) {
	for name, copies := range map[string]bool{"link": false, "copy": true} {
		t.Run(name, func(t *testing.T) {
			old, dir := request(t, "app", nil), t.TempDir()
			list := entries(t, old, dir)[:1]
			list[0].Copy = copies
			install(t, old, list)
			next := request(t, "app", old)
			plugintest.WriteFile(t, filepath.Join(next.Component, "conf", "a"), "new")
			newList := entries(t, next, dir)[:1]
			newList[0].Copy = copies
			install(t, next, newList)
			expect(t, dir, "a=new")
			removeInstalled(t, next, newList)
			expect(t, dir)
		})
	}
}

func TestALinkToNothingIsReplaced(t *testing.T) {
	r, dir := request(t, "app", nil), t.TempDir()
	if err := os.Symlink("/nonexistent/old", filepath.Join(dir, "a")); err != nil {
		t.Fatal(err)
	}
	install(t, r, entries(t, r, dir))
	expect(t, dir, "a=a of app", "b=b of app")
}

func TestNothingIsChangedWhenSomethingIsInTheWay(t *testing.T) {
	for name, obstruct := range map[string]func(path string) error{
		"a file":         func(path string) error { return os.WriteFile(path, []byte("theirs"), 0o644) },
		"a directory":    func(path string) error { return os.Mkdir(path, 0o755) },
		"a foreign link": func(path string) error { return os.Symlink("/etc/passwd", path) },
	} {
		t.Run(name, func(t *testing.T) {
			r, dir := request(t, "app", nil), t.TempDir()
			path := filepath.Join(dir, "b")
			if err := obstruct(path); err != nil {
				t.Fatal(err)
			}
			before, err := os.Lstat(path)
			if err != nil {
				t.Fatal(err)
			}
			if err := Install(r, entries(t, r, dir)); err == nil || !strings.Contains(err.Error(), path) {
				t.Errorf("error: %v", err)
			}
			removeInstalled(t, r, entries(t, r, dir))
			after, err := os.Lstat(path)
			if err != nil || !os.SameFile(before, after) {
				t.Errorf("what was there: %v", err)
			}
			if _, err := os.Lstat(filepath.Join(dir, "a")); err == nil {
				t.Error("the first entry was installed")
			}
		})
	}
}

func TestTargetThatCannotBeMade(t *testing.T) {
	r, dir := request(t, "app", nil), t.TempDir()
	plugintest.WriteFile(t, filepath.Join(dir, "file"), "")
	list := entries(t, r, filepath.Join(dir, "file", "target"))
	if err := Install(r, list); err == nil || !strings.Contains(err.Error(), list[0].Path) {
		t.Errorf("error: %v", err)
	}
}

// TestFailureInTheMiddle: the second entry cannot be made.
func TestFailureInTheMiddle(t *testing.T) {
	r, dir := request(t, "app", nil), t.TempDir()
	list := entries(t, r, dir)
	list[1].Copy, list[1].Source = true, "/nonexistent/file"
	if err := Install(r, list); err == nil {
		t.Error("it succeeded")
	}
	expect(t, dir)
}

func TestRoughEdge_modules29(t *testing.T) {
	t.Run("modules 29, item 14: what another component has installed is neither replaced nor removed", func(t *testing.T) {
		mine, dir := request(t, "mine", nil), t.TempDir()
		theirs := request(t, "theirs", mine)
		install(t, theirs, entries(t, theirs, dir)[:1])
		if err := Install(mine, entries(t, mine, dir)); err == nil {
			t.Error("a link of another component was replaced")
		}
		if got := removeInstalled(t, mine, entries(t, mine, dir)); len(got) != 0 {
			t.Errorf("removed: %v", got)
		}
		expect(t, dir, "a=a of theirs")
	})
	t.Run("modules 29, item 14: what was installed is removed although the component has changed", func(t *testing.T) {
		r, dir := request(t, "app", nil), t.TempDir()
		install(t, r, entries(t, r, dir))
		if err := os.Rename(filepath.Join(r.Component, "conf", "a"), filepath.Join(r.Component, "conf", "c")); err != nil {
			t.Fatal(err)
		}
		removeInstalled(t, r, entries(t, r, dir))
		expect(t, dir)
	})
	t.Run("modules 29, item 14: what was installed is removed although the container's property has changed", func(t *testing.T) {
		r, dir := request(t, "app", nil), t.TempDir()
		install(t, r, entries(t, r, dir))
		removeInstalled(t, r, entries(t, r, t.TempDir()))
		expect(t, dir)
	})
	t.Run("modules 29, item 14: what the original has installed is removed", func(t *testing.T) {
		r, dir := request(t, "app", nil), t.TempDir()
		for _, entry := range entries(t, r, dir) {
			if err := os.Symlink(entry.Source, entry.Path); err != nil {
				t.Fatal(err)
			}
		}
		removeInstalled(t, r, entries(t, r, dir))
		expect(t, dir)
	})
	t.Run("modules 29, item 14: a change by hand is respected", func(t *testing.T) {
		r, dir := request(t, "app", nil), t.TempDir()
		list := entries(t, r, dir)
		install(t, r, list)
		if err := os.Remove(list[0].Path); err != nil {
			t.Fatal(err)
		}
		plugintest.WriteFile(t, list[0].Path, "by hand")
		removeInstalled(t, r, list)
		expect(t, dir, "a=by hand")
	})
}

func BenchmarkInstallAndRemove(b *testing.B) {
	r, dir := request(b, "app", nil), b.TempDir()
	list := entries(b, r, dir)
	for b.Loop() {
		install(b, r, list)
		removeInstalled(b, r, list)
	}
}

// TestCrash: a link that was recorded but never made is no problem.
func TestCrash(t *testing.T) {
	r, dir := request(t, "app", nil), t.TempDir()
	list := entries(t, r, dir)
	if err := (record{}).add(r, list); err != nil {
		t.Fatal(err)
	}
	if got := removeInstalled(t, r, list); len(got) != 0 {
		t.Errorf("installed: %v", got)
	}
	install(t, r, list)
	expect(t, dir, "a=a of app", "b=b of app")
}

// TestNothingAppearsBeforeAllCopiesAreComplete: the last copy does not fit.
func TestNothingAppearsBeforeAllCopiesAreComplete(t *testing.T) {
	r, dir := request(t, "app", nil), t.TempDir()
	list := entries(t, r, dir)
	list[0].Copy, list[1].Copy = true, true
	list[1].Source = filepath.Join(r.Component, "conf") // not a file
	if err := Install(r, list); err == nil || !strings.Contains(err.Error(), list[1].Path) {
		t.Errorf("error: %v", err)
	}
	if left := contents(t, dir); len(left) != 0 {
		t.Errorf("left: %v", left)
	}
	if known, err := recall(r); err != nil || len(known) != 0 {
		t.Errorf("remembered: %v, %v", known, err)
	}
}

// TestALinkOfTheOriginal: it links what this plugin copies.
func TestALinkOfTheOriginal(t *testing.T) {
	r, dir := request(t, "app", nil), t.TempDir()
	list := entries(t, r, dir)[:1]
	list[0].Copy = true
	original := func() {
		t.Helper()
		if err := os.Symlink(list[0].Source, list[0].Path); err != nil {
			t.Fatal(err)
		}
	}
	original()
	install(t, r, list)
	if _, err := os.Readlink(list[0].Path); err == nil {
		t.Error("it was not replaced by a copy")
	}
	removeInstalled(t, r, list)
	original()
	removeInstalled(t, r, list)
	expect(t, dir)
}
