package porttest

import (
	"fmt"
	"net"
	"testing"
)

func TestPorts(t *testing.T) {
	seen := make(map[int]bool)
	for range 100 {
		port := Port(t)
		if seen[port] || port < lowest || port >= firstEphemeral() {
			t.Errorf("%d was given before, or may be anybody's", port)
		}
		seen[port] = true
		listener, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err != nil {
			t.Fatal(err)
		}
		_ = listener.Close()
		if claim(port) == nil {
			t.Errorf("%d is given a second time", port)
		}
	}
}

func TestPortsInUse(t *testing.T) {
	listener, err := net.Listen("tcp", ":0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	port := listener.Addr().(*net.TCPAddr).Port
	if claim(port) == nil {
		t.Errorf("%d is given although somebody listens there", port)
	}
	name := fmt.Sprintf("@disnix-go/test/port/%d", port)
	conn, err := net.ListenPacket("unixgram", name)
	if err != nil {
		t.Fatalf("it stays claimed: %v", err)
	}
	_ = conn.Close()
}
