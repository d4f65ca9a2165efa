package fileset

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/disnix-go/disnix/dysnomia"
	"github.com/disnix-go/disnix/dysnomia/plugintest"
)

func TestArchivesAreThoseOfTar(t *testing.T) {
	t.Run("tar reads ours", func(t *testing.T) {
		f, target := fixture(t, "mkdir my files\n")
		f.Do(dysnomia.Activate)
		plugintest.WriteFile(t, filepath.Join(target, "my files/a b/c"), strings.Repeat("hello ", 100000))
		must(t, os.Chmod(filepath.Join(target, "my files/a b/c"), 0o640))
		f.Do(dysnomia.Snapshot)
		info, err := os.Stat(filepath.Join(latest(t, f), stateFile))
		must(t, err)
		if info.Mode().Perm() != 0o640 || info.Size() > 10000 {
			t.Errorf("mode %v, size %d", info.Mode(), info.Size())
		}
		into := t.TempDir()
		out, err := exec.Command("tar", "xJf", filepath.Join(latest(t, f), stateFile), "-C", into).CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		unpacked, err := os.Stat(filepath.Join(into, "my files/a b/c"))
		if err != nil || unpacked.Size() != 600000 || unpacked.Mode().Perm() != 0o640 {
			t.Errorf("%v, %v", unpacked, err)
		}
	})
	t.Run("ours reads that of tar, as the original makes it", func(t *testing.T) {
		f, target := fixture(t, "mkdir files\nmkdir more\n")
		f.Do(dysnomia.Activate)
		source := t.TempDir()
		plugintest.WriteFile(t, filepath.Join(source, "files/sub/x"), "restored")
		must(t, os.Link(filepath.Join(source, "files/sub/x"), filepath.Join(source, "files/hard")))
		must(t, os.Symlink("sub/x", filepath.Join(source, "files/soft")))
		plugintest.WriteFile(t, filepath.Join(source, "gone/x"), "x")
		snapshot := filepath.Join(t.TempDir(), "0123abcd")
		must(t, os.Mkdir(snapshot, 0o755))
		out, err := exec.Command("tar", "cJf", filepath.Join(snapshot, stateFile), "-C", source, "files", "gone").CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		must(t, f.State.Import(t.Context(), f.Container, f.Name(), snapshot))
		plugintest.WriteFile(t, filepath.Join(target, "more/kept"), "x")
		f.Do(dysnomia.Restore)
		for _, name := range []string{"sub/x", "hard", "soft"} {
			if content, _ := os.ReadFile(filepath.Join(target, "files", name)); string(content) != "restored" {
				t.Errorf("%s: %q", name, content)
			}
		}
		if _, err := os.Stat(filepath.Join(target, "more/kept")); err != nil {
			t.Error(err)
		}
		if !strings.Contains(f.Stderr, "gone/x of the snapshot is not restored") {
			t.Errorf("messages: %s", f.Stderr)
		}
	})
}

// TestKilledRestoreLosesNothing makes what a restore leaves behind that is
// killed after it has taken a directory away.
func TestKilledRestoreLosesNothing(t *testing.T) {
	killed := func(t *testing.T) (f *plugintest.Fixture, state string) {
		f, target := fixture(t, "mkdir var/files\nmkdir more\n")
		f.Do(dysnomia.Activate)
		state = filepath.Join(target, "var/files/state")
		plugintest.WriteFile(t, state, "snapshot")
		f.Do(dysnomia.Snapshot)
		plugintest.WriteFile(t, state, "only here")
		aside := filepath.Join(target, ".dysnomia-restore-"+f.Name())
		must(t, os.MkdirAll(filepath.Join(aside, "new"), 0o700))
		must(t, os.MkdirAll(filepath.Join(aside, "old/var"), 0o700))
		must(t, os.Rename(filepath.Join(target, "var/files"), filepath.Join(aside, "old/var/files")))
		return f, state
	}
	expect := func(t *testing.T, file, want string) {
		t.Helper()
		if content, err := os.ReadFile(file); string(content) != want {
			t.Errorf("got %q, %v, want %q", content, err, want)
		}
	}
	t.Run("activation", func(t *testing.T) {
		f, state := killed(t)
		f.Do(dysnomia.Activate)
		expect(t, state, "only here")
	})
	t.Run("another restore", func(t *testing.T) {
		f, state := killed(t)
		f.Do(dysnomia.Restore)
		expect(t, state, "snapshot")
		if left, _ := filepath.Glob(filepath.Join(f.Properties["targetDir"], ".dysnomia*")); left != nil {
			t.Errorf("left over: %v", left)
		}
	})
	t.Run("another restore that fails", func(t *testing.T) {
		f, state := killed(t)
		must(t, os.Truncate(filepath.Join(latest(t, f), stateFile), 10))
		if err := f.Run(t.Context(), dysnomia.Restore); err == nil {
			t.Error("a damaged snapshot was restored")
		}
		expect(t, state, "only here")
	})
}

func TestSpecialFilesAreLeftOut(t *testing.T) {
	f, target := fixture(t, "mkdir files\n")
	f.Do(dysnomia.Activate)
	must(t, syscall.Mkfifo(filepath.Join(target, "files/pipe"), 0o600))
	f.Do(dysnomia.Snapshot)
	if !strings.Contains(f.Stderr, "files/pipe is left out") {
		t.Errorf("messages: %s", f.Stderr)
	}
}

func TestCancelledSnapshotLeavesNothing(t *testing.T) {
	f, target := fixture(t, "mkdir files\n")
	f.Do(dysnomia.Activate)
	plugintest.WriteFile(t, filepath.Join(target, "files/x"), "x")
	stop := errors.New("stop")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(stop)
	r := &dysnomia.Request{Component: f.Path, ComponentName: f.Name(), Container: f.Container, Properties: f.Properties,
		Environment: os.Environ(), State: f.State, Stdout: os.Stderr, Stderr: os.Stderr}
	if err := (Plugin{}).Snapshot(ctx, r); !errors.Is(err, stop) {
		t.Errorf("error: %v", err)
	}
	if got := latest(t, f); got != "" {
		t.Errorf("registered: %s", got)
	}
}

func BenchmarkSnapshot(b *testing.B) {
	dir := b.TempDir()
	content := make([]byte, 8<<20)
	for i := range content {
		content[i] = byte(i*i>>8) ^ byte(i>>3)
	}
	if err := os.MkdirAll(filepath.Join(dir, "target/files"), 0o755); err != nil {
		b.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "target/files/x"), content, 0o644); err != nil {
		b.Fatal(err)
	}
	root, err := os.OpenRoot(filepath.Join(dir, "target"))
	if err != nil {
		b.Fatal(err)
	}
	defer root.Close()
	r := &dysnomia.Request{Stdout: os.Stderr, Stderr: os.Stderr}
	r.Stdout, _ = os.Open(os.DevNull)
	b.SetBytes(int64(len(content)))
	for b.Loop() {
		name := filepath.Join(dir, "state.tar.xz")
		if err := (fileset{dirs: []string{"files"}}).pack(b.Context(), r, root, name); err != nil {
			b.Fatal(err)
		}
		if err := os.Remove(name); err != nil {
			b.Fatal(err)
		}
	}
}
