// Package contract tests the programs of this project against the contract
// between a coordinator and a target.
package contract

import (
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/disnix-go/disnix/service"
	"github.com/disnix-go/disnix/service/clientprogram"
	"github.com/disnix-go/disnix/service/servicetest"
	"github.com/disnix-go/disnix/test/nixtest"
)

func TestRunActivityConforms(t *testing.T) {
	program := filepath.Join(t.TempDir(), "disnix-run-activity")
	if out, err := exec.Command("go", "build", "-buildvcs=false", "-o", program, "../../cmd/disnix").CombinedOutput(); err != nil {
		t.Fatalf("build the program: %v\n%s", err, out)
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
