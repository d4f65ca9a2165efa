package soapclient

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/disnix-go/disnix/service"
	"github.com/disnix-go/disnix/service/commandline"
	"github.com/disnix-go/disnix/service/soapwire"
)

// Config are the circumstances of a [Client].
type Config struct {
	// Log receives warnings and how long uploads get on; it may be nil, and must
	// be safe for concurrent use.
	Log io.Writer
	// Progress is the interval between two messages about an upload; 10 s if it
	// is 0.
	Progress time.Duration
	// Quiet is how long nothing may be sent or received before the service is
	// asked for a sign of life; 30 s if it is 0.
	Quiet time.Duration
	// SignOfLife is how long it may take to give one; 45 s if it is 0. A service
	// that is busy lets requests wait for 30 s.
	SignOfLife time.Duration
}

// Client is the contract over SOAP. It may be used from several goroutines.
type Client struct {
	config   Config
	url      *url.URL
	settings *settings
	http     *http.Client
	// typed are the operations as the WSDL has them.
	typed soapwire.DisnixWebServicePortType
	// features is what the service can do beyond the original, nil as long as
	// it has not answered.
	features atomic.Pointer[[]string]
	maxXML   int64 // of a reply, in bytes
}

var (
	_ service.Service = (*Client)(nil)
	_ soapwire.Caller = (*Client)(nil)
)

// Dial returns the contract to the target whose service has this URL. The
// first operation connects to it. These variables of the environment are read:
//
//   - DISNIX_SOAP_CLIENT_USERNAME, DISNIX_SOAP_CLIENT_PASSWORD: for HTTP basic
//     authentication. They are sent with every request.
//   - DISNIX_SOAP_CLIENT_PASSWORD_FILE: file whose first line is the password.
//   - DISNIX_SOAP_CLIENT_NETRC: file with the users and passwords of several
//     hosts, in the format of .netrc, if there is no DISNIX_SOAP_CLIENT_USERNAME.
//   - DISNIX_SOAP_CLIENT_CA_FILE: authorities (PEM) that are trusted instead of
//     those of the system.
//   - DISNIX_SOAP_CLIENT_CERT_FILE, DISNIX_SOAP_CLIENT_KEY_FILE: client
//     certificate and its key (PEM).
//   - DISNIX_SOAP_CLIENT_COMPRESSION: gzip compresses what is sent.
//   - HTTP_PROXY, HTTPS_PROXY, NO_PROXY: see [http.ProxyFromEnvironment].
func Dial(address string, config Config) (*Client, error) {
	u, err := parseAddress(address)
	if err != nil {
		return nil, err
	}
	s, err := readSettings(u)
	if err != nil {
		return nil, err
	}
	if config.Log == nil {
		config.Log = io.Discard
	}
	orTime := func(value *time.Duration, otherwise time.Duration) {
		if *value == 0 {
			*value = otherwise
		}
	}
	orTime(&config.Progress, 10*time.Second)
	orTime(&config.Quiet, 30*time.Second)
	orTime(&config.SignOfLife, 45*time.Second)
	c := &Client{config: config, url: u, settings: s, http: newHTTPClient(s), maxXML: commandline.MaxResult}
	c.typed = soapwire.NewDisnixWebServicePortType(c)
	s.warn(u, config.Log)
	return c, nil
}

// Close closes the connections that are not in use.
func (c *Client) Close() error {
	c.http.CloseIdleConnections()
	return nil
}

// learn takes note of what the service can do.
func (c *Client) learn(header http.Header) {
	if c.features.Load() != nil && header.Get(soapwire.FeaturesHeader) == "" {
		return // this answer is that of somebody on the way
	}
	var features []string
	for word := range strings.SplitSeq(header.Get(soapwire.FeaturesHeader), ",") {
		features = append(features, strings.TrimSpace(word))
	}
	c.features.Store(&features)
}

// can tells whether the service is known to have a feature.
func (c *Client) can(feature string) bool {
	known := c.features.Load()
	return known != nil && slices.Contains(*known, feature)
}

// findOut asks the service whether it has a feature, if that is not known yet:
// any operation tells, and this one is without effect.
func (c *Client) findOut(ctx context.Context, feature string) (bool, error) {
	if c.features.Load() == nil {
		if _, err := c.printInvalid(ctx, nil); err != nil {
			return false, err
		}
	}
	return c.can(feature), nil
}
