package fileset

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/disnix-go/disnix/dysnomia"
	"github.com/disnix-go/disnix/dysnomia/plugintest"
)

var config = plugintest.Config{
	Type:   "fileset",
	Plugin: Plugin{},
	New: func(t *testing.T) plugintest.Component {
		return component(t, "mkdir files\nmkdir var/lib/my data\nsymlink /nix/store/x/index.html\ntarget .\nsymlink /nix/store/x/logo.png\ntarget assets/img\n")
	},
	Broken: func(t *testing.T) plugintest.Component {
		c := component(t, "symlink /nix/store/x/logo.png\ntarget ok\nsymlink /nix/store/x/index.html\ntarget blocked\n")
		plugintest.WriteFile(t, filepath.Join(c.Properties["targetDir"], "blocked"), "a file")
		return c
	},
	Running: func(_ *testing.T, c plugintest.Component) bool {
		_, err := os.Readlink(filepath.Join(c.Properties["targetDir"], "index.html"))
		return err == nil
	},
	Write: func(t *testing.T, c plugintest.Component, text string) {
		plugintest.WriteFile(t, filepath.Join(c.Properties["targetDir"], "var/lib/my data/state"), text)
	},
	Read: func(_ *testing.T, c plugintest.Component) string {
		content, _ := os.ReadFile(filepath.Join(c.Properties["targetDir"], "var/lib/my data/state"))
		return string(content)
	},
}

func component(t *testing.T, list string) plugintest.Component {
	t.Helper()
	return plugintest.NewComponent(t, "www", map[string]string{"targetDir": filepath.Join(t.TempDir(), "target")},
		map[string]string{".dysnomia-fileset": list})
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func fixture(t *testing.T, list string) (*plugintest.Fixture, string) {
	f := plugintest.NewFixture(t, config, component(t, list))
	return f, f.Properties["targetDir"]
}

func latest(t *testing.T, f *plugintest.Fixture) string {
	t.Helper()
	path, err := f.State.LatestSnapshot(f.Container, f.Name())
	must(t, err)
	return path
}

func TestConformance(t *testing.T) { plugintest.Run(t, config) }

func TestLinksComeAndGo(t *testing.T) {
	f, target := fixture(t, "symlink /nix/store/x/a\ntarget deep/er\n# a comment\n\nsymlink /nix/store/x/b\ntarget .\ntarget deep")
	f.Do(dysnomia.Activate)
	for name, want := range map[string]string{"deep/er/a": "/nix/store/x/a", "b": "/nix/store/x/b", "deep/b": "/nix/store/x/b"} {
		if got, _ := os.Readlink(filepath.Join(target, name)); got != want {
			t.Errorf("%s points to %q, want %q", name, got, want)
		}
	}
	f.Do(dysnomia.Deactivate)
	entries, err := os.ReadDir(target)
	must(t, err)
	if len(entries) != 0 {
		t.Errorf("left: %v", entries)
	}
}

func TestActivationReplacesAnOldLink(t *testing.T) {
	f, target := fixture(t, "symlink /nix/store/new/a\ntarget .\n")
	must(t, os.MkdirAll(target, 0o755))
	must(t, os.Symlink("/nix/store/old/a", filepath.Join(target, "a")))
	f.Do(dysnomia.Activate)
	if got, _ := os.Readlink(filepath.Join(target, "a")); got != "/nix/store/new/a" {
		t.Errorf("a points to %q", got)
	}
}

// TestSharedDirectories: a version in the name of a component makes another
// component of each version.
func TestSharedDirectories(t *testing.T) {
	old, target := fixture(t, "mkdir uploads\nmkdir cache\nmkdir var/own\n")
	fresh, _ := fixture(t, "mkdir uploads/images\nmkdir cache\n")
	// A link to the same directory.
	fresh.Properties["targetDir"] = filepath.Join(t.TempDir(), "link")
	must(t, os.Symlink(target, fresh.Properties["targetDir"]))
	fresh.State = old.State
	must(t, os.Rename(fresh.Path, fresh.Path+"-2.0"))
	fresh.Path += "-2.0"
	old.Do(dysnomia.Activate)
	for _, name := range []string{"uploads/images/1.png", "cache/1", "var/own/1"} {
		plugintest.WriteFile(t, filepath.Join(target, name), "content")
	}
	exists := func(name string) bool {
		_, err := os.Stat(filepath.Join(target, name))
		return err == nil
	}
	old.Do(dysnomia.Deactivate)
	fresh.Do(dysnomia.Activate)
	old.Do(dysnomia.CollectGarbage)
	old.Expect("")
	if !exists("uploads/images/1.png") || !exists("cache/1") || exists("var") {
		t.Errorf("uploads: %t, cache: %t, var: %t", exists("uploads/images/1.png"), exists("cache/1"), exists("var"))
	}
	fresh.Do(dysnomia.Deactivate, dysnomia.CollectGarbage)
	if exists("uploads/images") || exists("cache") {
		t.Error("garbage is left")
	}
}

func TestOwner(t *testing.T) {
	f, target := fixture(t, "mkdir files\n")
	f.Properties["filesetOwner"] = "daemon:12345"
	f.Do(dysnomia.Activate)
	plugintest.WriteFile(t, filepath.Join(target, "files/x"), "x")
	f.Do(dysnomia.Snapshot, dysnomia.Restore)
	for _, name := range []string{"files", "files/x"} {
		info, err := os.Stat(filepath.Join(target, name))
		must(t, err)
		if stat := info.Sys().(*syscall.Stat_t); stat.Uid != 1 || stat.Gid != 12345 {
			t.Errorf("%s belongs to %d:%d", name, stat.Uid, stat.Gid)
		}
	}
	f.Properties["filesetOwner"] = "dysnotest-nobody"
	if err := f.Run(t.Context(), dysnomia.Activate); err == nil || !strings.Contains(err.Error(), "dysnotest-nobody") {
		t.Errorf("error: %v", err)
	}
}

func TestTargetDirectoryFromTheComponent(t *testing.T) {
	f, target := fixture(t, "mkdir files\n")
	delete(f.Properties, "targetDir")
	plugintest.WriteFile(t, filepath.Join(f.Path, ".dysnomia-targetdir"), target+"\n")
	f.Do(dysnomia.Activate)
	if info, err := os.Stat(filepath.Join(target, "files")); err != nil || !info.IsDir() {
		t.Error(err)
	}
}

func TestRoughEdge_modules5(t *testing.T) {
	t.Run("modules 5: every mistake is an error, before anything is done", func(t *testing.T) {
		f, target := fixture(t, "mkdir ok\nchmod x\nmkdir ../up\nmkdir /abs\nmkdir .\nsymlink relative\ntarget a\nsymlink /a/b\ntarget a/../../b\nsymlink /last")
		err := f.Run(t.Context(), dysnomia.Activate)
		if err == nil {
			t.Fatal("activation succeeded")
		}
		for _, line := range []string{":2:", ":3:", ":4:", ":5:", ":6:", ":9:", "/last has no target"} {
			if !strings.Contains(err.Error(), line) {
				t.Errorf("%s is not in: %v", line, err)
			}
		}
		if _, err := os.Stat(target); err == nil {
			t.Error("the target directory was created")
		}
	})
	t.Run("modules 5: a failing line is an error, whichever it is", func(t *testing.T) {
		f := plugintest.NewFixture(t, config, config.Broken(t))
		if err := f.Run(t.Context(), dysnomia.Activate); err == nil || !strings.Contains(err.Error(), "blocked") {
			t.Errorf("error: %v", err)
		}
		if _, err := os.Lstat(filepath.Join(f.Properties["targetDir"], "ok")); err == nil {
			t.Error("the link made before is still there")
		}
	})
	t.Run("modules 5: lock needs no target directory", func(t *testing.T) {
		f, _ := fixture(t, "mkdir files\n")
		delete(f.Properties, "targetDir")
		f.Do(dysnomia.Lock, dysnomia.Unlock)
		if err := f.Run(t.Context(), dysnomia.Activate); err == nil || !strings.Contains(err.Error(), "targetDir") {
			t.Errorf("error: %v", err)
		}
	})
	t.Run("modules 5: without its target directory nothing is left to do", func(t *testing.T) {
		f, target := fixture(t, "mkdir files\n")
		f.Do(dysnomia.Activate)
		must(t, os.RemoveAll(target))
		f.Do(dysnomia.Restore, dysnomia.Deactivate, dysnomia.CollectGarbage)
		f.Expect("")
	})
	t.Run("modules 5: a missing directory is no empty snapshot", func(t *testing.T) {
		f, target := fixture(t, "mkdir files\n")
		if err := f.Run(t.Context(), dysnomia.Snapshot); err == nil {
			t.Error("snapshot without a target directory succeeded")
		}
		f.Do(dysnomia.Activate)
		must(t, os.RemoveAll(filepath.Join(target, "files")))
		if err := f.Run(t.Context(), dysnomia.Snapshot); err == nil {
			t.Error("snapshot of a missing directory succeeded")
		}
		if got := latest(t, f); got != "" {
			t.Errorf("registered: %s", got)
		}
	})
	t.Run("modules 5: equal content has an equal id, whenever and by whom it was made", func(t *testing.T) {
		one, target := fixture(t, "mkdir files\n")
		one.Do(dysnomia.Activate)
		plugintest.WriteFile(t, filepath.Join(target, "files/a"), "1")
		plugintest.WriteFile(t, filepath.Join(target, "files/b/c"), "2")
		one.Do(dysnomia.Snapshot)
		id := filepath.Base(latest(t, one))

		must(t, os.Chown(filepath.Join(target, "files/a"), 1, 1))
		past := time.Unix(1e9, 0)
		must(t, os.Chtimes(filepath.Join(target, "files"), past, past))
		must(t, os.Chtimes(filepath.Join(target, "files/a"), past, past))
		one.Do(dysnomia.Snapshot, dysnomia.Restore, dysnomia.Snapshot)

		two, target := fixture(t, "mkdir files\n")
		plugintest.WriteFile(t, filepath.Join(target, "files/b/c"), "2")
		plugintest.WriteFile(t, filepath.Join(target, "files/a"), "1")
		two.Do(dysnomia.Activate, dysnomia.Snapshot)
		for name, f := range map[string]*plugintest.Fixture{"later": one, "elsewhere": two} {
			history, err := f.State.QueryAll("", "")
			must(t, err)
			if len(history) != 1 || history[0].ID != id {
				t.Errorf("%s: %v, want one with %s", name, history, id)
			}
		}
	})
	t.Run("modules 5: a fileset without mutable directories has no state", func(t *testing.T) {
		f, _ := fixture(t, "symlink /nix/store/x/a\ntarget .\n")
		f.Do(dysnomia.Activate, dysnomia.Snapshot, dysnomia.Restore)
		if got := latest(t, f); got != "" {
			t.Errorf("registered: %s", got)
		}
	})
	t.Run("modules 5: nothing is left in the target directory", func(t *testing.T) {
		f, target := fixture(t, "mkdir files\n")
		f.Do(dysnomia.Activate)
		plugintest.WriteFile(t, filepath.Join(target, "files/x"), "x")
		f.Do(dysnomia.Snapshot, dysnomia.Restore)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_ = f.Run(ctx, dysnomia.Snapshot)
		plugintest.WriteFile(t, filepath.Join(latest(t, f), stateFile), "damaged")
		if err := f.Run(t.Context(), dysnomia.Restore); err == nil {
			t.Error("a damaged snapshot was restored")
		}
		entries, err := os.ReadDir(target)
		must(t, err)
		if len(entries) != 1 {
			t.Errorf("entries: %v", entries)
		}
		if content, _ := os.ReadFile(filepath.Join(target, "files/x")); string(content) != "x" {
			t.Errorf("after a failed restore: %q", content)
		}
	})
	t.Run("modules 5: files since the snapshot disappear, links of the fileset stay", func(t *testing.T) {
		f, target := fixture(t, "mkdir files\nsymlink /nix/store/x/a\ntarget files\n")
		f.Do(dysnomia.Activate)
		plugintest.WriteFile(t, filepath.Join(target, "files/old"), "x")
		must(t, os.Symlink("/etc/passwd", filepath.Join(target, "files/own")))
		f.Do(dysnomia.Snapshot)
		plugintest.WriteFile(t, filepath.Join(target, "files/new"), "x")
		f.Do(dysnomia.Restore)
		names := map[string]bool{}
		entries, err := os.ReadDir(filepath.Join(target, "files"))
		must(t, err)
		for _, entry := range entries {
			names[entry.Name()] = true
		}
		if len(names) != 3 || !names["old"] || !names["own"] || !names["a"] {
			t.Errorf("files: %v", names)
		}
	})
}

func TestRoughEdge_modules29_14_linksOfOthersStay(t *testing.T) {
	f, target := fixture(t, "symlink /nix/store/x/a\ntarget .\n")
	f.Do(dysnomia.Activate)
	link := filepath.Join(target, "a")
	must(t, os.Remove(link))
	must(t, os.Symlink("/nix/store/other/a", link))
	f.Do(dysnomia.Deactivate)
	if got, _ := os.Readlink(link); got != "/nix/store/other/a" {
		t.Errorf("the link of another component points to %q", got)
	}
}

func TestNothingLeavesTheTargetDirectory(t *testing.T) {
	outside := t.TempDir()
	plugintest.WriteFile(t, filepath.Join(outside, "precious"), "x")
	f, target := fixture(t, "mkdir way/files\nsymlink /nix/store/x/a\ntarget way\n")
	must(t, os.MkdirAll(target, 0o755))
	must(t, os.Symlink(outside, filepath.Join(target, "way")))
	if err := f.Run(t.Context(), dysnomia.Activate); err == nil {
		t.Error("activation through a link that leads out succeeded")
	}
	must(t, f.State.MarkActive(f.Container, f.Name(), f.Path))
	must(t, f.State.MarkGarbage(f.Container, f.Name()))
	_ = f.Run(t.Context(), dysnomia.CollectGarbage)
	entries, err := os.ReadDir(outside)
	must(t, err)
	if len(entries) != 1 {
		t.Errorf("outside: %v", entries)
	}
}

func FuzzParseList(f *testing.F) {
	f.Add("mkdir a\nsymlink /x/y\ntarget .\n")
	f.Add("mkdir ../a\r\ntarget a//b/./c")
	f.Fuzz(func(t *testing.T, text string) {
		list, err := parseList(text)
		if err != nil {
			return
		}
		for _, dir := range list.dirs {
			if !filepath.IsLocal(dir) || dir == "." {
				t.Errorf("directory %q", dir)
			}
		}
		for _, l := range list.links {
			if !filepath.IsLocal(l.name) || !filepath.IsAbs(l.target) {
				t.Errorf("link %+v", l)
			}
		}
	})
}
