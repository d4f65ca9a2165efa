package sshclient_test

import (
	"crypto/rand"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
)

// connector is a ProxyCommand that connects with a host and port.
const connector = `#!/usr/bin/perl
use IO::Socket::INET;
my $s = IO::Socket::INET->new("$ARGV[0]:$ARGV[1]") or die "no way to $ARGV[0]\n";
print STDERR "connected\n";
if (fork) { while (sysread STDIN, my $b, 65536) { syswrite $s, $b } shutdown $s, 1; wait }
else { while (sysread $s, my $b, 65536) { syswrite STDOUT, $b } kill HUP => getppid }
`

func TestProxyCommand(t *testing.T) {
	t.Setenv("NIX_STATE_DIR", t.TempDir())
	h := newHost(t, ours())
	host, port, _ := net.SplitHostPort(h.address)
	program := filepath.Join(h.home, "connector")
	h.must(os.WriteFile(program, []byte(connector), 0o755))
	configure := func(t *testing.T, format string, args ...any) {
		t.Helper()
		h.must(os.WriteFile(filepath.Join(h.home, ".ssh/config"), fmt.Appendf(nil, format, args...), 0o600))
	}
	t.Run("is the connection", func(t *testing.T) {
		configure(t, "Host far\n  HostName %s\n  Port %s\n  ProxyCommand %s %%h %%p\n", host, port, program)
		works(t, "far")
	})
	t.Run("before another host", func(t *testing.T) {
		before := h.connections()
		configure(t, "Host near\n  HostName %s\n  Port %s\n  ProxyCommand %s %%h %%p\nHost far\n  HostName %s\n  Port %s\n  ProxyJump near\n", host, port, program, host, port)
		works(t, "far")
		if n := h.connections() - before; n != 2 {
			t.Errorf("%d connections", n)
		}
	})
	t.Run("its program ends with the connection", func(t *testing.T) {
		pid := filepath.Join(t.TempDir(), "pid")
		configure(t, "Host far\n  HostName %s\n  Port %s\n  ProxyCommand sh -c 'echo $$ > %s; exec %s %%h %%p'\n", host, port, pid, program)
		works(t, "far")
		number, err := os.ReadFile(pid)
		h.must(err)
		for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
			if _, err := os.Stat("/proc/" + strings.TrimSpace(string(number))); err != nil {
				break
			}
			if time.Now().After(deadline) {
				t.Fatal("it runs on")
			}
		}
	})
	t.Run("what it says is in the error", func(t *testing.T) {
		configure(t, "Host far\n  HostName h.invalid\n  ProxyCommand echo no way to %%h >&2; exit 3\n")
		wantRefusal(t, "far", "connect to h.invalid:22", "ProxyCommand", "no way to h.invalid")
	})
	t.Run("a missing program", func(t *testing.T) {
		configure(t, "Host far\n  ProxyCommand no-such-program\n")
		wantRefusal(t, "far", "no-such-program")
	})
	t.Run("a name for the shell", func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "file")
		configure(t, "Host *\n  ProxyCommand echo %%h\n")
		wantRefusal(t, "$(touch${IFS}"+strings.ReplaceAll(file, "/", "_")+")", "a shell would interpret")
		wantRefusal(t, "`id`@host", "a shell would interpret")
	})
	t.Run("by an option", func(t *testing.T) {
		configure(t, "Host *\n  ProxyJump nowhere.invalid\n")
		h.must(os.WriteFile(program+"-fixed", []byte("#!/bin/sh\nexec "+program+" "+host+" "+port+"\n"), 0o755))
		t.Setenv("SSH_OPTS", "-o ProxyCommand="+program+"-fixed")
		works(t, h.address)
	})
}

// TestUserCertificate logs in with a key that an authority has signed.
func TestUserCertificate(t *testing.T) {
	t.Setenv("NIX_STATE_DIR", t.TempDir())
	authorities := filepath.Join(t.TempDir(), "authorities")
	h := newHost(t, ours(), "TrustedUserCAKeys "+authorities)
	// The key that the host knows becomes an authority for one that it does not.
	content, err := os.ReadFile(filepath.Join(h.home, ".ssh/id_ed25519"))
	h.must(err)
	key := h.newKey(filepath.Join(h.home, ".ssh/id_ed25519"))
	wantRefusal(t, h.address, "the login is refused")

	signer, err := ssh.ParsePrivateKey(content)
	h.must(err)
	h.must(os.WriteFile(authorities, ssh.MarshalAuthorizedKey(signer.PublicKey()), 0o644))
	certify := func(file string, until uint64) {
		t.Helper()
		certificate := &ssh.Certificate{Key: key, CertType: ssh.UserCert, ValidPrincipals: []string{userName(t)}, ValidBefore: until}
		certificate.Permissions.Extensions = map[string]string{"permit-pty": ""}
		h.must(certificate.SignCert(rand.Reader, signer))
		h.must(os.WriteFile(file, ssh.MarshalAuthorizedKey(certificate), 0o644))
	}
	beside := filepath.Join(h.home, ".ssh/id_ed25519-cert.pub")
	t.Run("next to its key", func(t *testing.T) {
		certify(beside, ssh.CertTimeInfinity)
		defer os.Remove(beside)
		works(t, h.address)
	})
	t.Run("in a file of its own", func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "certificate")
		certify(file, ssh.CertTimeInfinity)
		t.Setenv("SSH_OPTS", "-o CertificateFile="+file)
		works(t, h.address)
		t.Setenv("SSH_OPTS", "-o CertificateFile="+file+"x")
		wantRefusal(t, h.address, "certificate: open "+file+"x")
		t.Setenv("SSH_OPTS", "-o CertificateFile="+authorities)
		wantRefusal(t, h.address, "holds no certificate")
	})
	t.Run("that is not valid any more", func(t *testing.T) {
		certify(beside, uint64(time.Now().Add(-time.Hour).Unix()))
		defer os.Remove(beside)
		wantRefusal(t, h.address, "is valid until", "signed again")
	})
}
