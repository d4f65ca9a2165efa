// Package fault has the named points at which tests make things go wrong:
// every write of the journal and every operation of a target passes one. As
// long as no faults are injected, a point costs one atomic load.
package fault

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// ErrInjected is the failure of a point that was made to fail.
var ErrInjected = errors.New("injected fault")

// Injector is asked at every point. It may wait, end the process, or return
// an error that the operation fails with. It is called from several
// goroutines.
type Injector func(point string) error

var injector atomic.Pointer[Injector]

// Inject makes the injector be asked at all points of this process, until
// restore is called.
func Inject(i Injector) (restore func()) {
	previous := injector.Swap(&i)
	return func() { injector.Store(previous) }
}

// Enabled reports whether faults are injected.
func Enabled() bool { return injector.Load() != nil }

// Point passes a named point.
func Point(name string) error {
	i := injector.Load()
	if i == nil {
		return nil
	}
	return (*i)(name)
}

// Parse returns the injector that a specification describes: one or more of
// point:action, separated by commas. The actions are error, kill (SIGKILL for
// this process) and await=<file>, which waits until the file exists. A point is
// a name, with an optional #n for the n-th time that it is passed; without it,
// the action is carried out each time.
func Parse(specification string) (Injector, error) {
	var faults []*planned
	for word := range strings.SplitSeq(specification, ",") {
		f, err := parseFault(word)
		if err != nil {
			return nil, fmt.Errorf("fault %q: %w", word, err)
		}
		faults = append(faults, f)
	}
	return func(point string) error {
		for _, f := range faults {
			if err := f.pass(point); err != nil {
				return err
			}
		}
		return nil
	}, nil
}

// planned is one fault of a specification.
type planned struct {
	point  string
	time   int // the one at which it occurs; 0 means always
	action func() error

	mu     sync.Mutex
	passed int
}

func (f *planned) pass(point string) error {
	if point != f.point {
		return nil
	}
	f.mu.Lock()
	f.passed++
	occurs := f.time == 0 || f.time == f.passed
	f.mu.Unlock()
	if !occurs {
		return nil
	}
	return f.action()
}

func parseFault(word string) (*planned, error) {
	point, action, ok := strings.Cut(word, ":")
	if !ok || point == "" {
		return nil, errors.New("it has not the form point:action")
	}
	f := &planned{point: point}
	if name, n, ok := strings.Cut(point, "#"); ok {
		number, err := strconv.Atoi(n)
		if err != nil || number < 1 {
			return nil, fmt.Errorf("%q is not a number above zero", n)
		}
		f.point, f.time = name, number
	}
	file, isAwait := strings.CutPrefix(action, "await=")
	switch {
	case action == "error":
		f.action = func() error { return fmt.Errorf("%w at %s", ErrInjected, f.point) }
	case action == "kill":
		f.action = func() error {
			_ = syscall.Kill(syscall.Getpid(), syscall.SIGKILL)
			select {} // until the signal arrives
		}
	case isAwait && file != "":
		f.action = func() error {
			for {
				if _, err := os.Stat(file); err == nil {
					return nil
				}
				time.Sleep(10 * time.Millisecond)
			}
		}
	default:
		return nil, fmt.Errorf("there is no action %q: use error, kill or await=<file>", action)
	}
	return f, nil
}
