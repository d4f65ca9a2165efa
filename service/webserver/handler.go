package webserver

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"log/slog"
	"net/http"
	"regexp"
	"runtime/debug"
	"strings"
	"time"
)

// RequestIDHeader names a request. A client may choose the name; whatever it
// is, it is in the response and in the audit line.
const RequestIDHeader = "X-Request-Id"

var requestIDPattern = regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`)

// Exchange is what is known about a request that is being served.
type Exchange struct {
	ID   string
	User string // empty without authentication
	// Remote is the address that the request comes from, and BaseURL the scheme
	// and host that the client used, such as https://example.org; both as far
	// as the proxies on the way are trusted.
	Remote, BaseURL string

	body  *pacedBody
	notes []slog.Attr
}

// StopReading makes reading the body of the request fail, also what is being
// read at the moment, with [os.ErrDeadlineExceeded].
func (e *Exchange) StopReading() {
	if e.body != nil {
		e.body.stop()
	}
}

// Note adds something to the audit line. It is called by the goroutine that
// serves the request.
func (e *Exchange) Note(notes ...slog.Attr) { e.notes = append(e.notes, notes...) }

type exchangeKey struct{}

// ExchangeOf returns the exchange that a request's context belongs to. Without
// a [Server] it is an empty one.
func ExchangeOf(ctx context.Context) *Exchange {
	if e, ok := ctx.Value(exchangeKey{}).(*Exchange); ok {
		return e
	}
	return new(Exchange)
}

// handler is what all requests pass.
func (s *Server) handler() http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		begin := time.Now()
		control := http.NewResponseController(rw)
		w := &response{ResponseWriter: rw, control: control, stall: s.config.Limits.StallTime}
		body := &pacedBody{ReadCloser: r.Body, control: control, limits: s.config.Limits}
		body.held = strings.EqualFold(r.Header.Get("Expect"), "100-continue")
		w.body = body
		w.extend()
		defer w.extend() // the server flushes what is buffered
		if r.URL.Path == HealthPath {
			s.answerHealth(w)
			return
		}
		e := &Exchange{ID: requestID(r), Remote: s.remote(r), BaseURL: s.baseURL(r), body: body}
		w.Header().Set(RequestIDHeader, e.ID)
		r = r.WithContext(context.WithValue(r.Context(), exchangeKey{}, e))
		r.Body = body
		defer func() {
			broken := recover()
			s.audit(e, r, w, body.received, time.Since(begin), broken)
			if broken != nil {
				panic(http.ErrAbortHandler) // it was logged
			}
		}()
		s.serve(w, r, e)
	})
}

// serve lets the handler answer a request, if it may be sent.
func (s *Server) serve(w *response, r *http.Request, e *Exchange) {
	user, no := s.guard.admit(r)
	if no != nil {
		e.Note(slog.String("error", no.text))
		if no.tried != "" {
			e.Note(slog.String("tried", no.tried))
		}
		if no.status == http.StatusUnauthorized {
			w.Header().Set("WWW-Authenticate", fmt.Sprintf("Basic realm=%q, charset=\"UTF-8\"", s.guard.realm))
		}
		http.Error(w, no.text, no.status)
		return
	}
	if e.User = user; user == "" {
		e.User = s.forwardedUser(r)
	}
	if s.config.Urgent != nil && s.config.Urgent(r) {
		s.config.Handler.ServeHTTP(w, r)
		return
	}
	if !s.slots.take(r.Context(), s.config.Limits.QueueTime) {
		e.Note(slog.String("error", "too many requests at once"))
		w.Header().Set("Retry-After", "5")
		http.Error(w, "the service is busy with other requests: try again later", http.StatusServiceUnavailable)
		return
	}
	defer s.slots.release()
	s.config.Handler.ServeHTTP(w, r)
}

// audit writes the line about a request: who asked for what, and what came of
// it. What the handler aborts on purpose is its business to note.
func (s *Server) audit(e *Exchange, r *http.Request, w *response, received int64, took time.Duration, broken any) {
	level := slog.LevelInfo
	if w.status >= http.StatusBadRequest {
		level = slog.LevelWarn
	}
	attributes := []slog.Attr{
		slog.String("id", e.ID), slog.String("remote", e.Remote), slog.String("user", e.User),
		slog.String("method", r.Method), slog.String("path", r.URL.Path), slog.Int("status", w.status),
		slog.Int64("received", received), slog.Int64("sent", w.sent), slog.Duration("took", took.Round(time.Microsecond)),
	}
	if broken != nil {
		level = slog.LevelError
		if broken != any(http.ErrAbortHandler) {
			attributes = append(attributes, slog.Any("panic", broken), slog.String("stack", string(debug.Stack())))
		}
	}
	s.config.Log.LogAttrs(context.Background(), level, "request", append(attributes, e.notes...)...)
}

func requestID(r *http.Request) string {
	if id := r.Header.Get(RequestIDHeader); requestIDPattern.MatchString(id) {
		return id
	}
	var random [8]byte
	_, _ = rand.Read(random[:]) // it never fails
	return hex.EncodeToString(random[:])
}
