package webserver

import (
	"errors"
	"io"
	"net/http"
	"sync"
	"time"
)

// pacedBody is the body of a request. A client that sends too slowly is cut
// off: the read fails with os.ErrDeadlineExceeded. Time in which nobody reads
// does not count.
type pacedBody struct {
	io.ReadCloser
	control  *http.ResponseController
	limits   Limits
	waited   time.Duration
	received int64
	// failed says that nothing more can be read.
	failed bool
	// held says that the client sends nothing before it is asked to: before
	// the first read.
	held bool

	mu sync.Mutex
	// ended says that there is nothing more to be read, stopped that nothing
	// is to be read any more.
	ended, stopped bool
}

// stop ends what is being read, and what would be read next. If everything has
// been read, the server waits for what the client sends next: its connection,
// and all requests on it, would be taken for lost if that failed.
func (b *pacedBody) stop() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.ended {
		b.stopped = true
		_ = b.control.SetReadDeadline(time.Unix(1, 0))
	}
}

// allow lets what is read next take so long, unless nothing is to be read. The
// connection of a test or of another protocol may have no deadlines.
func (b *pacedBody) allow(limit time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.stopped {
		_ = b.control.SetReadDeadline(time.Now().Add(limit))
	}
}

// end takes note that everything has been read. The server goes on to read, in
// order to find out whether the client is still there.
func (b *pacedBody) end() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.ended = true
	_ = b.control.SetReadDeadline(time.Time{})
}

func (b *pacedBody) Read(p []byte) (int, error) {
	b.held = false
	begin := time.Now()
	allowed := b.limits.StallTime + time.Duration(b.received/b.limits.MinRate)*time.Second
	b.allow(min(b.limits.StallTime, allowed-b.waited))
	n, err := b.ReadCloser.Read(p)
	b.waited += time.Since(begin)
	b.received += int64(n)
	if errors.Is(err, io.EOF) {
		b.end()
	} else if err != nil {
		b.failed = true
	}
	return n, err
}

const (
	// restSize and restTime are how much of a body, and for how long, is read
	// although nobody wants it: many clients read the response only when they
	// have sent everything.
	restSize = 1 << 20
	restTime = 5 * time.Second
)

// finish reads the rest of the body, if there is not too much of it, and tells
// whether that was all, and the connection can be used again. Nobody is asked to
// send what nobody wants; but net/http reads it after the response all the same,
// for as long as the deadline is.
func (b *pacedBody) finish() bool {
	if !b.ended && !b.failed {
		b.allow(min(restTime, b.limits.StallTime))
		if !b.held {
			if _, err := io.CopyN(io.Discard, b.ReadCloser, restSize); errors.Is(err, io.EOF) {
				b.end()
			}
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.ended && !b.stopped
}

// response is the response to a request, of which it takes note. A client that
// does not take it is cut off.
type response struct {
	http.ResponseWriter
	control *http.ResponseController
	stall   time.Duration
	body    *pacedBody
	status  int
	sent    int64
}

func (w *response) WriteHeader(status int) {
	w.begin(status)
	w.ResponseWriter.WriteHeader(status)
}

// begin takes note of the status. If the client still has much to send the
// connection cannot be used again.
func (w *response) begin(status int) {
	if w.status == 0 {
		w.status = status
		if w.body != nil && !w.body.finish() {
			w.Header().Set("Connection", "close")
		}
	}
	w.extend()
}

// extend gives the client time to take what is sent next.
func (w *response) extend() { _ = w.control.SetWriteDeadline(time.Now().Add(w.stall)) }

func (w *response) Write(p []byte) (int, error) {
	w.begin(http.StatusOK)
	n, err := w.ResponseWriter.Write(p)
	w.sent += int64(n)
	return n, err
}

// Unwrap is for [http.ResponseController].
func (w *response) Unwrap() http.ResponseWriter { return w.ResponseWriter }
