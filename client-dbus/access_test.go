package dbusclient_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/disnix-go/disnix/service"
	"github.com/disnix-go/disnix/service/dbusservice"
	"github.com/disnix-go/disnix/service/servicetest"
	"github.com/disnix-go/disnix/test/dbustest"
)

// nobody is a user and a group without privileges.
const nobody = 65534

// member returns the group that may use the service.
func member(t *testing.T) uint32 {
	t.Helper()
	group, err := user.LookupGroup(dbustest.Group)
	if err != nil {
		t.Fatal(err)
	}
	gid, err := strconv.ParseUint(group.Gid, 10, 32)
	if err != nil {
		t.Fatal(err)
	}
	return uint32(gid)
}

// talkative is a target on which activations fail and say why.
type talkative struct {
	servicetest.Fake
	log io.Writer
}

func (s *talkative) Activate(context.Context, service.Activity) error {
	fmt.Fprintln(s.log, "the disk is full")
	return errors.New("no component was activated")
}

func serveTalkative(t *testing.T, logDir string) {
	serve(t, dbusservice.Config{
		LogDir:     logDir,
		LogGroup:   int(member(t)),
		NewService: func(log io.Writer) service.Service { return &talkative{log: log} },
	})
}

func TestShippedPolicy(t *testing.T) {
	dbustest.SystemBus(t)
	temporary := openDir(t)
	if err := os.Chmod(temporary, 0o777|os.ModeSticky); err != nil {
		t.Fatal(err)
	}
	t.Setenv("TMPDIR", temporary)
	serveTalkative(t, filepath.Join(openDir(t), "log"))
	for name, test := range map[string]struct {
		uid, gid uint32
		want     string
		captures bool
	}{
		"root":                    {0, 0, "the disk is full", true},
		"a member of the group":   {nobody, member(t), "the disk is full", true},
		"somebody without rights": {nobody, nobody, "only root and members of the group disnix may use", false},
	} {
		t.Run(name, func(t *testing.T) {
			cmd := command(t, "client", test.uid, test.gid)
			var stderr strings.Builder
			cmd.Stderr = &stderr
			out, err := cmd.Output()
			if err == nil || !strings.Contains(stderr.String(), test.want) {
				t.Errorf("error %v: %s", err, &stderr)
			}
			if captured := string(out) == "{\n}\n"; captured != test.captures {
				t.Errorf("the captured configuration: %q", out)
			}
		})
	}
	if left, err := os.ReadDir(temporary); err != nil || len(left) != 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestOnlyRootMayOwnTheName(t *testing.T) {
	dbustest.SystemBus(t)
	for _, gid := range []uint32{nobody, member(t)} {
		cmd := command(t, "service", nobody, gid, "/nowhere")
		out, err := cmd.CombinedOutput()
		if err == nil || !strings.Contains(string(out), "run disnix-service as root") {
			t.Errorf("group %d: %v: %s", gid, err, out)
		}
	}
}

func TestRoughEdge_protocol_9(t *testing.T) {
	t.Run("protocol 9: logs can be read by the group only", func(t *testing.T) {
		dbustest.SystemBus(t)
		logDir := filepath.Join(openDir(t), "log")
		serveTalkative(t, logDir)
		_ = connect(t).Activate(t.Context(), service.Activity{Component: "/c", Type: "t"})
		info, err := os.Stat(filepath.Join(logDir, "0"))
		if err != nil {
			t.Fatal(err)
		}
		if gid := info.Sys().(*syscall.Stat_t).Gid; info.Mode().Perm() != 0o640 || gid != member(t) {
			t.Errorf("mode %v, group %d", info.Mode(), gid)
		}
	})
	t.Run("protocol 9: logs have no group if there is none", func(t *testing.T) {
		dbustest.SystemBus(t)
		logDir := filepath.Join(t.TempDir(), "log")
		serve(t, dbusservice.Config{LogDir: logDir, NewService: func(io.Writer) service.Service { return new(servicetest.Fake) }})
		if err := connect(t).Lock(t.Context(), "p"); err != nil {
			t.Fatal(err)
		}
		if info, err := os.Stat(filepath.Join(logDir, "0")); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("mode %v, %v", info.Mode(), err)
		}
	})
	t.Run("protocol 9: signals reach the group only", func(t *testing.T) {
		dbustest.SystemBus(t)
		serveTalkative(t, filepath.Join(t.TempDir(), "log"))
		outsider := startMonitor(t, nobody)
		insider := startMonitor(t, member(t))
		if err := connect(t).Lock(t.Context(), "p"); err != nil {
			t.Fatal(err)
		}
		if heard := insider(); heard != "org.nixos.disnix.Disnix.finish\n" {
			t.Errorf("a member of the group heard %q", heard)
		}
		if heard := outsider(); heard != "" {
			t.Errorf("somebody else heard %q", heard)
		}
	})
	t.Run("protocol 9: values of properties are not in logs", func(t *testing.T) {
		dbustest.SystemBus(t)
		logDir := filepath.Join(t.TempDir(), "log")
		serveTalkative(t, logDir)
		err := connect(t).Activate(t.Context(), service.Activity{
			Component: "/c", Container: "box", Type: "t", Arguments: []string{"password=hunter2", "malformed-hunter2", "port=1"},
		})
		log, readErr := os.ReadFile(filepath.Join(logDir, "0"))
		want := "activate: /c of type: t in container: box with arguments: password=*** *** port=*** \nthe disk is full\nno component was activated\n"
		if readErr != nil || string(log) != want {
			t.Errorf("log %q, %v", log, readErr)
		}
		if err == nil || strings.Contains(err.Error(), "hunter2") || !strings.Contains(err.Error(), "the disk is full") {
			t.Errorf("error %v", err)
		}
	})
}

// startMonitor listens to the service's signals as a user without privileges
// in a group. The function that it returns tells what was heard.
func startMonitor(t *testing.T, gid uint32) func() string {
	t.Helper()
	cmd := command(t, "monitor", nobody, gid)
	cmd.Stderr = os.Stderr
	stdin, _ := cmd.StdinPipe()
	stdout, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	lines := bufio.NewReader(stdout)
	if line, err := lines.ReadString('\n'); line != "listening\n" {
		t.Fatalf("the monitor says %q, %v", line, err)
	}
	return func() string {
		_ = stdin.Close()
		heard, err := io.ReadAll(lines)
		if err != nil {
			t.Error(err)
		}
		return string(heard)
	}
}
