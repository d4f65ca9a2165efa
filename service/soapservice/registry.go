package soapservice

import (
	"context"
	"errors"
	"net/http"
	"sync"

	"github.com/disnix-go/disnix/service/webserver"
)

// registry knows the operations that are under way, so that a client can cancel
// one and wait for its end.
type registry struct {
	mu      sync.Mutex
	running map[job]*runningJob
}

// job names an operation. Users cannot cancel what others do.
type job struct{ user, request string }

type runningJob struct {
	cancel context.CancelCauseFunc
	// stopReading ends what is being received for it.
	stopReading func()
	ended       chan struct{}
}

// errCancelled is why an operation ends that the client has cancelled.
var errCancelled = errors.New("the client has cancelled it")

func jobOf(r *http.Request) job {
	exchange := webserver.ExchangeOf(r.Context())
	return job{exchange.User, exchange.ID}
}

// begin registers the operation of a request until done is called.
func (g *registry) begin(r *http.Request) (ctx context.Context, done func()) {
	ctx, cancel := context.WithCancelCause(r.Context())
	id, running := jobOf(r), &runningJob{cancel, webserver.ExchangeOf(r.Context()).StopReading, make(chan struct{})}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.running == nil {
		g.running = make(map[job]*runningJob)
	}
	if _, used := g.running[id]; used || id.request == "" {
		return ctx, func() { cancel(nil) } // it cannot be told from another
	}
	g.running[id] = running
	return ctx, func() {
		cancel(nil)
		g.mu.Lock()
		delete(g.running, id)
		g.mu.Unlock()
		close(running.ended)
	}
}

// IsCancellation tells whether a request cancels another one. It must not have
// to wait for the end of others.
func IsCancellation(r *http.Request) bool { return r.Method == http.MethodDelete }

// cancel cancels the operation that has the same request id as this request,
// and answers when it has ended.
func (g *registry) cancel(w http.ResponseWriter, r *http.Request) {
	g.mu.Lock()
	running := g.running[jobOf(r)]
	g.mu.Unlock()
	if running == nil {
		http.Error(w, "no such request is under way", http.StatusNotFound)
		return
	}
	running.cancel(errCancelled)
	running.stopReading()
	select {
	case <-running.ended:
		w.WriteHeader(http.StatusNoContent)
	case <-r.Context().Done():
	}
}
