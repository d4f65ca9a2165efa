package webserver

import (
	"context"
	"net/http"
	"sync"
	"time"
)

// HealthPath is answered with 200 without authentication, or with 503 and the
// reason.
const HealthPath = "/health"

// health is why requests would fail at the moment. Everybody may ask for it, so
// it is found out once per checkInterval at most, however often that happens.
type health struct {
	find func(context.Context) error

	mu    sync.Mutex
	err   error
	found time.Time
}

func (h *health) get(ctx context.Context) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.found.IsZero() || time.Since(h.found) >= checkInterval {
		h.err = h.find(ctx)
		h.found = time.Now()
	}
	return h.err
}

// answerHealth answers a health check.
func (s *Server) answerHealth(w http.ResponseWriter) {
	if s.config.Health != nil {
		// It is for all who ask, whether this one waits or not.
		ctx, cancel := context.WithTimeout(s.ctx, s.config.Limits.HeaderTime)
		defer cancel()
		if err := s.health.get(ctx); err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
			return
		}
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = w.Write([]byte("ok\n"))
}
