package lifecycle

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/disnix-go/disnix/dysnomia"
)

// account is a user of this machine, and of one test program.
var account = "dysnotest-lc" + strconv.Itoa(os.Getpid())

// request is about a component that needs a user.
func request(t *testing.T, specification string) *dysnomia.Request {
	t.Helper()
	component := filepath.Join(t.TempDir(), "app")
	dir := filepath.Join(component, "dysnomia-support", "users")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, account), []byte(specification), 0o644); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = exec.Command("userdel", account).Run() })
	return &dysnomia.Request{
		Component: component, ComponentName: "app", Container: "box",
		State: &dysnomia.State{Dir: t.TempDir()}, Environment: os.Environ(), Stderr: &strings.Builder{},
	}
}

// service records what is done with it, and whether its user existed.
type service struct {
	actions           []string
	startErr, stopErr error
}

func (s *service) start(ctx context.Context) error { return s.record(ctx, "start", s.startErr) }
func (s *service) stop(ctx context.Context) error  { return s.record(ctx, "stop", s.stopErr) }

func (s *service) record(ctx context.Context, action string, err error) error {
	if userExists() {
		action += " with user"
	}
	if ctx.Err() != nil {
		action += " cancelled"
	}
	s.actions = append(s.actions, action)
	return err
}

func userExists() bool {
	_, err := user.Lookup(account)
	return err == nil
}

func expect(t *testing.T, r *dysnomia.Request, s *service, active, exists bool, actions ...string) {
	t.Helper()
	if got, err := r.State.IsActive(r.Container, r.ComponentName); got != active || err != nil {
		t.Errorf("active: %t, %v, want %t", got, err, active)
	}
	if got := userExists(); got != exists {
		t.Errorf("the user exists: %t, want %t", got, exists)
	}
	if !slices.Equal(s.actions, actions) {
		t.Errorf("actions: %q, want %q", s.actions, actions)
	}
}

func TestLifecycle(t *testing.T) {
	r, s := request(t, "description=x\n"), &service{}
	if err := Activate(t.Context(), r, s.start, s.stop); err != nil {
		t.Fatal(err)
	}
	expect(t, r, s, true, true, "start with user")
	if err := Deactivate(t.Context(), r, s.stop); err != nil {
		t.Fatal(err)
	}
	expect(t, r, s, false, false, "start with user", "stop with user")
}

func TestFailedStartIsUndone(t *testing.T) {
	r, s := request(t, "description=x\n"), &service{startErr: errors.New("broken")}
	if err := Activate(t.Context(), r, s.start, s.stop); !errors.Is(err, s.startErr) {
		t.Errorf("error: %v", err)
	}
	expect(t, r, s, false, false, "start with user", "stop with user")
}

func TestInterruptedStartIsUndone(t *testing.T) {
	r, s := request(t, "description=x\n"), &service{}
	ctx, cancel := context.WithCancelCause(t.Context())
	stop := errors.New("stop")
	err := Activate(ctx, r, func(ctx context.Context) error { cancel(stop); return context.Cause(ctx) }, s.stop)
	if !errors.Is(err, stop) {
		t.Errorf("error: %v", err)
	}
	expect(t, r, s, false, false, "stop with user")
}

func TestFailureOfTheUndoIsReported(t *testing.T) {
	r, s := request(t, "description=x\n"), &service{startErr: errors.New("broken"), stopErr: errors.New("stuck")}
	err := Activate(t.Context(), r, s.start, s.stop)
	if !errors.Is(err, s.startErr) || !errors.Is(err, s.stopErr) || !strings.Contains(err.Error(), "undo the activation: stuck") {
		t.Errorf("error: %v", err)
	}
	expect(t, r, s, false, true, "start with user", "stop with user")
}

func TestActiveComponentKeepsWhatItHas(t *testing.T) {
	r, s := request(t, "description=x\n"), &service{}
	if err := Activate(t.Context(), r, s.start, s.stop); err != nil {
		t.Fatal(err)
	}
	s.startErr = errors.New("broken")
	if err := Activate(t.Context(), r, s.start, s.stop); !errors.Is(err, s.startErr) {
		t.Errorf("error: %v", err)
	}
	expect(t, r, s, true, true, "start with user", "start with user")
	if err := Deactivate(t.Context(), r, s.stop); err != nil {
		t.Fatal(err)
	}
}

func TestUserThatCannotBeCreated(t *testing.T) {
	r, s := request(t, "group=dysnotest-none\n"), &service{}
	if err := Activate(t.Context(), r, s.start, s.stop); err == nil || !strings.Contains(err.Error(), account) {
		t.Errorf("error: %v", err)
	}
	expect(t, r, s, false, false)
}

func TestComponentThatDoesNotStopStaysActive(t *testing.T) {
	r, s := request(t, "description=x\n"), &service{}
	if err := Activate(t.Context(), r, s.start, s.stop); err != nil {
		t.Fatal(err)
	}
	s.stopErr = errors.New("stuck")
	if err := Deactivate(t.Context(), r, s.stop); !errors.Is(err, s.stopErr) {
		t.Errorf("error: %v", err)
	}
	expect(t, r, s, true, true, "start with user", "stop with user")
	s.stopErr = nil
	if err := Deactivate(t.Context(), r, s.stop); err != nil {
		t.Fatal(err)
	}
}
