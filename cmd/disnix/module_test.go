package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestCalledAsModule calls the binary as the original host calls modules.
func TestCalledAsModule(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("DYSNOMIA_STATEDIR", filepath.Join(dir, "state"))
	t.Setenv("documentRoot", filepath.Join(dir, "www"))
	component := filepath.Join(dir, "shop")
	if err := os.MkdirAll(filepath.Join(component, "webapps/shop"), 0o755); err != nil {
		t.Fatal(err)
	}
	// It must not find itself again.
	modules := filepath.Join(dir, "modules")
	if err := os.Mkdir(modules, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(modules, "nginx-webapplication"), []byte("#!/bin/sh\nexit 1\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("DYSNOMIA_MODULES_PATH", modules)
	call := func(args ...string) (int, string) {
		var stderr strings.Builder
		status := run(context.Background(), append([]string{filepath.Join(modules, "nginx-webapplication")}, args...), strings.NewReader(""), &stderr, &stderr)
		return status, stderr.String()
	}
	if status, said := call("activate", component, "web"); status != 0 {
		t.Fatalf("status %d: %s", status, said)
	}
	if target, err := os.Readlink(filepath.Join(dir, "www/shop")); err != nil || target != filepath.Join(component, "webapps/shop") {
		t.Errorf("the page links to %s, %v", target, err)
	}
	if _, err := os.Stat(filepath.Join(dir, "state/activated/web/shop")); err != nil {
		t.Error(err)
	}
	if status, said := call("unheard-of", component, "web"); status != 0 {
		t.Errorf("status %d: %s", status, said)
	}
	if status, said := call("activate", filepath.Join(dir, "nothing"), "web"); status != 1 || !strings.HasPrefix(said, "nginx-webapplication: activate component \"nothing\"") {
		t.Errorf("status %d: %s", status, said)
	}
	if status, said := call("unheard-of"); status != 1 || !strings.Contains(said, "there is no program") {
		t.Errorf("status %d: %s", status, said)
	}
}
