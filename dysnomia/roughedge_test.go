package dysnomia

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestRoughEdge_Host01(t *testing.T) {
	m := newMachine(t)
	m.module("dump", dump)
	m.container("box", "A=\"two  words\"\nB='it\"s'\nC=\"it's\"\nD='back\\slash'\nL=(\"x y\" \"z\")\ntype=dump\n")
	m.component("box", "thing")
	output := m.mustRun(Invocation{Operation: Activate, Component: "thing", Container: "box"})
	for name, line := range map[string]string{
		"blanks": "A=two  words", "double quotes": `B=it"s`, "single quotes": "C=it's", "backslash": `D=back\slash`, "lists": "L=x y z",
	} {
		t.Run("host 1: "+name+" reach the module", func(t *testing.T) {
			if !strings.Contains(output, "env <"+line+">\n") {
				t.Errorf("the module does not see %s:\n%s", line, output)
			}
		})
	}
}

func TestRoughEdge_Host02(t *testing.T) {
	m := newMachine(t)
	m.module("dump", dump)
	m.component("box", "thing")
	inv := Invocation{Operation: Activate, Component: "thing", Container: "box"}
	t.Run("host 2: comments and a missing final newline", func(t *testing.T) {
		m.container("box", "# a comment\ntype=dump\n\n  # another\nA=1 # and one\nB=last")
		output := m.mustRun(inv)
		for _, line := range []string{"env <A=1>\n", "env <B=last>\n"} {
			if !strings.Contains(output, line) {
				t.Errorf("the module does not see %s", line)
			}
		}
	})
	t.Run("host 2: lines are not executed", func(t *testing.T) {
		trace := filepath.Join(m.root, "trace")
		m.container("box", "type=dump\ntouch "+trace+"\nA=1 touch "+trace+"\nA=1; touch "+trace+"\nA=1 >"+trace+"\n")
		_, err := m.run(inv)
		wantError(t, err, ":2: ", ":3: ", ":4: ", ":5: ")
		if _, err := os.Stat(trace); err == nil {
			t.Error("a line of the container file was executed")
		}
	})
}

func TestRoughEdge_Host03(t *testing.T) {
	m := newMachine(t)
	m.module("state", `echo "$DYSNOMIA_STATEDIR"`)
	m.container("box", "type=state\n")
	m.component("box", "thing")
	host, err := NewHost([]string{"HOME=" + m.root, "DYSNOMIA_STATEDIR="}, nil)
	if err != nil {
		t.Fatal(err)
	}
	want := "/var/state/dysnomia"
	if os.Geteuid() != 0 {
		want = m.root + "/.dysnomia"
	}
	m.StateDir = host.StateDir
	t.Run("host 3: the default reaches the module in both modes", func(t *testing.T) {
		equal(t, "file mode", m.mustRun(Invocation{Operation: "x", Component: "thing", Container: "box"}), want+"\n")
		equal(t, "environment mode", m.mustRun(Invocation{Operation: "x", Component: "/thing", Type: "state", Environment: true}), want+"\n")
	})
	t.Run("host 3: a relative directory is made absolute", func(t *testing.T) {
		host, err := NewHost([]string{"DYSNOMIA_STATEDIR=state"}, nil)
		if err != nil {
			t.Fatal(err)
		}
		if !filepath.IsAbs(host.StateDir) {
			t.Errorf("state directory: %s", host.StateDir)
		}
	})
}

func TestRoughEdge_Host04(t *testing.T) {
	m := newMachine(t)
	m.module("exits", `exit 42`)
	t.Run("host 4: the exit status of the module is kept", func(t *testing.T) {
		_, err := m.run(Invocation{Operation: "x", Component: "/thing", Type: "exits", Environment: true})
		equal(t, "exit status", ExitStatus(err), 42)
	})
	t.Run("host 4: variables of the environment preset nothing", func(t *testing.T) {
		m.Environment = append(m.Environment, "operation=x", "component=/thing", "container=docker", "type=exits", "useEnvironment=1")
		_, err := m.run(Invocation{})
		equal(t, "error", err, ErrNoOperation)
		m.module("shows", `echo "$1 $3"`)
		equal(t, "container", m.mustRun(Invocation{Operation: "y", Component: "/thing", Type: "shows", Environment: true}), "y shows\n")
	})
	t.Run("host 4: values that look like options are values", func(t *testing.T) {
		m.module("shows", `printf '<%s>' "$@"`)
		equal(t, "arguments", m.mustRun(Invocation{Operation: "-E", Component: "/--shell", Container: "-h", Type: "shows", Environment: true}), "<-E></--shell><-h>")
	})
}

func TestRoughEdge_Host10(t *testing.T) {
	m := newMachine(t)
	const script = "#!/bin/sh\necho \"$0 $3\"\n"
	provider := filepath.Join(m.root, "provider")
	path := m.file("provider/libexec/dysnomia/one", script, 0o755)
	m.file("provider/libexec/dysnomia/README", "no module", 0o644)
	inv := Invocation{Operation: "x", Component: "/thing", Type: provider, Environment: true}
	t.Run("host 10: the only executable is the module", func(t *testing.T) {
		equal(t, "output", m.mustRun(inv), path+" "+provider+"\n")
	})
	t.Run("host 10: two executables are an error", func(t *testing.T) {
		m.file("provider/libexec/dysnomia/two", script, 0o755)
		_, err := m.run(inv)
		wantError(t, err, "Module: "+provider+" cannot be found!", "more than one executable", "one, two")
	})
	t.Run("host 10: a package without modules is an error", func(t *testing.T) {
		if err := os.RemoveAll(filepath.Join(provider, "libexec/dysnomia")); err != nil {
			t.Fatal(err)
		}
		_, err := m.run(inv)
		wantError(t, err, "Module: "+provider+" cannot be found!", "the package has no modules")
	})
}

func TestRoughEdge_Host18(t *testing.T) {
	m := newMachine(t)
	m.module("my module", `printf '<%s>' "$@"; [ "$1" = activate ] || exit 0; mkdir -p "$DYSNOMIA_STATEDIR/activated/$3"; touch "$DYSNOMIA_STATEDIR/activated/$3/$(basename "$2")"`)
	m.container("my *box", "type='my module'\n")
	path := m.component("my *box", "a [thing]")
	t.Run("host 18: blanks and glob characters in names", func(t *testing.T) {
		output := m.mustRun(Invocation{Operation: "my op", Component: "a [thing]", Container: "my *box"})
		equal(t, "arguments", output, "<my op><"+path+"><my *box>")
		equal(t, "deployment", m.mustDeploy(""), "Activating component: a [thing] in container: my *box\n<activate><"+path+"><my *box>")
		equalSlices(t, "active", m.active(), []string{"my *box/a [thing]"})
	})
}

func TestRoughEdge_Observed19(t *testing.T) {
	m := newMachine(t)
	m.module("shows", `echo "$LIST|$WORDS"`)
	m.container("box", "LIST=(\"a\" \"b\" )\nWORDS=\"a b\"\ntype=shows\n")
	m.component("box", "thing")
	m.mark("box", "thing", "")
	t.Run("observed 19: lists and blanks do not break operations", func(t *testing.T) {
		equal(t, "output", m.mustRun(Invocation{Operation: "x", Component: "thing", Container: "box"}), "a b|a b\n")
		if err := m.RunOperation(context.Background(), "x", Batch{Container: "box"}); err != nil {
			t.Error(err)
		}
	})
}

func TestRoughEdge_Observed20(t *testing.T) {
	m := newMachine(t)
	m.module("fails", `exit 77`)
	m.container("box", "type=fails\n")
	m.component("box", "thing")
	m.mark("box", "thing", "")
	t.Run("observed 20: a failure keeps its status", func(t *testing.T) {
		_, err := m.run(Invocation{Operation: "x", Component: "thing", Container: "box"})
		equal(t, "exit status", ExitStatus(err), 77)
		equal(t, "exit status of a batch", ExitStatus(m.RunOperation(context.Background(), "x", Batch{})), 77)
	})
}

func TestRoughEdge_processmgmt8(t *testing.T) {
	m := newMachine(t)
	m.component("box", "thing")
	t.Run("processmgmt 8: a property without a name is an error that says where", func(t *testing.T) {
		m.container("box", "mongoPort=27017\n--gzip --oplog\n")
		_, err := m.run(Invocation{Operation: Activate, Component: "thing", Container: "box"})
		wantError(t, err, "box:2: ", "NAME=value")
	})
}

func TestRoughEdge_processmgmt9(t *testing.T) {
	m := newMachine(t)
	m.module("dump", dump)
	m.container("box", "port=1\n")
	m.component("box", "thing")
	t.Run("processmgmt 9: a container without a type says that it has none", func(t *testing.T) {
		_, err := m.run(Invocation{Operation: Activate, Component: "thing", Container: "box"})
		wantError(t, err, "No type specified in the container configuration")
	})
	t.Run("processmgmt 9: the type can be given", func(t *testing.T) {
		output := m.mustRun(Invocation{Operation: Activate, Component: "thing", Container: "box", Type: "dump"})
		if !strings.Contains(output, "env <port=1>\n") {
			t.Error(output)
		}
	})
}
