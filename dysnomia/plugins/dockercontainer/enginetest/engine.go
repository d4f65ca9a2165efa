// Package enginetest is a stand-in for the Docker engine: it speaks the part
// of the engine's API that is needed for images and containers, on a socket,
// and keeps both in memory. Requests and answers have the forms of the real
// one; the docker program works with it.
package enginetest

import (
	"encoding/json"
	"fmt"
	"maps"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/moby/moby/api/types/container"
)

// Engine is a stand-in for the engine.
type Engine struct {
	// Socket is the path it listens on.
	Socket string

	mu         sync.Mutex
	images     map[string]string // tag to id
	containers map[string]*Container
	failures   map[string]string
	calls      []string
	next       int
	server     *http.Server
}

// Container is a container of the engine.
type Container struct {
	ID, Name, Image string
	// Request is the body of the request that has created it.
	Request json.RawMessage
	Config  container.Config
	State   container.State
	// Behaviour says what becomes of it when it is started.
	Behaviour Behaviour
	// Log is what it has printed.
	Log string
}

// Behaviour is what becomes of a container when it is started.
type Behaviour struct {
	// Exits says that it ends at once, with the status ExitCode and the
	// output Log.
	Exits    bool
	ExitCode int
	Log      string
	// Health are the states of its health check, one for each inspection; the
	// last stays.
	Health []container.HealthStatus
}

// Start starts an engine that ends with the test.
func Start(t testing.TB) *Engine {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "engine.") // the name of a socket must be short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	e := &Engine{
		Socket:     filepath.Join(dir, "docker.sock"),
		images:     map[string]string{},
		containers: map[string]*Container{},
		failures:   map[string]string{},
	}
	listener, err := net.Listen("unix", e.Socket)
	if err != nil {
		t.Fatal(err)
	}
	e.server = &http.Server{Handler: e.handler(), ReadHeaderTimeout: time.Minute}
	go func() { _ = e.server.Serve(listener) }()
	t.Cleanup(func() { _ = e.server.Close() })
	return e
}

// Stop ends the engine.
func (e *Engine) Stop() { _ = e.server.Close() }

// Host returns what DOCKER_HOST is for the engine.
func (e *Engine) Host() string { return "unix://" + e.Socket }

// Fail lets calls fail with a message until it is empty. A call is a method
// and a path with * for names, such as POST /containers/*/start.
func (e *Engine) Fail(call, message string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.failures[call] = message
}

// AddImage adds an image that was there before.
func (e *Engine) AddImage(tag, id string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.images[tag] = id
}

// AddContainer adds a container that was there before.
func (e *Engine) AddContainer(c Container) {
	e.mu.Lock()
	defer e.mu.Unlock()
	c.ID = e.newID()
	e.containers[c.Name] = &c
}

// Behave says what becomes of containers that are created from now on.
func (e *Engine) Behave(b Behaviour) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.containers[""] = &Container{Behaviour: b}
}

// Container returns a container by name, or nil.
func (e *Engine) Container(name string) *Container {
	e.mu.Lock()
	defer e.mu.Unlock()
	c, ok := e.containers[name]
	if !ok {
		return nil
	}
	found := *c
	return &found
}

// Images returns the tags of all images.
func (e *Engine) Images() []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Sorted(maps.Keys(e.images))
}

// Calls returns the calls that change something, and forgets them.
func (e *Engine) Calls() []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	calls := e.calls
	e.calls = nil
	return calls
}

func (e *Engine) newID() string {
	e.next++
	return fmt.Sprintf("%064x", 0xabc000+e.next)
}

// find returns a container by name or by the beginning of its id.
func (e *Engine) find(reference string) *Container {
	if c, ok := e.containers[reference]; ok && reference != "" {
		return c
	}
	for name, c := range e.containers {
		if name != "" && strings.HasPrefix(c.ID, reference) {
			return c
		}
	}
	return nil
}
