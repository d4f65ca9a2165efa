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
	dir string // TMPDIR if it is empty

	mu     sync.Mutex
	timers map[string]*time.Timer // by file
}

func newExports(dir string) *exports {
	return &exports{dir: dir, timers: make(map[string]*time.Timer)}
}

// create exports a closure to a new file and returns its name.
func (e *exports) create(ctx context.Context, target service.Store, paths []string) (string, error) {
	file, err := os.CreateTemp(e.dir, "disnix-export.")
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
	var errs []error
	for file, timer := range e.timers {
		timer.Stop()
		if err := os.Remove(file); err != nil && !errors.Is(err, os.ErrNotExist) {
			errs = append(errs, fmt.Errorf("remove an exported closure: %w", err))
		}
	}
	clear(e.timers)
	return errors.Join(errs...)
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
