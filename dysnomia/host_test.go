package dysnomia

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// machine is a host in a directory of its own for one test.
type machine struct {
	*Host
	t                             *testing.T
	root, containers, comps, mods string
}

func newMachine(t *testing.T) *machine {
	t.Helper()
	root, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	m := &machine{t: t, root: root,
		containers: filepath.Join(root, "containers"),
		comps:      filepath.Join(root, "components"),
		mods:       filepath.Join(root, "modules"),
	}
	m.Host = &Host{
		ContainersPath:   []string{m.containers},
		ComponentsPath:   []string{m.comps},
		ModulesPath:      []string{m.mods},
		PropertiesFile:   filepath.Join(root, "properties"),
		StateDir:         filepath.Join(root, "state"),
		StoreDir:         defaultStoreDir,
		Environment:      []string{"PATH=" + os.Getenv("PATH"), "HOME=" + root, "LANG=C"},
		Plugins:          map[string]Plugin{},
		TerminationGrace: 10 * time.Second,
	}
	return m
}

// file writes a file below the root of the machine and returns its path.
func (m *machine) file(name, text string, mode os.FileMode) string {
	m.t.Helper()
	path := filepath.Join(m.root, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		m.t.Fatal(err)
	}
	// While it is written, no other test that runs at the same time may fork: a
	// file that a child still has open for writing cannot be executed.
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		m.t.Fatal(err)
	}
	return path
}

func (m *machine) container(name, text string) string {
	return m.file("containers/"+name, text, 0o644)
}

// module installs a bash module.
func (m *machine) module(name, script string) string {
	return m.file("modules/"+name, "#!/bin/bash\n"+script, 0o755)
}

func (m *machine) component(container, name string) string {
	return m.file("components/"+container+"/"+name, name, 0o644)
}

// fifo makes a named pipe.
func (m *machine) fifo(name string) string {
	m.t.Helper()
	path := filepath.Join(m.root, name)
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		m.t.Fatal(err)
	}
	return path
}

// run runs an invocation and returns what the module printed.
func (m *machine) run(inv Invocation) (string, error) {
	var output bytes.Buffer
	inv.Stdout, inv.Stderr = &output, &output
	err := m.Run(context.Background(), inv)
	return output.String(), err
}

func (m *machine) mustRun(inv Invocation) string {
	m.t.Helper()
	output, err := m.run(inv)
	if err != nil {
		m.t.Fatal(err)
	}
	return output
}

func equal[T comparable](t *testing.T, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s:\n got: %v\nwant: %v", what, got, want)
	}
}

func equalSlices[T comparable](t *testing.T, what string, got, want []T) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s:\n got: %v\nwant: %v", what, got, want)
	}
}

// wantError fails unless err contains all the texts.
func wantError(t *testing.T, err error, texts ...string) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error, want one with %q", texts)
	}
	for _, text := range texts {
		if !strings.Contains(err.Error(), text) {
			t.Errorf("the error lacks %q: %v", text, err)
		}
	}
}

func wantModuleError(t *testing.T, err error) *ModuleError {
	t.Helper()
	var failed *ModuleError
	if !errors.As(err, &failed) {
		t.Fatalf("want a ModuleError, have %v", err)
	}
	return failed
}
