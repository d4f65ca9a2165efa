package test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestInstall installs everything as a builder of packages does, and looks for
// what the documentation promises.
func TestInstall(t *testing.T) {
	root := t.TempDir()
	install := exec.Command("make", "--no-print-directory", "-C", "..", "install", "PREFIX=/usr", "DESTDIR="+root, "BIN="+t.TempDir())
	install.Env = append(os.Environ(), "MAKEFLAGS=", "MAKEOVERRIDES=")
	if out, err := install.CombinedOutput(); err != nil {
		t.Fatalf("make install: %v\n%s", err, out)
	}
	if _, err := exec.LookPath(filepath.Join(root, "usr/bin/disnix-draw")); err != nil {
		t.Error(err)
	}
	for _, name := range programs(t, root) {
		if out, err := exec.Command(filepath.Join(root, "usr/bin", name), "--version").CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", name, err, out)
		}
		if name == "disnix" {
			continue
		}
		if _, err := os.Stat(filepath.Join(root, "usr/share/man/man1", name+".1")); err != nil {
			t.Errorf("manual page: %v", err)
		}
	}
	for file, want := range map[string][]string{
		"usr/share/dbus-1/system.d/disnix.conf":            {`own="org.nixos.disnix.Disnix"`, `<policy group="disnix">`},
		"usr/lib/systemd/system/disnix-service.service":    {"BusName=org.nixos.disnix.Disnix", "\nExecStart=/usr/bin/disnix-service\n"},
		"usr/lib/systemd/system/disnix-webservice.service": {"\nUser=disnix-webservice\n", "\nExecStart=/usr/bin/disnix-webservice $DISNIX_WEBSERVICE_OPTIONS\n"},
		"usr/share/dysnomia/util":                          {"determineComponentName()"},
		"etc/init.d/disnix-service":                        {"#!/bin/sh", "/usr/bin/disnix-service"},
		"etc/logrotate.d/disnix-service":                   {"\n/var/log/disnix.log {\n", "\tcopytruncate\n"},
	} {
		content, err := os.ReadFile(filepath.Join(root, file))
		if err != nil {
			t.Error(err)
		}
		for _, part := range want {
			if !strings.Contains(string(content), part) {
				t.Errorf("%s does not contain %q", file, part)
			}
		}
		if strings.Contains(string(content), "@bindir@") {
			t.Errorf("%s does not say where the programs are", file)
		}
	}
	script := filepath.Join(root, "etc/init.d/disnix-service")
	if info, err := os.Stat(script); err != nil || info.Mode().Perm() != 0o755 {
		t.Errorf("init script: %v, %v", info, err)
	}
	if out, err := exec.Command("sh", "-n", script).CombinedOutput(); err != nil {
		t.Errorf("init script: %v\n%s", err, out)
	}
}

// programs asks the installed binary what programs there are.
func programs(t *testing.T, root string) []string {
	t.Helper()
	list, err := exec.Command(filepath.Join(root, "usr/bin/disnix"), "--list-programs").Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.Fields(string(list))
}
