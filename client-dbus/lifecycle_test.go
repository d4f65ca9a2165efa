package dbusclient_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	dbusclient "github.com/disnix-go/disnix/client-dbus"
	"github.com/disnix-go/disnix/service"
	"github.com/disnix-go/disnix/service/dbusservice"
	"github.com/disnix-go/disnix/service/dbuswire"
	"github.com/disnix-go/disnix/service/servicetest"
	"github.com/disnix-go/disnix/test/dbustest"
)

// serviceProcess starts the service as another process and returns a function
// that waits for a line of its output.
func serviceProcess(t *testing.T) (pid int, line func(want string)) {
	t.Helper()
	cmd := command(t, "service", 0, 0, filepath.Join(t.TempDir(), "log"))
	cmd.Stderr = os.Stderr
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
	return cmd.Process.Pid, func(want string) {
		t.Helper()
		if got, err := lines.ReadString('\n'); got != want+"\n" {
			t.Fatalf("the service says %q, %v; want %q", got, err, want)
		}
	}
}

func TestServiceThatIsKilled(t *testing.T) {
	dbustest.SystemBus(t)
	pid, line := serviceProcess(t)
	line("ready")
	client := connect(t)
	failed := make(chan error)
	go func() { failed <- client.Activate(t.Context(), service.Activity{Component: "/c", Type: "t"}) }()
	line("activating")
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	within(t, 2*time.Minute, func() {
		if err := <-failed; err == nil || !strings.Contains(err.Error(), "disnix-service has ended meanwhile") {
			t.Errorf("error %v", err)
		}
	})
	if err := client.Lock(t.Context(), "p"); err == nil || !strings.Contains(err.Error(), "start it") {
		t.Errorf("without a service: %v", err)
	}
	_, line = serviceProcess(t)
	line("ready")
	if err := client.Lock(t.Context(), "p"); err != nil {
		t.Errorf("the same client with the next service: %v", err)
	}
}

func TestServiceThatIsStopped(t *testing.T) {
	dbustest.SystemBus(t)
	pid, line := serviceProcess(t)
	line("ready")
	client := connect(t)
	failed := make(chan error)
	go func() { failed <- client.Activate(t.Context(), service.Activity{Component: "/c", Type: "t"}) }()
	line("activating")
	if err := syscall.Kill(pid, syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	within(t, 2*time.Minute, func() {
		var failure *dbusclient.FailureError
		if err := <-failed; !errors.As(err, &failure) || !strings.Contains(err.Error(), "context canceled") {
			t.Errorf("the running job is not reported: %v", err)
		}
	})
}

func TestRunningJobsMayEnd(t *testing.T) {
	dbustest.SystemBus(t)
	began, goOn := make(chan struct{}), make(chan struct{})
	fake := &servicetest.Fake{Hook: func(ctx context.Context, call servicetest.Call) error {
		close(began)
		<-goOn
		return ctx.Err()
	}}
	server, err := dbusservice.Listen(dbusservice.Config{
		LogDir: t.TempDir(), Log: t.Output(), Grace: time.Minute,
		NewService: func(io.Writer) service.Service { return fake },
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	served := make(chan error)
	go func() { served <- server.Serve(ctx) }()
	client, late := connect(t), newRaw(t)
	ended := make(chan error)
	go func() { ended <- client.Lock(t.Context(), "p") }()
	<-began
	stop()
	for late.call(dbuswire.GetJobID).Err == nil { // until the service has noticed it
	}
	if err := late.call(dbuswire.GetJobID).Err; !strings.Contains(err.Error(), "stopping") {
		t.Errorf("a new job: %v", err)
	}
	close(goOn)
	if err := <-ended; err != nil {
		t.Errorf("the running job: %v", err)
	}
	if err := <-served; err != nil {
		t.Errorf("serve: %v", err)
	}
}

func TestSecondService(t *testing.T) {
	serveFake(t, new(servicetest.Fake))
	_, err := dbusservice.Listen(dbusservice.Config{LogDir: t.TempDir(), Log: t.Output()})
	if err == nil || !strings.Contains(err.Error(), "another disnix-service has it") {
		t.Errorf("error %v", err)
	}
}

func TestWithoutBus(t *testing.T) {
	t.Setenv("DBUS_SYSTEM_BUS_ADDRESS", "unix:path=/nowhere/bus")
	if _, err := dbusclient.Connect(t.Context(), dbusclient.Config{}); err == nil || !strings.Contains(err.Error(), "Cannot connect to system bus! Reason: ") {
		t.Errorf("client: %v", err)
	}
	if _, err := dbusservice.Listen(dbusservice.Config{LogDir: t.TempDir(), Log: t.Output()}); err == nil || !strings.Contains(err.Error(), "connect to the system bus: ") {
		t.Errorf("service: %v", err)
	}
}

// TestLogThatCannotBeWritten has a service that cannot make its log directory:
// its jobs fail, and their log does not tell why.
func TestLogThatCannotBeWritten(t *testing.T) {
	dbustest.SystemBus(t)
	serve(t, dbusservice.Config{
		LogDir:     filepath.Join(t.TempDir(), "missing/log"),
		NewService: func(io.Writer) service.Service { return new(servicetest.Fake) },
	})
	err := connect(t).Lock(t.Context(), "default")
	if err == nil || !strings.Contains(err.Error(), "the messages of disnix-service itself may tell why") {
		t.Errorf("error %v", err)
	}
}
