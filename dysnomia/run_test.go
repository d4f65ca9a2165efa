package dysnomia

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// dump prints its arguments and its environment, except for what bash adds.
const dump = `
printf 'arg <%s>\n' "$@"
echo "stdin <$(readlink /proc/self/fd/0)>"
/usr/bin/env -u PWD -u SHLVL -u _ -0 | LC_ALL=C sort -z | while IFS= read -r -d '' e; do printf 'env <%s>\n' "$e"; done
`

func TestRunExternalModuleInFileMode(t *testing.T) {
	m := newMachine(t)
	m.module("dump", dump)
	m.container("box", "A=1\nB='two words'\nL=(\"x\" \"y\")\nPATH=/nowhere\nDYSNOMIA_STATEDIR=/nowhere\ntype=dump\n")
	component := m.component("box", "thing")
	output := m.mustRun(Invocation{Operation: "activate", Component: "thing", Container: "box"})

	want := []string{
		"arg <activate>", "arg <" + component + ">", "arg <box>", "stdin </dev/null>",
		"env <A=1>", "env <B=two words>",
		"env <DYSNOMIA_STATEDIR=" + m.StateDir + ">",
		"env <L=x y>", "env <PATH=" + os.Getenv("PATH") + ">",
	}
	equal(t, "the module sees", output, strings.Join(want, "\n")+"\n")
}

func TestRunExternalModuleInEnvironmentMode(t *testing.T) {
	m := newMachine(t)
	m.module("dump", dump)
	m.Environment = append(m.Environment, "operation=mine", "type=mine", "A=old")
	component := m.file("elsewhere/thing", "", 0o644)
	output := m.mustRun(Invocation{
		Operation: "odd operation", Component: component, Type: "dump", Environment: true,
		Arguments: []string{"A=new value", "B=x=y"},
	})
	for _, line := range []string{
		"arg <odd operation>", "arg <" + component + ">", "arg <dump>",
		"env <A=new value>", "env <B=x=y>", "env <HOME=" + m.root + ">", "env <LANG=C>",
		"env <operation=mine>", "env <type=mine>", "env <DYSNOMIA_STATEDIR=" + m.StateDir + ">",
	} {
		if !strings.Contains(output, line+"\n") {
			t.Errorf("the module does not see %s:\n%s", line, output)
		}
	}
}

func TestRunRefuses(t *testing.T) {
	m := newMachine(t)
	m.module("ok", "")
	m.container("box", "type=ok\n")
	m.container("untyped", "A=1\n")
	m.container("empty", "type=\n")
	m.container("odd", "type=missing\n")
	m.component("box", "thing")
	tests := map[string]struct {
		inv  Invocation
		want error
		text string
	}{
		"no operation":            {Invocation{Container: "box", Component: "thing"}, ErrNoOperation, "ERROR: No operation specified!"},
		"no container":            {Invocation{Operation: "x", Component: "thing"}, ErrNoContainer, "No container file or environment specified!"},
		"unknown container":       {Invocation{Operation: "x", Container: "none"}, nil, "No container configuration found for: none (searched in " + m.containers},
		"missing container file":  {Invocation{Operation: "x", Container: "/none/x"}, nil, "No container configuration found for: /none/x (/none: no such file"},
		"container is directory":  {Invocation{Operation: "x", Container: m.containers}, nil, "No container configuration found for: " + m.containers},
		"name leaves the path":    {Invocation{Operation: "x", Container: "../containers/box"}, nil, "No container configuration found for: ../containers/box"},
		"no type":                 {Invocation{Operation: "x", Container: "untyped"}, ErrNoContainerType, "ERROR: No type specified in the container configuration!"},
		"empty type beats option": {Invocation{Operation: "x", Container: "empty", Type: "ok"}, ErrNoContainerType, ""},
		"no type in environment":  {Invocation{Operation: "x", Environment: true, Container: "box", Component: "/"}, ErrNoType, ""},
		"no component":            {Invocation{Operation: "x", Container: "box"}, ErrNoComponent, "ERROR: No component is specified!"},
		"unknown component":       {Invocation{Operation: "x", Container: "box", Component: "none"}, nil, "No component configuration found for: none (container box, searched in " + m.comps},
		"component without dir":   {Invocation{Operation: "x", Container: "box", Component: "/none/of/it"}, nil, "No component configuration found for: /none/of/it (/none: no such file"},
		"unknown module":          {Invocation{Operation: "x", Container: "odd", Component: "/x"}, nil, "Module: missing cannot be found! (it is not built in and no executable of that name, searched in " + m.mods},
		"the root as component":   {Invocation{Operation: "x", Container: "box", Component: "/"}, nil, `component name "/" is not the name of a file`},
		"bad argument":            {Invocation{Operation: "x", Container: "box", Component: "thing", Arguments: []string{"A=1", "secret"}}, nil, "read argument 2"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := m.run(test.inv)
			wantError(t, err, test.text)
			if test.want != nil && !errors.Is(err, test.want) {
				t.Errorf("the error is %v", err)
			}
			equal(t, "exit status", ExitStatus(err), 1)
			if strings.Contains(fmt.Sprint(err), "secret") {
				t.Errorf("the error repeats a value: %v", err)
			}
		})
	}
}

func TestRunKeepsExitStatus(t *testing.T) {
	m := newMachine(t)
	m.module("exits", `exit "$code"`)
	m.module("dies", `kill -KILL $$`)
	for _, code := range []int{0, 1, 3, 123, 254, 255} {
		_, err := m.run(Invocation{Operation: "activate", Component: "/x", Type: "exits", Environment: true, Arguments: []string{fmt.Sprintf("code=%d", code)}})
		equal(t, "exit status", ExitStatus(err), code)
		if code != 0 {
			failed := wantModuleError(t, err)
			equal(t, "error", *failed, ModuleError{Type: "exits", Operation: Activate, Component: "x", Container: "exits", ExitCode: code})
			wantError(t, err, fmt.Sprintf(`activate component "x" in container "exits": module "exits" exited with status %d`, code))
		}
	}
	_, err := m.run(Invocation{Operation: "activate", Component: "/x", Type: "dies", Environment: true})
	equal(t, "signal", wantModuleError(t, err).Signal, syscall.SIGKILL)
	equal(t, "exit status", ExitStatus(err), 137)
	wantError(t, err, `module "dies" was killed by signal 9 (killed)`)
}

func TestRunDoesNotStartWhenCancelled(t *testing.T) {
	m := newMachine(t)
	m.module("touch", `touch "$2"`)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	target := filepath.Join(m.root, "x")
	err := m.Run(ctx, Invocation{Operation: "activate", Component: target, Type: "touch", Environment: true})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("error: %v", err)
	}
	if _, err := os.Stat(target); err == nil {
		t.Error("the module ran")
	}
}

// recorder is a plugin with all optional interfaces; it writes down calls.
type recorder struct{ calls []string }

func (p *recorder) note(op string, r *Request) error {
	p.calls = append(p.calls, op)
	fmt.Fprintln(r.Stdout, op, r.Type, r.ComponentName, r.Container, r.ContainerArgument)
	return nil
}
func (p *recorder) Activate(_ context.Context, r *Request) error   { return p.note("activate", r) }
func (p *recorder) Deactivate(_ context.Context, r *Request) error { return p.note("deactivate", r) }
func (p *recorder) Lock(_ context.Context, r *Request) error       { return p.note("lock", r) }
func (p *recorder) Unlock(_ context.Context, r *Request) error     { return p.note("unlock", r) }
func (p *recorder) Snapshot(_ context.Context, r *Request) error   { return p.note("snapshot", r) }
func (p *recorder) Restore(_ context.Context, r *Request) error    { return p.note("restore", r) }
func (p *recorder) CollectGarbage(_ context.Context, r *Request) error {
	return p.note("collect-garbage", r)
}
func (p *recorder) ShellHelp(*Request) string { return "press any key\n" }

// minimal is a plugin without any optional interface.
type minimal struct{ err error }

func (p minimal) Activate(context.Context, *Request) error   { return p.err }
func (p minimal) Deactivate(context.Context, *Request) error { return p.err }

// passing is a plugin that is called with every operation.
type passing struct{ minimal }

func (passing) Run(_ context.Context, op Operation, r *Request) error {
	_, err := fmt.Fprintln(r.Stdout, op)
	return err
}

var standardOperations = []Operation{Activate, Deactivate, Lock, Unlock, Snapshot, Restore, CollectGarbage}

func TestRunNativePlugin(t *testing.T) {
	m := newMachine(t)
	full := &recorder{}
	m.Plugins = map[string]Plugin{"full": full, "minimal": minimal{}, "passing": passing{}}
	path := "/nix/store/" + strings.Repeat("x", 32) + "-web-1.0"
	for _, op := range append(standardOperations, "unknown") {
		inv := Invocation{Operation: op, Component: m.file("thing", "", 0o644), Type: "full", Environment: true, Container: path}
		want := fmt.Sprintf("%s full thing web-1.0 %s\n", op, path)
		if op == "unknown" {
			want = ""
		}
		equal(t, "full plugin", m.mustRun(inv), want)
		inv.Type = "passing"
		equal(t, "passing plugin", m.mustRun(inv), string(op)+"\n")
		inv.Type = "minimal"
		equal(t, "minimal plugin", m.mustRun(inv), "")
	}
	equal(t, "calls", len(full.calls), len(standardOperations))
	inv := Invocation{Operation: Shell, Component: "/x", Type: "full", Environment: true}
	equal(t, "shell help", m.mustRun(inv), "press any key\n")
}

func TestRunNativePluginFails(t *testing.T) {
	m := newMachine(t)
	cause := errors.New("the disk is full")
	m.Plugins["failing"] = minimal{cause}
	_, err := m.run(Invocation{Operation: Activate, Component: "/x", Container: "box", Type: "failing", Environment: true})
	failed := wantModuleError(t, err)
	equal(t, "exit status", failed.ExitCode, 1)
	if !errors.Is(err, cause) {
		t.Error("the cause is lost")
	}
	equal(t, "message", err.Error(), `activate component "x" in container "box": module "failing": the disk is full`)
}

func TestRunGivesPluginsTheEnvironment(t *testing.T) {
	m := newMachine(t)
	var seen Request
	m.Plugins["look"] = looking{func(r *Request) { seen = *r }}
	m.container("box", "A=1\nL=(x 'y z')\ntype=look\n")
	component := m.component("box", "thing")

	m.mustRun(Invocation{Operation: Activate, Component: "thing", Container: "box"})
	if !maps.Equal(seen.Properties, map[string]string{"A": "1", "L": "x y z"}) {
		t.Errorf("properties: %v", seen.Properties)
	}
	equalSlices(t, "environment", seen.Environment, []string{"A=1", "DYSNOMIA_STATEDIR=" + m.StateDir, "L=x y z", "PATH=" + os.Getenv("PATH")})
	equal(t, "component", seen.Component, component)
	if seen.Stdin == nil || seen.State.Dir != m.StateDir {
		t.Errorf("request: %+v", seen)
	}

	m.mustRun(Invocation{Operation: Activate, Component: component, Type: "look", Environment: true, Arguments: []string{"A=2"}})
	equal(t, "argument", seen.Properties["A"], "2")
	equal(t, "variable of the caller", seen.Properties["HOME"], m.root)
	if !slices.Contains(seen.Environment, "HOME="+m.root) {
		t.Errorf("environment: %v", seen.Environment)
	}
}

// looking shows each request to a function.
type looking struct{ look func(*Request) }

func (p looking) Activate(_ context.Context, r *Request) error   { p.look(r); return nil }
func (p looking) Deactivate(_ context.Context, r *Request) error { p.look(r); return nil }

func TestRunRecordsThePathOfExternalComponents(t *testing.T) {
	m := newMachine(t)
	m.module("marks", `if [ "$1" = activate ]; then mkdir -p "$DYSNOMIA_STATEDIR/activated/$3"; touch "$DYSNOMIA_STATEDIR/activated/$3/$(basename "$2")"; fi`)
	m.module("quiet", ``)
	component := m.file("thing", "", 0o644)
	m.mustRun(Invocation{Operation: Activate, Component: component, Type: "marks", Environment: true})
	m.mustRun(Invocation{Operation: Activate, Component: component, Type: "quiet", Environment: true})
	markers, err := m.State().Activated("")
	if err != nil {
		t.Fatal(err)
	}
	equalSlices(t, "markers", markers, []Marker{{Container: "marks", Component: "thing", Path: component}})
}

func BenchmarkRunNative(b *testing.B) {
	dir := b.TempDir()
	h, err := NewHost(append(os.Environ(), "DYSNOMIA_STATEDIR="+dir), map[string]Plugin{"none": minimal{}})
	if err != nil {
		b.Fatal(err)
	}
	inv := Invocation{Operation: Activate, Component: storePath("web"), Type: "none", Environment: true, Arguments: []string{"port=80"}}
	for b.Loop() {
		if err := h.Run(context.Background(), inv); err != nil {
			b.Fatal(err)
		}
	}
}
