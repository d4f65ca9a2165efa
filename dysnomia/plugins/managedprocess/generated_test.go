package managedprocess

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"github.com/disnix-go/disnix/dysnomia/processmanagement"
)

// TestScriptsWhileOthersStart executes what has just been generated, as several
// activities at once do it. A child of one that has the script of another open
// for writing would make that fail: "text file busy".
func TestScriptsWhileOthersStart(t *testing.T) {
	dir := t.TempDir()
	var group sync.WaitGroup
	for activity := range 8 {
		group.Go(func() {
			for i := range 40 {
				path := filepath.Join(dir, fmt.Sprintf("%d-%d", activity, i))
				if err := writeFile(path, processmanagement.File{Content: []byte("#!/bin/sh\n"), Executable: true}); err != nil {
					t.Error(err)
				}
				if err := exec.Command(path).Run(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
}
