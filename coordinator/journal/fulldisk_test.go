package journal_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/disnix-go/disnix/coordinator/journal"
)

// TestAFullDisk uses a file system of its own, which only root can make.
func TestAFullDisk(t *testing.T) {
	place := newPlace(t)
	must(t, syscall.Mount("none", place.Dir, "tmpfs", 0, "size=256k"))
	t.Cleanup(func() { must(t, syscall.Unmount(place.Dir, 0)) })
	if _, err := journal.Create(place, description, run, 1000); !errors.Is(err, syscall.ENOSPC) || !strings.Contains(err.Error(), "reserve room for 1000 actions") {
		t.Errorf("more than fits: %v", err)
	}
	if names := list(t, place.Dir); names != "" {
		t.Errorf("left behind: %s", names)
	}

	// What is reserved is there, even if others fill the disk.
	j, err := journal.Create(place, description, run, 50)
	must(t, err)
	filler := filepath.Join(place.Dir, "filler")
	if err := os.WriteFile(filler, make([]byte, 1<<20), 0o600); !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("the disk is not full: %v", err)
	}
	for i := range 100 {
		must(t, j.Do(activate(fmt.Sprint("service", i)), succeed))
	}
	// Beyond that, actions are refused.
	for i := range 2000 {
		if err = j.Do(activate(fmt.Sprint("another", i)), succeed); err != nil {
			break
		}
	}
	if !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("a full disk: %v", err)
	}
	must(t, j.Leave())
	j = reopen(t, place)
	if !j.IsDone(activate("service99")) {
		t.Error("what was recorded before is lost")
	}
	must(t, j.Close())
}
