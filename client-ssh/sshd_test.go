package sshclient_test

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"

	"github.com/disnix-go/disnix/test/programtest"
)

// programs is the directory with the programs that the tests run on targets.
var programs string

func TestMain(m *testing.M) {
	os.Exit(withPrograms(m))
}

// withPrograms builds the programs: those of this version, and below original/
// some that know only the command line of the original.
func withPrograms(m *testing.M) int {
	dir, err := os.MkdirTemp("", "disnix-programs-")
	if err == nil {
		defer os.RemoveAll(dir)
		programs = dir
		err = buildPrograms(dir)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return m.Run()
}

func buildPrograms(dir string) error {
	if err := programtest.Build("disnix", filepath.Join(dir, "disnix")); err != nil {
		return err
	}
	original := filepath.Join(dir, "original")
	err := errors.Join(os.Mkdir(original, 0o755),
		os.Symlink("disnix", filepath.Join(dir, "disnix-run-activity")),
		os.Symlink("disnix", filepath.Join(dir, "disnix-client")),
		os.Symlink("disnix", filepath.Join(dir, "disnix-service")),
		os.Symlink("disnix", filepath.Join(dir, "disnix-tmpfile")),
		os.Symlink("../disnix", filepath.Join(original, "disnix-tmpfile")))
	for _, name := range []string{"disnix-run-activity", "disnix-other"} {
		script := fmt.Sprintf(`#!/bin/sh
case " $* " in
*" --serve "*) echo "$0: unrecognized option '--serve'" >&2; echo "Usage: $0 OPERATION"; exit 1;;
esac
[ -z "$COMMANDS_LOG" ] || printf '%%s\n' "$@" >> "$COMMANDS_LOG"
exec %s/disnix-run-activity "$@"
`, dir)
		err = errors.Join(err, os.WriteFile(filepath.Join(original, name), []byte(script), 0o755))
	}
	return err
}

// host is an sshd on this machine. Its connections are counted and can be cut.
type host struct {
	testing.TB
	address string // host:port
	home    string // of the user of the client
	key     ssh.PublicKey
	// authority has signed the key.
	authority ssh.PublicKey

	mu    sync.Mutex
	count int
	conns []*net.TCPConn
}

// newHost starts an sshd whose sessions have the environment of the test at
// this moment, with this PATH. The environment of the client is set up so that
// it can log in.
func newHost(t testing.TB, path string, configuration ...string) *host {
	t.Helper()
	dir := t.TempDir()
	h := &host{TB: t, home: filepath.Join(dir, "home")}
	for _, d := range []string{"home/.ssh", "host"} {
		h.must(os.MkdirAll(filepath.Join(dir, d), 0o700))
	}
	h.key = h.newKey(filepath.Join(dir, "host/key"))
	h.certify(filepath.Join(dir, "host/certificate"))
	user := h.newKey(filepath.Join(h.home, ".ssh/id_ed25519"))
	h.must(os.WriteFile(filepath.Join(dir, "host/authorized"), ssh.MarshalAuthorizedKey(user), 0o600))
	// The shell there must not read what the user who runs the tests has in
	// ~/.bashrc.
	settings := []string{fmt.Sprintf("%q", "PATH="+path), fmt.Sprintf("%q", "HOME="+h.home)}
	for _, variable := range []string{
		"NIX_STORE_DIR", "NIX_STATE_DIR", "NIX_LOG_DIR", "NIX_CONF_DIR", "NIX_REMOTE", "NIX_LOCALSTATE_DIR", "TMPDIR", "COMMANDS_LOG",
		"DYSNOMIA_STATEDIR", "DYSNOMIA_MODULES_PATH", "DYSNOMIA_CONTAINERS_PATH", "DYSNOMIA_PROPERTIES",
		"DBUS_SYSTEM_BUS_ADDRESS",
	} {
		if value, ok := os.LookupEnv(variable); ok {
			settings = append(settings, fmt.Sprintf("%q", variable+"="+value))
		}
	}
	h.listen(dir, h.configure(dir, append(configuration, "SetEnv "+strings.Join(settings, " "))))
	t.Setenv("HOME", h.home)
	t.Setenv("SSH_AUTH_SOCK", "")
	t.Setenv("SSH_OPTS", "")
	t.Setenv("SSH_USER", "")
	t.Setenv("DISNIX_REMOTE_CLIENT", "")
	h.know(h.key)
	return h
}

func (h *host) must(err error) {
	h.Helper()
	if err != nil {
		h.Fatal(err)
	}
}

// newKey writes a private key to a file and returns the public one.
func (h *host) newKey(file string) ssh.PublicKey {
	h.Helper()
	_, private, err := ed25519.GenerateKey(rand.Reader)
	h.must(err)
	block, err := ssh.MarshalPrivateKey(private, "")
	h.must(err)
	h.must(os.WriteFile(file, pem.EncodeToMemory(block), 0o600))
	signer, err := ssh.NewSignerFromKey(private)
	h.must(err)
	return signer.PublicKey()
}

// certify lets an authority sign the host's key.
func (h *host) certify(file string) {
	h.Helper()
	_, private, err := ed25519.GenerateKey(rand.Reader)
	h.must(err)
	authority, err := ssh.NewSignerFromKey(private)
	h.must(err)
	certificate := &ssh.Certificate{Key: h.key, CertType: ssh.HostCert, ValidPrincipals: []string{"127.0.0.1"}, ValidBefore: ssh.CertTimeInfinity}
	h.must(certificate.SignCert(rand.Reader, authority))
	h.must(os.WriteFile(file, ssh.MarshalAuthorizedKey(certificate), 0o600))
	h.authority = authority.PublicKey()
}

// know makes key the only one that the client knows of the host.
func (h *host) know(key ssh.PublicKey) {
	h.Helper()
	line := knownhosts.Line([]string{knownhosts.Normalize(h.address)}, key)
	h.must(os.WriteFile(filepath.Join(h.home, ".ssh/known_hosts"), []byte(line+"\n"), 0o600))
}

// configure writes the configuration of the server, and returns the command
// that serves one connection, which is its standard input and output.
func (h *host) configure(dir string, configuration []string) []string {
	h.Helper()
	if os.Geteuid() == 0 {
		h.must(os.MkdirAll("/run/sshd", 0o755)) // it insists on it
	}
	lines := append([]string{
		"HostKey " + dir + "/host/key",
		"HostCertificate " + dir + "/host/certificate",
		"AuthorizedKeysFile " + dir + "/host/authorized",
		"PidFile none", "StrictModes no", "UsePAM no", "PermitRootLogin yes", "PasswordAuthentication no",
		"MaxSessions 100", "PrintMotd no", "UseDNS no",
	}, configuration...)
	file := dir + "/host/sshd_config"
	h.must(os.WriteFile(file, []byte(strings.Join(lines, "\n")+"\n"), 0o600))
	return []string{"/usr/sbin/sshd", "-i", "-e", "-f", file}
}

// listen lets connections be served. A server that listens by itself would need
// a port that nobody else takes before it does.
func (h *host) listen(dir string, command []string) {
	h.Helper()
	log, err := os.OpenFile(dir+"/host/log", os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	h.must(err)
	listener, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	h.must(err)
	h.address = listener.Addr().String()
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			conn, err := listener.AcceptTCP()
			if err != nil {
				return
			}
			if err := h.serve(conn, exec.Command(command[0], command[1:]...), log, &serving); err != nil {
				fmt.Fprintf(log, "%v\n", err)
				_ = conn.Close()
			}
		}
	})
	h.Cleanup(func() {
		_ = listener.Close()
		h.cut()
		serving.Wait()
		_ = log.Close()
		if content, err := os.ReadFile(log.Name()); h.Failed() && err == nil {
			h.Logf("sshd: %s", content)
		}
	})
}

// serve starts a server for a connection.
func (h *host) serve(conn *net.TCPConn, server *exec.Cmd, log *os.File, serving *sync.WaitGroup) error {
	file, err := conn.File()
	if err != nil {
		return err
	}
	defer file.Close()
	server.Stdin, server.Stdout, server.Stderr = file, file, log
	if err := server.Start(); err != nil {
		return err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.count++
	h.conns = append(h.conns, conn)
	serving.Go(func() {
		_ = server.Wait()
		_ = conn.Close()
	})
	return nil
}

// cut ends all connections.
func (h *host) cut() {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, conn := range h.conns {
		_ = conn.CloseRead() // also for the server, which has the connection, too
		_ = conn.CloseWrite()
	}
}

// connections returns how many there were.
func (h *host) connections() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.count
}
