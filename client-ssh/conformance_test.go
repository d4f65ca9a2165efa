package sshclient_test

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	sshclient "github.com/disnix-go/disnix/client-ssh"
	"github.com/disnix-go/disnix/service"
	"github.com/disnix-go/disnix/service/servicetest"
	"github.com/disnix-go/disnix/test/dbustest"
	"github.com/disnix-go/disnix/test/nixtest"
)

// dial connects to the host, and checks at the end of the test that there was
// one connection.
func dial(t *testing.T, h *host) *sshclient.Client {
	t.Helper()
	client, err := sshclient.Dial(t.Context(), h.address, sshclient.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := client.Close(); err != nil {
			t.Error(err)
		}
		if n := h.connections(); n != 1 {
			t.Errorf("%d connections", n)
		}
	})
	return client
}

// ours and original are where the programs of a target are found.
func ours() string     { return programs + ":" + os.Getenv("PATH") }
func original() string { return programs + "/original:" + os.Getenv("PATH") }

func TestSessionOverSSHConforms(t *testing.T) {
	servicetest.Run(t, servicetest.Config{
		Machine: nixtest.Store,
		Connect: func(t *testing.T) service.Service { return dial(t, newHost(t, ours())) },
	})
}

func TestCommandsOverSSHConform(t *testing.T) {
	servicetest.Run(t, servicetest.Config{
		Machine: nixtest.Store,
		Connect: func(t *testing.T) service.Service { return dial(t, newHost(t, original())) },
	})
}

// TestSessionWithServiceConforms reaches disnix-service through a session that
// disnix-client serves on the target.
func TestSessionWithServiceConforms(t *testing.T) {
	dbustest.SystemBus(t)
	servicetest.Run(t, servicetest.Config{
		Machine: nixtest.Store,
		Connect: func(t *testing.T) service.Service {
			startService(t)
			h := newHost(t, ours())
			t.Setenv("DISNIX_REMOTE_CLIENT", "disnix-client")
			return dial(t, h)
		},
	})
}

// startService starts disnix-service with the environment of the test.
func startService(t *testing.T) {
	t.Helper()
	cmd := exec.Command(filepath.Join(programs, "disnix-service"), "--log-dir", filepath.Join(t.TempDir(), "log"))
	stderr, err := cmd.StderrPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(os.Interrupt)
		if err := cmd.Wait(); err != nil {
			t.Errorf("disnix-service: %v", err)
		}
	})
	lines := bufio.NewScanner(stderr)
	if !lines.Scan() || lines.Text() != "The Disnix service is running!" {
		t.Fatalf("disnix-service says %q", lines.Text())
	}
	go func() {
		for lines.Scan() { // so that it does not wait
		}
	}()
}
