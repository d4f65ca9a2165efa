package sshclient

import (
	"fmt"
	"net"
	"strconv"
	"strings"
)

// endpoint is where a connection goes: a name of the ssh configuration or a
// host, with the user and port if they are given.
type endpoint struct {
	user, host, port string
}

// parseEndpoint reads [user@]host[:port]. An IPv6 address with a port is in
// brackets; without a port it may be.
func parseEndpoint(text string) (endpoint, error) {
	var e endpoint
	rest := text
	if i := strings.LastIndexByte(rest, '@'); i >= 0 {
		e.user, rest = rest[:i], rest[i+1:]
		if e.user == "" {
			return e, fmt.Errorf("invalid address %q: the user is missing", text)
		}
	}
	switch {
	case strings.HasPrefix(rest, "["):
		host, port, ok := strings.Cut(rest[1:], "]")
		if !ok || port != "" && port[0] != ':' {
			return e, fmt.Errorf("invalid address %q: an IPv6 address with a port is written [address]:port", text)
		}
		e.host, e.port = host, strings.TrimPrefix(port, ":")
		if port == ":" {
			return e, fmt.Errorf("invalid address %q: the port is missing", text)
		}
	case strings.Count(rest, ":") == 1:
		e.host, e.port, _ = strings.Cut(rest, ":")
		if e.port == "" {
			return e, fmt.Errorf("invalid address %q: the port is missing", text)
		}
	default:
		e.host = rest
	}
	if strings.Contains(e.host, ":") && net.ParseIP(withoutZone(e.host)) == nil {
		return e, fmt.Errorf("invalid address %q: it is neither host:port nor an IPv6 address", text)
	}
	if e.host == "" || strings.HasPrefix(e.host, "-") || strings.ContainsAny(e.host, " \t\n/") {
		return e, fmt.Errorf("invalid address %q: no host name", text)
	}
	return e, checkPort(e.port)
}

func withoutZone(ip string) string {
	ip, _, _ = strings.Cut(ip, "%")
	return ip
}

func checkPort(port string) error {
	if port == "" {
		return nil
	}
	if n, err := strconv.Atoi(port); err != nil || n < 1 || n > 65535 {
		return fmt.Errorf("invalid port %q: it must be a number from 1 to 65535", port)
	}
	return nil
}
