package soapservice

import (
	"bytes"
	"errors"
	"io"
	"log/slog"
	"mime"
	"net/http"
	"strconv"
	"strings"

	"github.com/disnix-go/disnix/service/soapwire"
	"github.com/disnix-go/disnix/service/webserver"
)

// holdBack is how many bytes of a reply are held back: until then it can still
// become a fault.
const holdBack = 64 << 10

// reply writes the response to one request.
type reply struct {
	http.ResponseWriter
	request   *soapwire.Request
	exchange  *webserver.Exchange
	multipart bool
	held      bytes.Buffer
	sent      bool // the beginning of the response was sent
}

func newReply(w http.ResponseWriter, r *http.Request, request *soapwire.Request) *reply {
	return &reply{
		ResponseWriter: w, request: request, exchange: webserver.ExchangeOf(r.Context()),
		multipart: acceptsMultipart(r.Header, request.Multipart),
	}
}

// acceptsMultipart tells whether the client can read multipart messages. The
// original always sends them; but who does not say so, and does not send them
// either, may not know them.
func acceptsMultipart(header http.Header, sendsMultipart bool) bool {
	accept := strings.Join(header.Values("Accept"), ",")
	if strings.TrimSpace(accept) == "" {
		return sendsMultipart
	}
	best, quality := 0, 0.0
	for item := range strings.SplitSeq(accept, ",") {
		mediaType, parameters, err := mime.ParseMediaType(item)
		if err != nil {
			continue
		}
		specific := map[string]int{"*/*": 1, "multipart/*": 2, "multipart/related": 3}[mediaType]
		if specific > best {
			best, quality = specific, 1
			if q, err := strconv.ParseFloat(parameters["q"], 64); err == nil {
				quality = q
			}
		}
	}
	return quality > 0
}

// send sends a response, and what the plugin has printed if that is not nil. It
// fails only as long as a fault can be sent instead.
func (r *reply) send(response any, printed []byte) error {
	encoder := soapwire.NewEncoder(r.request.Version, r.multipart)
	attach(encoder, printed)
	r.Header().Set("Content-Type", encoder.ContentType("urn:"+r.request.Operation+"Response"))
	err := encoder.Reply(r, response)
	if err == nil {
		err = r.flush()
	}
	if err != nil && r.sent {
		r.abort(err)
	}
	return err
}

// Write passes on what can no longer be held back.
func (r *reply) Write(p []byte) (int, error) {
	if !r.sent && r.held.Len()+len(p) <= holdBack {
		return r.held.Write(p)
	}
	if err := r.flush(); err != nil {
		return 0, err
	}
	return r.ResponseWriter.Write(p)
}

func (r *reply) flush() error {
	if r.sent {
		return nil
	}
	r.sent = true
	_, err := r.ResponseWriter.Write(r.held.Bytes())
	return err
}

// abort cuts the response off, so that the client does not take it for a
// complete one.
func (r *reply) abort(err error) {
	r.exchange.Note(slog.String("error", "the response was cut off: "+firstLine(err.Error())))
	panic(http.ErrAbortHandler)
}

// fail sends a fault, and what the plugin has printed if that is not nil.
func (r *reply) fail(f *failure, printed []byte) {
	if r.sent {
		r.abort(errors.New(f.summary))
	}
	r.exchange.Note(slog.String("error", f.summary))
	encoder := soapwire.NewEncoder(r.request.Version, r.multipart)
	attach(encoder, printed)
	var message bytes.Buffer
	if err := encoder.Fault(&message, &f.Fault); err != nil {
		r.abort(err)
	}
	status := f.Status
	if status == 0 {
		status = http.StatusInternalServerError
	}
	r.Header().Set("Content-Type", encoder.ContentType("urn:"+r.request.Operation+"DisnixWebServiceException"))
	soapwire.SetHeader(r.Header(), soapwire.RefusalHeader, f.refusal)
	r.Header().Set("Content-Length", strconv.Itoa(message.Len()))
	r.WriteHeader(status)
	_, _ = r.ResponseWriter.Write(message.Bytes()) // the client may have gone
}

func attach(encoder *soapwire.Encoder, printed []byte) {
	if printed == nil {
		return
	}
	encoder.Attach(soapwire.OutputID, soapwire.NewContent("text/plain", func(w io.Writer) error {
		_, err := w.Write(printed)
		return err
	}))
}
