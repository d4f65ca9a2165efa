package lab

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"fmt"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"
)

// A keyPair has its halves in the formats of OpenSSH's files.
type keyPair struct {
	private, public string
}

func newKeyPair(t testing.TB) keyPair {
	t.Helper()
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	block, err := ssh.MarshalPrivateKey(private, "lab")
	if err != nil {
		t.Fatal(err)
	}
	line, err := ssh.NewPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	return keyPair{
		private: string(pem.EncodeToMemory(block)),
		public:  string(ssh.MarshalAuthorizedKey(line)),
	}
}

// introduce tells every host that runs the names, addresses and host keys of
// all.
func (l *Lab) introduce() {
	l.t.Helper()
	var names, known strings.Builder
	names.WriteString("127.0.0.1 localhost\n::1 localhost\n")
	for _, h := range l.hosts {
		fmt.Fprintf(&names, "%s %s\n%s %s\n", h.Addr(), h.name, h.Addr6(), h.name)
		fmt.Fprintf(&known, "%s,%s,%s %s", h.name, h.Addr(), h.Addr6(), h.key.public)
	}
	for _, h := range l.hosts {
		if h.init == nil {
			continue
		}
		h.WriteFile(l.t, "/etc/hosts", names.String(), 0o644)
		h.WriteFile(l.t, "/etc/ssh/ssh_known_hosts", known.String(), 0o644)
	}
}
