// Package soapservice is DisnixWebService: it offers the contract of a target
// ([service.Service]) to SOAP clients (SOAP page). Closures and snapshots
// stream through it. Who may call, and how fast, is decided by the server that
// the handler is put into (service/webserver).
package soapservice

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"runtime/debug"
	"strings"

	"github.com/disnix-go/disnix/service"
	"github.com/disnix-go/disnix/service/soapwire"
	"github.com/disnix-go/disnix/service/webserver"
)

// Config are the circumstances of a [Handler].
type Config struct {
	// Service returns the contract for one operation, which closes it. What is
	// written to log, from several goroutines perhaps, is part of the fault if
	// the operation fails.
	Service func(ctx context.Context, log io.Writer) (service.Service, error)
	// PathPrefix is what a proxy puts in front of the paths, for example
	// /target1. It may be left out of requests.
	PathPrefix string
	// Directory is where closures are kept that clients have exported to a file
	// of this machine; TMPDIR if it is empty.
	Directory string
	// MaxBody is how many bytes a request may have, compressed or not; 0 means
	// any number.
	MaxBody int64
	// MaxXML is how many bytes the XML of a request may have, without binary
	// values; [soapwire.DefaultXMLLimit] if it is 0. All requests together may
	// have twice as much at once.
	MaxXML int64
}

// Handler serves the operations and their description. It must be closed.
type Handler struct {
	config  Config
	memory  memory
	running registry
	exports *exports
}

// New returns a handler.
func New(config Config) *Handler {
	if config.MaxXML == 0 {
		config.MaxXML = soapwire.DefaultXMLLimit
	}
	config.PathPrefix = "/" + strings.Trim(config.PathPrefix, "/")
	if config.PathPrefix == "/" {
		config.PathPrefix = ""
	}
	h := &Handler{config: config, exports: newExports(config.Directory)}
	h.memory.left.Store(2 * config.MaxXML)
	return h
}

// Close removes the files that clients have asked for. No request may be
// running.
func (h *Handler) Close() error { return h.exports.close() }

// features are what this service can do beyond the original.
var features = strings.Join([]string{soapwire.FeatureArchive, soapwire.FeatureOutput, soapwire.FeatureCancel, soapwire.FeatureClaim}, ", ")

// ServeHTTP answers a request.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set(soapwire.FeaturesHeader, features)
	path := strings.TrimPrefix(r.URL.Path, h.config.PathPrefix)
	if !isServicePath(path) {
		http.Error(w, "there is no such service; DisnixWebService is at "+h.config.PathPrefix+soapwire.ServicePath, http.StatusNotFound)
		return
	}
	switch r.Method {
	case http.MethodPost:
		h.operate(w, r)
	case http.MethodGet, http.MethodHead:
		h.describe(w, r)
	case http.MethodDelete:
		h.running.cancel(w, r)
	default:
		notAllowed(w)
	}
}

func notAllowed(w http.ResponseWriter) {
	w.Header().Set("Allow", "POST, GET, HEAD, DELETE")
	http.Error(w, "operations are SOAP messages that are sent with POST; their description is at ?wsdl", http.StatusMethodNotAllowed)
}

// isServicePath tells whether a path is that of the service, or of one of its
// ports, perhaps followed by the name of an operation.
func isServicePath(path string) bool {
	rest, ok := strings.CutPrefix(path, soapwire.ServicePath)
	if !ok {
		return false
	}
	port, operation, _ := strings.Cut(rest, "/")
	switch port {
	case "", ".DisnixWebServiceHttpSoap11Endpoint", ".DisnixWebServiceHttpSoap12Endpoint", ".DisnixWebServiceHttpEndpoint":
		return !strings.Contains(operation, "/")
	default:
		return false
	}
}

// describe answers with the WSDL or the schema.
func (h *Handler) describe(w http.ResponseWriter, r *http.Request) {
	var document []byte
	query := strings.ToLower(r.URL.RawQuery)
	switch {
	case query == "wsdl":
		document = soapwire.WSDL(webserver.ExchangeOf(r.Context()).BaseURL + h.config.PathPrefix + soapwire.ServicePath)
	case query == "xsd" || strings.HasPrefix(query, "xsd="):
		document = soapwire.Schema()
	default:
		notAllowed(w)
		return
	}
	w.Header().Set("Content-Type", "text/xml; charset=utf-8")
	_, _ = w.Write(document)
}

// operate carries out an operation.
func (h *Handler) operate(w http.ResponseWriter, r *http.Request) {
	body := &requestBody{Reader: r.Body}
	if h.config.MaxBody > 0 {
		body.Reader = http.MaxBytesReader(w, r.Body, h.config.MaxBody)
	}
	message := &share{memory: &h.memory}
	defer message.release()
	request, err := h.read(r, body, message.reserve)
	defer func() { _ = request.Close() }()
	out := newReply(w, r, request)
	if err != nil {
		out.fail(h.explain(r, err), nil)
		return
	}
	ctx, done := h.running.begin(r)
	defer done()
	body.ctx = ctx
	if ctx, err = claimed(ctx, r.Header); err != nil {
		out.fail(&failure{Fault: soapwire.Fault{Code: soapwire.Client, Text: err.Error(), Status: http.StatusBadRequest}, summary: err.Error()}, nil)
		return
	}
	out.exchange.Note(describeMessage(request.Message)...)
	c := &call{Handler: h, ctx: ctx, features: r.Header.Get(soapwire.FeaturesHeader)}
	defer c.recover(out)
	defer c.close()
	response, err := c.run(request.Message)
	if err == nil {
		err = out.send(response, c.printed())
	}
	if err != nil {
		out.fail(c.failure(err), c.printed())
	}
}

// claimed returns a context with the claim that a request is sent with, if it
// is.
func claimed(ctx context.Context, header http.Header) (context.Context, error) {
	claim, err := soapwire.GetHeader(header, soapwire.ClaimHeader)
	if err != nil {
		return ctx, fmt.Errorf("read the header %s: %w", soapwire.ClaimHeader, err)
	}
	with, err := service.WithEncodedClaim(ctx, claim)
	if err != nil {
		return ctx, err
	}
	return with, nil
}

// read reads a request. One that says that it is too long is not begun with.
func (h *Handler) read(r *http.Request, body io.Reader, reserve func(bytes int64) bool) (*soapwire.Request, error) {
	header := r.Header
	if h.config.MaxBody > 0 {
		if r.ContentLength > h.config.MaxBody {
			body = &failingReader{&http.MaxBytesError{Limit: h.config.MaxBody}}
		}
		if plain, err := soapwire.Uncompressed(header, body); err == nil {
			header = header.Clone()
			header.Del("Content-Encoding")
			body = http.MaxBytesReader(nil, io.NopCloser(plain), h.config.MaxBody)
		}
	}
	return soapwire.ReadRequest(header, body, h.config.MaxXML, reserve)
}

// failingReader is a body that cannot be read.
type failingReader struct{ err error }

func (r *failingReader) Read([]byte) (int, error) { return 0, r.err }

// recover makes a fault of a mistake of ours, so that only one operation is
// affected by it.
func (c *call) recover(out *reply) {
	mistake := recover()
	if mistake == nil {
		return
	}
	if err, ok := mistake.(error); ok && errors.Is(err, http.ErrAbortHandler) {
		panic(mistake)
	}
	out.exchange.Note(slog.String("panic", fmt.Sprint(mistake)), slog.String("stack", string(debug.Stack())))
	text := "internal error; the log of the service has it under the request id " + out.exchange.ID
	out.fail(&failure{Fault: soapwire.Fault{Text: text}, summary: "internal error"}, nil)
}
