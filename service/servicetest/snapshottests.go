package servicetest

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing/iotest"
	"time"
)

var snapshotTests = []conformanceTest{
	{"an empty repository has no snapshots", func(m *machine) {
		all, err := m.QueryAllSnapshots(m.Context(), "", "")
		m.want("all", all, err)
		latest, err := m.QueryLatestSnapshot(m.Context(), "box", "a")
		m.want("latest", latest, err)
		missing, err := m.PrintMissingSnapshots(m.Context(), []string{"box/a/1", "box/b/2"})
		m.want("missing", missing, err, "box/a/1", "box/b/2")
		m.must(m.CleanSnapshots(m.Context(), 1, "", ""))
	}},
	{"snapshots are imported and exported", func(m *machine) {
		m.importSnapshot("box", "a", "first", "content")
		missing, err := m.PrintMissingSnapshots(m.Context(), []string{"box/a/first", "box/a/other"})
		m.want("missing", missing, err, "box/a/other")
		paths, err := m.ResolveSnapshots(m.Context(), []string{"box/a/first"})
		if err != nil || len(paths) != 1 {
			m.Fatalf("resolved %q, %v", paths, err)
		}
		content, err := os.ReadFile(filepath.Join(paths[0], "dir/file"))
		if err != nil || string(content) != "content" {
			m.Errorf("in the repository: %q, %v", content, err)
		}
		var stream bytes.Buffer
		m.must(m.ExportSnapshot(m.Context(), paths[0], &stream))
		m.must(m.CleanSnapshots(m.Context(), 0, "", ""))
		m.must(m.ImportSnapshot(m.Context(), "other-box", "b", "copy", &stream))
		paths, err = m.ResolveSnapshots(m.Context(), []string{"other-box/b/copy"})
		m.must(err)
		content, err = os.ReadFile(filepath.Join(paths[0], "dir/file"))
		if err != nil || string(content) != "content" {
			m.Errorf("after export and import: %q, %v", content, err)
		}
		if target, err := os.Readlink(filepath.Join(paths[0], "dir/link")); err != nil || target != "/nowhere" {
			m.Errorf("link to %q, %v", target, err)
		}
	}},
	{"host 12: more than nine generations are in order", func(m *machine) {
		var want []string
		for i := range 12 {
			id := fmt.Sprintf("s%d", i)
			m.importSnapshot("box", "a", id, id)
			want = append(want, "box/a/"+id)
		}
		m.importSnapshot("box", "b", "x", "x")
		m.importSnapshot("chest", "a", "y", "y")
		all, err := m.QueryAllSnapshots(m.Context(), "box", "a")
		m.want("all of one", all, err, want...)
		all, err = m.QueryAllSnapshots(m.Context(), "", "")
		m.want("all", all, err, append(want, "box/b/x", "chest/a/y")...)
		all, err = m.QueryAllSnapshots(m.Context(), "", "a")
		m.want("all of a component", all, err, append(want, "chest/a/y")...)
		latest, err := m.QueryLatestSnapshot(m.Context(), "", "")
		m.want("latest", latest, err, "box/a/s11", "box/b/x", "chest/a/y")
		latest, err = m.QueryLatestSnapshot(m.Context(), "box", "a")
		m.want("latest of one", latest, err, "box/a/s11")
	}},
	{"a snapshot that is there becomes the newest generation", func(m *machine) {
		for _, id := range []string{"one", "two"} {
			m.importSnapshot("box", "a", id, id)
		}
		paths, err := m.ResolveSnapshots(m.Context(), []string{"box/a/two", "box/a/one", "box/a/two"})
		m.must(err)
		if len(paths) != 3 || paths[0] != paths[2] || filepath.Base(paths[1]) != "one" {
			m.Fatalf("resolved %q", paths)
		}
		m.must(m.RegisterSnapshots(m.Context(), "box", "a", paths[1:2]))
		all, err := m.QueryAllSnapshots(m.Context(), "box", "a")
		m.want("all", all, err, "box/a/one", "box/a/two", "box/a/one")
		m.must(m.RegisterSnapshots(m.Context(), "box", "a", paths[1:2]))
		latest, err := m.QueryLatestSnapshot(m.Context(), "box", "a")
		m.want("latest", latest, err, "box/a/one")
	}},
	{"snapshots elsewhere on the target are registered", func(m *machine) {
		m.file("outside/id/file", "content")
		m.must(m.RegisterSnapshots(m.Context(), "box", "a", []string{filepath.Join(m.root, "outside/id")}))
		latest, err := m.QueryLatestSnapshot(m.Context(), "box", "a")
		m.want("latest", latest, err, "box/a/id")
		m.wantError("missing", m.RegisterSnapshots(m.Context(), "box", "a", []string{filepath.Join(m.root, "missing")}), "missing")
	}},
	{"old generations are cleaned", func(m *machine) {
		for i := range 4 {
			id := fmt.Sprint(i)
			m.importSnapshot("box", "a", id, id)
			m.importSnapshot("box", "b", id, id)
		}
		m.must(m.CleanSnapshots(m.Context(), 2, "box", "a"))
		all, err := m.QueryAllSnapshots(m.Context(), "box", "a")
		m.want("cleaned", all, err, "box/a/2", "box/a/3")
		missing, err := m.PrintMissingSnapshots(m.Context(), []string{"box/a/1", "box/a/2", "box/b/1"})
		m.want("missing", missing, err, "box/a/1")
		m.must(m.CleanSnapshots(m.Context(), 0, "", ""))
		all, err = m.QueryAllSnapshots(m.Context(), "", "")
		m.want("after all were cleaned", all, err)
		m.wantError("keep a negative number", m.CleanSnapshots(m.Context(), -1, "", ""))
	}},
	{"a broken archive leaves nothing", func(m *machine) {
		whole := snapshotArchive("content")
		for what, stream := range map[string]io.Reader{
			"text":          bytes.NewReader([]byte("this is no archive, whatever it may be")),
			"nothing":       bytes.NewReader(nil),
			"cut off":       bytes.NewReader(whole[:len(whole)/2]),
			"a lost sender": io.MultiReader(bytes.NewReader(whole[:1000]), iotest.ErrReader(errors.New("link is down"))),
		} {
			m.wantError(what, m.ImportSnapshot(m.Context(), "box", "a", "id", stream))
		}
		all, err := m.QueryAllSnapshots(m.Context(), "", "")
		m.want("all", all, err)
		missing, err := m.PrintMissingSnapshots(m.Context(), []string{"box/a/id"})
		m.want("missing", missing, err, "box/a/id")
	}},
	{"names stay in the repository", func(m *machine) {
		for _, id := range []string{"../x", "a/b", "..", ""} {
			m.wantError("import "+id, m.ImportSnapshot(m.Context(), "box", "a", id, bytes.NewReader(snapshotArchive(""))))
		}
		_, err := m.PrintMissingSnapshots(m.Context(), []string{"../../etc"})
		m.wantError("print missing", err)
		m.file("secret/file", "x")
		m.wantError("export", m.ExportSnapshot(m.Context(), filepath.Join(m.root, "secret"), io.Discard))
		m.wantError("export", m.ExportSnapshot(m.Context(), filepath.Join(m.root, "missing"), io.Discard))
	}},
	{"temporary files are removed", func(m *machine) {
		m.importSnapshot("box", "a", "id", "content")
		paths, err := m.ResolveSnapshots(m.Context(), []string{"box/a/id"})
		m.must(err)
		m.must(m.ExportSnapshot(m.Context(), paths[0], io.Discard))
		m.wantError("export", m.ExportSnapshot(m.Context(), paths[0]+"x", io.Discard))
		var stream bytes.Buffer
		m.must(m.ExportClosure(m.Context(), m.chain(1), &stream))
		_, err = m.ImportClosure(m.Context(), &stream)
		m.must(err)
		_, err = m.ImportClosure(m.Context(), bytes.NewReader(nil))
		m.wantError("import", err)
		_, err = m.CaptureConfig(m.Context())
		m.must(err)
		left, err := filepath.Glob(filepath.Join(os.TempDir(), "disnix.*"))
		m.want("left", left, err)
	}},
}

// importSnapshot imports a directory with the content in dir/file.
func (m *machine) importSnapshot(container, component, id, content string) {
	m.Helper()
	m.must(m.ImportSnapshot(m.Context(), container, component, id, bytes.NewReader(snapshotArchive(content))))
}

func snapshotArchive(content string) []byte {
	var buffer bytes.Buffer
	w := tar.NewWriter(&buffer)
	entry := func(h tar.Header) {
		h.ModTime = time.Unix(1000000000, 0)
		if err := w.WriteHeader(&h); err != nil {
			panic(err) // a header of ours is wrong
		}
	}
	entry(tar.Header{Name: ".", Typeflag: tar.TypeDir, Mode: 0o755})
	entry(tar.Header{Name: "dir", Typeflag: tar.TypeDir, Mode: 0o755})
	entry(tar.Header{Name: "dir/file", Typeflag: tar.TypeReg, Mode: 0o644, Size: int64(len(content))})
	_, _ = io.WriteString(w, content)
	entry(tar.Header{Name: "dir/link", Typeflag: tar.TypeSymlink, Linkname: "/nowhere"})
	_ = w.Close()
	return buffer.Bytes()
}

// awaitFile waits until a file exists, or stop is closed.
func awaitFile(path string, stop <-chan struct{}) {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		if _, err := os.Stat(path); err == nil {
			return
		}
		select {
		case <-stop:
			return
		case <-tick.C:
		}
	}
}
