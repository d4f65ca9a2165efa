package dysnomia

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
)

func TestRoughEdge_host15_import(t *testing.T) {
	t.Run("host 15: a directory beside the state directory is not inside", func(t *testing.T) {
		s := newState(t)
		outside := s.Dir + "2/id"
		writeTree(t, outside, map[string]string{"state": "x"})
		check(t, s.Import(t.Context(), "db", "k", outside))
		if got := contents(t, s, "k"); !slices.Equal(got, []string{"x"}) {
			t.Errorf("content: %q", got)
		}
	})
	t.Run("host 15: the source stays", func(t *testing.T) {
		s := newState(t)
		outside := filepath.Join(t.TempDir(), "id")
		writeTree(t, outside, map[string]string{"state": "x"})
		check(t, s.Import(t.Context(), "db", "k", outside+"/"))
		if _, err := os.Stat(filepath.Join(outside, "state")); err != nil {
			t.Error(err)
		}
	})
	t.Run("host 15: an existing id is imported again", func(t *testing.T) {
		s := newState(t)
		outside := filepath.Join(t.TempDir(), "id")
		writeTree(t, outside, map[string]string{"state": "x"})
		check(t, s.Import(t.Context(), "db", "k", outside))
		store(t, s, "db", "k", "y")
		check(t, s.Import(t.Context(), "db", "k", outside))
		if got := contents(t, s, "k"); !slices.Equal(got, []string{"x", "y", "x"}) {
			t.Errorf("history: %q", got)
		}
	})
	t.Run("a snapshot of the repository is only registered", func(t *testing.T) {
		s := newState(t)
		first := store(t, s, "db", "k", "x")
		store(t, s, "db", "k", "y")
		check(t, s.Import(t.Context(), "db", "k", s.path("snapshots", "db", "k", first)))
		if got := contents(t, s, "k"); !slices.Equal(got, []string{"x", "y", "x"}) {
			t.Errorf("history: %q", got)
		}
	})
	t.Run("a snapshot of another component is copied", func(t *testing.T) {
		s := newState(t)
		id := store(t, s, "db", "k", "x")
		check(t, s.Import(t.Context(), "db", "other", s.path("snapshots", "db", "k", id)))
		if got := contents(t, s, "other"); !slices.Equal(got, []string{"x"}) {
			t.Errorf("history: %q", got)
		}
	})
	t.Run("a missing source is an error and leaves nothing", func(t *testing.T) {
		s := newState(t)
		for _, path := range []string{"/nonexistent/id", s.path("snapshots", "db", "k", "gone")} {
			if err := s.Import(t.Context(), "db", "k", path); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("%s: %v", path, err)
			}
		}
		if got := snapshots(t, s, "", ""); len(got) != 0 {
			t.Errorf("registered: %v", got)
		}
	})
	t.Run("a file is a snapshot too", func(t *testing.T) {
		s := newState(t)
		file := filepath.Join(t.TempDir(), "dump 1")
		check(t, os.WriteFile(file, []byte("x"), 0o400))
		check(t, s.Import(t.Context(), "db", "k", file))
		path, err := s.LatestSnapshot("db", "k")
		check(t, err)
		if content, err := os.ReadFile(path); err != nil || string(content) != "x" || filepath.Base(path) != "dump 1" {
			t.Errorf("%s: %q, %v", path, content, err)
		}
		_, err = s.CleanSnapshots("", "", 0)
		check(t, err)
	})
}

func TestExportAndImportOfAnArchive(t *testing.T) {
	from, to := newState(t), newState(t)
	dir := filepath.Join(t.TempDir(), "id")
	writeTree(t, dir, map[string]string{"a b": "1", "sub/x": "2"})
	check(t, os.Mkdir(filepath.Join(dir, "empty"), 0o500))
	check(t, os.Symlink("/etc/passwd", filepath.Join(dir, "link")))
	check(t, from.Import(t.Context(), "db", "k", dir))

	var archive bytes.Buffer
	check(t, from.Export(t.Context(), "db/k/id", &archive))
	check(t, to.ImportArchive(t.Context(), "db", "k", "id", bytes.NewReader(archive.Bytes())))
	g, err := to.QueryLatest("", "")
	check(t, err)
	if !reflect.DeepEqual(g, []Generation{{"db", "k", 1, "id"}}) {
		t.Fatalf("generations: %v", g)
	}
	check(t, to.Check(g[0]))
	one, _ := os.ReadFile(from.checksumPath(g[0]))
	two, _ := os.ReadFile(to.checksumPath(g[0]))
	if !bytes.Equal(one, two) {
		t.Errorf("checksums differ: %s, %s", one, two)
	}
	if target, _ := os.Readlink(filepath.Join(to.snapshotPath(g[0]), "link")); target != "/etc/passwd" {
		t.Errorf("link points to %q", target)
	}

	t.Run("cut off anywhere", func(t *testing.T) {
		cut := newState(t)
		for size := 0; size < archive.Len()-1024; size += 256 {
			err := cut.ImportArchive(t.Context(), "db", "k", "id", bytes.NewReader(archive.Bytes()[:size]))
			if err == nil {
				t.Errorf("%d of %d bytes were accepted", size, archive.Len())
			}
		}
		if got := snapshots(t, cut, "", ""); len(got) != 0 {
			t.Errorf("snapshots: %v", got)
		}
		if left, _ := os.ReadDir(cut.path(temporaryDir)); len(left) != 0 {
			t.Errorf("left: %v", left)
		}
	})
}

func TestImportRefusesHostileArchives(t *testing.T) {
	for name, headers := range map[string][]tar.Header{
		"parent directory":   {{Name: "../evil", Typeflag: tar.TypeReg}},
		"absolute":           {{Name: "/tmp/evil", Typeflag: tar.TypeReg}},
		"parent inside":      {{Name: "a/../../evil", Typeflag: tar.TypeReg}},
		"through a link":     {{Name: "l", Linkname: "/tmp", Typeflag: tar.TypeSymlink}, {Name: "l/evil", Typeflag: tar.TypeReg}},
		"over a link":        {{Name: "l", Linkname: "/tmp/evil", Typeflag: tar.TypeSymlink}, {Name: "l", Typeflag: tar.TypeReg}},
		"directory on link":  {{Name: "l", Linkname: "/tmp", Typeflag: tar.TypeSymlink}, {Name: "l", Typeflag: tar.TypeDir}},
		"inside a link":      {{Name: "d", Typeflag: tar.TypeDir}, {Name: "l", Linkname: "d", Typeflag: tar.TypeSymlink}, {Name: "l/x", Typeflag: tar.TypeReg}},
		"device":             {{Name: "d", Typeflag: tar.TypeBlock}},
		"pipe":               {{Name: "p", Typeflag: tar.TypeFifo}},
		"hard link outside":  {{Name: "h", Linkname: "/etc/passwd", Typeflag: tar.TypeLink}},
		"hard link upwards":  {{Name: "h", Linkname: "../../x", Typeflag: tar.TypeLink}},
		"hard link to link":  {{Name: "l", Linkname: "/etc/passwd", Typeflag: tar.TypeSymlink}, {Name: "h", Linkname: "l", Typeflag: tar.TypeLink}},
		"twice the same":     {{Name: "f", Typeflag: tar.TypeReg}, {Name: "./f", Typeflag: tar.TypeReg}},
		"no entry":           {},
		"only a link":        {{Name: ".", Linkname: "/etc", Typeflag: tar.TypeSymlink}},
		"bottomless":         {{Name: strings.Repeat("d/", 1<<17), Typeflag: tar.TypeDir}},
		"the root is a link": {{Name: ".", Linkname: "/tmp", Typeflag: tar.TypeSymlink}, {Name: "evil", Typeflag: tar.TypeReg}},
	} {
		t.Run(name, func(t *testing.T) {
			s := newState(t)
			var buffer bytes.Buffer
			w := tar.NewWriter(&buffer)
			for _, header := range headers {
				check(t, w.WriteHeader(&header))
			}
			check(t, w.Close())
			if err := s.ImportArchive(t.Context(), "db", "k", "id", &buffer); err == nil {
				t.Error("accepted")
			}
			if got := snapshots(t, s, "", ""); len(got) != 0 {
				t.Errorf("snapshots: %v", got)
			}
		})
	}
}

func FuzzImportArchive(f *testing.F) {
	var archive bytes.Buffer
	w := tar.NewWriter(&archive)
	_ = w.WriteHeader(&tar.Header{Name: "a/b", Typeflag: tar.TypeReg, Size: 1, Mode: 0o644})
	_, _ = w.Write([]byte("x"))
	_ = w.WriteHeader(&tar.Header{Name: "l", Linkname: "..", Typeflag: tar.TypeSymlink})
	_ = w.Close()
	f.Add(archive.Bytes())
	f.Fuzz(func(t *testing.T, data []byte) {
		s := newState(t)
		err := s.ImportArchive(t.Context(), "c", "k", "id", bytes.NewReader(data))
		beside, readErr := os.ReadDir(filepath.Dir(s.Dir))
		check(t, readErr)
		if len(beside) != 1 {
			t.Fatalf("outside of the state directory: %v", beside)
		}
		if err == nil {
			check(t, s.Check(Generation{Container: "c", Component: "k", ID: "id"}))
		}
	})
}

// TestDamagedSnapshotsAreNotPassedOn: a plugin could restore half of one, after
// which the original is deleted.
func TestDamagedSnapshotsAreNotPassedOn(t *testing.T) {
	s := newState(t)
	store(t, s, "db", "k", "rows")
	history, err := s.QueryAll("db", "k")
	check(t, err)
	g := history[0]
	path := s.snapshotPath(g)
	damage := func(root string) {
		t.Helper()
		check(t, filepath.WalkDir(root, func(name string, entry os.DirEntry, err error) error {
			if err == nil && entry.Type().IsRegular() {
				err = os.Truncate(name, 1)
			}
			return err
		}))
	}
	check(t, s.Export(t.Context(), g.Snapshot(), io.Discard))
	check(t, s.Import(t.Context(), "db", "k", path))
	damage(path)
	var mismatch *ChecksumError
	if err := s.Export(t.Context(), g.Snapshot(), io.Discard); !errors.As(err, &mismatch) {
		t.Errorf("exported: %v", err)
	}
	if err := s.Import(t.Context(), "db", "k", path); !errors.As(err, &mismatch) {
		t.Errorf("registered: %v", err)
	}
	// Early versions of the original know no checksums.
	check(t, os.Remove(s.checksumPath(g)))
	check(t, s.Export(t.Context(), g.Snapshot(), io.Discard))
}
