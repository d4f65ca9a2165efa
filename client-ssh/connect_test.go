package sshclient_test

import (
	"context"
	"crypto/ed25519"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/user"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"
	"golang.org/x/crypto/ssh/knownhosts"

	sshclient "github.com/disnix-go/disnix/client-ssh"
	"github.com/disnix-go/disnix/test/dnstest"
)

// wantRefusal checks that no connection is made, and why.
func wantRefusal(t *testing.T, address string, parts ...string) error {
	t.Helper()
	client, err := sshclient.Dial(t.Context(), address, sshclient.Config{})
	if err == nil {
		_ = client.Close()
	}
	wantError(t, err, parts...)
	return err
}

// wantError checks that there is an error, and what it says.
func wantError(t *testing.T, err error, parts ...string) {
	t.Helper()
	if err == nil {
		t.Error("no error")
		return
	}
	for _, part := range parts {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("the error does not say %q: %v", part, err)
		}
	}
}

// works checks that the target can be reached.
func works(t *testing.T, address string) {
	t.Helper()
	client, err := sshclient.Dial(t.Context(), address, sshclient.Config{})
	if err != nil {
		t.Error(err)
		return
	}
	defer client.Close()
	if manifest, err := client.QueryInstalled(t.Context(), "no-such-profile"); err != nil || manifest != nil {
		t.Errorf("%q, %v", manifest, err)
	}
}

func TestHostKeys(t *testing.T) {
	t.Setenv("NIX_STATE_DIR", t.TempDir())
	h := newHost(t, ours())
	file := filepath.Join(h.home, ".ssh/known_hosts")
	write := func(t *testing.T, text string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	name := knownhosts.Normalize(h.address)
	other := h.newKey(filepath.Join(t.TempDir(), "other"))
	known := knownhosts.Line([]string{name}, h.key)
	t.Run("an unknown host is refused", func(t *testing.T) {
		write(t, "")
		err := wantRefusal(t, h.address, "is not known", ssh.FingerprintSHA256(h.key), "ssh-keyscan -p", file)
		var key *sshclient.HostKeyError
		if !errors.As(err, &key) || key.Changed {
			t.Errorf("%#v", err)
		}
	})
	t.Run("a changed key is refused", func(t *testing.T) {
		write(t, knownhosts.Line([]string{name}, other))
		err := wantRefusal(t, h.address, "is not the one that is known", file+":1", "ssh-keygen -f")
		var key *sshclient.HostKeyError
		if !errors.As(err, &key) || !key.Changed {
			t.Errorf("%#v", err)
		}
	})
	t.Run("a revoked key is refused", func(t *testing.T) {
		write(t, known+"\n@revoked * "+strings.SplitN(known, " ", 2)[1])
		wantRefusal(t, h.address, "revoked")
	})
	t.Run("a hashed entry", func(t *testing.T) {
		write(t, knownhosts.HashHostname(name)+" "+strings.SplitN(known, " ", 2)[1])
		works(t, h.address)
	})
	t.Run("a key that an authority has signed", func(t *testing.T) {
		write(t, "@cert-authority * "+string(ssh.MarshalAuthorizedKey(h.authority)))
		works(t, h.address)
		write(t, "@cert-authority "+name+" "+string(ssh.MarshalAuthorizedKey(h.authority)))
		works(t, h.address)
		write(t, "@cert-authority * "+string(ssh.MarshalAuthorizedKey(other)))
		wantRefusal(t, h.address, "is not known")
	})
	t.Run("a broken file is named", func(t *testing.T) {
		write(t, "host nonsense")
		wantRefusal(t, h.address, file+":1")
	})
	t.Run("new keys are accepted and remembered", func(t *testing.T) {
		write(t, "")
		t.Setenv("SSH_OPTS", "-o StrictHostKeyChecking=accept-new")
		works(t, h.address)
		t.Setenv("SSH_OPTS", "")
		works(t, h.address)
		write(t, knownhosts.Line([]string{name}, other))
		t.Setenv("SSH_OPTS", "-o StrictHostKeyChecking=accept-new")
		wantRefusal(t, h.address, "is not the one that is known")
	})
	t.Run("another file is named with an option", func(t *testing.T) {
		write(t, "")
		elsewhere := filepath.Join(t.TempDir(), "known")
		if err := os.WriteFile(elsewhere, []byte(known), 0o600); err != nil {
			t.Fatal(err)
		}
		t.Setenv("SSH_OPTS", "-o UserKnownHostsFile="+elsewhere)
		works(t, h.address)
	})
}

func TestLogin(t *testing.T) {
	t.Setenv("NIX_STATE_DIR", t.TempDir())
	h := newHost(t, ours())
	key := filepath.Join(h.home, ".ssh/id_ed25519")
	content, err := os.ReadFile(key)
	h.must(err)
	private, err := ssh.ParseRawPrivateKey(content)
	h.must(err)
	t.Run("without a key", func(t *testing.T) {
		h.must(os.Rename(key, key+".away"))
		defer os.Rename(key+".away", key)
		wantRefusal(t, h.address, "the login is refused", "authorized_keys", "ssh-keygen")
		t.Setenv("SSH_OPTS", "-i "+key+".away")
		works(t, h.address)
		t.Setenv("SSH_OPTS", "-i "+key+".missing")
		wantRefusal(t, h.address, key+".missing")
	})
	t.Run("with an encrypted key", func(t *testing.T) {
		block, err := ssh.MarshalPrivateKeyWithPassphrase(private.(*ed25519.PrivateKey), "", []byte("secret"))
		h.must(err)
		h.must(os.WriteFile(key, pem.EncodeToMemory(block), 0o600))
		defer os.WriteFile(key, content, 0o600)
		wantRefusal(t, h.address, "is encrypted", "ssh-add "+key)
		t.Run("that the agent holds", func(t *testing.T) {
			t.Setenv("SSH_AUTH_SOCK", startAgent(t, private))
			works(t, h.address)
		})
	})
	t.Run("without the agent", func(t *testing.T) {
		t.Setenv("SSH_AUTH_SOCK", filepath.Join(t.TempDir(), "gone"))
		works(t, h.address)
	})
	t.Run("as another user", func(t *testing.T) {
		t.Setenv("SSH_USER", "no-such-user")
		wantRefusal(t, h.address, "as user no-such-user")
		t.Setenv("SSH_OPTS", "-l "+userName(t))
		works(t, h.address)
	})
}

func userName(t *testing.T) string {
	t.Helper()
	u, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	return u.Username
}

// startAgent returns the socket of an agent that holds a key.
func startAgent(t *testing.T, key any) string {
	t.Helper()
	ring := agent.NewKeyring()
	if err := ring.Add(agent.AddedKey{PrivateKey: key}); err != nil {
		t.Fatal(err)
	}
	socket := filepath.Join(t.TempDir(), "agent")
	listener, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() { _ = agent.ServeAgent(ring, conn) }()
		}
	}()
	return socket
}

func TestConfiguration(t *testing.T) {
	t.Setenv("NIX_STATE_DIR", t.TempDir())
	h := newHost(t, ours())
	key := filepath.Join(h.home, ".ssh/id_ed25519")
	h.must(os.Rename(key, filepath.Join(h.home, "my key")))
	host, port, _ := net.SplitHostPort(h.address)
	configure := func(format string, args ...any) {
		t.Helper()
		h.must(os.WriteFile(filepath.Join(h.home, ".ssh/config"), fmt.Appendf(nil, format, args...), 0o600))
	}
	direct := fmt.Sprintf("Host target*\n  HostName %s\n  Port %s\n  User %s\n  IdentityFile \"~/my key\"\n", host, port, userName(t))
	configure("%s", direct)
	works(t, "target1")
	t.Run("through another host", func(t *testing.T) {
		before := h.connections()
		configure("Host behind\n  HostName %s\n  ProxyJump target1\n  IdentityFile \"~/my key\"\n%s", host, direct)
		works(t, "behind:"+port)
		if n := h.connections() - before; n != 2 {
			t.Errorf("%d connections", n)
		}
		t.Setenv("SSH_OPTS", "-J target1 -i target")
		configure("%s", direct)
		works(t, "target2")
	})
	t.Run("round in circles", func(t *testing.T) {
		configure("Host a\n  ProxyJump b\nHost b\n  ProxyJump a\n")
		wantRefusal(t, "a", "circle")
	})
	for text, want := range map[string]string{
		"Host *\n  ProxyCommand a\n  ProxyJump b\n": "both a ProxyCommand and a ProxyJump",
		"Host *\n  RevokedHostKeys /etc/revoked\n":  `revokedhostkeys "/etc/revoked"`,
		"Host *\n  BindAddress 127.0.0.2\n":         `bindaddress "127.0.0.2"`,
		"Host *\n  StrictHostKeyChecking perhaps\n": `"perhaps"`,
		"Host *\n  Port many\n":                     `"many"`,
		"Host *\n  ConnectTimeout never\n":          `"never"`,
		"Host *\n  AddressFamily ipx\n":             `"ipx"`,
		"Match host target\n  Port many\n":          "ssh -G target",
		"Match host target\n  RevokedHostKeys /r\n": `revokedhostkeys "/r"`,
		"Host *\n  ProxyJump a:b:c\n":               `"a:b:c"`,
	} {
		t.Run(strings.TrimSpace(text), func(t *testing.T) {
			configure("%s", text)
			wantRefusal(t, "target", want)
		})
	}
	t.Run("Match blocks", func(t *testing.T) {
		configure("Match originalhost by-match exec true\n  HostName %s\n  Port %s\n  IdentityFile \"~/my key\"\n  UserKnownHostsFile %s/.ssh/known_hosts\n", host, port, h.home)
		t.Setenv("SSH_OPTS", "-F "+filepath.Join(h.home, ".ssh/config"))
		works(t, "by-match")
		t.Run("in a file that is included", func(t *testing.T) {
			h.must(os.Rename(filepath.Join(h.home, ".ssh/config"), filepath.Join(h.home, ".ssh/more")))
			configure("Include %s\n", filepath.Join(h.home, ".ssh/more"))
			works(t, "by-match")
		})
		t.Run("without ssh", func(t *testing.T) {
			t.Setenv("PATH", t.TempDir())
			wantRefusal(t, "by-match", "Match blocks", "openssh-client", "-F in SSH_OPTS")
		})
	})
	t.Run("another file", func(t *testing.T) {
		t.Setenv("SSH_OPTS", "-F "+filepath.Join(h.home, "missing"))
		wantRefusal(t, "target", "missing")
	})
}

// listener answers connections in a way of its own.
func listener(t testing.TB, answer func(net.Conn)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go answer(conn)
		}
	}()
	return l.Addr().String()
}

func TestUnreachableHosts(t *testing.T) {
	t.Setenv("HOME", t.TempDir())
	t.Setenv("SSH_OPTS", "")
	t.Run("refused", func(t *testing.T) {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		_ = l.Close()
		wantRefusal(t, l.Addr().String(), "connect to "+l.Addr().String(), "connection refused", "start the SSH server")
	})
	t.Run("hanging", func(t *testing.T) {
		t.Setenv("SSH_OPTS", "-o ConnectTimeout=1")
		wantRefusal(t, listener(t, func(net.Conn) {}), "no login within 1s", "is it an ssh server")
	})
	t.Run("something else", func(t *testing.T) {
		address := listener(t, func(conn net.Conn) {
			_, _ = io.WriteString(conn, strings.Repeat("HTTP/1.1 400 Bad Request\r\n\r\n", 1000))
			_ = conn.Close()
		})
		wantRefusal(t, address, "connect to "+address)
	})
	t.Run("cancelled", func(t *testing.T) {
		ctx, cancel := context.WithCancelCause(t.Context())
		reason := errors.New("interrupted")
		address := listener(t, func(net.Conn) { cancel(reason) })
		if _, err := sshclient.Dial(ctx, address, sshclient.Config{}); !errors.Is(err, reason) {
			t.Errorf("error %v", err)
		}
	})
	t.Run("without a name", func(t *testing.T) {
		dnstest.NoHosts(t)
		wantRefusal(t, "no-such-host.invalid", "no-such-host.invalid", "correct the address")
	})
}
