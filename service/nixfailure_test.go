package service_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/disnix-go/disnix/service"
	"github.com/disnix-go/disnix/service/closure"
	"github.com/disnix-go/disnix/service/servicetest"
	"github.com/disnix-go/disnix/test/nixtest"
)

// fakeNix puts a program of this name into PATH that runs a shell script.
func fakeNix(t *testing.T, name, script string) {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\n"+script+"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
}

func TestNixIsKilled(t *testing.T) {
	fakeNix(t, "nix-store", "echo /nix/store/half; kill -9 $$")
	var store service.NixStore
	if paths, err := store.QueryRequisites(t.Context(), []string{"/nix/store/a"}); err == nil || paths != nil || !strings.Contains(err.Error(), "killed") {
		t.Errorf("query: %q, %v", paths, err)
	}
	var stream bytes.Buffer
	if err := store.ExportClosure(t.Context(), []string{"/nix/store/a"}, &stream); err == nil || !strings.Contains(err.Error(), "killed") {
		t.Errorf("export: %v", err)
	}
	if _, err := closure.Paths(&stream); err == nil {
		t.Error("what was exported looks complete")
	}
	var target servicetest.Fake
	if _, err := service.CopyClosure(t.Context(), store, &target, []string{"/nix/store/a"}); err == nil {
		t.Error("the copy succeeded")
	}
}

func TestNixPrintsHalfAClosure(t *testing.T) {
	fakeNix(t, "nix-store", `case $1 in -qR) echo "$2";; *) printf '\1\0\0\0\0\0\0\0';; esac`)
	var target servicetest.Fake
	_, err := service.CopyClosure(t.Context(), service.NixStore{}, &target, []string{"/nix/store/a"})
	if err == nil || !strings.Contains(err.Error(), "at the source: export /nix/store/a: closure stream is cut off after 8 bytes") {
		t.Errorf("error %v", err)
	}
}

func TestNixIsCancelled(t *testing.T) {
	fifo := filepath.Join(t.TempDir(), "fifo")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	fakeNix(t, "nix-store", "trap 'exit 1' TERM; : > "+fifo+"; while :; do sleep 0.1; done")
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		_, _ = os.ReadFile(fifo)
		cancel()
	}()
	if _, err := (service.NixStore{}).Realise(ctx, []string{"/nix/store/a.drv"}); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}

// TestSetProfileIsOutOfReachOfTheTerminal: a Ctrl-C while profiles are set must
// not kill what completes the deployment.
func TestSetProfileIsOutOfReachOfTheTerminal(t *testing.T) {
	group := filepath.Join(t.TempDir(), "group")
	fakeNix(t, "nix-env", "cut -d ' ' -f 5 /proc/$$/stat >"+group)
	if err := service.SetProfile(t.Context(), t.TempDir(), "default", "/nix/store/a"); err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(group)
	if err != nil {
		t.Fatal(err)
	}
	if string(content) == fmt.Sprintln(syscall.Getpgrp()) {
		t.Error("nix-env is in the process group of its caller")
	}
}

func TestSetProfileIsKilled(t *testing.T) {
	root := nixtest.Store(t)
	dir := filepath.Join(root, "nix/profiles")
	one, two := addFile(t, "one", "1"), addFile(t, "two", "2")
	setProfile(t, dir, "p", one)
	fakeNix(t, "nix-env", `ln -s "$4" "$2-2-link"; kill -9 $$`)
	if err := service.SetProfile(t.Context(), dir, "p", two); err == nil || !strings.Contains(err.Error(), "killed") {
		t.Errorf("error %v", err)
	}
	generations, err := service.Generations(dir, "p")
	if err != nil || len(generations) != 1 || generations[0].Path != one || !generations[0].Current {
		t.Errorf("generations %+v, %v", generations, err)
	}
}
