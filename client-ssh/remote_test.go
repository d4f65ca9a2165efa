package sshclient_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	sshclient "github.com/disnix-go/disnix/client-ssh"
	"github.com/disnix-go/disnix/service"
	"github.com/disnix-go/disnix/service/session"
	"github.com/disnix-go/disnix/test/nixtest"
)

// module prepares a machine with a module, and returns its directory.
func module(t *testing.T, script string) string {
	t.Helper()
	root := nixtest.Store(t)
	dir := filepath.Join(root, "modules")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "recorder"), []byte("#!/bin/sh\n"+script), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("DYSNOMIA_MODULES_PATH", dir)
	return root
}

// inBothModes runs a test against a target with programs of this version, and
// one that knows only the original's command line.
func inBothModes(t *testing.T, test func(t *testing.T, path string)) {
	t.Run("session", func(t *testing.T) { test(t, ours()) })
	t.Run("commands", func(t *testing.T) { test(t, original()) })
}

func TestExitStatusOfModules(t *testing.T) {
	inBothModes(t, func(t *testing.T, path string) {
		root := module(t, "echo the reason >&2; exit 42\n")
		client := dial(t, newHost(t, path))
		var output bytes.Buffer
		err := client.Activate(t.Context(), service.Activity{Component: root, Type: "recorder", Output: &output})
		var status interface{ ExitStatus() int }
		if !errors.As(err, &status) || status.ExitStatus() != 42 || !strings.Contains(output.String(), "the reason\n") {
			t.Errorf("%#v, output %q", err, &output)
		}
	})
}

// hostile are values that a shell would spoil.
var hostile = []string{
	`a "double" 'single' \back\\slash`, "$HOME `id` $(id) ${x}", "* ? ~ # ! {a,b}", "; exit 3 & | < >", "two  blanks\tand\nlines\n", "-x", "",
}

func TestRoughEdge_protocol7(t *testing.T) {
	t.Run("protocol 7, observed 13: values are not read by a remote shell", testHostileValues)
	t.Run("protocol 7, observed 13: temporary files are removed", testTemporaryFiles)
	t.Run("protocol 7, observed 13: the default container is the value of the type", testDefaultContainer)
}

func testHostileValues(t *testing.T) {
	inBothModes(t, func(t *testing.T, path string) {
		root := module(t, `printf '%s.' "$value" > "$out"`+"\n")
		client := dial(t, newHost(t, path))
		out := filepath.Join(root, "out")
		for _, value := range hostile {
			err := client.Activate(t.Context(), service.Activity{
				Component: root, Container: "box", Type: "recorder", Arguments: []string{"out=" + out, "value=" + value},
			})
			if err != nil {
				t.Fatal(err)
			}
			if got, err := os.ReadFile(out); err != nil || string(got) != value+"." {
				t.Errorf("%q became %q, %v", value, got, err)
			}
		}
	})
}

func testDefaultContainer(t *testing.T) {
	root := module(t, "")
	log := filepath.Join(root, "commands")
	t.Setenv("COMMANDS_LOG", log)
	client := dial(t, newHost(t, original()))
	if err := client.Activate(t.Context(), service.Activity{Component: root, Type: "recorder"}); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(log); err != nil || !strings.Contains(string(got), "--container\nrecorder\n") {
		t.Errorf("%q, %v", got, err)
	}
}

func TestLostConnection(t *testing.T) {
	inBothModes(t, func(t *testing.T, path string) {
		root := module(t, ": > \"$begun\"; trap 'exit 1' TERM; while [ -e \"$begun\" ]; do sleep 0.1; done\n")
		h := newHost(t, path)
		client := dial(t, h)
		begun := filepath.Join(root, "begun")
		go func() {
			for h.Context().Err() == nil {
				if _, err := os.Stat(begun); err == nil {
					break
				}
				time.Sleep(10 * time.Millisecond)
			}
			h.cut()
		}()
		err := client.Activate(t.Context(), service.Activity{Component: root, Type: "recorder", Arguments: []string{"begun=" + begun}})
		if !errors.Is(err, session.ErrLost) {
			t.Errorf("during an operation: %v", err)
		}
		if err := client.Lock(t.Context(), "p"); !errors.Is(err, session.ErrLost) {
			t.Errorf("afterwards: %v", err)
		}
	})
}

func TestMissingProgram(t *testing.T) {
	h := newHost(t, "/usr/bin:/bin")
	wantRefusal(t, h.address, "no program disnix-run-activity", "/usr/bin:/bin", "install Disnix")
	t.Run("another one that was chosen", func(t *testing.T) {
		h := newHost(t, "/usr/bin:/bin")
		t.Setenv("DISNIX_REMOTE_CLIENT", "disnix-nowhere")
		client := dial(t, h)
		for _, ctx := range []context.Context{t.Context(), service.WithClaim(t.Context(), service.Claim{Token: "t", Profile: "p"})} {
			wantError(t, client.Lock(ctx, "p"), "no program disnix-nowhere", "/usr/bin:/bin", "install it")
		}
	})
}

// force lets a script run instead of every command. The command is in
// SSH_ORIGINAL_COMMAND.
func force(t *testing.T, script string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "script")
	if err := os.WriteFile(file, []byte("#!/bin/sh\n"+script), 0o755); err != nil {
		t.Fatal(err)
	}
	return "ForceCommand " + file
}

func TestBannerOfALoginShell(t *testing.T) {
	inBothModes(t, func(t *testing.T, path string) {
		nixtest.Store(t)
		h := newHost(t, path, force(t, "echo 'Welcome to this host!'; echo 'and more'; eval \"$SSH_ORIGINAL_COMMAND\"\n"))
		client := dial(t, h)
		missing := "/nix/store/00000000000000000000000000000000-x"
		if manifest, err := client.QueryInstalled(t.Context(), "p"); err != nil || manifest != nil {
			t.Errorf("%q, %v", manifest, err)
		}
		if _, err := client.QueryRequisites(t.Context(), []string{missing}); err == nil {
			t.Error("no error")
		}
	})
}

func TestHostThatSpeaksSomethingElse(t *testing.T) {
	for name, test := range map[string]struct{ script, want string }{
		"a closed account":   {"echo 'This account is currently not available.'; exit 1", "currently not available"},
		"endless garbage":    {"exec yes", "does not speak the session protocol"},
		"control characters": {"printf '\\033[2Jgone\\n'; exit 1", "gone"},
	} {
		t.Run(name, func(t *testing.T) {
			err := wantRefusal(t, newHost(t, ours(), force(t, test.script+"\n")).address, test.want)
			if err != nil && (len(err.Error()) > 5000 || strings.Contains(err.Error(), "\x1b")) {
				t.Errorf("error %q", err)
			}
		})
	}
}

func TestAnotherVersionIsUsedByCommands(t *testing.T) {
	nixtest.Store(t)
	dir := t.TempDir()
	script := fmt.Sprintf("#!/bin/sh\n[ \"$1\" != --serve ] || { printf '\\000\\376disnix-session\\n\\377\\377'; exec cat; }\nexec %s/disnix-run-activity \"$@\"\n", programs)
	if err := os.WriteFile(filepath.Join(dir, "disnix-run-activity"), []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	h := newHost(t, dir+":"+ours())
	var log bytes.Buffer
	client, err := sshclient.Dial(t.Context(), h.address, sshclient.Config{Log: &log})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if _, err := client.QueryInstalled(t.Context(), "p"); err != nil {
		t.Error(err)
	}
	if !strings.Contains(log.String(), "install the same version") {
		t.Errorf("log %q", &log)
	}
}

// TestCommandLines checks what is run on a target that knows only the
// original's command line, and by another program.
func TestCommandLines(t *testing.T) {
	root := module(t, "")
	log := filepath.Join(root, "commands")
	t.Setenv("COMMANDS_LOG", log)
	h := newHost(t, original())
	t.Setenv("DISNIX_REMOTE_CLIENT", "disnix-other")
	client := dial(t, h)
	ctx := t.Context()
	a := service.Activity{Component: root, Type: "recorder", Arguments: []string{"a=1 2"}}
	for _, test := range []struct {
		run  func() error
		want []string
	}{
		// protocol 7: the default container is the value of the type
		{func() error { return client.Activate(ctx, a) }, []string{"--type", "recorder", "--arguments", "a=1 2", "--container", "recorder", "--activate", root}},
		{func() error { _, err := client.QueryInstalled(ctx, "p"); return err }, []string{"--profile", "p", "--query-installed"}},
		{func() error { return client.CollectGarbage(ctx, true) }, []string{"--collect-garbage", "-d"}},
		{func() error { return client.Lock(ctx, "p") }, []string{"--lock", "--profile", "p"}},
		{func() error { return client.Unlock(ctx, "p") }, []string{"--unlock", "--profile", "p"}},
		{func() error { return client.CleanSnapshots(ctx, 2, "c", "") }, []string{"--clean-snapshots", "--keep", "2", "--container", "c"}},
		// protocol 2: there are no empty containers and components
		{func() error { _, err := client.QueryAllSnapshots(ctx, "", "k"); return err }, []string{"--query-all-snapshots", "--component", "k"}},
	} {
		if err := test.run(); err != nil {
			t.Error(err)
		}
		content, err := os.ReadFile(log)
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Split(strings.TrimSuffix(string(content), "\n"), "\n"); !slices.Equal(got, test.want) {
			t.Errorf("%q, want %q", got, test.want)
		}
		h.must(os.Remove(log))
	}
}

func testTemporaryFiles(t *testing.T) {
	root := nixtest.Store(t)
	tmp := filepath.Join(root, "remote tmp's")
	if err := os.Mkdir(tmp, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("TMPDIR", tmp)
	client := dial(t, newHost(t, original()))
	for what, err := range map[string]error{
		"a broken closure":  func() error { _, err := client.ImportClosure(t.Context(), strings.NewReader("text")); return err }(),
		"a broken snapshot": client.ImportSnapshot(t.Context(), "c", "k", "id", strings.NewReader("text")),
		"an invalid path":   client.ExportClosure(t.Context(), []string{"/nix/store/00000000000000000000000000000000-x"}, new(bytes.Buffer)),
	} {
		if err == nil {
			t.Errorf("%s: no error", what)
		}
	}
	if _, err := client.CaptureConfig(t.Context()); err != nil {
		t.Error(err)
	}
	if left, err := os.ReadDir(tmp); err != nil || len(left) != 0 {
		t.Errorf("left: %v, %v", left, err)
	}
}

func TestCancelledBeforeItBegins(t *testing.T) {
	client := dial(t, newHost(t, original()))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := client.Lock(ctx, "p"); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}
