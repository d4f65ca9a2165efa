package session_test

import (
	"context"
	"net"
	"os"
	"testing"

	"github.com/disnix-go/disnix/dysnomia"
	"github.com/disnix-go/disnix/service"
	"github.com/disnix-go/disnix/service/servicetest"
	"github.com/disnix-go/disnix/service/session"
	"github.com/disnix-go/disnix/test/nixtest"
)

func TestSessionConforms(t *testing.T) {
	servicetest.Run(t, servicetest.Config{
		Machine: nixtest.Store,
		Connect: func(t *testing.T) service.Service {
			host, err := dysnomia.NewHost(os.Environ(), nil)
			if err != nil {
				t.Fatal(err)
			}
			return connect(t, service.NewLocal(host, service.LocalConfig{}))
		},
	})
}

// connect returns the contract to s over a session in memory, which ends
// orderly at the end of the test.
func connect(t testing.TB, s service.Service) *session.Client {
	t.Helper()
	here, there := net.Pipe()
	served := make(chan error, 1)
	go func() { served <- session.Serve(context.Background(), there, s) }()
	client, err := session.Connect(t.Context(), here, session.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := client.Close(); err != nil {
			t.Error(err)
		}
		if err := <-served; err != nil {
			t.Errorf("the target: %v", err)
		}
	})
	return client
}
