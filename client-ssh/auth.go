package sshclient

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"slices"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"
)

// identity collects the keys with which the user can prove who he is, and
// why others cannot be used.
type identity struct {
	signers []ssh.Signer
	notes   []string
	conn    net.Conn // to the agent; may be nil
}

func (id *identity) Close() {
	if id.conn != nil {
		_ = id.conn.Close()
	}
}

func (id *identity) note(format string, args ...any) {
	id.notes = append(id.notes, fmt.Sprintf(format, args...))
}

// hint returns what to know about a refused login.
func (id *identity) hint() string {
	if len(id.signers) == 0 {
		id.note("there is no key to log in with: make one with ssh-keygen, or name it with IdentityFile")
	}
	return strings.Join(id.notes, "; ")
}

// loadIdentity asks the agent and reads key files. Keys of the agent that are
// meant by a file come first: servers refuse after a few wrong ones.
func loadIdentity(s *settings) *identity {
	id := new(identity)
	held := id.agentKeys(s.agent)
	var rest []ssh.Signer
	for _, file := range s.identities {
		signer := id.fileKey(file, held, s.identitiesGiven)
		switch {
		case signer == nil:
		case slices.Contains(held, signer):
			id.signers = append(id.signers, id.certified(signer, file, s)...)
			id.signers = append(id.signers, signer)
		default:
			rest = append(rest, id.certified(signer, file, s)...)
			rest = append(rest, signer)
		}
	}
	if !s.identitiesOnly {
		for _, signer := range held {
			if !slices.Contains(id.signers, signer) {
				rest = append(rest, signer)
			}
		}
	}
	id.signers = append(id.signers, rest...)
	return id
}

// certified returns the key with its certificates: the one next to its file,
// and those that the configuration names. They come before the key alone.
func (id *identity) certified(signer ssh.Signer, file string, s *settings) []ssh.Signer {
	var signers []ssh.Signer
	for i, name := range append([]string{file + "-cert.pub"}, s.certificates...) {
		content, err := os.ReadFile(name)
		if i == 0 && errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			id.note("certificate: %v", err)
			continue
		}
		key, _, _, _, err := ssh.ParseAuthorizedKey(content)
		certificate, ok := key.(*ssh.Certificate)
		if err != nil || !ok {
			id.note("certificate file %s holds no certificate", name)
			continue
		}
		if !bytes.Equal(certificate.Key.Marshal(), signer.PublicKey().Marshal()) {
			continue // it is that of another key
		}
		if until := certificate.ValidBefore; until != ssh.CertTimeInfinity && time.Now().Unix() >= int64(until) {
			id.note("certificate %s is valid until %s only: have the key signed again", name, time.Unix(int64(until), 0).UTC().Format(time.DateTime))
		}
		if signer, err := ssh.NewCertSigner(certificate, signer); err == nil {
			signers = append(signers, signer)
		}
	}
	return signers
}

// agentKeys returns the keys that the agent holds.
func (id *identity) agentKeys(socket string) []ssh.Signer {
	if socket == "" {
		return nil
	}
	conn, err := net.Dial("unix", socket)
	if err != nil {
		id.note("the ssh agent cannot be reached: %v", err)
		return nil
	}
	signers, err := agent.NewClient(conn).Signers()
	if err != nil {
		id.note("the ssh agent does not list its keys: %v", err)
		_ = conn.Close()
		return nil
	}
	id.conn = conn
	return signers
}

// fileKey returns the key in a file, from the agent if that holds it, or nil.
func (id *identity) fileKey(file string, held []ssh.Signer, wanted bool) ssh.Signer {
	if public, err := os.ReadFile(file + ".pub"); err == nil {
		if key, _, _, _, err := ssh.ParseAuthorizedKey(public); err == nil {
			if signer := find(held, key); signer != nil {
				return signer
			}
		}
	}
	content, err := os.ReadFile(file)
	if err != nil {
		if wanted || !errors.Is(err, fs.ErrNotExist) {
			id.note("key file: %v", err)
		}
		return nil
	}
	signer, err := ssh.ParsePrivateKey(content)
	var encrypted *ssh.PassphraseMissingError
	switch {
	case errors.As(err, &encrypted):
		if encrypted.PublicKey != nil {
			if signer := find(held, encrypted.PublicKey); signer != nil {
				return signer
			}
		}
		id.note("key file %s is encrypted: start an agent (eval $(ssh-agent)) and give it the key with 'ssh-add %s'", file, file)
		return nil
	case err != nil:
		id.note("key file %s cannot be used: %v", file, err)
		return nil
	}
	if holder := find(held, signer.PublicKey()); holder != nil {
		return holder
	}
	return signer
}

func find(signers []ssh.Signer, key ssh.PublicKey) ssh.Signer {
	for _, signer := range signers {
		if bytes.Equal(signer.PublicKey().Marshal(), key.Marshal()) {
			return signer
		}
	}
	return nil
}
