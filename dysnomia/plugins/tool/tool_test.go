package tool

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/disnix-go/disnix/dysnomia"
)

func TestRun(t *testing.T) {
	r := &dysnomia.Request{Environment: []string{"GREETING=hello"}}
	out, err := Run(t.Context(), r, "sh", "-c", `echo "$GREETING $1"`, "sh", "$(id) ;")
	if err != nil || out != "hello $(id) ;\n" {
		t.Errorf("output: %q, error: %v", out, err)
	}
	_, err = Run(t.Context(), r, "no-such-program-at-all")
	if err == nil || !strings.Contains(err.Error(), "no-such-program-at-all") {
		t.Errorf("error: %v", err)
	}
}

func TestRunSaysWhyAProgramFailed(t *testing.T) {
	out, err := Run(t.Context(), &dysnomia.Request{}, "sh", "-c", "echo half; echo why >&2; exit 4", "secret")
	var failed *Error
	if !errors.As(err, &failed) || failed.ExitCode != 4 || out != "half\n" {
		t.Fatalf("output: %q, error: %v", out, err)
	}
	if want := "sh: exit status 4: half\nwhy"; err.Error() != want {
		t.Errorf("error: %q, want %q", err, want)
	}
	_, err = Run(t.Context(), &dysnomia.Request{}, "sh", "-c", "kill -9 $$")
	if want := "sh: killed by signal 9 (killed)"; err == nil || err.Error() != want {
		t.Errorf("error: %v, want %s", err, want)
	}
}

func TestRunLeavesDaemonsAlone(t *testing.T) {
	out, err := Run(t.Context(), &dysnomia.Request{}, "sh", "-c", "sleep 600 & echo $!")
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(out))
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Errorf("stop process %d: %v", pid, err)
	}
}

func TestRunIsInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	stop := errors.New("stop")
	cancel(stop)
	if _, err := Run(ctx, &dysnomia.Request{}, "sleep", "600"); !errors.Is(err, stop) {
		t.Errorf("error: %v", err)
	}
}

// TestRunOfAProgramThatPrintsAndPrints: the memory is not for its output.
func TestRunOfAProgramThatPrintsAndPrints(t *testing.T) {
	out, err := Run(t.Context(), &dysnomia.Request{}, "head", "-c", strconv.Itoa(mostOutput+1), "/dev/zero")
	if err == nil || out != "" || err.Error() != "head: it prints more than 16 MiB" {
		t.Errorf("%d bytes, error: %v", len(out), err)
	}
	out, err = Run(t.Context(), &dysnomia.Request{}, "head", "-c", strconv.Itoa(mostOutput), "/dev/zero")
	if err != nil || len(out) != mostOutput {
		t.Errorf("%d bytes, error: %v", len(out), err)
	}
}
