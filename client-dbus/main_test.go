package dbusclient_test

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"sync"
	"syscall"
	"testing"

	"github.com/godbus/dbus/v5"

	dbusclient "github.com/disnix-go/disnix/client-dbus"
	"github.com/disnix-go/disnix/service"
	"github.com/disnix-go/disnix/service/dbusservice"
	"github.com/disnix-go/disnix/service/dbuswire"
	"github.com/disnix-go/disnix/service/servicetest"
)

// actAs makes this binary another program: a key of programs.
const actAs = "DISNIX_TEST_ACT_AS"

var programs = map[string]func(args []string) error{
	"service": actAsService,
	"client":  actAsClient,
	"monitor": actAsMonitor,
}

func TestMain(m *testing.M) {
	program := programs[os.Getenv(actAs)]
	if program == nil {
		os.Exit(m.Run())
	}
	if err := program(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// actAsService serves a fake target whose activations do not end until they
// are cancelled. It prints a line when it is ready and one for each activation
// that begins.
func actAsService(args []string) error {
	fake := &servicetest.Fake{Hook: func(ctx context.Context, call servicetest.Call) error {
		if call.Operation != "activate" {
			return nil
		}
		fmt.Println("activating")
		<-ctx.Done()
		return ctx.Err()
	}}
	server, err := dbusservice.Listen(dbusservice.Config{
		LogDir: args[0], Log: io.Discard,
		NewService: func(io.Writer) service.Service { return fake },
	})
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	fmt.Println("ready")
	return server.Serve(ctx)
}

// actAsClient activates a component and captures the configuration.
func actAsClient([]string) error {
	client, err := dbusclient.Connect(context.Background(), dbusclient.Config{})
	if err != nil {
		return err
	}
	defer client.Close()
	config, err := client.CaptureConfig(context.Background())
	if err != nil {
		return err
	}
	fmt.Println(config)
	return client.Activate(context.Background(), service.Activity{Component: "/component", Type: "type"})
}

// actAsMonitor prints the names of the service's signals when its input ends.
// The first line says that it listens.
func actAsMonitor([]string) error {
	var mu sync.Mutex
	var heard []string
	record := func(m *dbus.Message) {
		mu.Lock()
		defer mu.Unlock()
		if m.Type == dbus.TypeSignal && m.Headers[dbus.FieldInterface].Value() == dbuswire.Interface {
			heard = append(heard, fmt.Sprint(dbuswire.Interface, ".", m.Headers[dbus.FieldMember].Value()))
		}
	}
	conn, err := dbus.ConnectSystemBus(dbus.WithIncomingInterceptor(record))
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := conn.AddMatchSignal(dbus.WithMatchInterface(dbuswire.Interface)); err != nil {
		return err
	}
	fmt.Println("listening")
	if _, err := io.Copy(io.Discard, os.Stdin); err != nil {
		return err
	}
	// What the bus has sent us before it answers has arrived.
	var names []string
	if err := conn.BusObject().Call("org.freedesktop.DBus.ListNames", 0).Store(&names); err != nil {
		return err
	}
	mu.Lock()
	defer mu.Unlock()
	for _, name := range heard {
		fmt.Println(name)
	}
	return nil
}

// command returns this binary as another program. It runs as that user and
// group, in a place that everybody can read.
func command(t *testing.T, program string, uid, gid uint32, args ...string) *exec.Cmd {
	t.Helper()
	binary := filepath.Join(openDir(t), "program")
	content, err := os.ReadFile("/proc/self/exe")
	if err == nil {
		err = os.WriteFile(binary, content, 0o755)
	}
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(binary, args...)
	cmd.Env = append(os.Environ(), actAs+"="+program, "TMPDIR=/tmp")
	cmd.Dir = "/"
	if uid != 0 {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: nobody, Groups: []uint32{gid}}}
	}
	return cmd
}

// openDir returns a directory that everybody can enter.
func openDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "disnix-test.")
	if err == nil {
		err = os.Chmod(dir, 0o755)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}
