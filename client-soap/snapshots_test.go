package soapclient_test

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"io"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	soapclient "github.com/disnix-go/disnix/client-soap"
	"github.com/disnix-go/disnix/models/nix"
	"github.com/disnix-go/disnix/test/nixtest"
)

// exported adds a file to the Nix store, and returns a function that exports it
// each time.
func exported(t testing.TB, root, content string) func() io.Reader {
	t.Helper()
	file := nixtest.File(t, root, "sources/file", content)
	out, err := nix.Output(context.Background(), "nix-store", "--add", file)
	if err != nil {
		t.Fatal(err)
	}
	closure, err := nix.Output(context.Background(), "nix-store", "--export", strings.TrimSpace(string(out)))
	if err != nil {
		t.Fatal(err)
	}
	return func() io.Reader { return bytes.NewReader(closure) }
}

// archive makes an archive of files; names that end with a slash are
// directories, and contents that begin with -> are links.
func archive(t testing.TB, files map[string]string) io.Reader {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	add := func(h *tar.Header, content string) {
		h.Size = int64(len(content))
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, content); err != nil {
			t.Fatal(err)
		}
	}
	add(&tar.Header{Name: "./", Typeflag: tar.TypeDir, Mode: 0o755}, "")
	for name, content := range files {
		target, isLink := strings.CutPrefix(content, "->")
		switch {
		case strings.HasSuffix(name, "/"):
			add(&tar.Header{Name: name, Typeflag: tar.TypeDir, Mode: 0o755}, "")
		case isLink:
			add(&tar.Header{Name: name, Typeflag: tar.TypeSymlink, Linkname: target}, "")
		default:
			add(&tar.Header{Name: name, Typeflag: tar.TypeReg, Mode: 0o644}, content)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return &b
}

// unpacked returns the files of an archive.
func unpacked(t testing.TB, r io.Reader) map[string]string {
	t.Helper()
	files := map[string]string{}
	for a := tar.NewReader(r); ; {
		header, err := a.Next()
		if errors.Is(err, io.EOF) {
			return files
		}
		if err != nil {
			t.Fatal(err)
		}
		if header.Typeflag == tar.TypeReg {
			content, err := io.ReadAll(a)
			if err != nil {
				t.Fatal(err)
			}
			files[filepath.Clean(header.Name)] = string(content)
		}
	}
}

// testSnapshotFiles sends and receives snapshots with a client whose service
// knows files only.
func testSnapshotFiles(t *testing.T, client *soapclient.Client) {
	ctx := t.Context()
	files := map[string]string{"one": "1", "sub/two": strings.Repeat("\r\n--", 50_000), "sub/deeper/three": "", "ünï cödé": "x"}
	if err := client.ImportSnapshot(ctx, "c", "k", "first", archive(t, files)); err != nil {
		t.Fatal(err)
	}
	paths, err := client.ResolveSnapshots(ctx, []string{"c/k/first"})
	if err != nil || len(paths) != 1 {
		t.Fatalf("%q, %v", paths, err)
	}
	var received bytes.Buffer
	if err := client.ExportSnapshot(ctx, paths[0], &received); err != nil {
		t.Fatal(err)
	}
	if got := unpacked(t, &received); !maps.Equal(got, files) {
		t.Errorf("received %q", got)
	}
	for name, test := range map[string]struct {
		files map[string]string
		want  string
	}{
		"a link":             {map[string]string{"file": "x", "link": "->file"}, "link is no regular file"},
		"an empty directory": {map[string]string{"file": "x", "empty/": ""}, "empty is an empty directory"},
		"nothing":            {nil, ". is an empty directory"},
	} {
		t.Run(name, func(t *testing.T) {
			err := client.ImportSnapshot(ctx, "c", "k", "second", archive(t, test.files))
			wantError(t, err, test.want, "run disnix-webservice on the target")
		})
	}
	if missing, err := client.PrintMissingSnapshots(ctx, []string{"c/k/second"}); err != nil || len(missing) != 1 {
		t.Errorf("missing %q, %v", missing, err)
	}
	wantError(t, client.ExportSnapshot(ctx, filepath.Join(os.TempDir(), "none"), io.Discard), "exportRemoteSnapshot")
}
