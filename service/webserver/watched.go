package webserver

import (
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync"
	"syscall"
	"time"
)

// checkInterval is how often files are looked at, at most.
const checkInterval = time.Second

// watched is what was made of some files. It is made anew when they change;
// while that fails, what there was is kept.
type watched[T any] struct {
	paths []string
	load  func() (T, error)
	log   *slog.Logger

	mu      sync.Mutex
	value   T
	seen    string // the state of the files that value, or the last failure, is from
	checked time.Time
}

// watch loads the files for the first time.
func watch[T any](log *slog.Logger, load func() (T, error), paths ...string) (*watched[T], error) {
	w := &watched[T]{paths: paths, load: load, log: log}
	w.checked, w.seen = time.Now(), w.state()
	value, err := load()
	w.value = value
	return w, err
}

// get returns what the files mean now.
func (w *watched[T]) get() T {
	w.mu.Lock()
	defer w.mu.Unlock()
	if time.Since(w.checked) >= checkInterval {
		w.checked = time.Now()
		if state := w.state(); state != w.seen {
			_ = w.refresh(state) // it is logged
		}
	}
	return w.value
}

// reload loads the files again, also if they seem to be the same.
func (w *watched[T]) reload() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.refresh(w.state())
}

func (w *watched[T]) refresh(state string) error {
	w.seen = state
	value, err := w.load()
	if err != nil {
		w.log.Error("files cannot be read again; what they had before stays in use", "files", w.paths, "error", err)
		return err
	}
	w.value = value
	w.log.Info("files were read again", "files", w.paths)
	return nil
}

// state changes when the files do.
func (w *watched[T]) state() string {
	var state strings.Builder
	for _, path := range w.paths {
		info, err := os.Stat(path)
		if err != nil {
			fmt.Fprintf(&state, "%v;", err)
			continue
		}
		inode := info.Sys().(*syscall.Stat_t).Ino
		fmt.Fprintf(&state, "%d %d %d;", inode, info.Size(), info.ModTime().UnixNano())
	}
	return state.String()
}
