package service_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/disnix-go/disnix/dysnomia"
	"github.com/disnix-go/disnix/service"
)

func TestQueryInstalled(t *testing.T) {
	m := newTarget(t, service.LocalConfig{})
	if got, err := m.QueryInstalled(t.Context(), "default"); err != nil || len(got) != 0 {
		t.Errorf("without a profile: %q, %v", got, err)
	}
	const manifest = "<profilemanifest version=\"2\"/>\n\n"
	m.deploy(t, "default", manifest)
	if got, err := m.QueryInstalled(t.Context(), "default"); err != nil || string(got) != manifest {
		t.Errorf("%q, %v", got, err)
	}
	if err := m.SetProfile(t.Context(), "default", addFile(t, "file", "no profile")); err != nil {
		t.Fatal(err)
	}
	if got, err := m.QueryInstalled(t.Context(), "default"); err != nil || len(got) != 0 {
		t.Errorf("without a manifest: %q, %v", got, err)
	}
	if _, err := m.QueryInstalled(t.Context(), "../default"); err == nil {
		t.Error("a name that leaves the directory is accepted")
	}

	dir, err := service.ProfileDir()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("/nowhere", filepath.Join(dir, "lost")); err != nil {
		t.Fatal(err)
	}
	if _, err := m.QueryInstalled(t.Context(), "lost"); err == nil || !strings.Contains(err.Error(), "its content is gone") || !strings.Contains(err.Error(), "--switch-generation") {
		t.Errorf("a profile whose content is gone: %v", err)
	}
}

// TestUnprivilegedUser runs itself as another user, who sets, queries and
// locks a profile of his own.
func TestUnprivilegedUser(t *testing.T) {
	const nobody = 65534
	if os.Geteuid() == 0 {
		m := newTarget(t, service.LocalConfig{})
		binary := copyExecutable(t, m.root)
		makeAccessible(t, m.root)
		cmd := exec.Command(binary, "-test.run=^TestUnprivilegedUser$", "-test.v")
		cmd.Env = append(os.Environ(), "DISNIX_TEST_ROOT="+m.root)
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
		cmd.Dir = m.root
		out, err := cmd.CombinedOutput()
		if err != nil || !bytes.Contains(out, []byte("protocol_4")) {
			t.Fatalf("%v\n%s", err, out)
		}
		return
	}
	host, err := dysnomia.NewHost(os.Environ(), nil)
	if err != nil {
		t.Fatal(err)
	}
	m := &target{service.NewLocal(host, service.LocalConfig{}), os.Getenv("DISNIX_TEST_ROOT"), nil}
	t.Run("protocol 4: an unprivileged user queries what he has set", func(t *testing.T) {
		m.threeServices(t, "default")
		got, err := m.QueryInstalled(t.Context(), "default")
		if err != nil || !strings.Contains(string(got), "key-a") {
			t.Errorf("%q, %v", got, err)
		}
		dir, err := service.ProfileDir()
		if err != nil || !strings.Contains(dir, "/profiles/per-user/") {
			t.Errorf("profiles in %s, %v", dir, err)
		}
		if err := m.Lock(t.Context(), "default"); err != nil {
			t.Error(err)
		}
		if got := len(m.calls(t)); got != 3 {
			t.Errorf("%d services were notified of the lock", got)
		}
	})
}

// copyExecutable copies this test to where other users can start it.
func copyExecutable(t *testing.T, dir string) string {
	t.Helper()
	path := filepath.Join(dir, "test")
	content, err := os.ReadFile("/proc/self/exe")
	if err == nil {
		err = os.WriteFile(path, content, 0o755)
	}
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// makeAccessible lets every user work in a directory of this test.
func makeAccessible(t *testing.T, root string) {
	t.Helper()
	for dir := root; dir != os.TempDir() && dir != "/"; dir = filepath.Dir(dir) {
		if info, err := os.Stat(dir); err == nil && info.Mode().Perm()&0o005 != 0o005 {
			if err := os.Chmod(dir, 0o755); err != nil {
				t.Fatal(err)
			}
		}
	}
	out, err := exec.Command("chmod", "-R", "a+rwX", root).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}

func TestActivityOutput(t *testing.T) {
	m := newTarget(t, service.LocalConfig{})
	component := addFile(t, "a", "a")
	activity := service.Activity{Component: component, Type: "recorder", Container: "box", Arguments: []string{"secret=two words"}}

	var both bytes.Buffer
	activity.Output = &both
	if err := m.Activate(t.Context(), activity); err != nil {
		t.Fatal(err)
	}
	if got := both.String(); got != "activate of a\nthe reason of a\n" {
		t.Errorf("output %q", got)
	}
	var out, diagnostics bytes.Buffer
	activity.Output, activity.Diagnostics = &out, &diagnostics
	m.refuse(t, "deactivate-a")
	err := m.Deactivate(t.Context(), activity)
	if err == nil || strings.Contains(err.Error(), "two words") {
		t.Errorf("error %v", err)
	}
	if out.String() != "deactivate of a\n" || diagnostics.String() != "the reason of a\n" {
		t.Errorf("output %q, diagnostics %q", &out, &diagnostics)
	}
	if got := m.calls(t); len(got) != 2 || got[0] != "activate a in box with two words" {
		t.Errorf("calls %q", got)
	}
	if got := m.log.String(); strings.Contains(got, "two words") {
		t.Errorf("log %s", got)
	}

	t.Run("all operations", func(t *testing.T) {
		activity.Output, activity.Diagnostics = nil, nil
		activity.Container, activity.Arguments = "", nil
		for _, op := range []func() error{
			func() error { return m.Snapshot(t.Context(), activity) },
			func() error { return m.Restore(t.Context(), activity) },
			func() error { return m.DeleteState(t.Context(), activity) },
		} {
			if err := op(); err != nil {
				t.Error(err)
			}
		}
		want := "[snapshot a in recorder restore a in recorder collect-garbage a in recorder]"
		if got := fmt.Sprint(m.calls(t)); got != want {
			t.Errorf("calls %s, want %s", got, want)
		}
	})
}

func TestSecretsAreNotInTheProcessList(t *testing.T) {
	m := newTarget(t, service.LocalConfig{})
	script := filepath.Join(m.root, "modules/recorder")
	if err := os.WriteFile(script, []byte("#!/bin/sh\ncat /proc/$$/cmdline | tr '\\0' ' '; tr '\\0' ' ' < /proc/"+strconv.Itoa(os.Getpid())+"/cmdline\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	err := m.Activate(t.Context(), service.Activity{Component: addFile(t, "a", "a"), Type: "recorder", Arguments: []string{"password=hidden"}, Output: &out})
	if err != nil || !strings.Contains(out.String(), "activate") || strings.Contains(out.String(), "hidden") {
		t.Errorf("%v: %s", err, &out)
	}
}
