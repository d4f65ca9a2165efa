// Package contract tests the programs of this project against the contract
// between a coordinator and a target.
package contract

import (
	"path/filepath"
	"testing"

	"github.com/disnix-go/disnix/service"
	"github.com/disnix-go/disnix/service/clientprogram"
	"github.com/disnix-go/disnix/service/servicetest"
	"github.com/disnix-go/disnix/test/nixtest"
	"github.com/disnix-go/disnix/test/programtest"
)

func TestRunActivityConforms(t *testing.T) {
	program := filepath.Join(t.TempDir(), "disnix-run-activity")
	if err := programtest.Build("disnix", program); err != nil {
		t.Fatal(err)
	}
	servicetest.Run(t, servicetest.Config{
		Machine: nixtest.Store,
		Connect: func(t *testing.T) service.Service {
			client, err := clientprogram.New(program, "here", clientprogram.Config{})
			if err != nil {
				t.Fatal(err)
			}
			return client
		},
	})
}
