package soapwire

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// Version is a version of SOAP.
type Version int

const (
	Soap11 Version = iota
	Soap12
)

func (v Version) namespace() string {
	if v == Soap12 {
		return soap12Namespace
	}
	return soap11Namespace
}

// mediaType is that of an envelope.
func (v Version) mediaType() string {
	if v == Soap12 {
		return "application/soap+xml"
	}
	return "text/xml"
}

// FaultCode says whose fault it is.
type FaultCode int

const (
	Server          FaultCode = iota // Receiver in SOAP 1.2
	Client                           // Sender in SOAP 1.2
	VersionMismatch                  // the envelope is of another version
	MustUnderstand                   // a header that must be understood is not
)

var faultCodes = map[Version]map[FaultCode]string{
	Soap11: {Server: "Server", Client: "Client", VersionMismatch: "VersionMismatch", MustUnderstand: "MustUnderstand"},
	Soap12: {Server: "Receiver", Client: "Sender", VersionMismatch: "VersionMismatch", MustUnderstand: "MustUnderstand"},
}

// Fault is an error as a message (SOAP page, section 4). Clients of the
// original use the text only.
type Fault struct {
	Code FaultCode
	Text string
	// Detail, if not nil, is the fault that the WSDL declares.
	Detail *DisnixWebServiceException
	// Status is the HTTP status that the fault is sent with; 0 means 500. It
	// is not known of received faults.
	Status int
}

// Error returns the text.
func (f *Fault) Error() string {
	if f.Text == "" {
		return "the service answers with a fault that has no text"
	}
	return strings.TrimSpace(f.Text)
}

func clientFault(format string, args ...any) *Fault {
	return &Fault{Code: Client, Text: fmt.Sprintf(format, args...)}
}

func serverFault(format string, args ...any) *Fault {
	return &Fault{Code: Server, Text: fmt.Sprintf(format, args...)}
}

// printable replaces what XML 1.0 cannot hold, so that any text, such as the
// log of a job, can be that of a fault.
func printable(text string) string {
	return strings.Map(func(c rune) rune {
		if !isChar(c) {
			return utf8.RuneError
		}
		return c
	}, strings.ToValidUTF8(text, string(utf8.RuneError)))
}

// isChar is the production Char of XML 1.0.
func isChar(c rune) bool {
	return c == '\t' || c == '\n' || c == '\r' || c >= 0x20 && c < 0xD800 ||
		c >= 0xE000 && c <= 0xFFFD || c >= 0x10000 && c <= utf8.MaxRune
}

// NewDetail returns the fault that the WSDL declares.
func NewDetail(message string) *DisnixWebServiceException {
	return &DisnixWebServiceException{DisnixWebServiceException: &Exception{Message: &message}}
}
