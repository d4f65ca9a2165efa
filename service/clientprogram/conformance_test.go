package clientprogram_test

import (
	"os"
	"testing"

	"github.com/disnix-go/disnix/service"
	"github.com/disnix-go/disnix/service/clientprogram"
	"github.com/disnix-go/disnix/service/servicetest"
	"github.com/disnix-go/disnix/test/nixtest"
)

func TestClientProgramConforms(t *testing.T) {
	servicetest.Run(t, servicetest.Config{
		Machine: nixtest.Store,
		Connect: func(t *testing.T) service.Service {
			client, err := clientprogram.New(os.Args[0], "address", clientprogram.Config{Env: []string{actAsProgram + "=1"}})
			if err != nil {
				t.Fatal(err)
			}
			return client
		},
	})
}
