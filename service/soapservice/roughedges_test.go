package soapservice_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/disnix-go/disnix/service"
	"github.com/disnix-go/disnix/service/servicetest"
	"github.com/disnix-go/disnix/service/soapwire"
	"github.com/disnix-go/disnix/test/nixtest"
)

// importSnapshot sends a snapshot whose only file has this path.
func (s *server) importSnapshot(snapshot, path string) error {
	_, err := s.ask(s.Context(), &soapwire.ImportLocalSnapshots{Container: new("box"), Component: new("a"), Snapshot: &snapshot,
		DataHandlers: []*soapwire.Content{content("x")}, Paths: texts(path)}, new(soapwire.ImportLocalSnapshotsResponse), nil)
	return err
}

func TestRoughEdge_soap2(t *testing.T) {
	t.Run("soap 2: an empty snapshot is one, too", func(t *testing.T) {
		root := nixtest.Store(t)
		s := serveLocal(t)
		s.must(&soapwire.ImportLocalSnapshots{Container: new("box"), Component: new("a"), Snapshot: new("/s/id")}, new(soapwire.ImportLocalSnapshotsResponse))
		there := filepath.Join(root, "dysnomia/snapshots/box/a/id")
		var listed soapwire.ExportRemoteSnapshotPathsResponse
		s.must(&soapwire.ExportRemoteSnapshotPaths{Derivation: &there}, &listed)
		var exported soapwire.ExportRemoteSnapshotsResponse
		s.must(&soapwire.ExportRemoteSnapshots{Derivation: &there}, &exported)
		if len(listed.Return_) != 0 || len(exported.Return_) != 0 {
			t.Errorf("%d paths, %d files", len(listed.Return_), len(exported.Return_))
		}
	})
}

func TestRoughEdge_soap3(t *testing.T) {
	t.Run("soap 3: paths that are not below the snapshot are refused, not cut", func(t *testing.T) {
		nixtest.Store(t)
		s := serveLocal(t)
		for snapshot, path := range map[string]string{
			"s/id":   "/home/alice/s/id/file", // as the original client sends a relative operand
			"/s/id":  "/s/id2/file",
			"/s/id/": "/s/id",
			"/s/x":   "file",
		} {
			err := s.importSnapshot(snapshot, path)
			if err == nil || !strings.Contains(err.Error(), fmt.Sprintf("%q is not below the snapshot %q", path, snapshot)) {
				t.Errorf("%s in %s: %v", path, snapshot, err)
			}
		}
	})
	t.Run("soap 3: relative paths below a relative snapshot are in it", func(t *testing.T) {
		root := nixtest.Store(t)
		s := serveLocal(t)
		if err := s.importSnapshot("s/id", "s/id/dir/file"); err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(filepath.Join(root, "dysnomia/snapshots/box/a/id/dir/file")); err != nil {
			t.Error(err)
		}
	})
}

func TestRoughEdge_soap4(t *testing.T) {
	root := nixtest.Store(t)
	secret := nixtest.File(t, root, "secret/file", "secret")
	s := serveLocal(t)
	t.Run("soap 4: no file is written outside of the snapshot", func(t *testing.T) {
		for _, path := range []string{"/s/id/../../../evil", "/s/id/x/../../evil", "/s/id/..", "/s/id/"} {
			if err := s.importSnapshot("/s/id", path); err == nil || !strings.Contains(err.Error(), "not below") {
				t.Errorf("%s: %v", path, err)
			}
		}
		if err := s.importSnapshot("..", "../../evil"); err == nil || !strings.Contains(err.Error(), "not below") {
			t.Errorf("a relative snapshot: %v", err)
		}
		for _, snapshot := range []string{"/s/..", "/..", "/", ".", "", "/s/a\x7f/../.."} {
			if err := s.importSnapshot(snapshot, strings.TrimSuffix(snapshot, "/")+"/file"); err == nil {
				t.Errorf("snapshot %q was accepted", snapshot)
			}
		}
		for _, names := range [][2]string{{"..", "a"}, {"box", ".."}, {"box/x", "a"}, {"box", "../a"}} {
			_, err := s.ask(t.Context(), &soapwire.ImportLocalSnapshots{Container: &names[0], Component: &names[1], Snapshot: new("/s/id"),
				DataHandlers: []*soapwire.Content{content("x")}, Paths: texts("/s/id/f")}, new(soapwire.ImportLocalSnapshotsResponse), nil)
			// A container or component may be given by its path, of which the name
			// counts.
			if err != nil && !strings.Contains(err.Error(), "is not the name of a file") {
				t.Errorf("%q: %v", names, err)
			}
		}
		var evil []string
		_ = filepath.WalkDir(root, func(path string, _ os.DirEntry, _ error) error {
			name, _ := filepath.Rel(filepath.Join(root, "dysnomia/snapshots"), path)
			inside, _ := filepath.Match("[a-z]*/[a-z]*/id/f", name)
			if base := filepath.Base(path); base == "evil" || base == "f" && !inside {
				evil = append(evil, path)
			}
			return nil
		})
		if len(evil) != 0 {
			t.Errorf("written: %q", evil)
		}
	})
	t.Run("soap 4: only snapshots can be read", func(t *testing.T) {
		for _, path := range []string{secret, filepath.Dir(secret), "/etc/passwd", "/etc", root + "/dysnomia/snapshots/../../secret", "/nowhere", ""} {
			for _, request := range []struct{ request, response any }{
				{&soapwire.ExportRemoteSnapshotPaths{Derivation: &path}, new(soapwire.ExportRemoteSnapshotPathsResponse)},
				{&soapwire.ExportRemoteSnapshots{Derivation: &path}, new(soapwire.ExportRemoteSnapshotsResponse)},
			} {
				_, err := s.ask(t.Context(), request.request, request.response, nil)
				var fault *soapwire.Fault
				if !errors.As(err, &fault) {
					t.Errorf("%T %s: %v", request.request, path, err)
				}
			}
		}
	})
}

func TestRoughEdge_soap6(t *testing.T) {
	fake := new(servicetest.Fake)
	fake.AddSnapshots("box/a/1", "chest/b/2")
	s := serve(t, fake)
	t.Run("soap 6: no container and no component means all", func(t *testing.T) {
		var all soapwire.QueryAllSnapshotsResponse
		s.must(&soapwire.QueryAllSnapshots{}, &all)
		var latest soapwire.QueryLatestSnapshotResponse
		s.must(&soapwire.QueryLatestSnapshot{}, &latest)
		if len(all.Return_) != 2 || len(latest.Return_) != 2 {
			t.Errorf("all %q, latest %q", words(all.Return_), words(latest.Return_))
		}
		s.must(&soapwire.CleanSnapshots{Keep: 1}, new(soapwire.CleanSnapshotsResponse))
	})
	t.Run("soap 6: no type is a fault with a reason", func(t *testing.T) {
		nixtest.Store(t)
		s := serveLocal(t)
		_, err := s.ask(t.Context(), &soapwire.Activate{Derivation: new("/c")}, new(soapwire.ActivateResponse), nil)
		if err == nil || strings.Contains(err.Error(), "null") || !strings.Contains(err.Error(), "type") {
			t.Errorf("error %v", err)
		}
	})
}

func TestRoughEdge_soap9(t *testing.T) {
	t.Run("soap 9: temporary files of uploads and exports are removed", func(t *testing.T) {
		root := nixtest.Store(t)
		tmp := filepath.Join(root, "tmp")
		t.Cleanup(func() { wantEmpty(t, tmp) }) // after the service has ended
		s := serveLocal(t)
		path, closure := store(t, root, "file", "content")
		s.must(&soapwire.ImportLocalFile{DataHandler: content(string(closure))}, new(soapwire.ImportLocalFileResponse))
		reply := s.must(&soapwire.ExportRemoteFile{Derivation: texts(path)}, new(soapwire.ExportRemoteFileResponse))
		_ = reply.Close()
		if err := s.importSnapshot("/s/id", "/s/id/file"); err != nil {
			t.Fatal(err)
		}
		wantEmpty(t, tmp)
		var exported soapwire.ExportResponse
		s.must(&soapwire.Export{Derivation: texts(path)}, &exported)
		if info, err := os.Stat(*exported.Return_); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", *exported.Return_, info, err)
		}
	})
}

func TestRoughEdge_soap11(t *testing.T) {
	t.Run("soap 11: failed jobs have the detail that the WSDL declares", func(t *testing.T) {
		s := serve(t, &servicetest.Fake{Hook: func(context.Context, servicetest.Call) error { return errors.New("no") }})
		_, err := s.ask(t.Context(), &soapwire.Lock{}, new(soapwire.LockResponse), nil)
		var fault *soapwire.Fault
		if !errors.As(err, &fault) || fault.Detail == nil || *fault.Detail.DisnixWebServiceException.Message != "no" {
			t.Errorf("error %#v", err)
		}
	})
}

// largeConfig is a target with many containers, and with much to complain.
type largeConfig struct{ servicetest.Fake }

func (*largeConfig) CaptureConfig(context.Context) (string, error) {
	return strings.Repeat("a line of a configuration\r\n", 1<<17) + "end", nil
}

func (*largeConfig) Activate(_ context.Context, a service.Activity) error {
	for i := range 1 << 17 {
		fmt.Fprintf(a.Output, "line %d of the log\n", i)
	}
	return errors.New("the reason")
}

func TestRoughEdge_soap13(t *testing.T) {
	s := serve(t, new(largeConfig))
	t.Run("soap 13: large configurations are no trouble", func(t *testing.T) {
		var response soapwire.CaptureConfigResponse
		s.must(&soapwire.CaptureConfig{}, &response)
		if want := strings.Repeat("a line of a configuration\n", 1<<17) + "end\n"; *response.Return_ != want {
			t.Errorf("%d bytes, want %d", len(*response.Return_), len(want))
		}
	})
	t.Run("soap 13: of a large log the end is told", func(t *testing.T) {
		_, err := s.ask(t.Context(), &soapwire.Activate{Type_: new("t")}, new(soapwire.ActivateResponse), nil)
		var fault *soapwire.Fault
		if !errors.As(err, &fault) || !strings.HasPrefix(fault.Text, "line ") || !strings.HasSuffix(fault.Text, "line 131071 of the log\nthe reason\n") || len(fault.Text) > soapwire.MaxOutput+100 {
			t.Errorf("error %.200v", err)
		}
		// Faults have their length, as those of the original.
		response, body := s.post(plainHeader(), strings.NewReader(envelope(`<activate `+namespace+`><type>t</type></activate>`)))
		if response.ContentLength != int64(len(body)) {
			t.Errorf("the length is %d, of %d", response.ContentLength, len(body))
		}
	})
}

func TestRoughEdge_soap14(t *testing.T) {
	t.Run("soap 14: what has no result answers with 0", func(t *testing.T) {
		s := serve(t, new(servicetest.Fake))
		for _, element := range []string{
			"<collectGarbage %s><deleteOld>0</deleteOld></collectGarbage>", "<set %s/>", "<lock %s/>", "<unlock %s/>",
			"<activate %s/>", "<deactivate %s/>", "<snapshot %s/>", "<restore %s/>", "<deleteState %s/>", "<importSnapshots %s/>",
			"<cleanSnapshots %s><keep>1</keep></cleanSnapshots>", "<importLocalSnapshots %s><arg0/><arg1/><arg2>/s/1</arg2></importLocalSnapshots>",
		} {
			_, body := s.post(plainHeader(), strings.NewReader(envelope(fmt.Sprintf(element, namespace))))
			if !strings.Contains(body, "Response xmlns:ns=\"http://service.disnix.nixos.org\"><ns:return>0</ns:return></ns:") {
				t.Errorf("%s: %s", element, body)
			}
		}
	})
}
