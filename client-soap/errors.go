package soapclient

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/url"
	"reflect"
	"regexp"
	"strings"
	"syscall"
	"unicode"

	"github.com/disnix-go/disnix/service"
	"github.com/disnix-go/disnix/service/soapwire"
)

// FailureError says that the service reports the failure of an operation.
type FailureError struct {
	Operation string // as the WSDL has it, for example activate
	// Log is the text of the fault: the log of the job.
	Log string
	// Refusal is the [*service.LockedError] or [*service.LostLockError], if
	// that was the reason.
	Refusal error
}

// Error names the operation and repeats the log.
func (e *FailureError) Error() string {
	separator := " "
	if strings.Contains(e.Log, "\n") {
		separator = "\n"
	}
	return fmt.Sprintf("DisnixWebService: %s failed:%s%s", e.Operation, separator, e.Log)
}

// Unwrap makes the holder of a lock known to errors.As.
func (e *FailureError) Unwrap() error { return e.Refusal }

// newFailure makes an error of a fault. Its text may be anything.
func newFailure(header http.Header, fault *soapwire.Fault) *FailureError {
	f := &FailureError{Log: printable(fault.Error())}
	if text, err := soapwire.GetHeader(header, soapwire.RefusalHeader); err == nil && text != "" {
		if refusal, err := service.DecodeRefusal(text); err == nil {
			f.Refusal = refusal
		}
	}
	return f
}

// printable replaces what could play tricks on a terminal.
func printable(text string) string {
	return strings.Map(func(c rune) rune {
		if c != '\n' && c != '\t' && unicode.IsControl(c) {
			return unicode.ReplacementChar
		}
		return c
	}, text)
}

// StatusError says that the answer to a request was a status of HTTP, and no
// SOAP message: from a proxy on the way perhaps.
type StatusError struct {
	Status string // for example 401 Unauthorized
	Text   string // the beginning of the page that came with it
	Advice string
}

// Error repeats what the server says, and what to do about it.
func (e *StatusError) Error() string {
	text := fmt.Sprintf("the server answers %q instead of a SOAP message", e.Status)
	if e.Text != "" {
		text += fmt.Sprintf(" (%q)", e.Text)
	}
	return text + ": " + e.Advice
}

// checkResponse returns a [*StatusError] if a response has no SOAP message. One
// with status 202 may have none (SOAP page, 2.4), if the operation has no
// result.
func (x *exchange) checkResponse(response *http.Response, result any) error {
	if response.StatusCode == http.StatusAccepted && hasNoResult(result) {
		return nil
	}
	mediaType, _, _ := mime.ParseMediaType(response.Header.Get("Content-Type"))
	redirected := response.StatusCode >= 300 && response.StatusCode < 400
	switch mediaType {
	case "text/xml", "application/xml", "application/soap+xml", "multipart/related":
		if !redirected && response.StatusCode != http.StatusUnauthorized {
			return nil
		}
	}
	const beginning = 16 << 10
	page, _ := io.ReadAll(io.LimitReader(response.Body, beginning)) // as far as it comes
	return &StatusError{response.Status, textOf(string(page)), x.advice(response)}
}

// hasNoResult tells whether a response says no more than that the operation has
// succeeded.
func hasNoResult(response any) bool {
	return reflect.ValueOf(response).Elem().FieldByName("Return_").Kind() == reflect.Int32
}

// advice says what to do about a status.
func (x *exchange) advice(response *http.Response) string {
	const again = "whether the operation has been carried out is not known"
	switch status := response.StatusCode; {
	case status == http.StatusUnauthorized && x.settings.credentials == nil:
		return "it wants a user name and a password: set " + variablePrefix + "USERNAME and " + variablePrefix + "PASSWORD_FILE, or " + variablePrefix + "NETRC"
	case status == http.StatusUnauthorized:
		return fmt.Sprintf("it does not accept the password of user %q: see %sUSERNAME, %sPASSWORD, %sPASSWORD_FILE and %sNETRC", x.settings.credentials.user, variablePrefix, variablePrefix, variablePrefix, variablePrefix)
	case status == http.StatusForbidden:
		return "it does not let this client in: look at the rules of the server, and whether it wants a client certificate (" + variablePrefix + "CERT_FILE)"
	case status == http.StatusProxyAuthRequired:
		return "the proxy on the way wants a password: it belongs into HTTP_PROXY or HTTPS_PROXY"
	case status >= 300 && status < 400:
		return fmt.Sprintf("it sends us to %q: if that is the service, make it the address of the target", response.Header.Get("Location"))
	case status == http.StatusNotFound, status == http.StatusMethodNotAllowed:
		return fmt.Sprintf("there is no DisnixWebService at %s: its path is usually %s", x.url, soapwire.ServicePath)
	case status == http.StatusRequestEntityTooLarge:
		return "it does not take messages of this size: raise its limit (in nginx client_max_body_size, in disnix-webservice --max-upload)"
	case status == http.StatusGatewayTimeout, status == http.StatusRequestTimeout:
		return again + ": activities and uploads take their time, so raise the time limits of the proxy on the way (in nginx proxy_read_timeout and proxy_send_timeout)"
	case status == http.StatusBadGateway, status == http.StatusServiceUnavailable:
		return again + ": the proxy on the way does not reach the service, or that is overloaded; look whether it is running"
	case status >= 500:
		return again + ": look at the log of the server"
	default:
		return fmt.Sprintf("look whether %s is the URL of DisnixWebService", x.url)
	}
}

var (
	invisible = regexp.MustCompile(`(?is)<(script|style|head|title)\b.*?</(script|style|head|title)>|<!--.*?-->|<[^>]*>`)
	title     = regexp.MustCompile(`(?is)<title[^>]*>(.*?)</title>`)
)

// textOf returns the beginning of what a page says.
func textOf(page string) string {
	text := page
	if strings.HasPrefix(strings.TrimSpace(page), "<") {
		text = ""
		if found := title.FindStringSubmatch(page); found != nil {
			text = found[1] + " "
		}
		text += invisible.ReplaceAllString(page, " ")
	}
	text = strings.ToValidUTF8(strings.Join(strings.Fields(printable(text)), " "), "�")
	const longest = 200
	if runes := []rune(text); len(runes) > longest {
		text = string(runes[:longest]) + "…"
	}
	return text
}

// cause returns what is in an error of net/http without its repetition of the
// request.
func cause(err error) error {
	var wrapped *url.Error
	if errors.As(err, &wrapped) {
		return wrapped.Err
	}
	return err
}

// explain says what to do about a request that was not answered.
func (x *exchange) explain(err error) error {
	err = cause(err)
	var (
		authority x509.UnknownAuthorityError
		host      x509.HostnameError
		invalid   x509.CertificateInvalidError
		alert     tls.AlertError
		record    tls.RecordHeaderError
		dns       *net.DNSError
		op        *net.OpError
	)
	advice := ""
	switch {
	case errors.As(err, &authority):
		advice = "the authority that has signed the certificate is not trusted: if it is yours, name the file with its certificate in " + variablePrefix + "CA_FILE"
	case errors.As(err, &host):
		advice = "the certificate is for another name: use one of its names in the address of the target, or get a certificate for this one"
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		advice = "renew the certificate of the target; or one of the clocks is wrong"
	case errors.As(err, &alert):
		advice = "the server does not accept the client certificate, or wants one: see " + variablePrefix + "CERT_FILE and " + variablePrefix + "KEY_FILE"
	case errors.As(err, &record), errors.Is(err, http.ErrSchemeMismatch):
		advice = "there is no TLS at this port: is it http instead of https?"
	case errors.As(err, &dns):
		advice = "look at the host name in the address of the target, and at the name servers"
	case errors.As(err, &op) && op.Op == "dial", errors.Is(err, syscall.ECONNREFUSED):
		advice = "look whether the machine is reachable and disnix-webservice, or the proxy in front of it, is running and listens there"
	case isBroken(err):
		advice = "the connection broke; whether the operation has been carried out is not known"
	default:
		return fmt.Errorf("ask %s: %w", x.url.Host, err)
	}
	return fmt.Errorf("ask %s: %w: %s", x.url.Host, err, advice)
}

func isBroken(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.Is(err, syscall.EPIPE) || errors.Is(err, syscall.ECONNRESET) || strings.Contains(err.Error(), "malformed")
}
