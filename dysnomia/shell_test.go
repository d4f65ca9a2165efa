package dysnomia

import (
	"bytes"
	"context"
	"os"
	"strings"
	"testing"
)

// shellModule is written as those of the original: it takes its names from
// the arguments, and is sourced in a shell session.
const shellModule = `set -e
typeIdentifier=$(basename "$0")
componentName=$(basename "$2")
greet() { echo "hello from $componentName of $typeIdentifier"; }
case "$1" in
    shell) echo "usage: greet" >&2 ;;
esac
`

func (m *machine) shell(inv Invocation, command string) (stdout, stderr string, err error) {
	var out, problems bytes.Buffer
	err = m.Shell(context.Background(), inv, ShellSession{Command: command, Stdout: &out, Stderr: &problems})
	return out.String(), problems.String(), err
}

func TestShellCommand(t *testing.T) {
	m := newMachine(t)
	module := m.module("greeter", shellModule)
	m.container("box", `A='two  "words"'"'"'s $HOME'`+"\nL=(x 'y z')\ntype=greeter\n")
	component := m.component("box", "thing")
	inv := Invocation{Component: "thing", Container: "box"}

	stdout, stderr, err := m.shell(inv, `greet; echo "$A|$L"; bash -c 'echo "$A|$this_dysnomia_module|$this_component|$this_container"'; echo "$0"; false; echo after`)
	if err != nil {
		t.Fatal(err)
	}
	value := `two  "words"'s $HOME`
	equal(t, "stdout", stdout, "hello from thing of greeter\n"+value+"|x y z\n"+
		value+"|"+module+"|"+component+"|box\nbash\nafter\n")
	equal(t, "stderr", stderr, "usage: greet\n")
}

func TestShellStatusIsThatOfTheLastCommand(t *testing.T) {
	m := newMachine(t)
	m.module("greeter", shellModule)
	_, _, err := m.shell(Invocation{Component: "/x", Type: "greeter", Environment: true}, "true\n(exit 42)")
	equal(t, "exit status", ExitStatus(err), 42)
	equal(t, "operation", wantModuleError(t, err).Operation, Shell)
}

func TestShellKeepsTheEnvironmentOfTheCaller(t *testing.T) {
	m := newMachine(t)
	m.module("greeter", shellModule)
	m.Environment = append(m.Environment, "foo=foo", "TMPDIR="+m.root)
	inv := Invocation{Component: "/x", Type: "greeter", Environment: true, Arguments: []string{"B=two words", "not-a-name=1"}}
	stdout, _, err := m.shell(inv, `echo "$foo|$B|$TMPDIR|$DYSNOMIA_STATEDIR"; env | grep ^not-a`)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "stdout", stdout, "foo|two words|"+m.root+"|"+m.StateDir+"\nnot-a-name=1\n")
}

func TestShellOfOtherModules(t *testing.T) {
	m := newMachine(t)
	m.file("modules/tool", "#!/usr/bin/env perl\nprint \"perl @ARGV\\n\"; exit 3;\n", 0o755)
	stdout, _, err := m.shell(Invocation{Component: "/x", Type: "tool", Environment: true}, "echo in session")
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "stdout", stdout, "perl shell /x tool\nin session\n")

	m.Plugins["native"] = &recorder{}
	stdout, _, err = m.shell(Invocation{Component: "/x", Type: "native", Environment: true, Container: "box"},
		`echo "$this_dysnomia_module $this_component $this_container"`)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "stdout", stdout, "native /x box\n")
}

// On a terminal the session is interactive: it reads commands, has the prompt
// and tells what can be done.
func TestShellInteractive(t *testing.T) {
	m := newMachine(t)
	m.Plugins["native"] = &recorder{}
	m.file(".bashrc", "A=from-bashrc\necho bashrc was read\n", 0o644)
	screen := m.interactive(Invocation{Component: "/x", Type: "native", Environment: true, Arguments: []string{"A=property"}},
		"echo \"<$A $this_component>\"\nexit 5\n", 5)
	for _, text := range []string{"bashrc was read", "press any key", "this_component", "[dysnomia-shell:", "<property /x>"} {
		if !strings.Contains(screen, text) {
			t.Errorf("the screen lacks %q:\n%s", text, screen)
		}
	}
	m.module("greeter", shellModule)
	screen = m.interactive(Invocation{Component: "/x", Type: "greeter", Environment: true}, "greet\nexit\n", 0)
	for _, text := range []string{"usage: greet", "hello from x of greeter"} {
		if !strings.Contains(screen, text) {
			t.Errorf("the screen lacks %q:\n%s", text, screen)
		}
	}
}

func TestRoughEdge_Host11(t *testing.T) {
	m := newMachine(t)
	m.module("greeter", shellModule)
	m.container("box", "B=\"two words\"\ntype=greeter\n")
	m.component("box", "thing")
	m.Environment = append(m.Environment, "TMPDIR="+m.root)
	inv := Invocation{Component: "thing", Container: "box"}
	check := func(name, command, want string) {
		t.Run(name, func(t *testing.T) {
			stdout, _, err := m.shell(inv, command)
			if err != nil {
				t.Fatal(err)
			}
			equal(t, "stdout", stdout, want)
		})
	}
	check("host 11: TMPDIR is left alone", `echo "$TMPDIR"; test -d "$TMPDIR"`, m.root+"\n")
	check("host 11: a command runs without a terminal", `echo done`, "done\n")
	check("host 11: values with blanks are exported", `printenv B; printenv words || true`, "two words\n")
}

func TestShellWithoutBash(t *testing.T) {
	m := newMachine(t)
	m.Plugins["native"] = minimal{}
	t.Setenv("PATH", m.root)
	_, _, err := m.shell(Invocation{Component: "/x", Type: "native", Environment: true}, "true")
	wantError(t, err, `open a shell session for component "x"`, "install bash")
	if os.Getenv("PATH") != m.root {
		t.Fatal("the test did not hide bash")
	}
}
