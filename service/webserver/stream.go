package webserver

import (
	"io"
	"net/http"
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
}

func (b *pacedBody) Read(p []byte) (int, error) {
	begin := time.Now()
	allowed := b.limits.StallTime + time.Duration(b.received/b.limits.MinRate)*time.Second
	// The connection of a test or of another protocol may have no deadlines.
	_ = b.control.SetReadDeadline(begin.Add(min(b.limits.StallTime, allowed-b.waited)))
	n, err := b.ReadCloser.Read(p)
	b.waited += time.Since(begin)
	b.received += int64(n)
	if err != nil {
		// The server goes on to read, in order to find out whether the client
		// is still there.
		_ = b.control.SetReadDeadline(time.Time{})
	}
	return n, err
}

// response is the response to a request, of which it takes note. A client that
// does not take it is cut off.
type response struct {
	http.ResponseWriter
	control *http.ResponseController
	stall   time.Duration
	status  int
	sent    int64
}

func (w *response) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
	}
	w.extend()
	w.ResponseWriter.WriteHeader(status)
}

// extend gives the client time to take what is sent next.
func (w *response) extend() { _ = w.control.SetWriteDeadline(time.Now().Add(w.stall)) }

func (w *response) Write(p []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	w.extend()
	n, err := w.ResponseWriter.Write(p)
	w.sent += int64(n)
	return n, err
}

// Unwrap is for [http.ResponseController].
func (w *response) Unwrap() http.ResponseWriter { return w.ResponseWriter }
