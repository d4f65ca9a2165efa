// Package soapwire is what the DisnixWebService and its clients have to agree
// on (SOAP page): the messages, which are generated from DisnixWebService.wsdl,
// and how they are written and read. Messages are envelopes of SOAP 1.1 or 1.2,
// document/literal wrapped, either plain XML with binary values in base64, or
// multipart (MTOM/XOP), where each binary value is a part of its own.
//
// Binary values are streams ([Content]): they are neither held in memory nor,
// as a rule, in files. What is read is limited in size and depth, and has no
// document type declaration, so there are no entities that could be expanded.
package soapwire

//go:generate go test -run ^TestGeneratedFileIsUpToDate$ -update .

import (
	"context"
	"net/http"
	"net/url"
)

// Namespace is that of all messages (SOAP page, section 2).
const Namespace = "http://service.disnix.nixos.org"

// ServicePath is the path of the service's URL, as the original has it: its
// web application and its name (SOAP page, section 1).
const ServicePath = "/DisnixWebService/services/DisnixWebService"

const (
	soap11Namespace     = "http://schemas.xmlsoap.org/soap/envelope/"
	soap12Namespace     = "http://www.w3.org/2003/05/soap-envelope"
	xopNamespace        = "http://www.w3.org/2004/08/xop/include"
	instanceNamespace   = "http://www.w3.org/2001/XMLSchema-instance"
	addressingNamespace = "http://www.w3.org/2005/08/addressing"
)

// Caller carries one call to a service: it sends the request, a pointer to one
// of the generated types, and fills the response, a pointer to another. The
// action is the value of SOAPAction that the WSDL has. If the service answers
// with a fault, the error is a [*Fault].
//
// A response with a [Content] holds the connection until that is closed.
type Caller interface {
	CallContext(ctx context.Context, action string, request, response any) error
}

// What is said in HTTP headers beyond the original's protocol. Whoever does
// not know them is not disturbed.
const (
	// FeaturesHeader lists features, separated by commas. In a response: what
	// the service can do. In a request: what the client wants to be used.
	FeaturesHeader = "Disnix-Features"
	// FeatureArchive makes snapshots travel as one tar archive each, with
	// entries relative to the snapshot, instead of file by file: so
	// permissions, symbolic links and empty directories are kept.
	// exportRemoteSnapshots then returns one Content, the archive; and
	// importLocalSnapshots takes one, and no paths.
	FeatureArchive = "archive"
	// FeatureOutput makes a multipart reply to an activity, also a fault, have
	// one more part, [OutputID]: what the plugin has printed.
	FeatureOutput = "output"
	// FeatureCancel says that a request that had a [RequestIDHeader] is
	// cancelled by DELETE on the service's URL with the same header. The
	// response (204, or 404 if there is no such request) comes when it has
	// ended.
	FeatureCancel = "cancel"

	// FeatureClaim says that claims to locks are checked (see ClaimHeader).
	FeatureClaim = "claim"

	// ClaimHeader is on behalf of which lock something is asked for
	// ([service.EncodedClaim]), see [SetHeader].
	ClaimHeader = "Disnix-Claim"
	// RefusalHeader is in the response with a fault that is about a lock which
	// others hold ([service.EncodeRefusal]), see [SetHeader].
	RefusalHeader = "Disnix-Refusal"

	// RequestIDHeader names a request: a client may choose any text of up to
	// 64 letters, digits and "-._", otherwise the service chooses one. It is
	// in the response and in the service's log.
	RequestIDHeader = "X-Request-Id"

	// OutputID is the content id of the part that FeatureOutput asks for.
	OutputID = "output@disnix"
	// ArchiveType is the media type of an archive.
	ArchiveType = "application/x-tar"
)

// SetHeader sets an HTTP header to any text. An empty one is no header.
func SetHeader(header http.Header, name, text string) {
	if text != "" {
		header.Set(name, url.PathEscape(text))
	}
}

// GetHeader returns the text that [SetHeader] has set.
func GetHeader(header http.Header, name string) (string, error) {
	return url.PathUnescape(header.Get(name))
}
