package dbusclient_test

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	dbusclient "github.com/disnix-go/disnix/client-dbus"
	"github.com/disnix-go/disnix/dysnomia"
	"github.com/disnix-go/disnix/service"
	"github.com/disnix-go/disnix/service/dbusservice"
	"github.com/disnix-go/disnix/service/servicetest"
	"github.com/disnix-go/disnix/test/dbustest"
	"github.com/disnix-go/disnix/test/nixtest"
)

func TestDBusConforms(t *testing.T) {
	dbustest.SystemBus(t)
	servicetest.Run(t, servicetest.Config{
		Machine: nixtest.Store,
		Connect: func(t *testing.T) service.Service {
			host, err := dysnomia.NewHost(os.Environ(), nil)
			if err != nil {
				t.Fatal(err)
			}
			serve(t, dbusservice.Config{
				NewService: func(log io.Writer) service.Service {
					return service.NewLocal(host, service.LocalConfig{Log: log, Purpose: "disnix-service"})
				},
			})
			return connect(t)
		},
		NoShell: true,
	})
}

// serve runs a service on the bus until the test ends.
func serve(t *testing.T, config dbusservice.Config) {
	t.Helper()
	if config.LogDir == "" {
		config.LogDir = filepath.Join(t.TempDir(), "log")
	}
	config.Log = t.Output()
	config.Grace = time.Minute
	server, err := dbusservice.Listen(config)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- server.Serve(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-served; err != nil {
			t.Errorf("serve: %v", err)
		}
	})
}

func connect(t *testing.T) *dbusclient.Client {
	t.Helper()
	client, err := dbusclient.Connect(t.Context(), dbusclient.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	return client
}
