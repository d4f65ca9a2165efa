package webserver

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
)

// keyPair is the server's certificate.
type keyPair = tls.Certificate

func loadKeyPair(config Config) (*watched[*keyPair], error) {
	if config.CertFile == "" || config.KeyFile == "" {
		return nil, errors.New("TLS needs both a certificate and its key")
	}
	return watch(config.Log, func() (*keyPair, error) {
		pair, err := tls.LoadX509KeyPair(config.CertFile, config.KeyFile)
		if err != nil {
			return nil, fmt.Errorf("read the certificate %s and its key %s: %w", config.CertFile, config.KeyFile, err)
		}
		return &pair, nil
	}, config.CertFile, config.KeyFile)
}

// secured adds TLS to a listener, if there is a certificate. Client
// certificates are only asked for: they are verified for each request, so that
// the client can be told what is wrong, and is refused once they expire.
func (s *Server) secured(listener net.Listener) net.Listener {
	if s.keyPair == nil {
		return listener
	}
	base := &tls.Config{
		MinVersion: tls.VersionTLS12,
		NextProtos: []string{"http/1.1"},
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
			return s.keyPair.get(), nil
		},
	}
	if s.guard.authorities != nil {
		base.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) {
			c := base.Clone()
			c.GetConfigForClient = nil
			c.ClientAuth = tls.RequestClientCert
			c.ClientCAs = s.guard.authorities.get()
			return c, nil
		}
	}
	return tls.NewListener(listener, base)
}

func loadAuthorities(path string) (*x509.CertPool, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read the certificate authorities: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(content) {
		return nil, fmt.Errorf("read the certificate authorities: %s has no certificate in PEM", path)
	}
	return pool, nil
}

// verifyCertificate returns whom the certificate of the client is for.
func verifyCertificate(state *tls.ConnectionState, authorities *x509.CertPool) (string, error) {
	if state == nil || len(state.PeerCertificates) == 0 {
		return "", errors.New("a client certificate is required")
	}
	leaf := state.PeerCertificates[0]
	options := x509.VerifyOptions{
		Roots:         authorities,
		Intermediates: x509.NewCertPool(),
		KeyUsages:     []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	for _, certificate := range state.PeerCertificates[1:] {
		options.Intermediates.AddCert(certificate)
	}
	if _, err := leaf.Verify(options); err != nil {
		return "", fmt.Errorf("the client certificate is not accepted: %w", err)
	}
	if leaf.Subject.CommonName != "" {
		return leaf.Subject.CommonName, nil
	}
	return leaf.Subject.String(), nil
}
