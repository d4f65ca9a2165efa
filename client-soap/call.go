package soapclient

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/disnix-go/disnix/service"
	"github.com/disnix-go/disnix/service/soapwire"
)

// CallContext implements [soapwire.Caller]. The action is not sent: the
// original client leaves it empty, too.
func (c *Client) CallContext(ctx context.Context, _ string, request, response any) error {
	_, err := c.call(ctx, call{request: request, response: response})
	return err
}

// call is one operation.
type call struct {
	request, response any // pointers to generated types
	// features are those that the service is asked to use.
	features string
	// upload says that the request has contents, which stream.
	upload bool
	// repeatable says that it does no harm if the service gets the request
	// twice, because the connection has broken before it has answered.
	repeatable bool
}

// answer is what the service has answered. If the response has contents, it
// has to be closed.
type answer struct {
	*soapwire.Reply
	*exchange
}

// call carries out an operation. If the service answers with a fault, the error
// is a [*FailureError].
func (c *Client) call(ctx context.Context, call call) (*answer, error) {
	operation := soapwire.OperationOf(call.request)
	if ctx.Err() != nil {
		return nil, fmt.Errorf("%s: %w", operation, context.Cause(ctx))
	}
	x := c.begin(ctx)
	reply, err := x.carryOut(ctx, call)
	if err == nil {
		return &answer{reply, x}, nil
	}
	x.end()
	switch failure := (*FailureError)(nil); {
	case ctx.Err() != nil:
		err = context.Cause(ctx)
	case errors.As(err, &failure):
		failure.Operation = operation
		return &answer{reply, x}, failure
	case x.lost() != nil:
		err = x.lost()
	}
	return nil, fmt.Errorf("%s: %w", operation, err)
}

// carryOut sends the request and reads the reply up to its first content.
func (x *exchange) carryOut(ctx context.Context, call call) (*soapwire.Reply, error) {
	r, err := x.newRequest(ctx, call)
	if err != nil {
		return nil, err
	}
	response, err := x.http.Do(r)
	if err != nil {
		if unsent := x.unsent.Load(); unsent != nil {
			return nil, *unsent
		}
		return nil, x.explain(err)
	}
	x.sign()
	x.body = response.Body
	response.Body = &responseBody{response.Body, x}
	if err := x.checkResponse(response, call.response); err != nil || response.StatusCode == http.StatusAccepted {
		_ = response.Body.Close()
		return &soapwire.Reply{}, err
	}
	x.learn(response.Header)
	reply, err := soapwire.ReadReply(response.Header, response.Body, call.response, x.maxXML)
	var fault *soapwire.Fault
	switch {
	case errors.As(err, &fault):
		return reply, newFailure(response.Header, fault)
	case err != nil && response.StatusCode >= http.StatusBadRequest:
		return nil, fmt.Errorf("the server answers %q, and that cannot be read: %w", response.Status, err)
	case err != nil:
		return nil, fmt.Errorf("%w: the answer of %s is no reply of DisnixWebService, or was cut off; whether the operation has been carried out is not known", err, x.url.Host)
	}
	return reply, nil
}

// newRequest returns the HTTP request for an operation, as the original client
// makes it (SOAP page, 2.1).
func (x *exchange) newRequest(ctx context.Context, call call) (*http.Request, error) {
	encoder := soapwire.NewEncoder(soapwire.Soap11, true)
	r, err := http.NewRequestWithContext(x.ctx, http.MethodPost, x.url.String(), nil)
	if err != nil {
		return nil, err
	}
	r.Header.Set("Content-Type", encoder.ContentType(""))
	r.Header["SOAPAction"] = []string{`""`} // as the original writes it
	x.identify(r)
	soapwire.SetHeader(r.Header, soapwire.ClaimHeader, service.EncodedClaim(ctx))
	if call.features != "" {
		r.Header.Set(soapwire.FeaturesHeader, call.features)
	}
	if x.settings.compress {
		r.Header.Set("Content-Encoding", "gzip")
		r.Header.Set("Accept-Encoding", "gzip")
	}
	if call.upload {
		r.Header.Set("Expect", "100-continue") // a refusal then comes first
		x.stream(r, encoder, call.request)
		return r, nil
	}
	if call.repeatable {
		r.Header["Idempotency-Key"] = nil // says so to net/http, and is not sent
	}
	var body bytes.Buffer
	if err := x.encode(&body, encoder, call.request); err != nil {
		return nil, err
	}
	r.ContentLength = int64(body.Len())
	r.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body.Bytes())), nil }
	r.Body, err = r.GetBody()
	return r, err
}

// encode writes the message.
func (c *Client) encode(w io.Writer, encoder *soapwire.Encoder, request any) error {
	if !c.settings.compress {
		return encoder.Request(w, request, true)
	}
	compressed, err := gzip.NewWriterLevel(w, gzip.BestSpeed)
	if err != nil {
		return err
	}
	if err := encoder.Request(compressed, request, true); err != nil {
		return err
	}
	return compressed.Close()
}

// stream makes the body of a request be written while it is sent. If the
// service answers before it has read everything, the rest is not written.
func (x *exchange) stream(r *http.Request, encoder *soapwire.Encoder, request any) {
	body, writer := io.Pipe()
	r.Body = body
	r.ContentLength = -1
	// net/http waits for the body, of which nothing more may come.
	context.AfterFunc(x.ctx, func() { _ = body.CloseWithError(context.Cause(x.ctx)) })
	go func() {
		err := x.encode(&sentBytes{writer, x}, encoder, request)
		if err != nil && !errors.Is(err, io.ErrClosedPipe) {
			x.unsent.Store(&err)
		}
		_ = writer.CloseWithError(err)
	}()
}

// sentBytes takes note that something is sent.
type sentBytes struct {
	io.Writer
	*exchange
}

func (s *sentBytes) Write(p []byte) (int, error) {
	n, err := s.Writer.Write(p)
	s.sign()
	return n, err
}

// responseBody takes note of what is received, and ends the exchange.
type responseBody struct {
	io.ReadCloser
	*exchange
}

func (b *responseBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.sign()
	if err != nil && !errors.Is(err, io.EOF) {
		if lost := b.lost(); lost != nil {
			err = lost
		}
	}
	return n, err
}

// Close lets the connection be used again, if the body was read to its end.
func (b *responseBody) Close() error {
	err := b.ReadCloser.Close()
	b.end()
	return err
}
