package service_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/disnix-go/disnix/models"
	"github.com/disnix-go/disnix/service"
	"github.com/disnix-go/disnix/test/nixtest"
)

func TestAddEmptyProfile(t *testing.T) {
	root := nixtest.Store(t)
	path, err := service.AddEmptyProfile(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	again, err := service.AddEmptyProfile(t.Context())
	if err != nil || again != path {
		t.Errorf("the second time: %q, %v", again, err)
	}
	m, err := models.ReadProfileManifestFile(filepath.Join(path, "profilemanifest.xml"), "node1")
	if err != nil {
		t.Fatal(err)
	}
	if len(m.Services)+len(m.ServiceMappings)+len(m.SnapshotMappings) > 0 {
		t.Errorf("not empty: %+v", m)
	}
	if left, err := os.ReadDir(filepath.Join(root, "tmp")); err != nil || len(left) > 0 {
		t.Errorf("temporary files: %v, %v", left, err)
	}

	t.Setenv("TMPDIR", filepath.Join(root, "missing"))
	if path, err := service.AddEmptyProfile(t.Context()); err == nil {
		t.Errorf("got %s without a directory for temporary files", path)
	}
}
