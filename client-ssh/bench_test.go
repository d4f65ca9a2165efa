package sshclient_test

import (
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	sshclient "github.com/disnix-go/disnix/client-ssh"
	"github.com/disnix-go/disnix/service"
	"github.com/disnix-go/disnix/test/nixtest"
)

// BenchmarkRoundTrip asks for what needs no program on the target.
func BenchmarkRoundTrip(b *testing.B) {
	nixtest.Store(b)
	client := benchmarkClient(b, newHost(b, ours()))
	for b.Loop() {
		if _, err := client.QueryInstalled(b.Context(), "p"); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkActivation activates a service that does nothing; it must take at
// most 2 ms more than the round trip of the link.
func BenchmarkActivation(b *testing.B) {
	root := nixtest.Store(b)
	client := benchmarkClient(b, newHost(b, ours()))
	roundTrip := loopback(b)
	for b.Loop() {
		if err := client.Activate(b.Context(), service.Activity{Component: root, Type: "echo"}); err != nil {
			b.Fatal(err)
		}
	}
	step := b.Elapsed() / time.Duration(b.N)
	b.ReportMetric(float64((step-roundTrip).Microseconds())/1000, "ms-above-rtt")
}

// loopback returns how long a round trip of the link takes.
func loopback(b *testing.B) time.Duration {
	b.Helper()
	address := listener(b, func(conn net.Conn) { _, _ = io.Copy(conn, conn) })
	conn, err := net.Dial("tcp", address)
	if err != nil {
		b.Fatal(err)
	}
	defer conn.Close()
	const times = 1000
	start := time.Now()
	for range times {
		buffer := []byte{1}
		if _, err := conn.Write(buffer); err != nil {
			b.Fatal(err)
		}
		if _, err := io.ReadFull(conn, buffer); err != nil {
			b.Fatal(err)
		}
	}
	return time.Since(start) / times
}

const benchmarkSize = 256 << 20

// BenchmarkExport streams a closure from the target; compare it with
// BenchmarkSSH.
func BenchmarkExport(b *testing.B) {
	path := largePath(b)
	client := benchmarkClient(b, newHost(b, ours()))
	b.SetBytes(benchmarkSize)
	for b.Loop() {
		if err := client.ExportClosure(b.Context(), []string{path}, io.Discard); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkSSH streams the same with the ssh program.
func BenchmarkSSH(b *testing.B) {
	path := largePath(b)
	h := newHost(b, ours())
	host, port, _ := strings.Cut(h.address, ":")
	b.SetBytes(benchmarkSize)
	for b.Loop() {
		cmd := exec.CommandContext(b.Context(), "ssh", "-F", "none", "-p", port, "-i", filepath.Join(h.home, ".ssh/id_ed25519"),
			"-o", "UserKnownHostsFile="+filepath.Join(h.home, ".ssh/known_hosts"), host, "nix-store --export "+path)
		if err := cmd.Run(); err != nil {
			b.Fatal(err)
		}
	}
}

// largePath adds a large file to the store.
func largePath(b *testing.B) string {
	b.Helper()
	file := filepath.Join(nixtest.Store(b), "large")
	if err := os.WriteFile(file, make([]byte, benchmarkSize), 0o644); err != nil {
		b.Fatal(err)
	}
	out, err := exec.Command("nix-store", "--add", file).Output()
	if err != nil {
		b.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}

func benchmarkClient(b *testing.B, h *host) *sshclient.Client {
	b.Helper()
	client, err := sshclient.Dial(b.Context(), h.address, sshclient.Config{})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = client.Close() })
	return client
}
