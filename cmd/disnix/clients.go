package main

import (
	"context"
	"fmt"
	"os"

	dbusclient "github.com/disnix-go/disnix/client-dbus"
	soapclient "github.com/disnix-go/disnix/client-soap"
	sshclient "github.com/disnix-go/disnix/client-ssh"
	"github.com/disnix-go/disnix/coordinator"
	"github.com/disnix-go/disnix/dysnomia"
	"github.com/disnix-go/disnix/dysnomia/plugins"
	"github.com/disnix-go/disnix/models"
	"github.com/disnix-go/disnix/service"
	"github.com/disnix-go/disnix/service/clientprogram"
	"github.com/disnix-go/disnix/service/fault"
)

// newHost returns the plugin host of this machine, as the environment
// describes it.
func newHost() (*dysnomia.Host, error) {
	host, err := dysnomia.NewHost(os.Environ(), plugins.Builtin())
	if err == nil && fault.Enabled() {
		host.Point = fault.Point
	}
	return host, err
}

// connector returns how targets are reached: through the built-in client
// that their client interface names, otherwise through a program.
func connector(host *dysnomia.Host, r coordinator.Reporter, local service.LocalConfig) coordinator.Connect {
	return withFaults(func(ctx context.Context, target *models.Target) (service.Service, error) {
		log := r.Output(target.Name)
		switch target.ClientInterface {
		case "disnix-run-activity":
			config := local
			config.Log = log
			return service.NewLocal(host, config), nil
		case "disnix-client":
			return dbusclient.Connect(ctx, dbusclient.Config{Log: log})
		}
		address, err := target.Address()
		if err != nil {
			return nil, fmt.Errorf("find the address: %w", err)
		}
		switch target.ClientInterface {
		case "disnix-ssh-client":
			return sshclient.Dial(ctx, address, sshclient.Config{Log: log})
		case "disnix-soap-client":
			return soapclient.Dial(address, soapclient.Config{Log: log})
		}
		return clientprogram.New(target.ClientInterface, address, clientprogram.Config{Log: log})
	})
}
