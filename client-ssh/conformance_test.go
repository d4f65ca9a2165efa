package sshclient_test

import (
	"os"
	"testing"

	sshclient "github.com/disnix-go/disnix/client-ssh"
	"github.com/disnix-go/disnix/service"
	"github.com/disnix-go/disnix/service/servicetest"
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
