package service_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/disnix-go/disnix/service"
	"github.com/disnix-go/disnix/test/nixtest"
)

func TestProtectFromGC(t *testing.T) {
	nixtest.Store(t)
	path, other := addFile(t, "protected", "x"), addFile(t, "other", "y")
	link := filepath.Join(t.TempDir(), "link")
	collect := func() {
		t.Helper()
		if err := (service.NixStore{}).CollectGarbage(t.Context(), false); err != nil {
			t.Fatal(err)
		}
	}
	exists := func(path string) bool {
		_, err := os.Stat(path)
		return err == nil
	}
	for range 2 { // also if it is protected already
		if err := service.ProtectFromGC(t.Context(), link, path); err != nil {
			t.Fatal(err)
		}
	}
	collect()
	if !exists(path) || exists(other) {
		t.Errorf("after a collection, the protected path exists: %t, another one: %t", exists(path), exists(other))
	}
	if err := os.Remove(link); err != nil {
		t.Fatal(err)
	}
	collect()
	if exists(path) {
		t.Error("the path is protected without the link")
	}
	err := service.ProtectFromGC(t.Context(), link, path)
	if err == nil || !strings.Contains(err.Error(), "protect "+path) {
		t.Errorf("a path that does not exist: %v", err)
	}
	if err := service.ProtectFromGC(t.Context(), link, t.TempDir()); err != nil || exists(link) {
		t.Errorf("a path outside of the store: %v", err)
	}
}
