package dysnomia

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestRunStopsAModuleWithItsProcessGroup(t *testing.T) {
	for name, test := range map[string]struct {
		script string
		grace  time.Duration
		signal syscall.Signal
		code   int
	}{
		"SIGTERM":            {`echo ready; sleep 1000`, time.Minute, syscall.SIGTERM, 143},
		"SIGTERM is handled": {`trap 'echo cleaning up; exit 7' TERM; echo ready; while :; do sleep 0.01; done`, time.Minute, 0, 7},
		"SIGTERM is ignored": {`trap '' TERM; echo ready; while :; do sleep 0.01; done`, time.Millisecond, syscall.SIGKILL, 137},
		// The module itself has to end within the grace.
		"children are ignorant": {`(trap '' TERM; echo ready; while :; do sleep 0.01; done) & wait`, 5 * time.Second, syscall.SIGTERM, 143},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := newMachine(t)
			m.TerminationGrace = test.grace
			m.module("slow", "echo pid $$\n"+test.script)
			ctx, cancel := context.WithCancelCause(context.Background())
			reason := errors.New("the deployment was interrupted")
			var pid int
			output := &watcher{}
			output.seen = func(text string) {
				if strings.Contains(text, "ready") {
					fmt.Sscanf(text, "pid %d", &pid)
					cancel(reason)
				}
			}
			err := m.Run(ctx, Invocation{Operation: "activate", Component: "/x", Type: "slow", Environment: true, Stdout: output, Stderr: output})
			failed := wantModuleError(t, err)
			equal(t, "signal", failed.Signal, test.signal)
			equal(t, "exit status", ExitStatus(err), test.code)
			if !errors.Is(err, reason) {
				t.Errorf("the reason is missing: %v", err)
			}
			// A killed process takes a moment to end.
			if pid == 0 || !happens(func() bool { return len(livingProcesses(t, pid)) == 0 }) {
				t.Errorf("processes of the module %d are left: %q", pid, livingProcesses(t, pid))
			}
		})
	}
}

// happens reports whether a condition is true within a time that is long enough
// for every machine.
func happens(condition func() bool) bool {
	for deadline := time.Now().Add(2 * time.Minute); !condition(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			return false
		}
	}
	return true
}

// livingProcesses returns those processes of a group that have not ended.
func livingProcesses(t *testing.T, group int) []string {
	t.Helper()
	files, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		t.Fatal(err)
	}
	var living []string
	for _, file := range files {
		text, _ := os.ReadFile(file) // fails if it has just ended
		_, rest, _ := strings.Cut(string(text), ") ")
		if fields := strings.Fields(rest); len(fields) > 2 && fields[2] == fmt.Sprint(group) && fields[0] != "Z" {
			living = append(living, string(text))
		}
	}
	return living
}

// watcher shows all that was written so far after each write.
type watcher struct {
	text bytes.Buffer
	seen func(string)
}

func (w *watcher) Write(p []byte) (int, error) {
	n, err := w.text.Write(p)
	w.seen(w.text.String())
	return n, err
}

// A daemon that keeps the output of the module open must neither hold up the
// end of the activation nor be killed by writing after it.
func TestRunLeavesDaemonsAlone(t *testing.T) {
	m := newMachine(t)
	done := filepath.Join(m.root, "done")
	gate := m.fifo("gate")
	m.module("daemon", `
( read -r line <"$gate"; for i in {1..20000}; do echo "output of the daemon" || exit; done; echo ok >"$done.new"; mv "$done.new" "$done" ) &
seq 1 50000
echo started`)
	output := m.mustRun(Invocation{Operation: "activate", Component: "/x", Type: "daemon", Environment: true, Arguments: []string{"gate=" + gate, "done=" + done}})
	if !strings.HasSuffix(output, "\n50000\nstarted\n") {
		t.Errorf("the output of the module is cut: %d bytes", len(output))
	}
	if err := os.WriteFile(gate, []byte("go\n"), 0); err != nil {
		t.Fatal(err)
	}
	if !happens(func() bool { _, err := os.Stat(done); return err == nil }) {
		t.Error("the daemon died or hangs when it writes")
	}
}

func TestRunPassesFilesOn(t *testing.T) {
	m := newMachine(t)
	m.module("prints", `echo out; echo err >&2`)
	file, err := os.Create(filepath.Join(m.root, "log"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if err := m.Run(context.Background(), Invocation{Operation: "x", Component: "/x", Type: "prints", Environment: true, Stdout: file, Stderr: file}); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(file.Name())
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "log", string(text), "out\nerr\n")
}

func TestRunSurvivesAFailingWriter(t *testing.T) {
	m := newMachine(t)
	m.module("chatty", `seq 1 100000 && echo ok >"$2"`)
	target := filepath.Join(m.root, "x")
	err := m.Run(context.Background(), Invocation{Operation: "x", Component: target, Type: "chatty", Environment: true, Stdout: brokenWriter{}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(target); err != nil {
		t.Error("the module did not come to its end")
	}
}

type brokenWriter struct{}

func (brokenWriter) Write([]byte) (int, error) { return 0, io.ErrClosedPipe }

func TestRunScriptWithoutInterpreterLine(t *testing.T) {
	m := newMachine(t)
	m.file("modules/bare", "echo \"$0 $*\"\n", 0o755)
	output := m.mustRun(Invocation{Operation: "activate", Component: "/x", Type: "bare", Environment: true})
	equal(t, "output", output, filepath.Join(m.mods, "bare")+" activate /x bare\n")
}

func TestRunModuleThatCannotStart(t *testing.T) {
	m := newMachine(t)
	path := m.file("modules/broken", "#!/does/not/exist\n", 0o755)
	_, err := m.run(Invocation{Operation: "activate", Component: "/x", Type: "broken", Environment: true})
	wantError(t, err, `activate component "x" in container "broken": module "broken": start `+path)
	equal(t, "exit status", ExitStatus(err), 1)
}

// A module that asks the terminal something must fail, not hang, and Ctrl-C is
// the caller's affair: both follow from a session of its own.
func TestRunDetachesFromTheTerminal(t *testing.T) {
	m := newMachine(t)
	m.module("session", `read -r pid _ _ _ group session _ </proc/self/stat; test $group = $session && test $session = $$ && ! : </dev/tty`)
	if output, err := m.run(Invocation{Operation: Activate, Component: "/x", Type: "session", Environment: true}); err != nil {
		t.Errorf("%v:\n%s", err, output)
	}
}

// TestRunLeavesDaemonsAloneWithEmptyPath runs where the program that takes over
// the output of a daemon is not in PATH.
func TestRunLeavesDaemonsAloneWithEmptyPath(t *testing.T) {
	m := newMachine(t)
	daemon := filepath.Join(t.TempDir(), "pid")
	m.module("slow", "sleep 600 & echo $! > "+daemon)
	t.Setenv("PATH", t.TempDir())
	ended := make(chan error, 1)
	go func() {
		ended <- m.Run(context.Background(), Invocation{Operation: "activate", Component: "/x", Type: "slow", Environment: true, Stdout: new(bytes.Buffer)})
	}()
	defer func() {
		var pid int
		text, _ := os.ReadFile(daemon)
		if fmt.Sscan(string(text), &pid); pid > 1 {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
	}()
	select {
	case err := <-ended:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(2 * time.Minute):
		t.Error("the operation lasts as long as the daemon")
	}
}
