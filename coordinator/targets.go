package coordinator

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/disnix-go/disnix/models"
	"github.com/disnix-go/disnix/service"
)

// Connect opens the contract to one target, through the client interface that
// the target names.
type Connect func(ctx context.Context, target *models.Target) (service.Service, error)

// Targets holds at most one connection per target, opened when it is first
// needed and kept for the whole run. It may be used from several goroutines.
type Targets struct {
	connect Connect

	mu             sync.Mutex
	infrastructure models.Infrastructure // without dropped targets
	connections    map[string]*connection
	claims         map[string]service.Claim
}

type connection struct {
	once    sync.Once
	service service.Service
	err     error
}

// NewTargets returns a set without any open connection.
func NewTargets(infrastructure models.Infrastructure, connect Connect) *Targets {
	return &Targets{
		infrastructure: maps.Clone(infrastructure),
		connect:        connect,
		connections:    make(map[string]*connection),
		claims:         make(map[string]service.Claim),
	}
}

// Get returns the connection to the named target, opening it if necessary. A
// connection that could not be opened is not tried again. Changes are asked for
// with the claim for the target, if there is one.
func (t *Targets) Get(ctx context.Context, name string) (service.Service, error) {
	s, err := t.unclaimed(ctx, name)
	if err != nil {
		return nil, err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if claim, ok := t.claims[name]; ok {
		return service.Claimed(s, claim), nil
	}
	return s, nil
}

// Claim sets the claim with which changes of a target are asked for.
func (t *Targets) Claim(name string, claim service.Claim) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.claims[name] = claim
}

// Unclaim makes changes be asked for without any claim.
func (t *Targets) Unclaim() {
	t.mu.Lock()
	defer t.mu.Unlock()
	clear(t.claims)
}

// unclaimed is Get without a claim.
func (t *Targets) unclaimed(ctx context.Context, name string) (service.Service, error) {
	t.mu.Lock()
	target, ok := t.infrastructure[name]
	if !ok {
		t.mu.Unlock()
		return nil, fmt.Errorf("target %q is not in the infrastructure", name)
	}
	c, ok := t.connections[name]
	if !ok {
		c = new(connection)
		t.connections[name] = c
	}
	t.mu.Unlock()
	c.once.Do(func() { c.service, c.err = t.connect(ctx, target) })
	if c.err != nil {
		return nil, fmt.Errorf("connect to target %q through %s: %w", name, target.ClientInterface, c.err)
	}
	return c.service, nil
}

// Has reports whether the named target can be asked for.
func (t *Targets) Has(name string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	_, ok := t.infrastructure[name]
	return ok
}

// Drop forgets a target that does not exist any more, as if it had never been
// in the infrastructure.
func (t *Targets) Drop(name string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.infrastructure, name)
}

// Connect opens the connections to all targets of an infrastructure at once,
// and reports all that cannot be reached.
func (t *Targets) Connect(ctx context.Context, infrastructure models.Infrastructure) error {
	return inParallel(ctx, slices.Sorted(maps.Keys(infrastructure)), 0, func(name string) error {
		_, err := t.Get(ctx, name)
		return err
	})
}

// Close closes every connection.
func (t *Targets) Close() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	var errs []error
	for _, c := range t.connections {
		// Beside an error a service may be a nil pointer that is not nil as an
		// interface.
		if c.err == nil && c.service != nil {
			errs = append(errs, c.service.Close())
		}
	}
	clear(t.connections)
	return errors.Join(errs...)
}
