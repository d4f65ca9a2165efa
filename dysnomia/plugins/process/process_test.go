package process

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/disnix-go/disnix/dysnomia"
	"github.com/disnix-go/disnix/dysnomia/plugintest"
)

// daemon is a program that daemonises itself carelessly: the process stays in
// its session and keeps its output.
const daemon = `#!/bin/sh
sleep 600 &
echo $! > "$runtimeDir/daemon.pid"
echo started
`

// stubborn ignores SIGTERM.
const stubborn = `#!/bin/sh
sh -c 'trap "" TERM; echo $$ > "$runtimeDir/daemon.pid"; while :; do sleep 1; done' >/dev/null 2>&1 &
`

var config = plugintest.Config{
	Type:   "process",
	Plugin: Plugin{},
	New:    func(t *testing.T) plugintest.Component { return component(t, map[string]string{"bin/daemon": daemon}) },
	Broken: func(t *testing.T) plugintest.Component {
		return component(t, map[string]string{"bin/daemon": "#!/bin/sh\necho why >&2\nexit 3\n"})
	},
	Running: func(_ *testing.T, c plugintest.Component) bool {
		found, err := find(settings{pidFile: filepath.Join(c.Properties["runtimeDir"], "daemon.pid")})
		return err == nil && found != nil
	},
}

// component makes a component whose process, if one is left, is killed at the
// end of the test.
func component(t *testing.T, files map[string]string) plugintest.Component {
	t.Helper()
	runtimeDir := t.TempDir()
	c := plugintest.NewComponent(t, "process", map[string]string{"runtimeDir": runtimeDir, "timeout": "600"}, files)
	t.Cleanup(func() {
		if content, err := os.ReadFile(filepath.Join(runtimeDir, "daemon.pid")); err == nil {
			if pid, err := strconv.Atoi(strings.TrimSpace(string(content))); err == nil && pid > 1 && pid != os.Getpid() {
				_ = syscall.Kill(pid, syscall.SIGKILL)
			}
		}
	})
	return c
}

func fixture(t *testing.T, files map[string]string) (*plugintest.Fixture, string) {
	t.Helper()
	f := plugintest.NewFixture(t, config, component(t, files))
	return f, filepath.Join(f.Properties["runtimeDir"], "daemon.pid")
}

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

func pidIn(t *testing.T, path string) int {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(content)))
	if err != nil {
		t.Fatal(err)
	}
	return pid
}

func TestConformance(t *testing.T) {
	config := config
	config.Remembers = true
	plugintest.Run(t, config)
}

func TestSpecificationFile(t *testing.T) {
	f, pidFile := fixture(t, map[string]string{
		"bin/daemon":                "#!/bin/sh\nsleep 600 & echo $! > \"$1\"\n",
		"bin/other":                 "#!/bin/sh\n",
		"etc/dysnomia/process/spec": "",
	})
	write(t, filepath.Join(f.Path, "etc/dysnomia/process/spec"),
		fmt.Sprintf("# which of them\nprocess=\"%s/bin/daemon  %s\"\npidFile=%s\n", f.Path, pidFile, pidFile))
	f.Do(dysnomia.Activate)
	f.Expect("active")
	f.Do(dysnomia.Deactivate)
	f.Expect("")
}

func TestPropertiesWithoutSpecification(t *testing.T) {
	f, pidFile := fixture(t, nil)
	f.Properties["process"] = "sh -c " + filepath.Join(f.Path, "start")
	f.Properties["pidFile"] = pidFile
	if err := os.WriteFile(filepath.Join(f.Path, "start"), []byte(daemon), 0o755); err != nil {
		t.Fatal(err)
	}
	f.Do(dysnomia.Activate)
	f.Expect("active")
	f.Do(dysnomia.Deactivate)
}

func TestActivationReturnsWhileTheDaemonKeepsItsOutput(t *testing.T) {
	f, pidFile := fixture(t, map[string]string{"bin/daemon": daemon})
	f.Do(dysnomia.Activate)
	if f.Stdout != "started\n" {
		t.Errorf("output: %q", f.Stdout)
	}
	pid := pidIn(t, pidFile)
	own, err := stat(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	theirs, err := stat(pid)
	if err != nil {
		t.Fatal(err)
	}
	if own[3] == theirs[3] {
		t.Error("the daemon is in the session of its starter")
	}
	f.Do(dysnomia.Deactivate)
	f.Expect("")
}

func TestRoughEdge_modules3(t *testing.T) {
	t.Run("modules 3: a failing program is a failure with its status", func(t *testing.T) {
		f, _ := fixture(t, map[string]string{"bin/daemon": "#!/bin/sh\necho why >&2\nexit 3\n"})
		err := f.Run(t.Context(), dysnomia.Activate)
		var failed *dysnomia.ModuleError
		if !errors.As(err, &failed) || failed.ExitCode != 3 || !strings.Contains(f.Stderr, "why") {
			t.Errorf("error: %v, output: %s", err, f.Stderr)
		}
		f.Expect("")
	})
	for name, files := range map[string]map[string]string{
		"a missing program":              {"etc/dysnomia/process/spec": "process=/nonexistent/daemon\n"},
		"no program":                     {"share/doc": ""},
		"more than one program":          {"bin/a": "#!/bin/sh\n", "bin/b": "#!/bin/sh\n"},
		"a specification without a name": {"etc/dysnomia/process/spec": "pidFile=/x\n"},
		"a broken specification":         {"etc/dysnomia/process/spec": "process='\n"},
		"a user that cannot be created":  {"bin/daemon": daemon, "dysnomia-support/users/dysnotest-u8": "group=dysnotest-missing\n"},
	} {
		t.Run("modules 3: "+name+" is a failure", func(t *testing.T) {
			f, _ := fixture(t, files)
			if err := f.Run(t.Context(), dysnomia.Activate); err == nil {
				t.Error("activation succeeded")
			}
			f.Expect("")
		})
	}
	t.Run("modules 3: a process that writes no PID file is a failure", func(t *testing.T) {
		f, pidFile := fixture(t, map[string]string{"bin/daemon": "#!/bin/sh\n"})
		f.Properties["timeout"] = "0"
		err := f.Run(t.Context(), dysnomia.Activate)
		if err == nil || !strings.Contains(err.Error(), pidFile) {
			t.Errorf("error: %v", err)
		}
		f.Expect("")
	})
	t.Run("modules 3: what a failed program has started is stopped", func(t *testing.T) {
		for _, end := range []string{"exit 3", "exit 0"} {
			f, pidFile := fixture(t, map[string]string{"bin/daemon": "#!/bin/sh\nsleep 600 & echo $! > $runtimeDir/elsewhere\n" + end + "\n"})
			f.Properties["timeout"] = "0"
			if err := f.Run(t.Context(), dysnomia.Activate); err == nil {
				t.Errorf("%s: activation succeeded", end)
			}
			pid := pidIn(t, filepath.Join(filepath.Dir(pidFile), "elsewhere"))
			if fields, err := stat(pid); err == nil && fields[0] != "Z" {
				_ = syscall.Kill(pid, syscall.SIGKILL)
				t.Errorf("%s: process %d still runs", end, pid)
			}
		}
	})
	t.Run("modules 3: a process that ends at once is a failure", func(t *testing.T) {
		f, _ := fixture(t, map[string]string{"bin/daemon": "#!/bin/sh\ntrue & echo $! > $runtimeDir/daemon.pid; wait\n"})
		f.Properties["timeout"] = "0"
		if err := f.Run(t.Context(), dysnomia.Activate); err == nil || !strings.Contains(err.Error(), "it has ended") {
			t.Errorf("error: %v", err)
		}
		f.Expect("")
	})
	t.Run("modules 3: the PID file is waited for", func(t *testing.T) {
		f, _ := fixture(t, map[string]string{"bin/daemon": "#!/bin/sh\n(sleep 0.3; exec sh -c 'echo $$ > $runtimeDir/daemon.pid; exec sleep 600') >/dev/null 2>&1 &\n"})
		f.Do(dysnomia.Activate)
		f.Expect("active")
		f.Do(dysnomia.Deactivate)
	})
	t.Run("modules 3: arguments do not change the name of the PID file", func(t *testing.T) {
		f, _ := fixture(t, map[string]string{"bin/daemon": daemon})
		write(t, filepath.Join(f.Path, "spec"), "")
		f.Properties["process"] = filepath.Join(f.Path, "bin/daemon") + " .pid another"
		f.Do(dysnomia.Activate, dysnomia.Deactivate)
	})
	t.Run("modules 3: the PID file of a process that has ended does not hinder", func(t *testing.T) {
		f, pidFile := fixture(t, map[string]string{"bin/daemon": daemon})
		ended := exec.Command("true")
		if err := ended.Run(); err != nil {
			t.Fatal(err)
		}
		write(t, pidFile, strconv.Itoa(ended.Process.Pid)+"\n")
		f.Do(dysnomia.Deactivate)
		f.Expect("")
		write(t, pidFile, strconv.Itoa(ended.Process.Pid))
		f.Do(dysnomia.Activate)
		f.Expect("active")
		f.Do(dysnomia.Deactivate)
	})
	t.Run("modules 3: an id that is used again by another process is left alone", func(t *testing.T) {
		f, pidFile := fixture(t, map[string]string{"bin/daemon": daemon})
		other := exec.Command("sleep", "600")
		if err := other.Start(); err != nil {
			t.Fatal(err)
		}
		defer func() { _ = other.Process.Kill(); _ = other.Wait() }()
		write(t, pidFile, strconv.Itoa(other.Process.Pid))
		old := time.Now().Add(-time.Hour)
		if err := os.Chtimes(pidFile, old, old); err != nil {
			t.Fatal(err)
		}
		f.Do(dysnomia.Deactivate)
		if err := other.Process.Signal(syscall.Signal(0)); err != nil {
			t.Errorf("the other process: %v", err)
		}
		if _, err := os.Stat(pidFile); err == nil {
			t.Error("the stale PID file is still there")
		}
	})
	t.Run("modules 3: a process that ignores SIGTERM is killed", func(t *testing.T) {
		f, pidFile := fixture(t, map[string]string{"bin/daemon": stubborn})
		f.Properties["stopTimeout"] = "0"
		f.Do(dysnomia.Activate)
		pid := pidIn(t, pidFile)
		f.Do(dysnomia.Deactivate)
		f.Expect("")
		if fields, err := stat(pid); err == nil && fields[0] != "Z" {
			t.Errorf("process %d still runs: %v", pid, fields)
		}
	})
	t.Run("modules 3: what runs already is not started again", func(t *testing.T) {
		f, pidFile := fixture(t, map[string]string{"bin/daemon": daemon})
		f.Do(dysnomia.Activate)
		first := pidIn(t, pidFile)
		f.Do(dysnomia.Activate)
		if pid := pidIn(t, pidFile); pid != first {
			t.Errorf("process %d was replaced by %d", first, pid)
		}
		f.Do(dysnomia.Deactivate)
	})
	t.Run("modules 3: a PID file that is none is an error", func(t *testing.T) {
		for _, content := range []string{"daemon", "-1", "0", "1", "99999999999999999999"} {
			f, pidFile := fixture(t, map[string]string{"bin/daemon": daemon})
			write(t, pidFile, content)
			for _, op := range []dysnomia.Operation{dysnomia.Activate, dysnomia.Deactivate} {
				if err := f.Run(t.Context(), op); err == nil || !strings.Contains(err.Error(), "is not a process id") {
					t.Errorf("%s with %q: %v", op, content, err)
				}
			}
		}
	})
}

// TestPIDFileOfAnotherUser: whoever may write the PID file must not be able to
// have any process of the machine stopped.
func TestPIDFileOfAnotherUser(t *testing.T) {
	const nobody = 65534
	start := func(uid uint32) int {
		cmd := exec.Command("sleep", "600")
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: uid}}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _, _ = cmd.Process.Kill(), cmd.Wait() })
		return cmd.Process.Pid
	}
	f, pidFile := fixture(t, map[string]string{"bin/daemon": daemon})
	write(t, pidFile, fmt.Sprint(start(0)))
	if err := os.Chown(pidFile, nobody, nobody); err != nil {
		t.Fatal(err)
	}
	err := f.Run(t.Context(), dysnomia.Deactivate)
	if err == nil || !strings.Contains(err.Error(), "belongs to another user") {
		t.Errorf("error: %v", err)
	}
	if found, err := find(settings{pidFile: pidFile, program: "/no/program"}); err == nil || found != nil {
		t.Errorf("the process of root is taken for that of the file: %v, %v", found, err)
	}
	write(t, pidFile, fmt.Sprint(start(nobody)))
	if found, err := find(settings{pidFile: pidFile, program: "/no/program"}); err != nil || found == nil {
		t.Errorf("the process of the file's owner is not found: %v", err)
	}
	// Whose file it is does not matter if others can let a link lead to it.
	theirs := filepath.Join(t.TempDir(), "theirs.pid")
	write(t, theirs, fmt.Sprint(start(0)))
	if err := errors.Join(os.Remove(pidFile), os.Symlink(theirs, pidFile), os.Lchown(pidFile, nobody, nobody)); err != nil {
		t.Fatal(err)
	}
	if found, err := find(settings{pidFile: pidFile, program: "/no/program"}); err == nil || found != nil {
		t.Errorf("a link of another user was followed: %v, %v", found, err)
	}
	if err := os.Lchown(pidFile, 0, 0); err != nil {
		t.Fatal(err)
	}
	if found, err := find(settings{pidFile: pidFile, program: "/no/program"}); err != nil || found == nil {
		t.Errorf("a link of root was not followed: %v", err)
	}
}

// TestPIDFileThatIsNoFile: nothing waits for somebody who writes to it.
func TestPIDFileThatIsNoFile(t *testing.T) {
	f, pidFile := fixture(t, map[string]string{"bin/daemon": daemon})
	if err := syscall.Mkfifo(pidFile, 0o666); err != nil {
		t.Fatal(err)
	}
	for _, op := range []dysnomia.Operation{dysnomia.Activate, dysnomia.Deactivate} {
		if err := f.Run(t.Context(), op); err == nil || !strings.Contains(err.Error(), "is not a file") {
			t.Errorf("%s: %v", op, err)
		}
	}
	if err := os.Remove(pidFile); err != nil { // it is read when the test ends
		t.Fatal(err)
	}
}

func TestBlankProcessPropertyIsNone(t *testing.T) {
	f, _ := fixture(t, map[string]string{"bin/daemon": daemon})
	f.Properties["process"] = " \t"
	f.Do(dysnomia.Activate)
	f.Expect("active")
	f.Do(dysnomia.Deactivate)
}

func TestBadPropertiesAreReported(t *testing.T) {
	f, _ := fixture(t, map[string]string{"bin/daemon": daemon})
	f.Properties["timeout"], f.Properties["stopTimeout"] = "soon", "-1"
	err := f.Run(t.Context(), dysnomia.Activate)
	if err == nil || !strings.Contains(err.Error(), `"soon"`) || !strings.Contains(err.Error(), `"-1"`) {
		t.Errorf("error: %v", err)
	}
}

func TestCancellationStopsAProgramThatDoesNotReturn(t *testing.T) {
	f, _ := fixture(t, map[string]string{"bin/daemon": "#!/bin/sh\ntouch $runtimeDir/begun\nsleep 600\n"})
	ctx, cancel := context.WithCancelCause(t.Context())
	stop := errors.New("stop")
	go func() {
		for ctx.Err() == nil {
			if _, err := os.Stat(filepath.Join(f.Properties["runtimeDir"], "begun")); err == nil {
				cancel(stop)
			}
			time.Sleep(poll)
		}
	}()
	if err := f.Run(ctx, dysnomia.Activate); !errors.Is(err, stop) {
		t.Errorf("error: %v", err)
	}
	f.Expect("")
}

func TestUsersLiveAsLongAsTheProcess(t *testing.T) {
	name, group := "dysnotest-u"+strconv.Itoa(os.Getpid()), "dysnotest-g"+strconv.Itoa(os.Getpid())
	t.Cleanup(func() {
		_ = exec.Command("userdel", name).Run()
		_ = exec.Command("groupdel", group).Run()
	})
	exists := func() bool {
		_, userErr := user.Lookup(name)
		_, groupErr := user.LookupGroup(group)
		return userErr == nil && groupErr == nil
	}
	accounts := map[string]string{"dysnomia-support/users/" + name: "group=" + group + "\n", "dysnomia-support/groups/" + group: ""}
	accounts["bin/daemon"] = daemon
	f, _ := fixture(t, accounts)
	f.Do(dysnomia.Activate)
	if !exists() {
		t.Error("user or group was not created")
	}
	f.Do(dysnomia.Deactivate)
	if exists() {
		t.Error("user or group was not deleted")
	}
	accounts["bin/daemon"] = "#!/bin/sh\nexit 1\n"
	f, _ = fixture(t, accounts)
	if err := f.Run(t.Context(), dysnomia.Activate); err == nil || exists() {
		t.Errorf("after a failure user and group exist: %t, error: %v", exists(), err)
	}
}
