// Package programtest builds the programs of this module for tests.
package programtest

import (
	"fmt"
	"os"
	"os/exec"
)

// Build compiles a program of cmd and writes it to a file. It does so as `make
// build` does, so that all who need a program share what was compiled before:
// on a machine without a build cache, that takes minutes.
func Build(name, file string) error {
	build := exec.Command("go", "build", "-trimpath", "-buildvcs=false", "-o", file, "github.com/disnix-go/disnix/cmd/"+name)
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("build %s: %w\n%s", name, err, out)
	}
	return nil
}
