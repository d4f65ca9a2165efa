// Package porttest gives tests ports of TCP for servers that have to be told
// theirs, and ports on which nothing listens.
//
// A port that was free a moment ago can be that of somebody's connection when
// the server starts: the kernel gives such ports to everybody who does not ask
// for a certain one. Those of this package are none of them, and are given to
// one test only, also among test programs that run at the same time.
package porttest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"sync"
	"testing"
)

// lowest is above the ports of well-known services.
const lowest = 10000

// claims are held until the process ends.
var claims struct {
	sync.Mutex
	held []net.PacketConn
}

// Reserve returns a port on 127.0.0.1 that nobody uses, and nobody else gets
// from this package before the process ends. It may be called concurrently.
func Reserve() (int, error) {
	highest := firstEphemeral() - 1
	var failed error
	for range 1000 {
		port := lowest + rand.IntN(highest-lowest)
		if failed = claim(port); failed == nil {
			return port, nil
		}
	}
	return 0, fmt.Errorf("find a port between %d and %d that nobody uses: %w", lowest, highest, failed)
}

// claim fails if the port is used or claimed. Names of sockets that are not in
// the file system are those of a network, as ports are, and go with the process.
func claim(port int) error {
	conn, err := net.ListenPacket("unixgram", fmt.Sprintf("@disnix-go/test/port/%d", port))
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		return errors.Join(err, conn.Close())
	}
	claims.Lock()
	defer claims.Unlock()
	claims.held = append(claims.held, conn)
	return listener.Close()
}

// firstEphemeral is the first of the ports that the kernel gives to those who
// do not ask for a certain one. If it gives almost all of them there is no
// better choice than on other machines.
func firstEphemeral() int {
	const usual = 32768
	first := usual
	if text, err := os.ReadFile("/proc/sys/net/ipv4/ip_local_port_range"); err == nil {
		_, _ = fmt.Sscan(string(text), &first)
	}
	if first < lowest+1000 || first > usual {
		return usual
	}
	return first
}

// Port is [Reserve] for a test.
func Port(t testing.TB) int {
	t.Helper()
	port, err := Reserve()
	if err != nil {
		t.Fatal(err)
	}
	return port
}
