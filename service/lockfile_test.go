package service_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/disnix-go/disnix/dysnomia"
	"github.com/disnix-go/disnix/service"
	"github.com/disnix-go/disnix/test/nixtest"
)

// holderProcess runs a process that holds the lock of the default profile,
// and returns it.
func holderProcess(t *testing.T) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "DISNIX_TEST_HOLD_LOCK=default")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	line := make([]byte, len("locked\n"))
	if _, err := out.Read(line); err != nil || string(line) != "locked\n" {
		t.Fatalf("holder said %q, %v", line, err)
	}
	return cmd
}

// holdLock is what the process of holderProcess does.
func holdLock(profile string) {
	host, err := dysnomia.NewHost(os.Environ(), nil)
	if err == nil {
		err = service.NewLocal(host, service.LocalConfig{OwnLocks: true, Purpose: "holder"}).Lock(context.Background(), profile)
	}
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println("locked")
	select {}
}

func TestStaleLocks(t *testing.T) {
	edge := func(name string) string { return "protocol 5: a lock that was left behind is taken over: " + name }

	t.Run(edge("its process was killed"), func(t *testing.T) {
		m := newTarget(t, service.LocalConfig{})
		holder := holderProcess(t)
		var locked *service.LockedError
		if err := m.Lock(t.Context(), "default"); !errors.As(err, &locked) || locked.Holder.PID != holder.Process.Pid {
			t.Fatalf("the lock of a living process: %v", err)
		}
		if err := holder.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = holder.Wait()
		if err := m.Lock(t.Context(), "default"); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(m.log.String(), "its process has ended") || !strings.Contains(m.log.String(), fmt.Sprintf("process %d", holder.Process.Pid)) {
			t.Errorf("log: %s", m.log)
		}
	})

	var living service.LockHolder
	t.Run("a lock is kept as long as its process lives", func(t *testing.T) {
		m := newTarget(t, service.LocalConfig{})
		holder := holderProcess(t)
		content, _ := os.ReadFile(lockPath("default"))
		if err := json.Unmarshal(content, &living); err != nil || living.PID != holder.Process.Pid {
			t.Fatalf("%s, %v", content, err)
		}
		_ = m
	})
	for _, tt := range []struct {
		name   string
		change func(h *service.LockHolder)
		stale  bool
	}{
		{"another process has its number", func(h *service.LockHolder) { h.PID, h.ProcessStart = os.Getpid(), 1 }, true},
		{"the machine was restarted", func(h *service.LockHolder) { h.BootID, h.PID = "before", os.Getpid() }, true},
		{"the machine was restarted and nobody held it for long", func(h *service.LockHolder) { h.BootID, h.PID = "before", 0 }, true},
		{"another machine may hold it", func(h *service.LockHolder) { h.BootID, h.Host = "other", "elsewhere" }, false},
		{"it outlives its process", func(h *service.LockHolder) { h.PID = 0 }, false},
		{"the machine was restarted during maintenance", func(h *service.LockHolder) {
			h.BootID, h.PID, h.Owner = "before", 0, &service.LockOwner{User: "alice", Kept: true}
		}, false},
		{"the machine was restarted during a deployment", func(h *service.LockHolder) {
			h.BootID, h.PID, h.Owner = "before", 0, &service.LockOwner{User: "alice"}
		}, true},
		{"its process is in another namespace", func(h *service.LockHolder) { h.PIDNamespace = "pid:[1]" }, false},
	} {
		name := tt.name
		if tt.stale {
			name = edge(name)
		}
		t.Run(name, func(t *testing.T) {
			m := newTarget(t, service.LocalConfig{})
			h := living // its process has ended
			tt.change(&h)
			content, _ := json.Marshal(h)
			nixtest.File(t, os.TempDir(), "disnix-default.lock", string(content))
			err := m.Lock(t.Context(), "default")
			if (err == nil) != tt.stale {
				t.Errorf("error %v, log %s", err, m.log)
			}
			if tt.stale && !strings.Contains(m.log.String(), "took over the lock") {
				t.Errorf("log %s", m.log)
			}
		})
	}
	for _, content := range []string{"", "{", "{}", `{"pid": "x"}`, "\x00\x00"} {
		for _, age := range []struct {
			name  string
			since time.Time
			stale bool
		}{
			{"before the machine was started", time.Unix(1, 0), true},
			{"now", time.Now(), false},
		} {
			t.Run(fmt.Sprintf("%s: with content %q from %s", edge("made by the original"), content, age.name), func(t *testing.T) {
				m := newTarget(t, service.LocalConfig{})
				path := nixtest.File(t, os.TempDir(), "disnix-default.lock", content)
				if err := os.Chtimes(path, age.since, age.since); err != nil {
					t.Fatal(err)
				}
				if err := m.Lock(t.Context(), "default"); (err == nil) != age.stale {
					t.Errorf("error %v, log %s", err, m.log)
				}
			})
		}
	}
}

// TestStaleLockThatIsKept: nobody can make others wait for ever.
func TestStaleLockThatIsKept(t *testing.T) {
	m := newTarget(t, service.LocalConfig{})
	path := nixtest.File(t, os.TempDir(), "disnix-default.lock", `{"user": "eve", "bootId": "earlier", "since": "2026-01-02T03:04:05Z"}`)
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	if err := m.Lock(t.Context(), "default"); err == nil || !strings.Contains(err.Error(), "somebody keeps it") {
		t.Errorf("error %v", err)
	}
}

func TestLockFileThatIsNoFile(t *testing.T) {
	for name, create := range map[string]func(path string) error{
		"directory":     func(path string) error { return os.Mkdir(path, 0o700) },
		"symbolic link": func(path string) error { return os.Symlink("/dev/zero", path) },
		"pipe":          func(path string) error { return syscall.Mkfifo(path, 0o600) },
	} {
		t.Run(name, func(t *testing.T) {
			m := newTarget(t, service.LocalConfig{})
			if err := create(lockPath("default")); err != nil {
				t.Fatal(err)
			}
			if err := m.Lock(t.Context(), "default"); err == nil || !strings.Contains(err.Error(), "is in the way of the lock file") {
				t.Errorf("error %v", err)
			}
		})
	}
}

func TestLockOnFullDisk(t *testing.T) {
	m := newTarget(t, service.LocalConfig{})
	m.threeServices(t, "default")
	t.Setenv("TMPDIR", fullDirectory(t, "1"))
	err := m.Lock(t.Context(), "default")
	if err == nil || !strings.Contains(err.Error(), "create lock file") || !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("error %v", err)
	}
	if got := m.calls(t); !slices.Equal(got, []string{""}) {
		t.Errorf("calls %q", got)
	}
}
