package soapclient_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/disnix-go/disnix/service/servicetest"
	"github.com/disnix-go/disnix/service/webserver"
)

// authority signs certificates.
type authority struct {
	testing.TB
	dir         string
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
	file        string // with the certificate
}

func newAuthority(t testing.TB, name string) *authority {
	t.Helper()
	a := &authority{TB: t, dir: t.TempDir()}
	template := &x509.Certificate{
		Subject: pkix.Name{CommonName: name}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign, NotAfter: time.Now().Add(time.Hour),
	}
	a.file, _, a.certificate, a.key = a.sign(name, template)
	return a
}

// sign makes a certificate; the authority's own, if that is not there yet.
func (a *authority) sign(name string, template *x509.Certificate) (file, keyFile string, certificate *x509.Certificate, key *ecdsa.PrivateKey) {
	a.Helper()
	must := func(err error) {
		a.Helper()
		if err != nil {
			a.Fatal(err)
		}
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(err)
	template.SerialNumber = big.NewInt(time.Now().UnixNano())
	parent, parentKey := a.certificate, a.key
	if parent == nil {
		parent, parentKey = template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, parentKey)
	must(err)
	certificate, err = x509.ParseCertificate(der)
	must(err)
	keyDER, err := x509.MarshalECPrivateKey(key)
	must(err)
	file, keyFile = filepath.Join(a.dir, name+".pem"), filepath.Join(a.dir, name+".key")
	must(os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o644))
	must(os.WriteFile(keyFile, pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: keyDER}), 0o600))
	return file, keyFile, certificate, key
}

// leaf makes a certificate for a server with this address, or for a client.
func (a *authority) leaf(name string, address net.IP, until time.Time) (file, keyFile string) {
	a.Helper()
	var addresses []net.IP
	if address != nil {
		addresses = append(addresses, address)
	}
	file, keyFile, _, _ = a.sign(name, &x509.Certificate{
		Subject: pkix.Name{CommonName: name}, IPAddresses: addresses, NotBefore: time.Now().Add(-2 * time.Hour), NotAfter: until,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	})
	return file, keyFile
}

func TestTLS(t *testing.T) {
	ours, theirs := newAuthority(t, "ours"), newAuthority(t, "theirs")
	loopback, later := net.IPv4(127, 0, 0, 1), time.Now().Add(time.Hour)
	cert, key := ours.leaf("server", loopback, later)
	oldCert, oldKey := ours.leaf("old", loopback, time.Now().Add(-time.Hour))
	otherCert, otherKey := ours.leaf("other", net.IPv4(192, 0, 2, 1), later)
	newCert, newKey, _, _ := ours.sign("new", &x509.Certificate{IPAddresses: []net.IP{loopback}, NotBefore: later, NotAfter: later.Add(time.Hour)})
	clientCert, clientKey := ours.leaf("client", nil, later)
	for name, test := range map[string]struct {
		cert, key string // of the server
		clientCA  string
		trust     string
		client    [2]string // certificate and key
		scheme    string
		want      []string // nil if it succeeds
	}{
		"a certificate of a private authority": {cert: cert, key: key, trust: ours.file},
		"an unknown authority":                 {cert: cert, key: key, want: []string{"unknown authority", "DISNIX_SOAP_CLIENT_CA_FILE"}},
		"another authority":                    {cert: cert, key: key, trust: theirs.file, want: []string{"DISNIX_SOAP_CLIENT_CA_FILE"}},
		"an expired certificate":               {cert: oldCert, key: oldKey, trust: ours.file, want: []string{"has expired", "renew the certificate"}},
		"a certificate of tomorrow":            {cert: newCert, key: newKey, trust: ours.file, want: []string{"not yet valid", "one of the clocks is wrong"}},
		"a certificate for another host":       {cert: otherCert, key: otherKey, trust: ours.file, want: []string{"192.0.2.1, not 127.0.0.1", "use one of its names in the address"}},
		"a client certificate":                 {cert: cert, key: key, trust: ours.file, clientCA: ours.file, client: [2]string{clientCert, clientKey}},
		"no client certificate":                {cert: cert, key: key, trust: ours.file, clientCA: ours.file, want: []string{"client certificate", "DISNIX_SOAP_CLIENT_CERT_FILE"}},
		"no TLS at the other end":              {scheme: "https", want: []string{"is it http instead of https?"}},
		"TLS at the other end":                 {cert: cert, key: key, scheme: "http", want: []string{"400 Bad Request", "HTTPS server"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("DISNIX_SOAP_CLIENT_CA_FILE", test.trust)
			t.Setenv("DISNIX_SOAP_CLIENT_CERT_FILE", test.client[0])
			t.Setenv("DISNIX_SOAP_CLIENT_KEY_FILE", test.client[1])
			url := serve(t, to(new(servicetest.Fake)), func(c *webserver.Config) {
				c.CertFile, c.KeyFile, c.ClientCAFile = test.cert, test.key, test.clientCA
			})
			if test.scheme != "" {
				_, rest, _ := strings.Cut(url, ":")
				url = test.scheme + ":" + rest
			}
			err := dial(t, url).Lock(t.Context(), "p")
			if test.want == nil && err != nil {
				t.Error(err)
			}
			if test.want != nil {
				wantError(t, err, append(test.want, "lock: ")...)
			}
		})
	}
}
