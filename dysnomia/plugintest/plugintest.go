// Package plugintest is the conformance suite of plugins, built in or
// external: what every plugin must do, whatever it manages.
package plugintest

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/disnix-go/disnix/dysnomia"
)

// Config describes a plugin to [Run].
type Config struct {
	// Type is the type of the plugin.
	Type string
	// Plugin is the plugin, if it is built in.
	Plugin dysnomia.Plugin
	// Module is the path of the executable, if it is external.
	Module string
	// New makes a component that can be activated, with state directories,
	// servers and so on of its own. It removes them when t ends.
	New func(t *testing.T) Component
	// Broken makes a component whose activation must fail. It may be nil if
	// there is no such component.
	Broken func(t *testing.T) Component
	// Running reports whether the component is there. It may be nil if that
	// cannot be seen.
	Running func(t *testing.T, c Component) bool
	// Write changes the state of an active component so that Read returns the
	// text; Read returns nothing if there is no state. They are nil if
	// components of this type have no state (modules page, discipline A), and
	// must be given otherwise (discipline B).
	Write func(t *testing.T, c Component, text string)
	Read  func(t *testing.T, c Component) string
	// Remembers says that a component can be deactivated although its files are
	// gone.
	Remembers bool
	// Readable says that everybody can read snapshots, for the original's
	// sake.
	Readable bool
}

// Component is a component and its container.
type Component struct {
	Path       string
	Container  string
	Properties map[string]string
}

// NewComponent writes a component: files by name, of which those that begin
// with #! are made executable.
func NewComponent(t testing.TB, container string, properties, files map[string]string) Component {
	t.Helper()
	path := filepath.Join(t.TempDir(), "component")
	if err := os.MkdirAll(path, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, content := range files {
		WriteFile(t, filepath.Join(path, name), content)
	}
	return Component{Path: path, Container: container, Properties: properties}
}

// WriteFile writes a file, and makes the directories that lead to it. It is
// executable if it begins with #!.
func WriteFile(t testing.TB, path, content string) {
	t.Helper()
	mode := os.FileMode(0o644)
	if strings.HasPrefix(content, "#!") {
		mode = 0o755
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), mode); err != nil {
		t.Fatal(err)
	}
}

// Fixture is one component under test, with a state directory of its own.
type Fixture struct {
	Component
	State *dysnomia.State
	// Stdout and Stderr are what the last operation printed.
	Stdout, Stderr string

	t      *testing.T
	config Config
}

// NewFixture prepares a component for operations, as [Run] does it.
func NewFixture(t *testing.T, config Config, c Component) *Fixture {
	t.Helper()
	state := &dysnomia.State{Dir: filepath.Join(t.TempDir(), "state")}
	return &Fixture{Component: c, State: state, t: t, config: config}
}

// Name is the component's name.
func (f *Fixture) Name() string { return filepath.Base(f.Path) }

// Run runs an operation through a host.
func (f *Fixture) Run(ctx context.Context, op dysnomia.Operation) error {
	f.t.Helper()
	environment := append(os.Environ(), "DYSNOMIA_STATEDIR="+f.State.Dir)
	host, err := dysnomia.NewHost(environment, map[string]dysnomia.Plugin{f.config.Type: f.config.Plugin})
	if err != nil {
		f.t.Fatal(err)
	}
	var stdout, stderr strings.Builder
	invocation := dysnomia.Invocation{
		Operation: op, Component: f.Path, Container: f.Container, Type: f.config.Type,
		Environment: true, Stdout: &stdout, Stderr: &stderr,
	}
	if f.config.Module != "" {
		invocation.Type = f.config.Module
	}
	for name, value := range f.Properties {
		invocation.Arguments = append(invocation.Arguments, name+"="+value)
	}
	err = host.Run(ctx, invocation)
	f.Stdout, f.Stderr = stdout.String(), stderr.String()
	return err
}

// FullDisk runs an operation while the disk of the state directory has room for
// so many bytes. It returns the error, which may not be nil, and makes sure that
// nothing was stored or left behind.
func (f *Fixture) FullDisk(op dysnomia.Operation, room int) error {
	f.t.Helper()
	history, err := f.State.QueryAll(f.Container, f.Name())
	if err != nil {
		f.t.Fatal(err)
	}
	if len(history) > 0 {
		f.t.Fatal("there are snapshots already, which the full disk would hide")
	}
	if err := os.MkdirAll(f.State.Dir, 0o755); err != nil {
		f.t.Fatal(err)
	}
	if err := syscall.Mount("tmpfs", f.State.Dir, "tmpfs", 0, fmt.Sprintf("size=%d", room)); err != nil {
		f.t.Fatalf("this test mounts a file system: run it as root: %v", err)
	}
	defer func() {
		if err := syscall.Unmount(f.State.Dir, 0); err != nil {
			f.t.Error(err)
		}
	}()
	failed := f.Run(f.t.Context(), op)
	if failed == nil {
		f.t.Fatalf("%s did not fail", op)
	}
	if history, err = f.State.QueryAll(f.Container, f.Name()); err != nil || len(history) > 0 {
		f.t.Errorf("generations: %v, %v", history, err)
	}
	if left, _ := filepath.Glob(filepath.Join(f.State.Dir, ".tmp", "*")); len(left) > 0 {
		f.t.Errorf("left over: %v", left)
	}
	return failed
}

// Do runs operations that must succeed.
func (f *Fixture) Do(operations ...dysnomia.Operation) {
	f.t.Helper()
	for _, op := range operations {
		if err := f.Run(f.t.Context(), op); err != nil {
			f.t.Fatalf("%s: %v\n%s%s", op, err, f.Stdout, f.Stderr)
		}
	}
}

// Expect checks the marker of the component ("active", "garbage" or nothing)
// and, where it can be seen, that an active component is there and others are
// not.
func (f *Fixture) Expect(marker string) {
	f.t.Helper()
	active, err := f.State.IsActive(f.Container, f.Name())
	if err != nil {
		f.t.Fatal(err)
	}
	garbage, err := f.State.IsGarbage(f.Container, f.Name())
	if err != nil {
		f.t.Fatal(err)
	}
	if active != (marker == "active") || garbage != (marker == "garbage") {
		f.t.Fatalf("active: %t, garbage: %t, want %q\n%s%s", active, garbage, marker, f.Stdout, f.Stderr)
	}
	if f.config.Running == nil {
		return
	}
	if running := f.config.Running(f.t, f.Component); running != active {
		f.t.Fatalf("running: %t, want %t\n%s%s", running, active, f.Stdout, f.Stderr)
	}
}
