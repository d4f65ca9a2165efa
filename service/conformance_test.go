package service_test

import (
	"os"
	"testing"

	"github.com/disnix-go/disnix/dysnomia"
	"github.com/disnix-go/disnix/service"
	"github.com/disnix-go/disnix/service/servicetest"
	"github.com/disnix-go/disnix/test/nixtest"
)

func TestLocalConforms(t *testing.T) {
	servicetest.Run(t, servicetest.Config{
		Machine: nixtest.Store,
		Connect: func(t *testing.T) service.Service {
			host, err := dysnomia.NewHost(os.Environ(), nil)
			if err != nil {
				t.Fatal(err)
			}
			return service.NewLocal(host, service.LocalConfig{})
		},
	})
}
