package soapservice

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"

	"github.com/disnix-go/disnix/service"
	"github.com/disnix-go/disnix/service/soapwire"
	"github.com/disnix-go/disnix/service/webserver"
)

// call is one operation.
type call struct {
	*Handler
	ctx      context.Context
	features string // that the client wants, as it has written them
	log      jobLog
	// output is what a plugin prints, if the client wants it.
	output  jobLog
	service service.Service
	// cleanups are run when the operation has ended.
	cleanups []func()
}

// wants tells whether the client asks for a feature.
func (c *call) wants(feature string) bool {
	for word := range strings.SplitSeq(c.features, ",") {
		if strings.TrimSpace(word) == feature {
			return true
		}
	}
	return false
}

// target returns the contract. It is connected to when it is needed.
func (c *call) target() (service.Service, error) {
	if c.service != nil {
		return c.service, nil
	}
	target, err := c.config.Service(c.ctx, &c.log)
	c.service = target
	return target, err
}

func (c *call) close() {
	for _, cleanup := range c.cleanups {
		cleanup()
	}
	if c.service != nil {
		_ = c.service.Close() // the operation has ended
	}
}

// printed returns the output of a plugin, if the client wants it.
func (c *call) printed() []byte {
	if !c.wants(soapwire.FeatureOutput) {
		return nil
	}
	return c.output.bytes()
}

// jobFailure is an error of an operation with the log of its job, such as that
// of disnix-service.
type jobFailure interface {
	error
	JobLog() []byte
}

// failure makes a fault of an error. Its text is the log, in which the error is
// the last line (SOAP page, section 4).
func (c *call) failure(err error) *failure {
	if f := requestFailure(err); f != nil {
		return f
	}
	f := &failure{summary: firstLine(err.Error()), refusal: service.EncodeRefusal(err)}
	var job jobFailure
	if errors.As(err, &job) {
		f.Text = string(limited(job.JobLog()))
	} else {
		f.Text = beginning(err.Error(), soapwire.MaxOutput)
		if log := c.log.bytes(); len(log) > 0 {
			f.Text = strings.TrimSuffix(string(log), "\n") + "\n" + f.Text + "\n"
		}
	}
	f.Detail = soapwire.NewDetail(f.Text)
	return f
}

// failure is a fault and what the audit line says about it, which is not all:
// what plugins print is nobody's business but the client's.
type failure struct {
	soapwire.Fault
	summary string
	// refusal is who holds the lock that it is about, see
	// [service.EncodeRefusal].
	refusal string
}

func firstLine(text string) string {
	line, _, _ := strings.Cut(text, "\n")
	return beginning(line, 300)
}

// beginning returns so many bytes of a text: errors have in them what the client
// has sent.
func beginning(text string, longest int) string {
	if len(text) > longest {
		text = strings.ToValidUTF8(text[:longest], "") + "…"
	}
	return text
}

// requestBody marks errors of a request's body.
type requestBody struct {
	io.Reader
	ctx context.Context // of the operation, when it has begun
}

func (b *requestBody) Read(p []byte) (int, error) {
	n, err := b.Reader.Read(p)
	switch {
	case err == nil || errors.Is(err, io.EOF):
		return n, err
	case b.ctx != nil && errors.Is(context.Cause(b.ctx), errCancelled):
		return n, errCancelled
	default:
		return n, &bodyError{err}
	}
}

// openContent opens a content of the request.
func openContent(content *soapwire.Content) (io.Reader, error) {
	stream, err := content.Open()
	return &contentReader{stream}, markCutOff(err)
}

// contentReader marks that a request ends within a content: what is in it may
// break off, too.
type contentReader struct{ io.Reader }

func (r *contentReader) Read(p []byte) (int, error) {
	n, err := r.Reader.Read(p)
	return n, markCutOff(err)
}

// bodyError says that the body of a request could not be received.
type bodyError struct{ error }

func (e *bodyError) Unwrap() error { return e.error }

// markCutOff marks that the parts of a request end too early.
func markCutOff(err error) error {
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return &bodyError{err}
	}
	return err
}

// requestFailure makes a fault of an error that is about the request itself, or
// returns nil.
func requestFailure(err error) *failure {
	client := func(status int, format string, args ...any) *failure {
		text := fmt.Sprintf(format, args...)
		return &failure{Fault: soapwire.Fault{Code: soapwire.Client, Text: text, Status: status}, summary: firstLine(text)}
	}
	var fault *soapwire.Fault
	var tooLarge *http.MaxBytesError
	var body *bodyError
	switch {
	case errors.As(err, &fault):
		return &failure{Fault: *fault, summary: firstLine(fault.Text)}
	case errors.As(err, &tooLarge):
		return client(http.StatusRequestEntityTooLarge, "the request is longer than %d bytes", tooLarge.Limit)
	case errors.As(err, &body) && errors.Is(body, os.ErrDeadlineExceeded):
		return client(http.StatusRequestTimeout, "the request was sent too slowly")
	case errors.As(err, &body):
		return client(http.StatusBadRequest, "the request was cut off: %v", err)
	default:
		return nil
	}
}

// explain makes a fault of an error that came before the operation.
func (h *Handler) explain(r *http.Request, err error) *failure {
	var unknown *soapwire.UnknownOperationError
	if errors.As(err, &unknown) {
		url := webserver.ExchangeOf(r.Context()).BaseURL + r.URL.Path
		action := strings.Trim(r.Header.Get("SOAPAction"), `"`)
		text := fmt.Sprintf("The endpoint reference (EPR) for the Operation not found is %s and the WSA Action = %s. If this EPR was previously reachable, please contact the server administrator.", url, action)
		return &failure{Fault: soapwire.Fault{Code: soapwire.Client, Text: text}, summary: unknown.Error()}
	}
	if f := requestFailure(markCutOff(err)); f != nil {
		return f
	}
	text := fmt.Sprintf("the request cannot be read: %v", err)
	return &failure{Fault: soapwire.Fault{Text: text}, summary: firstLine(text)}
}
