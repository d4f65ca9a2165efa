package soapclient

import (
	"fmt"
	"net"
	"net/netip"
	"net/url"

	"github.com/disnix-go/disnix/service/soapwire"
)

// parseAddress reads the address of a target, a URL.
func parseAddress(address string) (*url.URL, error) {
	u, err := url.Parse(address)
	if err != nil {
		// The error of package url repeats the address, in which there may be
		// a password.
		return nil, fmt.Errorf("the address of the target is not a URL such as https://HOST%s: set the target property that holds it (targetProperty, usually targetEPR)", soapwire.ServicePath)
	}
	if u.User != nil {
		return nil, fmt.Errorf("the address %s has a user: models are no place for secrets; use DISNIX_SOAP_CLIENT_USERNAME, or DISNIX_SOAP_CLIENT_NETRC for several targets", withoutUser(u))
	}
	if u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.Hostname() == "" {
		return nil, fmt.Errorf("the address %q is not a URL such as https://HOST%s: set the target property that holds it (targetProperty, usually targetEPR)", address, soapwire.ServicePath)
	}
	if u.RawQuery != "" || u.Fragment != "" {
		return nil, fmt.Errorf("the address %q has something after the path: it is that of the service, without ?wsdl", address)
	}
	return u, nil
}

func withoutUser(u *url.URL) string {
	plain := *u
	plain.User = nil
	return plain.String()
}

// isThisMachine tells whether a URL is one of this machine, so that nobody else
// sees what is sent there.
func isThisMachine(u *url.URL) bool {
	host := u.Hostname()
	if host == "localhost" {
		return true
	}
	address, err := netip.ParseAddr(host)
	return err == nil && address.IsLoopback()
}

// hostPort returns the host and port of a URL.
func hostPort(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	return net.JoinHostPort(u.Hostname(), port)
}
