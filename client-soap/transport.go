package soapclient

import (
	"crypto/tls"
	"net"
	"net/http"
	"time"
)

const (
	// connectTimeout bounds the wait for a connection, and again for TLS.
	connectTimeout = 15 * time.Second
	// idleTimeout is how long a connection that is not used is kept: shorter
	// than servers do (Tomcat 20 s, nginx 75 s, disnix-webservice 2 min), so
	// that none is closed by the other side while it is being used again.
	idleTimeout = 15 * time.Second
	// continueTimeout is how long the beginning of an upload waits for the
	// permission to continue. Not all servers give one.
	continueTimeout = 2 * time.Second
	// maxIdle is how many connections are kept. There are rarely more
	// operations at once on one target.
	maxIdle    = 64
	bufferSize = 64 << 10
)

// newHTTPClient returns what requests are sent with. It follows no redirection:
// a POST would not survive it.
func newHTTPClient(s *settings) *http.Client {
	return &http.Client{
		Transport:     newTransport(s),
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

func newTransport(s *settings) *http.Transport {
	config := &tls.Config{RootCAs: s.authorities, MinVersion: tls.VersionTLS12}
	if s.certificate != nil {
		config.Certificates = []tls.Certificate{*s.certificate}
	}
	// Whatever is served with HTTP/2, long requests and streams gain nothing
	// from it.
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	return &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		DialContext:           (&net.Dialer{Timeout: connectTimeout}).DialContext,
		TLSClientConfig:       config,
		TLSHandshakeTimeout:   connectTimeout,
		MaxIdleConnsPerHost:   maxIdle,
		IdleConnTimeout:       idleTimeout,
		ExpectContinueTimeout: continueTimeout,
		DisableCompression:    true,
		WriteBufferSize:       bufferSize,
		ReadBufferSize:        bufferSize,
		Protocols:             protocols,
	}
}
