package subversionrepository

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/disnix-go/disnix/dysnomia"
	"github.com/disnix-go/disnix/dysnomia/plugintest"
)

var config = plugintest.Config{Type: "subversion-repository", Plugin: Plugin{}}

func component(t *testing.T, name string, dumps map[string]string) plugintest.Component {
	t.Helper()
	files := map[string]string{}
	for file, content := range dumps {
		files["subversion-repositories/"+file] = content
	}
	base, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	c := plugintest.NewComponent(t, "subversion-repository", map[string]string{"svnBaseDir": base, "svnGroup": "games"}, files)
	path := filepath.Join(filepath.Dir(c.Path), name)
	if err := os.Rename(c.Path, path); err != nil {
		t.Fatal(err)
	}
	c.Path = path
	return c
}

func fixture(t *testing.T, name string, dumps map[string]string) *plugintest.Fixture {
	t.Helper()
	return plugintest.NewFixture(t, config, component(t, name, dumps))
}

func place(c plugintest.Component) string {
	return filepath.Join(c.Properties["svnBaseDir"], filepath.Base(c.Path))
}

func svn(t *testing.T, stdin, program string, args ...string) string {
	t.Helper()
	cmd := exec.Command(program, args...)
	cmd.Stdin = strings.NewReader(stdin)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s %v: %v: %s", program, args, err, stderr.Bytes())
	}
	return string(out)
}

// commit makes a revision in which the file text has the content.
func commit(t *testing.T, repository, text string) {
	t.Helper()
	dir := t.TempDir()
	svn(t, "", "svn", "checkout", "--quiet", "file://"+strings.ReplaceAll(strings.ReplaceAll(repository, "%", "%25"), " ", "%20"), dir)
	file := filepath.Join(dir, "text")
	_, missing := os.Stat(file)
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	if missing != nil {
		svn(t, "", "svn", "add", "--quiet", file)
	}
	svn(t, "", "svn", "commit", "--quiet", "--username", "me", "-m", "Write "+text, dir)
}

func content(t *testing.T, repository string) string {
	return svn(t, "", "svnlook", "cat", repository, "text")
}

func youngest(t *testing.T, repository string) string {
	return strings.TrimSpace(svn(t, "", "svnlook", "youngest", repository))
}

func generations(t *testing.T, f *plugintest.Fixture) int {
	t.Helper()
	history, err := f.State.QueryAll(f.Container, f.Name())
	if err != nil {
		t.Fatal(err)
	}
	return len(history)
}

func fails(t *testing.T, f *plugintest.Fixture, op dysnomia.Operation, words ...string) error {
	t.Helper()
	err := f.Run(t.Context(), op)
	if err == nil {
		t.Fatalf("%s did not fail", op)
	}
	for _, word := range words {
		if !strings.Contains(err.Error(), word) {
			t.Errorf("%s: %v, want %q in it", op, err, word)
		}
	}
	return err
}

// alone checks that there is nothing but these in the directory of the
// repositories.
func alone(t *testing.T, c plugintest.Component, names ...string) {
	t.Helper()
	entries, err := os.ReadDir(c.Properties["svnBaseDir"])
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, entry := range entries {
		found = append(found, entry.Name())
	}
	if fmt.Sprint(found) != fmt.Sprint(names) {
		t.Errorf("repositories: %v, want %v", found, names)
	}
}

// dumpOf returns the dump of a repository with two revisions.
func dumpOf(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "r")
	svn(t, "", "svnadmin", "create", dir)
	commit(t, dir, "one")
	commit(t, dir, "two")
	return svn(t, "", "svnadmin", "dump", "--quiet", dir)
}

func TestConformance(t *testing.T) {
	full := config
	full.New = func(t *testing.T) plugintest.Component { return component(t, "repository", nil) }
	full.Broken = func(t *testing.T) plugintest.Component {
		return component(t, "repository", map[string]string{"dump": "nonsense\n"})
	}
	full.Write = func(t *testing.T, c plugintest.Component, text string) { commit(t, place(c), text) }
	full.Read = func(t *testing.T, c plugintest.Component) string {
		if _, err := os.Stat(place(c)); err != nil {
			return ""
		}
		if youngest(t, place(c)) == "0" {
			return ""
		}
		return content(t, place(c))
	}
	plugintest.Run(t, full)
}

func TestActivate(t *testing.T) {
	t.Run("content, identity and permissions", func(t *testing.T) {
		initial := dumpOf(t)
		f := fixture(t, "na-me.d 'q'", map[string]string{"dump": initial})
		f.Do(dysnomia.Activate)
		path := place(f.Component)
		if content(t, path) != "two" || youngest(t, path) != "2" {
			t.Errorf("revision %s", youngest(t, path))
		}
		if uuid := strings.TrimSpace(svn(t, "", "svnlook", "uuid", path)); !strings.Contains(initial, "UUID: "+uuid+"\n") {
			t.Errorf("the id of the dump is lost: %s", uuid)
		}
		group, err := user.LookupGroup("games")
		if err != nil {
			t.Fatal(err)
		}
		for name, want := range map[string]os.FileMode{"": 0o020, "db": 0o020 | os.ModeSetgid, "db/current": 0o020} {
			info, err := os.Stat(filepath.Join(path, name))
			if err != nil {
				t.Fatal(err)
			}
			if info.Mode()&want != want || fmt.Sprint(info.Sys().(*syscall.Stat_t).Gid) != group.Gid {
				t.Errorf("%s: %v, group %d", name, info.Mode(), info.Sys().(*syscall.Stat_t).Gid)
			}
		}
		alone(t, f.Component, f.Name())
	})
	t.Run("what was killed before is done again", func(t *testing.T) {
		f := fixture(t, "killed", nil)
		if err := os.MkdirAll(filepath.Join(f.Properties["svnBaseDir"], ".dysnomia-new-killed/db"), 0o755); err != nil {
			t.Fatal(err)
		}
		f.Do(dysnomia.Activate)
		alone(t, f.Component, "killed")
	})
	t.Run("something else is in the way", func(t *testing.T) {
		f := fixture(t, "way", nil)
		if err := os.Mkdir(place(f.Component), 0o755); err != nil {
			t.Fatal(err)
		}
		fails(t, f, dysnomia.Activate, "not a repository")
		f.Expect("")
	})
	t.Run("a group that does not exist", func(t *testing.T) {
		f := fixture(t, "group", nil)
		f.Properties["svnGroup"] = "no-such-group"
		fails(t, f, dysnomia.Activate, "no-such-group")
		alone(t, f.Component)
	})
}

func TestRestore(t *testing.T) {
	f := fixture(t, "restored", map[string]string{"dump": dumpOf(t)})
	f.Do(dysnomia.Activate, dysnomia.Snapshot)
	path := place(f.Component)
	hook := filepath.Join(path, "hooks", "post-commit")
	if err := os.WriteFile(hook, []byte("#!/bin/sh\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	commit(t, path, "three")
	latest, err := f.State.LatestSnapshot(f.Container, f.Name())
	if err != nil {
		t.Fatal(err)
	}
	t.Run("a directory that its group has made a link is not copied", func(t *testing.T) {
		f := fixture(t, "repo", nil)
		f.Do(dysnomia.Activate, dysnomia.Snapshot)
		private := filepath.Join(t.TempDir(), "private")
		conf := filepath.Join(place(f.Component), "conf")
		if err := errors.Join(os.Mkdir(private, 0o700), os.WriteFile(filepath.Join(private, "key"), []byte("secret"), 0o600),
			os.RemoveAll(conf), os.Symlink(private, conf)); err != nil {
			t.Fatal(err)
		}
		f.Do(dysnomia.Restore)
		if target, err := os.Readlink(conf); err != nil || target != private {
			t.Errorf("the link has become a directory: %v", err)
		}
	})
	t.Run("a damaged snapshot changes nothing", func(t *testing.T) {
		whole, err := os.ReadFile(filepath.Join(latest, dumpFile))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Truncate(filepath.Join(latest, dumpFile), int64(len(whole)-20)); err != nil {
			t.Fatal(err)
		}
		fails(t, f, dysnomia.Restore, "as it was", "xz")
		if got := content(t, path); got != "three" {
			t.Errorf("content: %s", got)
		}
		alone(t, f.Component, "restored")
		if err := os.WriteFile(filepath.Join(latest, dumpFile), whole, 0o644); err != nil {
			t.Fatal(err)
		}
	})
	f.Do(dysnomia.Restore)
	if content(t, path) != "two" || youngest(t, path) != "2" {
		t.Errorf("revision %s", youngest(t, path))
	}
	if info, err := os.Stat(hook); err != nil || info.Mode().Perm()&0o100 == 0 {
		t.Errorf("the hook: %v, %v", info, err)
	}
	alone(t, f.Component, "restored")
	f.Do(dysnomia.Snapshot)
	if generations(t, f) != 1 {
		t.Errorf("%d generations of equal content", generations(t, f))
	}
	t.Run("a full disk registers nothing", func(t *testing.T) {
		if err := syscall.Mount("tmpfs", f.State.Dir, "tmpfs", 0, "size=16k"); err != nil {
			t.Fatal(err)
		}
		defer func() {
			if err := syscall.Unmount(f.State.Dir, 0); err != nil {
				t.Error(err)
			}
		}()
		commit(t, path, strings.Repeat("x", 100))
		if err := os.WriteFile(filepath.Join(f.State.Dir, "fill"), make([]byte, 12<<10), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := fails(t, f, dysnomia.Snapshot); !errors.Is(err, syscall.ENOSPC) {
			t.Errorf("error: %v", err)
		}
	})
}

func TestRoughEdge_modules23(t *testing.T) {
	t.Run("modules 23: all revisions are in a snapshot, and come back", func(t *testing.T) {
		f := fixture(t, "history", map[string]string{"dump": dumpOf(t)})
		f.Do(dysnomia.Activate, dysnomia.Snapshot, dysnomia.Deactivate, dysnomia.CollectGarbage)
		f.Do(dysnomia.Restore) // without a repository
		if got := svn(t, "", "svnlook", "cat", "-r", "1", place(f.Component), "text"); got != "one" {
			t.Errorf("revision 1: %s", got)
		}
		commit(t, place(f.Component), "three")
		f.Do(dysnomia.Snapshot)
		if generations(t, f) != 2 {
			t.Errorf("%d generations", generations(t, f))
		}
	})
	t.Run("modules 23: without a base directory nothing is touched", func(t *testing.T) {
		f := fixture(t, "etc", nil)
		delete(f.Properties, "svnBaseDir")
		for _, op := range []dysnomia.Operation{dysnomia.Activate, dysnomia.Snapshot} {
			fails(t, f, op, "svnBaseDir")
		}
	})
	t.Run("modules 23: a bad dump leaves no empty repository", func(t *testing.T) {
		f := fixture(t, "bad", map[string]string{"dump": "nonsense\n"})
		for range 2 {
			fails(t, f, dysnomia.Activate, "subversion-repositories/dump")
			alone(t, f.Component)
		}
	})
	t.Run("modules 23: an older revision that becomes current is a generation", func(t *testing.T) {
		f := fixture(t, "older", map[string]string{"dump": dumpOf(t)})
		f.Do(dysnomia.Activate, dysnomia.Snapshot)
		first, err := f.State.LatestSnapshot(f.Container, f.Name())
		if err != nil {
			t.Fatal(err)
		}
		commit(t, place(f.Component), "three")
		f.Do(dysnomia.Snapshot)
		if err := f.State.Import(t.Context(), f.Container, f.Name(), first); err != nil {
			t.Fatal(err)
		}
		f.Do(dysnomia.Restore)
		commit(t, place(f.Component), "four")
		f.Do(dysnomia.Snapshot)
		if generations(t, f) != 4 {
			t.Errorf("%d generations", generations(t, f))
		}
	})
	t.Run("modules 23: a snapshot of a missing repository fails", func(t *testing.T) {
		fails(t, fixture(t, "missing", nil), dysnomia.Snapshot, "activate the component first")
	})
}

// BenchmarkActivate is the activation of a component whose repository exists.
func BenchmarkActivate(b *testing.B) {
	base := b.TempDir()
	path := filepath.Join(base, "component", "activated")
	if err := os.MkdirAll(path, 0o755); err != nil {
		b.Fatal(err)
	}
	r := &dysnomia.Request{
		Component: path, ComponentName: "activated", Container: "subversion-repository",
		Properties:  map[string]string{"svnBaseDir": filepath.Join(base, "repositories")},
		Environment: os.Environ(), State: &dysnomia.State{Dir: filepath.Join(base, "state")},
	}
	for b.Loop() {
		if err := (Plugin{}).Activate(b.Context(), r); err != nil {
			b.Fatal(err)
		}
	}
}
