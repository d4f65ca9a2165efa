package sshclient

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"
)

// A HostKeyError says that a host did not prove who it is.
type HostKeyError struct {
	Host        string // as in known_hosts
	Fingerprint string // of the key that it has
	// Changed says that another key is known. Otherwise none is.
	Changed bool
	Hint    string
	Err     error
}

func (e *HostKeyError) Error() string {
	state := "is not known"
	if e.Changed {
		state = "is not the one that is known"
	}
	return fmt.Sprintf("the key %s of host %s %s: %s", e.Fingerprint, e.Host, state, e.Hint)
}

func (e *HostKeyError) Unwrap() error { return e.Err }

// hostKeys verifies the keys of hosts.
type hostKeys struct {
	settings *settings
	check    ssh.HostKeyCallback
}

// newHostKeys reads the known hosts.
func newHostKeys(s *settings) (*hostKeys, error) {
	var files []string
	for _, file := range s.knownHosts {
		_, err := os.Stat(file)
		switch {
		case err == nil:
			files = append(files, file)
		case !errors.Is(err, fs.ErrNotExist):
			return nil, fmt.Errorf("read known hosts: %w", err)
		}
	}
	check, err := knownhosts.New(files...)
	if err != nil {
		return nil, fmt.Errorf("read known hosts: %w: correct that line", err)
	}
	return &hostKeys{settings: s, check: check}, nil
}

// address returns what the host is called in known_hosts, with its port.
func (h *hostKeys) address() string {
	s := h.settings
	if s.hostKeyAlias != "" {
		return net.JoinHostPort(s.hostKeyAlias, "22")
	}
	return net.JoinHostPort(s.host, s.port)
}

// certificateAlgorithms are those of hosts with a key that an authority signed.
var certificateAlgorithms = []string{
	ssh.CertAlgoED25519v01, ssh.CertAlgoECDSA256v01, ssh.CertAlgoECDSA384v01, ssh.CertAlgoECDSA521v01,
	ssh.CertAlgoRSASHA512v01, ssh.CertAlgoRSASHA256v01,
}

// algorithms returns those of the keys that are known, so that a host with
// several keys shows one of them; nil if none is known.
func (h *hostKeys) algorithms() []string {
	var unknown *knownhosts.KeyError
	if err := h.known(noAddress{}, noKey{}); !errors.As(err, &unknown) || len(unknown.Want) == 0 {
		return nil
	}
	algorithms := slices.Clone(certificateAlgorithms)
	for _, known := range unknown.Want {
		names := []string{known.Key.Type()}
		if names[0] == ssh.KeyAlgoRSA {
			names = []string{ssh.KeyAlgoRSASHA512, ssh.KeyAlgoRSASHA256}
		}
		for _, name := range names {
			if !slices.Contains(algorithms, name) {
				algorithms = append(algorithms, name)
			}
		}
	}
	return algorithms
}

// verify is the callback for a connection.
func (h *hostKeys) verify(_ string, remote net.Addr, key ssh.PublicKey) error {
	err := h.known(remote, key)
	if certificate, ok := key.(*ssh.Certificate); ok && err != nil {
		key = certificate.Key // it may be known without its authority
		err = h.known(remote, key)
	}
	var unknown *knownhosts.KeyError
	if err == nil {
		return nil
	}
	name := knownhosts.Normalize(h.address())
	failure := &HostKeyError{Host: name, Fingerprint: ssh.FingerprintSHA256(key), Err: err}
	if !errors.As(err, &unknown) {
		failure.Changed = true
		failure.Hint = err.Error()
		return failure
	}
	if len(unknown.Want) == 0 {
		if h.settings.strict != "yes" {
			return h.learn(name, key)
		}
		failure.Hint = fmt.Sprintf("compare it with 'ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub' on the host; if it is the same, connect once with ssh, or add it with 'ssh-keyscan -p %s %s >> %s'",
			h.settings.port, h.settings.host, h.settings.userKnownHosts)
		return failure
	}
	if h.settings.strict == "no" {
		return nil
	}
	known := unknown.Want[0]
	failure.Changed = true
	failure.Hint = fmt.Sprintf("somebody may be listening in, or the host was installed anew; find out which. Only in the latter case remove the old key (%s:%d) with 'ssh-keygen -f %s -R %q'",
		known.Filename, known.Line, known.Filename, name)
	return failure
}

// known checks a key. As with OpenSSH, one that is known for the host without
// its port is good, too.
func (h *hostKeys) known(remote net.Addr, key ssh.PublicKey) error {
	err := h.check(h.address(), remote, key)
	host, port, splitErr := net.SplitHostPort(h.address())
	if err == nil || splitErr != nil || port == "22" {
		return err
	}
	var known *knownhosts.KeyError
	if errors.As(err, &known) && len(known.Want) > 0 {
		return err
	}
	if _, revoked := err.(*knownhosts.RevokedError); revoked || h.check(net.JoinHostPort(host, "22"), remote, key) != nil {
		return err
	}
	return nil
}

// learning lets one connection at a time add keys.
var learning sync.Mutex

// learn adds the key of a host that was not known.
func (h *hostKeys) learn(name string, key ssh.PublicKey) error {
	file := h.settings.userKnownHosts
	if file == "" || file == os.DevNull || file == "none" {
		return nil
	}
	learning.Lock()
	defer learning.Unlock()
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return fmt.Errorf("add the key of host %s to the known hosts: %w", name, err)
	}
	f, err := os.OpenFile(file, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("add the key of host %s to the known hosts: %w", name, err)
	}
	_, err = f.WriteString(knownhosts.Line([]string{name}, key) + "\n")
	if err := errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("add the key of host %s to the known hosts: %w", name, err)
	}
	return nil
}

// noKey is a key that no host has.
type noKey struct{}

func (noKey) Type() string                        { return "none" }
func (noKey) Marshal() []byte                     { return []byte("none") }
func (noKey) Verify([]byte, *ssh.Signature) error { return errors.New("no key") }

// noAddress is the address of a host that is known by name only.
type noAddress struct{}

func (noAddress) Network() string { return "tcp" }
func (noAddress) String() string  { return "0.0.0.0:0" }
