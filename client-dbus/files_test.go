package dbusclient_test

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	dbusclient "github.com/disnix-go/disnix/client-dbus"
	"github.com/disnix-go/disnix/service"
	"github.com/disnix-go/disnix/service/dbusservice"
	"github.com/disnix-go/disnix/service/servicetest"
	"github.com/disnix-go/disnix/test/dbustest"
)

// TestWhereFilesAre looks at the temporary files while closures go in both
// directions: they are in the directories that both sides have for them, which
// are cleaned up after a crash.
func TestWhereFilesAre(t *testing.T) {
	dbustest.SystemBus(t)
	tmp := t.TempDir()
	t.Setenv("TMPDIR", tmp)
	ours, theirs := filepath.Join(tmp, "client"), filepath.Join(tmp, "service")
	for _, dir := range []string{ours, theirs} {
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	entries := func() [3]int {
		var n [3]int
		for i, dir := range []string{tmp, ours, theirs} {
			list, err := os.ReadDir(dir)
			if err != nil {
				t.Error(err)
			}
			n[i] = len(list)
		}
		return n
	}
	want := map[string][3]int{"import": {2, 1, 0}, "register-snapshots": {2, 1, 0}, "export": {2, 0, 1}, "capture-config": {2, 0, 0}}
	seen := make(map[string]bool)
	fake := &servicetest.Fake{Hook: func(_ context.Context, call servicetest.Call) error {
		if count, ok := want[call.Operation]; ok {
			seen[call.Operation] = true
			if got := entries(); got != count {
				t.Errorf("%s: there are %v files, want %v", call.Operation, got, count)
			}
		}
		return nil
	}}
	serve(t, dbusservice.Config{Directory: theirs, NewService: func(io.Writer) service.Service { return fake }})
	client, err := dbusclient.Connect(t.Context(), dbusclient.Config{Directory: ours})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	fake.AddValid("/nix/store/00000000000000000000000000000000-a")
	var closure bytes.Buffer
	if err := client.ExportClosure(t.Context(), []string{"/nix/store/00000000000000000000000000000000-a"}, &closure); err != nil {
		t.Fatal(err)
	}
	if _, err := client.ImportClosure(t.Context(), &closure); err != nil {
		t.Error(err)
	}
	var snapshot bytes.Buffer
	w := tar.NewWriter(&snapshot)
	if err := errors.Join(w.WriteHeader(&tar.Header{Name: "./", Typeflag: tar.TypeDir, Mode: 0o755}), w.Close()); err != nil {
		t.Fatal(err)
	}
	if err := client.ImportSnapshot(t.Context(), "c", "k", "id", &snapshot); err != nil {
		t.Error(err)
	}
	if _, err := client.CaptureConfig(t.Context()); err != nil {
		t.Error(err)
	}
	if len(seen) != len(want) {
		t.Errorf("only seen: %v", seen)
	}
	if got := entries(); got != [3]int{2, 0, 0} {
		t.Errorf("%v files are left", got)
	}
}
