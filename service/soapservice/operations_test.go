package soapservice_test

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/disnix-go/disnix/models/nix"
	"github.com/disnix-go/disnix/service"
	"github.com/disnix-go/disnix/service/servicetest"
	"github.com/disnix-go/disnix/service/soapwire"
	"github.com/disnix-go/disnix/test/nixtest"
)

// inBothVersions runs a test with SOAP 1.1 and 1.2.
func inBothVersions(t *testing.T, test func(*testing.T, soapwire.Version)) {
	t.Helper()
	for name, version := range map[string]soapwire.Version{"SOAP 1.1": soapwire.Soap11, "SOAP 1.2": soapwire.Soap12} {
		t.Run(name, func(t *testing.T) { test(t, version) })
	}
}

// TestEveryOperation asks a target for everything and looks at what reaches it.
func TestEveryOperation(t *testing.T) { inBothVersions(t, testEveryOperation) }

func testEveryOperation(t *testing.T, version soapwire.Version) {
	temporary(t)
	fake := new(servicetest.Fake)
	fake.AddValid("/nix/store/valid")
	fake.AddInstalled("p", []byte("<manifest>\n</manifest>\n"))
	fake.AddSnapshots("box/a/1", "box/a/2")
	s := serve(t, fake)
	s.version = version
	activity := service.Activity{Component: "/c", Container: "box", Type: "t", Arguments: []string{"a=1", "b=2"}}
	for _, test := range []struct {
		request, response any
		wantCall          servicetest.Call
		want              []string // result
	}{
		{&soapwire.PrintInvalid{Derivation: texts("/nix/store/valid", "/x")}, new(soapwire.PrintInvalidResponse), servicetest.Call{Operation: "print-invalid", Words: []string{"/nix/store/valid", "/x"}}, []string{"/x"}},
		{&soapwire.Realise{Derivation: texts("/d")}, new(soapwire.RealiseResponse), servicetest.Call{Operation: "realise", Words: []string{"/d"}}, []string{"/d"}},
		{&soapwire.QueryRequisites{Derivation: texts("/d")}, new(soapwire.QueryRequisitesResponse), servicetest.Call{Operation: "query-requisites", Words: []string{"/d"}}, []string{"/d"}},
		{&soapwire.QueryInstalled{Profile: new("p")}, new(soapwire.QueryInstalledResponse), servicetest.Call{Operation: "query-installed", Words: []string{"p"}}, []string{"<manifest>\n</manifest>\n"}},
		{&soapwire.QueryInstalled{Profile: new("none")}, new(soapwire.QueryInstalledResponse), servicetest.Call{Operation: "query-installed", Words: []string{"none"}}, []string{""}},
		{&soapwire.Set{Profile: new("p"), Derivation: new("/d")}, new(soapwire.SetResponse), servicetest.Call{Operation: "set", Words: []string{"p", "/d"}}, nil},
		{&soapwire.CollectGarbage{DeleteOld: true}, new(soapwire.CollectGarbageResponse), servicetest.Call{Operation: "collect-garbage", Words: []string{"true"}}, nil},
		{&soapwire.CollectGarbage{}, new(soapwire.CollectGarbageResponse), servicetest.Call{Operation: "collect-garbage", Words: []string{"false"}}, nil},
		{&soapwire.Lock{Profile: new("p")}, new(soapwire.LockResponse), servicetest.Call{Operation: "lock", Words: []string{"p"}}, nil},
		{&soapwire.Unlock{Profile: new("p")}, new(soapwire.UnlockResponse), servicetest.Call{Operation: "unlock", Words: []string{"p"}}, nil},
		{&soapwire.Activate{Derivation: new("/c"), Container: new("box"), Type_: new("t"), Arguments: texts("a=1", "b=2")}, new(soapwire.ActivateResponse), servicetest.Call{Operation: "activate", Activity: activity}, nil},
		{&soapwire.Deactivate{Derivation: new("/c"), Container: new("box"), Type_: new("t"), Arguments: texts("a=1", "b=2")}, new(soapwire.DeactivateResponse), servicetest.Call{Operation: "deactivate", Activity: activity}, nil},
		{&soapwire.Snapshot{Derivation: new("/c"), Container: new("box"), Type_: new("t"), Arguments: texts("a=1", "b=2")}, new(soapwire.SnapshotResponse), servicetest.Call{Operation: "snapshot", Activity: activity}, nil},
		{&soapwire.Restore{Derivation: new("/c"), Container: new("box"), Type_: new("t"), Arguments: texts("a=1", "b=2")}, new(soapwire.RestoreResponse), servicetest.Call{Operation: "restore", Activity: activity}, nil},
		{&soapwire.DeleteState{Derivation: new("/c"), Container: new("box"), Type_: new("t"), Arguments: texts("a=1", "b=2")}, new(soapwire.DeleteStateResponse), servicetest.Call{Operation: "delete-state", Activity: activity}, nil},
		{&soapwire.QueryAllSnapshots{Container: new("box"), Component: new("a")}, new(soapwire.QueryAllSnapshotsResponse), servicetest.Call{Operation: "query-all-snapshots", Words: []string{"box", "a"}}, []string{"box/a/1", "box/a/2"}},
		{&soapwire.QueryLatestSnapshot{Container: new("box"), Component: new("a")}, new(soapwire.QueryLatestSnapshotResponse), servicetest.Call{Operation: "query-latest-snapshot", Words: []string{"box", "a"}}, []string{"box/a/2"}},
		{&soapwire.PrintMissingSnapshots{Component: texts("box/a/1", "box/a/3")}, new(soapwire.PrintMissingSnapshotsResponse), servicetest.Call{Operation: "print-missing-snapshots", Words: []string{"box/a/1", "box/a/3"}}, []string{"box/a/3"}},
		{&soapwire.ResolveSnapshots{Snapshots: texts("box/a/1")}, new(soapwire.ResolveSnapshotsResponse), servicetest.Call{Operation: "resolve-snapshots", Words: []string{"box/a/1"}}, []string{"/fake/snapshots/box/a/1"}},
		{&soapwire.ImportSnapshots{Container: new("box"), Component: new("a"), Snapshots: texts("/fake/snapshots/box/a/1")}, new(soapwire.ImportSnapshotsResponse), servicetest.Call{Operation: "register-snapshots", Words: []string{"box", "a", "/fake/snapshots/box/a/1"}}, nil},
		{&soapwire.CleanSnapshots{Keep: 3, Container: new("box")}, new(soapwire.CleanSnapshotsResponse), servicetest.Call{Operation: "clean-snapshots", Words: []string{"3", "box", ""}}, nil},
		{&soapwire.CaptureConfig{}, new(soapwire.CaptureConfigResponse), servicetest.Call{Operation: "capture-config"}, []string{"{\n}\n"}},
	} {
		s.must(test.request, test.response)
		calls := fake.Calls()
		last := calls[len(calls)-1]
		last.Activity.Output = nil
		if fmt.Sprintf("%+v", last) != fmt.Sprintf("%+v", test.wantCall) {
			t.Errorf("%T: the target was asked for %+v", test.request, last)
		}
		if got := result(test.response); !slices.Equal(got, test.want) {
			t.Errorf("%T: %q, want %q", test.request, got, test.want)
		}
	}
}

// result returns the texts of a response, or nothing if it is a number.
func result(response any) []string {
	switch r := response.(type) {
	case *soapwire.PrintInvalidResponse:
		return words(r.Return_)
	case *soapwire.RealiseResponse:
		return words(r.Return_)
	case *soapwire.QueryRequisitesResponse:
		return words(r.Return_)
	case *soapwire.QueryInstalledResponse:
		return words(r.Return_)
	case *soapwire.QueryAllSnapshotsResponse:
		return words(r.Return_)
	case *soapwire.QueryLatestSnapshotResponse:
		return words(r.Return_)
	case *soapwire.PrintMissingSnapshotsResponse:
		return words(r.Return_)
	case *soapwire.ResolveSnapshotsResponse:
		return words(r.Return_)
	case *soapwire.CaptureConfigResponse:
		return []string{*r.Return_}
	default:
		return nil
	}
}

// store adds a file to the private Nix store and returns its path and closure.
func store(t testing.TB, root, name, text string) (path string, closure []byte) {
	t.Helper()
	out, err := nix.Output(t.Context(), "nix-store", "--add", nixtest.File(t, root, "sources/"+name, text))
	if err != nil {
		t.Fatal(err)
	}
	path = strings.TrimSpace(string(out))
	var stream bytes.Buffer
	if err := (service.NixStore{}).ExportClosure(t.Context(), []string{path}, &stream); err != nil {
		t.Fatal(err)
	}
	return path, stream.Bytes()
}

// TestClosures moves closures in and out of a real Nix store.
func TestClosures(t *testing.T) { inBothVersions(t, testClosures) }

func testClosures(t *testing.T, version soapwire.Version) {
	root := nixtest.Store(t)
	t.Cleanup(func() { wantEmpty(t, filepath.Join(root, "tmp")) })
	s := serveLocal(t)
	s.version = version
	path, closure := store(t, root, "file", strings.Repeat("content ", 1<<17))
	garbage := func() { s.must(&soapwire.CollectGarbage{}, new(soapwire.CollectGarbageResponse)) }

	var remote soapwire.ExportRemoteFileResponse
	reply := s.must(&soapwire.ExportRemoteFile{Derivation: texts(path)}, &remote)
	if got := read(t, remote.Return_); got != string(closure) {
		t.Errorf("downloaded %d bytes instead of %d", len(got), len(closure))
	}
	if err := reply.Close(); err != nil {
		t.Error(err)
	}
	var exported soapwire.ExportResponse
	s.must(&soapwire.Export{Derivation: texts(path)}, &exported)
	if info, err := os.Stat(*exported.Return_); err != nil || info.Mode().Perm() != 0o600 || info.Size() != int64(len(closure)) {
		t.Errorf("exported to %s: %v, %v", *exported.Return_, info, err)
	}
	for name, request := range map[string]struct{ request, response any }{
		"upload": {&soapwire.ImportLocalFile{DataHandler: content(string(closure))}, new(soapwire.ImportLocalFileResponse)},
		"file":   {&soapwire.Importm{Closure: exported.Return_}, new(soapwire.ImportmResponse)},
	} {
		garbage()
		s.must(request.request, request.response)
		var invalid soapwire.PrintInvalidResponse
		s.must(&soapwire.PrintInvalid{Derivation: texts(path)}, &invalid)
		if len(invalid.Return_) != 0 {
			t.Errorf("%s: the path is still invalid", name)
		}
	}
	missing := filepath.Join(root, "store", strings.Repeat("0", 32)+"-missing")
	for name, request := range map[string]struct {
		request, response any
		want              string
	}{
		"an invalid path is downloaded": {&soapwire.ExportRemoteFile{Derivation: texts(missing)}, new(soapwire.ExportRemoteFileResponse), missing},
		"an invalid path is exported":   {&soapwire.Export{Derivation: texts(missing)}, new(soapwire.ExportResponse), missing},
		"no closure":                    {&soapwire.ImportLocalFile{DataHandler: content("something else, whatever it may be")}, new(soapwire.ImportLocalFileResponse), ""},
		"nothing":                       {&soapwire.ImportLocalFile{}, new(soapwire.ImportLocalFileResponse), "no closure"},
		"half a closure":                {&soapwire.ImportLocalFile{DataHandler: content(string(closure[:len(closure)/2]))}, new(soapwire.ImportLocalFileResponse), ""},
		"a missing file":                {&soapwire.Importm{Closure: new("/nowhere/file")}, new(soapwire.ImportmResponse), "/nowhere/file"},
		"a directory":                   {&soapwire.Importm{Closure: new("/etc")}, new(soapwire.ImportmResponse), "not a regular file"},
		"a relative name":               {&soapwire.Importm{Closure: new("file")}, new(soapwire.ImportmResponse), "absolute"},
	} {
		_, err := s.ask(t.Context(), request.request, request.response, nil)
		var fault *soapwire.Fault
		if !errors.As(err, &fault) || !strings.Contains(fault.Text, request.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// snapshotTree is a snapshot with many files and directories.
func snapshotTree() (paths []string, files []string) {
	for i := range 50 {
		paths = append(paths, fmt.Sprintf("/s/id/dir%d/sub/file%d", i%7, i))
		files = append(files, fmt.Sprintf("content %d", i))
	}
	return append(paths, "/s/id/empty"), append(files, "")
}

func TestSnapshotsFileByFile(t *testing.T) { inBothVersions(t, testSnapshotsFileByFile) }

func testSnapshotsFileByFile(t *testing.T, version soapwire.Version) {
	root := nixtest.Store(t)
	t.Cleanup(func() { wantEmpty(t, filepath.Join(root, "tmp")) })
	s := serveLocal(t)
	s.version = version
	paths, files := snapshotTree()
	contents := make([]*soapwire.Content, len(files))
	for i, text := range files {
		contents[i] = content(text)
	}
	s.must(&soapwire.ImportLocalSnapshots{Container: new("box"), Component: new("a"), Snapshot: new("/s/id"),
		DataHandlers: contents, Paths: texts(append(paths, "/ignored")...)}, new(soapwire.ImportLocalSnapshotsResponse))
	var resolved soapwire.ResolveSnapshotsResponse
	s.must(&soapwire.ResolveSnapshots{Snapshots: texts("box/a/id")}, &resolved)
	there := *resolved.Return_[0]

	var listed soapwire.ExportRemoteSnapshotPathsResponse
	s.must(&soapwire.ExportRemoteSnapshotPaths{Derivation: &there}, &listed)
	var exported soapwire.ExportRemoteSnapshotsResponse
	reply := s.must(&soapwire.ExportRemoteSnapshots{Derivation: &there}, &exported)
	defer reply.Close()
	if len(listed.Return_) != len(files) || len(exported.Return_) != len(files) {
		t.Fatalf("%d paths, %d files, want %d", len(listed.Return_), len(exported.Return_), len(files))
	}
	for i, path := range listed.Return_ {
		name, below := strings.CutPrefix(*path, there)
		index := slices.Index(paths, "/s/id"+name)
		if !below || index < 0 || read(t, exported.Return_[i]) != files[index] {
			t.Errorf("%d: %s", i, *path)
		}
	}
}

// changing is a target whose snapshots have another file each time.
type changing struct {
	servicetest.Fake
	exports int
}

func (c *changing) ExportSnapshot(_ context.Context, _ string, w io.Writer) error {
	c.exports++
	archive := tar.NewWriter(w)
	return errors.Join(archive.WriteHeader(&tar.Header{Name: fmt.Sprint("file", c.exports), Typeflag: tar.TypeReg, Mode: 0o644}), archive.Close())
}

// TestSnapshotsThatChange must not be sent under the names that they had.
func TestSnapshotsThatChange(t *testing.T) {
	s := serve(t, new(changing))
	_, err := s.ask(t.Context(), &soapwire.ExportRemoteSnapshots{Derivation: new("/s/1")}, new(soapwire.ExportRemoteSnapshotsResponse), nil)
	if err == nil || !strings.Contains(err.Error(), "export snapshot /s/1: it has changed") {
		t.Errorf("error %v", err)
	}
}

func TestSnapshotsAsArchives(t *testing.T) {
	root := nixtest.Store(t)
	t.Cleanup(func() { wantEmpty(t, filepath.Join(root, "tmp")) })
	s := serveLocal(t)
	var archive bytes.Buffer
	w := tar.NewWriter(&archive)
	for _, header := range []tar.Header{
		{Name: "./", Typeflag: tar.TypeDir, Mode: 0o750},
		{Name: "empty/", Typeflag: tar.TypeDir, Mode: 0o700},
		{Name: "link", Typeflag: tar.TypeSymlink, Linkname: "/nowhere"},
		{Name: "program", Typeflag: tar.TypeReg, Mode: 0o755},
	} {
		if err := w.WriteHeader(&header); err != nil {
			t.Fatal(err)
		}
	}
	_ = w.Close()
	header := func() http.Header { return http.Header{soapwire.FeaturesHeader: {"archive"}} }
	request := &soapwire.ImportLocalSnapshots{Container: new("box"), Component: new("a"), Snapshot: new("id"),
		DataHandlers: []*soapwire.Content{soapwire.NewContent(soapwire.ArchiveType, func(w io.Writer) error {
			_, err := w.Write(archive.Bytes())
			return err
		})}}
	if _, err := s.ask(t.Context(), request, new(soapwire.ImportLocalSnapshotsResponse), header()); err != nil {
		t.Fatal(err)
	}
	there := filepath.Join(root, "dysnomia/snapshots/box/a/id")
	if info, err := os.Stat(filepath.Join(there, "empty")); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("an empty directory: %v, %v", info, err)
	}
	if target, err := os.Readlink(filepath.Join(there, "link")); target != "/nowhere" {
		t.Errorf("a link to %q, %v", target, err)
	}
	var exported soapwire.ExportRemoteSnapshotsResponse
	reply, err := s.ask(t.Context(), &soapwire.ExportRemoteSnapshots{Derivation: &there}, &exported, header())
	if err != nil || len(exported.Return_) != 1 {
		t.Fatalf("%d contents, %v", len(exported.Return_), err)
	}
	defer reply.Close()
	back := tar.NewReader(strings.NewReader(read(t, exported.Return_[0])))
	var names []string
	for {
		header, err := back.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, fmt.Sprintf("%s %o %s", strings.Trim(header.Name, "/"), header.Mode&0o777, header.Linkname))
	}
	if want := []string{". 750 ", "empty 700 ", "link 777 /nowhere", "program 755 "}; !slices.Equal(names, want) {
		t.Errorf("%q", names)
	}
	if exported.Return_[0].MediaType != soapwire.ArchiveType {
		t.Errorf("media type %q", exported.Return_[0].MediaType)
	}
	// What only an archive can hold is not lost in silence.
	_, err = s.ask(t.Context(), &soapwire.ExportRemoteSnapshots{Derivation: &there}, new(soapwire.ExportRemoteSnapshotsResponse), nil)
	if err == nil || !strings.Contains(err.Error(), "link") {
		t.Errorf("as files: %v", err)
	}
}

func TestOutputOfPlugins(t *testing.T) {
	fake := &servicetest.Fake{Hook: func(_ context.Context, call servicetest.Call) error {
		if call.Activity.Output != nil {
			fmt.Fprintf(call.Activity.Output, "output of %s\n", call.Operation)
		}
		if call.Operation == "deactivate" {
			return errors.New("it does not want to")
		}
		return nil
	}}
	s := serve(t, fake)
	for _, wanted := range []bool{true, false} {
		header, output := http.Header{}, ""
		if wanted {
			header.Set(soapwire.FeaturesHeader, "x, output")
			output = "output of %s\n"
		}
		reply, err := s.ask(t.Context(), &soapwire.Activate{Type_: new("t")}, new(soapwire.ActivateResponse), header)
		if err != nil || string(reply.Output) != strings.ReplaceAll(output, "%s", "activate") {
			t.Errorf("output %q, %v", reply.Output, err)
		}
		reply, err = s.ask(t.Context(), &soapwire.Deactivate{Type_: new("t")}, new(soapwire.DeactivateResponse), header)
		var fault *soapwire.Fault
		if !errors.As(err, &fault) || fault.Text != "output of deactivate\nit does not want to\n" || string(reply.Output) != strings.ReplaceAll(output, "%s", "deactivate") {
			t.Errorf("output %q, error %#v", reply.Output, err)
		}
	}
}
