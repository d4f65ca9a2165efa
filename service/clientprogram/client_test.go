package clientprogram_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/disnix-go/disnix/service"
	"github.com/disnix-go/disnix/service/clientprogram"
)

// script returns a client over a shell script.
func script(t *testing.T, text string) *clientprogram.Client {
	t.Helper()
	t.Setenv("TMPDIR", t.TempDir())
	path := filepath.Join(t.TempDir(), "client")
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+text), 0o755); err != nil {
		t.Fatal(err)
	}
	client, err := clientprogram.New(path, "host:22", clientprogram.Config{})
	if err != nil {
		t.Fatal(err)
	}
	return client
}

// nothingLeft checks that no temporary file is left.
func nothingLeft(t *testing.T) {
	t.Helper()
	if left, err := os.ReadDir(os.TempDir()); err != nil || len(left) != 0 {
		t.Errorf("left: %v, %v", left, err)
	}
}

func TestMissingProgram(t *testing.T) {
	_, err := clientprogram.New("disnix-no-such-client", "host", clientprogram.Config{})
	if !errors.Is(err, exec.ErrNotFound) || !strings.Contains(err.Error(), `"disnix-no-such-client"`) || !strings.Contains(err.Error(), "clientInterface") {
		t.Errorf("error %v", err)
	}
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := clientprogram.New(file, "host", clientprogram.Config{}); !errors.Is(err, os.ErrPermission) {
		t.Errorf("a file that is not executable: %v", err)
	}
}

func TestProgramIsFoundThroughPath(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "my-client"), []byte("#!/bin/sh\necho \"$CLIENT_SETTING\"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
	client, err := clientprogram.New("my-client", "host", clientprogram.Config{Env: []string{"CLIENT_SETTING=/set"}})
	if err != nil {
		t.Fatal(err)
	}
	if paths, err := client.PrintInvalid(t.Context(), []string{"/x"}); err != nil || !slices.Equal(paths, []string{"/set"}) {
		t.Errorf("%q, %v", paths, err)
	}
}

// TestArgumentVectors checks the command line of every operation.
func TestArgumentVectors(t *testing.T) {
	ctx := t.Context()
	activity := service.Activity{Component: "/pkg", Container: "box", Type: "type", Arguments: []string{"a=1 2", "b="}}
	const activityWords = "--target host:22 --container box --type type --arguments a=1 2 --arguments b= /pkg"
	for _, test := range []struct {
		want string // words separated by blanks; * is any word
		run  func(c *clientprogram.Client) error
	}{
		{"--target host:22 --print-invalid /a /b", func(c *clientprogram.Client) error { _, err := c.PrintInvalid(ctx, []string{"/a", "/b"}); return err }},
		{"--query-requisites --target host:22 /a", func(c *clientprogram.Client) error { _, err := c.QueryRequisites(ctx, []string{"/a"}); return err }},
		{"--import --target host:22 --localfile *", func(c *clientprogram.Client) error {
			_, err := c.ImportClosure(ctx, bytes.NewReader(make([]byte, 8)))
			return err
		}},
		{"--target host:22 --export --remotefile /a /b", func(c *clientprogram.Client) error {
			_ = c.ExportClosure(ctx, []string{"/a", "/b"}, io.Discard)
			return nil
		}},
		{"--realise --target host:22 /a.drv", func(c *clientprogram.Client) error { _, err := c.Realise(ctx, []string{"/a.drv"}); return err }},
		{"--target host:22 --profile p --set /a", func(c *clientprogram.Client) error { return c.SetProfile(ctx, "p", "/a") }},
		{"--target host:22 --profile p --query-installed", func(c *clientprogram.Client) error { _, err := c.QueryInstalled(ctx, "p"); return err }},
		{"--target host:22 --collect-garbage", func(c *clientprogram.Client) error { return c.CollectGarbage(ctx, false) }},
		{"--target host:22 --collect-garbage -d", func(c *clientprogram.Client) error { return c.CollectGarbage(ctx, true) }},
		{"--activate " + activityWords, func(c *clientprogram.Client) error { return c.Activate(ctx, activity) }},
		{"--deactivate " + activityWords, func(c *clientprogram.Client) error { return c.Deactivate(ctx, activity) }},
		{"--snapshot " + activityWords, func(c *clientprogram.Client) error { return c.Snapshot(ctx, activity) }},
		{"--restore " + activityWords, func(c *clientprogram.Client) error { return c.Restore(ctx, activity) }},
		{"--delete-state " + activityWords, func(c *clientprogram.Client) error { return c.DeleteState(ctx, activity) }},
		{"--activate --target host:22 --container t --type t /pkg", func(c *clientprogram.Client) error {
			return c.Activate(ctx, service.Activity{Component: "/pkg", Type: "t"})
		}},
		{"--shell " + activityWords, func(c *clientprogram.Client) error { return c.Shell(ctx, activity, service.ShellSession{}) }},
		{"--shell " + activityWords + " --command ls", func(c *clientprogram.Client) error {
			return c.Shell(ctx, activity, service.ShellSession{Command: "ls"})
		}},
		{"--lock --target host:22 --profile p", func(c *clientprogram.Client) error { return c.Lock(ctx, "p") }},
		{"--unlock --target host:22 --profile p", func(c *clientprogram.Client) error { return c.Unlock(ctx, "p") }},
		{"--target host:22 --query-all-snapshots --container c --component k", func(c *clientprogram.Client) error { _, err := c.QueryAllSnapshots(ctx, "c", "k"); return err }},
		{"--target host:22 --query-latest-snapshot", func(c *clientprogram.Client) error { _, err := c.QueryLatestSnapshot(ctx, "", ""); return err }},
		{"--target host:22 --print-missing-snapshots c/k/1", func(c *clientprogram.Client) error {
			_, err := c.PrintMissingSnapshots(ctx, []string{"c/k/1"})
			return err
		}},
		{"--target host:22 --resolve-snapshots c/k/1", func(c *clientprogram.Client) error { _, _ = c.ResolveSnapshots(ctx, []string{"c/k/1"}); return nil }},
		{"--target host:22 --import-snapshots --remotefile --container c --component k /s/1", func(c *clientprogram.Client) error { return c.RegisterSnapshots(ctx, "c", "k", []string{"/s/1"}) }},
		{"--target host:22 --export-snapshots /s/1", func(c *clientprogram.Client) error { _ = c.ExportSnapshot(ctx, "/s/1", io.Discard); return nil }},
		{"--target host:22 --clean-snapshots --keep 3 --container c --component k", func(c *clientprogram.Client) error { return c.CleanSnapshots(ctx, 3, "c", "k") }},
		{"--capture-config --target host:22", func(c *clientprogram.Client) error { _, err := c.CaptureConfig(ctx); return err }},
	} {
		t.Run(test.want, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "words")
			client := script(t, fmt.Sprintf("echo \"$*\" >> %[1]s; echo $# >> %[1]s.count\n", file))
			if err := test.run(client); err != nil {
				t.Fatal(err)
			}
			got, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if prefix, any := strings.CutSuffix(test.want, "*"); any && strings.HasPrefix(string(got), prefix) {
				return
			}
			if string(got) != test.want+"\n" {
				t.Errorf("got  %swant %s", got, test.want)
			}
			count, _ := os.ReadFile(file + ".count")
			words := len(strings.Fields(test.want))
			if strings.Contains(test.want, "a=1 2") {
				words--
			}
			if strings.TrimSpace(string(count)) != strconv.Itoa(words) {
				t.Errorf("%s words, want %d", count, words)
			}
			nothingLeft(t)
		})
	}
}

func TestFailingProgram(t *testing.T) {
	client := script(t, "echo a result; echo first >&2; yes | head -c 100000 >&2; echo the reason >&2; exit 5\n")
	_, err := client.QueryRequisites(t.Context(), []string{"/a"})
	var failed *clientprogram.Error
	var exit *exec.ExitError
	if !errors.As(err, &failed) || failed.Operation != "query-requisites" || !errors.As(err, &exit) || exit.ExitCode() != 5 {
		t.Fatalf("error %v", err)
	}
	if !strings.HasSuffix(failed.Stderr, "the reason\n") || len(failed.Stderr) > 20000 {
		t.Errorf("diagnostics of %d bytes", len(failed.Stderr))
	}
}

func TestSecretsAreNotInErrors(t *testing.T) {
	client := script(t, "exit 1\n")
	err := client.Activate(t.Context(), service.Activity{Component: "/a", Type: "t", Arguments: []string{"password=hidden"}})
	if err == nil || strings.Contains(err.Error(), "hidden") {
		t.Errorf("error %v", err)
	}
}

func TestDiagnosticsAreLogged(t *testing.T) {
	path := filepath.Join(t.TempDir(), "client")
	if err := os.WriteFile(path, []byte("#!/bin/sh\necho progress >&2\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	client, err := clientprogram.New(path, "host", clientprogram.Config{Log: &log})
	if err != nil {
		t.Fatal(err)
	}
	if err := client.SetProfile(t.Context(), "p", "/a"); err != nil || log.String() != "progress\n" {
		t.Errorf("%q, %v", &log, err)
	}
}

// TestExportedFiles checks programs that do not do what they should.
func TestExportedFiles(t *testing.T) {
	for name, test := range map[string]struct{ text, want string }{
		"protocol 1: success without a file":           {"", "printed 0 file names instead of one"},
		"observed 3: success of an export that failed": {"f=$(mktemp); echo $f", "is cut off after 0 bytes"},
		"two files":        {"mktemp; mktemp", "printed 2 file names instead of one"},
		"a missing file":   {"echo $TMPDIR/missing", "open the exported closure"},
		"half a closure":   {"f=$(mktemp); head -c 12 /dev/zero > $f; echo $f; printf x >> $f", "is cut off after 13 bytes"},
		"a failing client": {"mktemp; exit 1", "exit status 1"},
	} {
		t.Run(name, func(t *testing.T) {
			client := script(t, test.text+"\n")
			err := client.ExportClosure(t.Context(), []string{"/a"}, io.Discard)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want %q", err, test.want)
			}
			nothingLeft(t)
		})
	}
}

func TestCapturedConfiguration(t *testing.T) {
	for name, text := range map[string]string{
		"an expression": "printf '{\\n}'",
		"observed 12: the name of a temporary file": "f=$(mktemp); printf '{\\n}' > $f; echo $f",
	} {
		t.Run(name, func(t *testing.T) {
			got, err := script(t, text+"\n").CaptureConfig(t.Context())
			if err != nil || got != "{\n}" {
				t.Errorf("%q, %v", got, err)
			}
			nothingLeft(t)
		})
	}
}

// TestFilesElsewhere checks that what a target answers, which a program passes
// on, cannot make the coordinator read out or remove its own files.
func TestFilesElsewhere(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, make([]byte, 8), 0o600); err != nil {
		t.Fatal(err)
	}
	if got, err := script(t, "echo "+file+"\n").CaptureConfig(t.Context()); got != "" || err == nil || !strings.Contains(err.Error(), file) {
		t.Errorf("captured configuration: %q, %v", got, err)
	}
	if got, err := script(t, "ln -s "+file+" $TMPDIR/link; echo $TMPDIR/link\n").CaptureConfig(t.Context()); got != "" || err == nil {
		t.Errorf("captured configuration through a link: %q, %v", got, err)
	}
	if err := script(t, "echo "+file+"\n").ExportClosure(t.Context(), []string{"/a"}, io.Discard); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(file); err != nil {
		t.Error(err)
	}
}

func TestExportedSnapshots(t *testing.T) {
	for name, test := range map[string]struct{ text, want string }{
		"a directory":           {"d=$(mktemp -d); mkdir $d/id; echo x > $d/id/f; chmod 500 $d/id; echo $d", ""},
		"no directory":          {"", "printed 0 directories instead of one"},
		"without the snapshot":  {"mktemp -d", "no such file"},
		"a directory elsewhere": {"echo /", "no such file"},
		"a failing client":      {"d=$(mktemp -d); mkdir $d/id; echo $d; exit 1", "exit status 1"},
	} {
		t.Run(name, func(t *testing.T) {
			err := script(t, test.text+"\n").ExportSnapshot(t.Context(), "/s/c/k/id", io.Discard)
			if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want %q", err, test.want)
			}
			nothingLeft(t)
		})
	}
	t.Run("what is not temporary is not removed", func(t *testing.T) {
		outside := t.TempDir()
		if err := os.Mkdir(filepath.Join(outside, "id"), 0o700); err != nil {
			t.Fatal(err)
		}
		client := script(t, "echo "+outside+"\n")
		if err := client.ExportSnapshot(t.Context(), "/s/c/k/id", io.Discard); err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(filepath.Join(outside, "id")); err != nil {
			t.Error(err)
		}
	})
}

func TestEndlessResult(t *testing.T) {
	client := script(t, "exec cat /dev/zero\n")
	if paths, err := client.PrintInvalid(t.Context(), []string{"/a"}); paths != nil || err == nil || !strings.Contains(err.Error(), "its result is longer than") {
		t.Errorf("%d paths, error %v", len(paths), err)
	}
	if manifest, err := client.QueryInstalled(t.Context(), "p"); manifest != nil || err == nil || !strings.Contains(err.Error(), "its result is longer than") {
		t.Errorf("a manifest of %d bytes, error %v", len(manifest), err)
	}
}

func TestResolvedPathsAreComplete(t *testing.T) {
	client := script(t, "echo /only/one\n")
	if _, err := client.ResolveSnapshots(t.Context(), []string{"c/k/1", "c/k/2"}); err == nil || !strings.Contains(err.Error(), "printed only 1 paths") {
		t.Errorf("error %v", err)
	}
	paths, err := client.ResolveSnapshots(t.Context(), []string{"c/k/1", "c/k/1"})
	if err != nil || !slices.Equal(paths, []string{"/only/one", "/only/one"}) {
		t.Errorf("%q, %v", paths, err)
	}
}

func TestBrokenInputIsNotSent(t *testing.T) {
	client := script(t, "echo called >&2; exit 1\n")
	if _, err := client.ImportClosure(t.Context(), strings.NewReader("text")); err == nil || strings.Contains(err.Error(), "called") {
		t.Errorf("closure: %v", err)
	}
	if err := client.ImportSnapshot(t.Context(), "c", "k", "id", strings.NewReader("text")); err == nil || strings.Contains(err.Error(), "called") {
		t.Errorf("snapshot: %v", err)
	}
	for _, id := range []string{"", ".", "..", "a/b", "/a"} {
		if err := client.ImportSnapshot(t.Context(), "c", "k", id, strings.NewReader("")); err == nil || strings.Contains(err.Error(), "called") {
			t.Errorf("id %q: %v", id, err)
		}
	}
	nothingLeft(t)
}

// TestProcessGroups checks which operations a Ctrl-C does not reach.
func TestProcessGroups(t *testing.T) {
	file := filepath.Join(t.TempDir(), "group")
	client := script(t, fmt.Sprintf("cut -d' ' -f5 /proc/$$/stat > %s; echo $$ >> %s\n", file, file))
	activity := service.Activity{Component: "/a", Type: "t"}
	for _, test := range []struct {
		name string
		own  bool
		run  func() error
	}{
		{"activate", true, func() error { return client.Activate(t.Context(), activity) }},
		{"delete-state", true, func() error { return client.DeleteState(t.Context(), activity) }},
		{"lock", true, func() error { return client.Lock(t.Context(), "p") }},
		{"unlock", true, func() error { return client.Unlock(t.Context(), "p") }},
		{"set", true, func() error { return client.SetProfile(t.Context(), "p", "/a") }},
		{"shell", false, func() error { return client.Shell(t.Context(), activity, service.ShellSession{}) }},
	} {
		if err := test.run(); err != nil {
			t.Fatal(err)
		}
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		words := strings.Fields(string(content))
		if own := words[0] == words[1]; own != test.own {
			t.Errorf("%s: own group %v, want %v", test.name, own, test.own)
		}
	}
}

// TestCancelledProgramIsStopped checks that also what it has started is.
func TestCancelledProgramIsStopped(t *testing.T) {
	dir := t.TempDir()
	fifo := filepath.Join(dir, "fifo")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	client := script(t, fmt.Sprintf("sleep 1000 & echo $! > %s; wait\n", fifo))
	ctx, cancel := context.WithCancelCause(t.Context())
	reason := errors.New("interrupted")
	child := make(chan int, 1)
	go func() {
		content, _ := os.ReadFile(fifo)
		pid, _ := strconv.Atoi(strings.TrimSpace(string(content)))
		child <- pid
		cancel(reason)
	}()
	err := client.Activate(ctx, service.Activity{Component: "/a", Type: "t"})
	if !errors.Is(err, reason) {
		t.Errorf("error %v", err)
	}
	pid := <-child
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil || strings.Contains(string(stat), ") Z ") {
			return
		}
		<-tick.C // until the test times out
	}
}
