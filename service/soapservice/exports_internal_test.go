package soapservice

import (
	"errors"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"github.com/disnix-go/disnix/service/servicetest"
)

// TestExportsAreKeptForATime makes two files: the client removes one of them,
// as it may.
func TestExportsAreKeptForATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		e := newExports(dir)
		fake := new(servicetest.Fake)
		fake.AddValid("/p")
		var files []string
		for range 2 {
			file, err := e.create(t.Context(), fake, []string{"/p"})
			if err != nil {
				t.Fatal(err)
			}
			files = append(files, file)
		}
		if err := os.Remove(files[0]); err != nil {
			t.Error(err)
		}
		time.Sleep(keepExports - time.Second)
		if _, err := os.Stat(files[1]); err != nil {
			t.Error(err)
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if _, err := os.Stat(files[1]); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("it is kept for too long: %v", err)
		}
		if err := e.close(); err != nil {
			t.Error(err)
		}
	})
}
