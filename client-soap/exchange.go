package soapclient

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/disnix-go/disnix/service/soapwire"
)

// cancelTime is how long a cancelled operation may take to end.
const cancelTime = 15 * time.Second

// ErrSilent says that a service has not given a sign of life for a while.
// Whether its operations have ended is not known.
var ErrSilent = errors.New("the target does not answer any more; whether the operation has been carried out is not known")

// exchange is one request and the response to it, from the beginning to the
// end of the latter.
type exchange struct {
	*Client
	id string // of the request
	// ctx is that of the request. It outlives the caller's by the time that
	// the service needs to end what was cancelled.
	ctx   context.Context
	abort context.CancelCauseFunc
	// heard is when something was sent or received last, in nanoseconds.
	heard atomic.Int64
	// unsent is why the contents of the request could not be read.
	unsent atomic.Pointer[error]
	body   io.Reader // of the response
	end    func()

	mu    sync.Mutex
	timer *time.Timer // for the next look at heard
}

// begin begins an exchange. It must be ended.
func (c *Client) begin(ctx context.Context) *exchange {
	x := &exchange{Client: c, id: rand.Text()}
	x.ctx, x.abort = context.WithCancelCause(context.WithoutCancel(ctx))
	x.sign()
	stopCancelling := context.AfterFunc(ctx, func() {
		x.cancel()
		x.abort(context.Cause(ctx))
	})
	stopWatching := x.watch()
	x.end = sync.OnceFunc(func() {
		stopCancelling()
		stopWatching()
		x.abort(nil)
	})
	return x
}

// sign takes note of a sign of life.
func (x *exchange) sign() { x.heard.Store(time.Now().UnixNano()) }

// identify adds to a request who sends it, and which one it is.
func (x *exchange) identify(r *http.Request) {
	r.Header.Set("User-Agent", "disnix-soap-client")
	r.Header.Set(soapwire.RequestIDHeader, x.id)
	if c := x.settings.credentials; c != nil {
		r.SetBasicAuth(c.user, c.password)
	}
}

// cancel asks the service to stop the operation and waits until it has. That of
// the original cannot do that, and refuses: its operation goes on.
func (x *exchange) cancel() {
	if x.features.Load() != nil && !x.can(soapwire.FeatureCancel) {
		return
	}
	ctx, done := context.WithTimeout(x.ctx, cancelTime)
	defer done()
	r, err := http.NewRequestWithContext(ctx, http.MethodDelete, x.url.String(), nil)
	if err != nil {
		return
	}
	x.identify(r)
	if response, err := x.http.Do(r); err == nil {
		_ = response.Body.Close()
	}
}

// watch asks the service for a sign of life whenever nothing was sent or
// received for a while, and aborts the exchange if there is none: an operation
// may take hours, but a host that is gone must not be waited for. The longer an
// operation takes the less often it asks.
func (x *exchange) watch() (stop func()) {
	ctx, cancel := context.WithCancel(x.ctx)
	x.checkIn(ctx, x.config.Quiet, x.config.Quiet)
	return func() {
		cancel()
		x.mu.Lock()
		defer x.mu.Unlock()
		x.timer.Stop()
	}
}

// checkIn checks after a while whether something was heard for as long as
// patience, unless ctx ends before that.
func (x *exchange) checkIn(ctx context.Context, while, patience time.Duration) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if ctx.Err() == nil {
		x.timer = time.AfterFunc(while, func() { x.check(ctx, patience) })
	}
}

func (x *exchange) check(ctx context.Context, patience time.Duration) {
	quiet := time.Since(time.Unix(0, x.heard.Load()))
	if quiet >= patience {
		if err := x.askForLife(ctx); err != nil && ctx.Err() == nil {
			x.abort(fmt.Errorf("%w: %w", ErrSilent, err))
			return
		}
		x.sign()
		quiet, patience = 0, min(2*patience, 4*x.config.Quiet)
	}
	x.checkIn(ctx, patience-quiet, patience)
}

// askForLife asks for the description of the service over a new connection. Any
// answer is a sign of life.
func (x *exchange) askForLife(ctx context.Context) error {
	ctx, done := context.WithTimeout(ctx, x.config.SignOfLife)
	defer done()
	r, err := http.NewRequestWithContext(ctx, http.MethodHead, x.url.String()+"?wsdl", nil)
	if err != nil {
		return err
	}
	x.identify(r)
	r.Header.Del(soapwire.RequestIDHeader)
	client := newHTTPClient(x.settings)
	defer client.CloseIdleConnections()
	response, err := client.Do(r)
	if err != nil {
		return cause(err)
	}
	return response.Body.Close()
}

// lost returns why the exchange was aborted by the watch, or nil.
func (x *exchange) lost() error {
	if err := context.Cause(x.ctx); errors.Is(err, ErrSilent) {
		return err
	}
	return nil
}

// finish closes an answer whose contents were read, so that the connection can
// be used again.
func (a *answer) finish() error {
	_, _ = io.Copy(io.Discard, io.LimitReader(a.body, bufferSize))
	return a.Close()
}
