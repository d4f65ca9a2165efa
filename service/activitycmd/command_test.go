package activitycmd_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/disnix-go/disnix/dysnomia"
	"github.com/disnix-go/disnix/service"
	"github.com/disnix-go/disnix/service/activitycmd"
	"github.com/disnix-go/disnix/service/servicetest"
)

// result is what a call printed and ended with.
type result struct {
	stdout string
	status int
	err    error
}

func run(t *testing.T, s service.Service, o activitycmd.Options) result {
	t.Helper()
	var stdout bytes.Buffer
	status, err := activitycmd.Run(t.Context(), s, o, activitycmd.Streams{Stdout: &stdout, Stderr: &stdout})
	return result{stdout.String(), status, err}
}

func TestMissingOptions(t *testing.T) {
	type options = activitycmd.Options
	const (
		noType      = "ERROR: A type must be specified!"
		noComponent = "ERROR: A Nix store component has to be specified!"
		noSnapshot  = "ERROR: A Dysnomia snapshot has to be specified!"
	)
	tests := []struct {
		options options
		want    string
	}{
		{options{}, "ERROR: No operation specified!"},
		{options{Operation: "bogus"}, `operation "bogus" is unknown`},
		{options{Operation: "import"}, noComponent},
		{options{Operation: "set", Profile: "p"}, noComponent},
		{options{Operation: "set", Paths: []string{"/x"}}, "--profile"},
		{options{Operation: "lock"}, "--profile"},
		{options{Operation: "unlock"}, "--profile"},
		{options{Operation: "resolve-snapshots"}, noSnapshot},
		{options{Operation: "export-snapshots"}, noSnapshot},
		{options{Operation: "import-snapshots", Container: "c", Component: "k"}, noSnapshot},
		{options{Operation: "import-snapshots", Component: "k", Paths: []string{"/x"}}, "ERROR: No container specified!"},
		{options{Operation: "import-snapshots", Container: "c", Paths: []string{"/x"}}, "ERROR: No component specified!"},
	}
	for _, operation := range []string{"activate", "deactivate", "snapshot", "restore", "delete-state", "shell"} {
		tests = append(tests, []struct {
			options options
			want    string
		}{
			{options{Operation: operation}, noType},
			{options{Operation: operation, Type: "t"}, noComponent},
			{options{Operation: operation, Type: "t", Paths: []string{"/a", "/b"}}, "takes one component, but 2 are given"},
		}...)
	}
	for _, test := range tests {
		var target servicetest.Fake
		got := run(t, &target, test.options)
		if got.status != 1 || got.err == nil || !strings.Contains(got.err.Error(), test.want) {
			t.Errorf("%+v: %+v, want %q", test.options, got, test.want)
		}
		if calls := target.Calls(); len(calls) != 0 {
			t.Errorf("%+v: the target was asked %v", test.options, calls)
		}
	}
}

// TestEveryOperation checks what each operation asks for and prints.
func TestEveryOperation(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	for _, test := range []struct {
		options activitycmd.Options
		call    string
		stdout  string
	}{
		{activitycmd.Options{Operation: "print-invalid", Paths: []string{"/valid", "/a", "/b"}}, "print-invalid[/valid /a /b]", "/a\n/b\n"},
		{activitycmd.Options{Operation: "query-requisites", Paths: []string{"/a", "/b"}}, "query-requisites[/a /b]", "/a\n/b\n"},
		{activitycmd.Options{Operation: "realise", Paths: []string{"/a.drv"}}, "realise[/a.drv]", "/a.drv\n"},
		{activitycmd.Options{Operation: "collect-garbage"}, "collect-garbage[false]", ""},
		{activitycmd.Options{Operation: "collect-garbage", DeleteOld: true}, "collect-garbage[true]", ""},
		{activitycmd.Options{Operation: "set", Profile: "p", Paths: []string{"/a"}}, "set[p /a]", ""},
		{activitycmd.Options{Operation: "query-installed", Profile: "p"}, "query-installed[p]", "<installed/>"},
		{activitycmd.Options{Operation: "query-installed", Profile: "other"}, "query-installed[other]", ""},
		{activitycmd.Options{Operation: "lock", Profile: "p"}, "lock[p]", ""},
		{activitycmd.Options{Operation: "activate", Type: "t", Paths: []string{"/a"}}, "activate[t /a]", ""},
		{activitycmd.Options{Operation: "deactivate", Type: "t", Container: "c", Paths: []string{"/a"}}, "deactivate[c /a]", ""},
		{activitycmd.Options{Operation: "snapshot", Type: "t", Paths: []string{"/a"}}, "snapshot[t /a]", ""},
		{activitycmd.Options{Operation: "restore", Type: "t", Paths: []string{"/a"}}, "restore[t /a]", ""},
		{activitycmd.Options{Operation: "delete-state", Type: "t", Paths: []string{"/a"}}, "delete-state[t /a]", ""},
		{activitycmd.Options{Operation: "shell", Type: "t", Command: "ls", Paths: []string{"/a"}}, "shell[t /a]", ""},
		{activitycmd.Options{Operation: "query-all-snapshots", Container: "c"}, "query-all-snapshots[c ]", "c/k/1\nc/k/2\n"},
		{activitycmd.Options{Operation: "query-latest-snapshot"}, "query-latest-snapshot[ ]", "c/k/2\n"},
		{activitycmd.Options{Operation: "print-missing-snapshots", Paths: []string{"c/k/1", "c/k/3"}}, "print-missing-snapshots[c/k/1 c/k/3]", "c/k/3\n"},
		{activitycmd.Options{Operation: "resolve-snapshots", Paths: []string{"c/k/1"}}, "resolve-snapshots[c/k/1]", "/fake/snapshots/c/k/1\n"},
		{activitycmd.Options{Operation: "import-snapshots", Type: "c", Component: "k", Paths: []string{"/fake/snapshots/c/k/9"}}, "register-snapshots[c k /fake/snapshots/c/k/9]", ""},
		{activitycmd.Options{Operation: "clean-snapshots", Keep: 3, Component: "k"}, "clean-snapshots[3  k]", ""},
		{activitycmd.Options{Operation: "capture-config", Target: "host"}, "capture-config[]", "{\n}"},
	} {
		t.Run(test.options.Operation, func(t *testing.T) {
			var target servicetest.Fake
			target.AddValid("/valid")
			target.AddInstalled("p", []byte("<installed/>"))
			target.AddSnapshots("c/k/1", "c/k/2")
			got := run(t, &target, test.options)
			if got != (result{test.stdout, 0, nil}) {
				t.Errorf("%+v, want %q", got, test.stdout)
			}
			if calls := target.Calls(); len(calls) != 1 || calls[0].String() != test.call {
				t.Errorf("the target was asked %v, want %s", calls, test.call)
			}
		})
	}
}

func TestQueryInstalledWithoutProfile(t *testing.T) {
	if got := run(t, new(servicetest.Fake), activitycmd.Options{Operation: "query-installed"}); got != (result{"", 0, nil}) {
		t.Errorf("%+v", got)
	}
}

func TestRelativePathsBecomeAbsolute(t *testing.T) {
	t.Chdir(t.TempDir())
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	var target servicetest.Fake
	run(t, &target, activitycmd.Options{Operation: "set", Profile: "p", Paths: []string{"./result"}})
	if got, want := target.Calls()[0].String(), "set[p "+here+"/result]"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

// failing is a target on which every operation fails.
func failing(err error) *servicetest.Fake {
	return &servicetest.Fake{Hook: func(context.Context, servicetest.Call) error { return err }}
}

func TestEveryFailureIsReported(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	refused := errors.New("refused")
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, operation := range activitycmd.Operations() {
		name := operation
		switch operation {
		case "export":
			name = "protocol 1, observed 3: export"
		case "capture-config":
			name = "protocol 1: capture-config"
		}
		t.Run(name, func(t *testing.T) {
			got := run(t, failing(refused), activitycmd.Options{
				Operation: operation, Type: "t", Profile: "p", Component: "k", Paths: []string{file},
			})
			if got.stdout != "" || got.status != 1 || !errors.Is(got.err, refused) {
				t.Errorf("%+v", got)
			}
			if left, _ := os.ReadDir(dir); len(left) != 0 {
				t.Errorf("left: %v", left)
			}
		})
	}
}

// exitError returns the error of a process that ended in this way.
func exitError(t *testing.T, script string) error {
	t.Helper()
	var exit *exec.ExitError
	err := exec.Command("/bin/sh", "-c", script).Run()
	if !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return err
}

func TestExitStatus(t *testing.T) {
	for name, test := range map[string]struct {
		err           error
		boolean, line int
	}{
		"a module that exits":         {&dysnomia.ModuleError{ExitCode: 42}, 42, 1},
		"a module that was killed":    {&dysnomia.ModuleError{ExitCode: 1, Signal: syscall.SIGKILL}, 255, 1},
		"a program that exits":        {exitError(t, "exit 7"), 7, 1},
		"a program that was killed":   {exitError(t, "kill -9 $$"), 255, 1},
		"a program that is not there": {exec.ErrNotFound, 255, 1},
		"anything else":               {errors.New("reason"), 1, 1},
	} {
		t.Run(name, func(t *testing.T) {
			if got := run(t, failing(test.err), activitycmd.Options{Operation: "activate", Type: "t", Paths: []string{"/a"}}); got.status != test.boolean {
				t.Errorf("activate: status %d, want %d", got.status, test.boolean)
			}
			if got := run(t, failing(test.err), activitycmd.Options{Operation: "print-invalid", Paths: []string{"/a"}}); got.status != test.line {
				t.Errorf("print-invalid: status %d, want %d", got.status, test.line)
			}
		})
	}
}

func TestUnreadableClosure(t *testing.T) {
	missing := filepath.Join(t.TempDir(), "missing")
	got := run(t, new(servicetest.Fake), activitycmd.Options{Operation: "import", Paths: []string{missing}})
	if got.status != 255 || !strings.Contains(got.err.Error(), "Cannot open closure file: ["+missing+"]") {
		t.Errorf("%+v", got)
	}
}

func TestExportPrintsAFile(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	for _, local := range []bool{false, true} {
		t.Run("protocol 8: also with --localfile", func(t *testing.T) {
			var target servicetest.Fake
			target.AddValid("/a")
			got := run(t, &target, activitycmd.Options{Operation: "export", LocalFile: local, Paths: []string{"/a"}})
			file := strings.TrimSuffix(got.stdout, "\n")
			info, err := os.Stat(file)
			if err != nil || info.Mode() != 0o644 || filepath.Dir(file) != os.TempDir() || !strings.HasPrefix(filepath.Base(file), "disnix.") {
				t.Fatalf("%+v: %v %v", got, info, err)
			}
			imported := run(t, new(servicetest.Fake), activitycmd.Options{Operation: "import", Paths: []string{file}})
			if imported != (result{"/a\n", 0, nil}) {
				t.Errorf("import: %+v", imported)
			}
		})
	}
}

func TestCaptureConfigForARemoteHalf(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	got := run(t, new(servicetest.Fake), activitycmd.Options{Operation: "capture-config"})
	file := strings.TrimSuffix(got.stdout, "\n")
	content, err := os.ReadFile(file)
	if err != nil || string(content) != "{\n}" {
		t.Errorf("%+v: %q %v", got, content, err)
	}
	if info, err := os.Stat(file); err != nil || info.Mode() != 0o600 {
		t.Errorf("others can read the properties of containers: %v %v", info, err)
	}
}

func TestImportedSnapshotStaysWhereItIs(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "id")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	var target servicetest.Fake
	got := run(t, &target, activitycmd.Options{Operation: "import-snapshots", LocalFile: true, Container: "c", Component: "k", Paths: []string{dir}})
	if got != (result{"", 0, nil}) || target.Calls()[0].String() != "import-snapshots[c k id]" {
		t.Errorf("%+v, %v", got, target.Calls())
	}
	if _, err := os.Stat(dir); err != nil {
		t.Error(err)
	}
	got = run(t, &target, activitycmd.Options{Operation: "import-snapshots", LocalFile: true, Container: "c", Component: "k", Paths: []string{dir + "x"}})
	if got.status != 1 || !errors.Is(got.err, os.ErrNotExist) {
		t.Errorf("%+v", got)
	}
}

func TestNoPlaceForTemporaryFiles(t *testing.T) {
	t.Setenv("TMPDIR", filepath.Join(t.TempDir(), "missing"))
	for _, operation := range []string{"export", "capture-config", "export-snapshots"} {
		got := run(t, new(servicetest.Fake), activitycmd.Options{Operation: operation, Paths: []string{"/a"}})
		if got.status != 1 || got.stdout != "" || !errors.Is(got.err, os.ErrNotExist) {
			t.Errorf("%s: %+v", operation, got)
		}
	}
}
