package webserver

import (
	"net"
	"net/http"
	"net/netip"
	"strings"
)

// remote returns where a request comes from: the last address on its way that
// is not that of a trusted proxy.
func (s *Server) remote(r *http.Request) string {
	address := peer(r)
	forwarded := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for i := len(forwarded) - 1; i >= 0 && s.config.trusts(address); i-- {
		next, err := netip.ParseAddr(strings.TrimSpace(forwarded[i]))
		if err != nil {
			break
		}
		address = next.Unmap()
	}
	if !address.IsValid() {
		return r.RemoteAddr
	}
	return address.String()
}

func peer(r *http.Request) netip.Addr {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	address, _ := netip.ParseAddr(host)
	return address.Unmap().WithZone("")
}

func (c Config) trusts(address netip.Addr) bool {
	for _, proxies := range c.TrustedProxies {
		if address.IsValid() && proxies.Contains(address) {
			return true
		}
	}
	return false
}

// forwardedUser returns whose password a trusted proxy has checked.
func (s *Server) forwardedUser(r *http.Request) string {
	if !s.config.trusts(peer(r)) {
		return ""
	}
	user, _, _ := r.BasicAuth()
	return user
}

// baseURL returns the scheme and host that the client used.
func (s *Server) baseURL(r *http.Request) string {
	scheme, host := "http", r.Host
	if r.TLS != nil {
		scheme = "https"
	}
	if s.config.trusts(peer(r)) {
		if forwarded := first(r.Header.Get("X-Forwarded-Proto")); forwarded == "http" || forwarded == "https" {
			scheme = forwarded
		}
		if forwarded := first(r.Header.Get("X-Forwarded-Host")); forwarded != "" {
			host = forwarded
		}
	}
	return scheme + "://" + host
}

func first(list string) string {
	value, _, _ := strings.Cut(list, ",")
	return strings.TrimSpace(value)
}
