package soapservice

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/disnix-go/disnix/service"
)

// keepExports is how long a closure that was exported to a file of this machine
// is kept.
const keepExports = time.Hour

// exports are the files that export has made: closures that the client is told
// the names of. They are private, and removed after a time and when the service
// ends.
type exports struct {
	mu     sync.Mutex
	dir    string // made when it is needed
	timers map[string]*time.Timer
}

func newExports() *exports { return &exports{timers: make(map[string]*time.Timer)} }

// create exports a closure to a new file and returns its name.
func (e *exports) create(ctx context.Context, target service.Store, paths []string) (string, error) {
	dir, err := e.directory()
	if err != nil {
		return "", err
	}
	file, err := os.CreateTemp(dir, "closure.")
	if err != nil {
		return "", fmt.Errorf("store the closure: %w", err)
	}
	err = target.ExportClosure(ctx, paths, file)
	if err = errors.Join(err, file.Close()); err != nil {
		return "", errors.Join(err, os.Remove(file.Name()))
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.timers[file.Name()] = time.AfterFunc(keepExports, func() { e.remove(file.Name()) })
	return file.Name(), nil
}

func (e *exports) directory() (string, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.dir == "" {
		dir, err := os.MkdirTemp("", "disnix-exports.") // with mode 0700
		if err != nil {
			return "", fmt.Errorf("store the closure: %w", err)
		}
		e.dir = dir
	}
	return e.dir, nil
}

func (e *exports) remove(file string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.timers, file)
	_ = os.Remove(file) // the client may have removed it
}

// close removes everything.
func (e *exports) close() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, timer := range e.timers {
		timer.Stop()
	}
	if e.dir == "" {
		return nil
	}
	if err := os.RemoveAll(e.dir); err != nil {
		return fmt.Errorf("remove exported closures: %w", err)
	}
	return nil
}

// importFile imports a closure that is in a file of this machine. Anything but
// a regular file could block for ever.
func (c *call) importFile(path string) error {
	if !filepath.IsAbs(path) {
		return fmt.Errorf("import: %q is not the absolute path of a closure on this machine", path)
	}
	file, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return fmt.Errorf("import: %w", err)
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return fmt.Errorf("import: %w", err)
	}
	if !info.Mode().IsRegular() {
		return fmt.Errorf("import: %s is not a regular file", path)
	}
	return c.importStream(file)
}
