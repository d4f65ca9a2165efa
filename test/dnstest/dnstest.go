// Package dnstest gives tests a name server of their own, so that they depend
// neither on that of the machine nor on how long it takes to answer.
package dnstest

import (
	"context"
	"net"
	"testing"
)

// NoHosts lets this process find no host in the DNS until the end of the test,
// which may not be parallel.
func NoHosts(t testing.TB) {
	t.Helper()
	server, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Close() })
	go refuse(server)
	previous := net.DefaultResolver
	t.Cleanup(func() { net.DefaultResolver = previous })
	net.DefaultResolver = &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "udp", server.LocalAddr().String())
	}}
}

// refuse answers every question with NXDOMAIN (RFC 1035, section 4.1.1).
func refuse(server net.PacketConn) {
	message := make([]byte, 64<<10)
	for {
		n, from, err := server.ReadFrom(message)
		if err != nil {
			return
		}
		if n < 4 {
			continue
		}
		message[2] |= 0x80                      // it is an answer
		message[3] = message[3]&0x70 | 0x80 | 3 // there is no such name
		_, _ = server.WriteTo(message[:n], from)
	}
}
