package webserver

import (
	"bufio"
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/binary"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"

	"golang.org/x/crypto/bcrypt"
)

// passwords checks the passwords of a file as htpasswd makes it. Only bcrypt is
// accepted: the other hashes of such files can be broken.
//
// bcrypt is slow, so a password that was right is recognised by a keyed hash,
// as long as the file has the same entry for the user.
type passwords struct {
	file *watched[map[string][]byte] // hashes, by user
	key  [32]byte
	// slots bound how many passwords are checked at once.
	slots chan struct{}

	mu    sync.Mutex
	right map[string][sha256.Size]byte // by user
}

func newPasswords(path string, log *slog.Logger) (*passwords, error) {
	p := &passwords{slots: make(chan struct{}, runtime.GOMAXPROCS(0)), right: make(map[string][sha256.Size]byte)}
	_, _ = rand.Read(p.key[:]) // it never fails
	var err error
	p.file, err = watch(log, func() (map[string][]byte, error) { return readPasswords(path) }, path)
	return p, err
}

// readPasswords reads lines of the form user:hash. Empty lines and comments are
// left out.
func readPasswords(path string) (map[string][]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read the file of passwords: %w", err)
	}
	defer file.Close()
	hashes := make(map[string][]byte)
	lines := bufio.NewScanner(file)
	for number := 1; lines.Scan(); number++ {
		line := strings.TrimSpace(lines.Text())
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		user, hash, found := strings.Cut(line, ":")
		if !found || user == "" {
			return nil, fmt.Errorf("%s:%d: the line is not USER:HASH", path, number)
		}
		if _, err := bcrypt.Cost([]byte(hash)); err != nil || !strings.HasPrefix(hash, "$2") {
			return nil, fmt.Errorf("%s:%d: the password of %q is not a bcrypt hash%s: set it again with htpasswd -B", path, number, user, hashKind(hash))
		}
		hashes[user] = []byte(hash)
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("read the file of passwords %s: %w", path, err)
	}
	if len(hashes) == 0 {
		return nil, fmt.Errorf("the file of passwords %s has no user", path)
	}
	return hashes, nil
}

// hashKind says what a hash is instead, without showing it.
func hashKind(hash string) string {
	switch {
	case strings.HasPrefix(hash, "$apr1$"), strings.HasPrefix(hash, "$1$"):
		return " but MD5"
	case strings.HasPrefix(hash, "{SHA}"):
		return " but SHA-1"
	case strings.HasPrefix(hash, "$5$"), strings.HasPrefix(hash, "$6$"):
		return " but SHA-2 crypt"
	default:
		return ""
	}
}

// check tells whether the password is that of the user.
func (p *passwords) check(ctx context.Context, user, password string) bool {
	hashes := p.file.get()
	hash, known := hashes[user]
	digest := p.digest(hash, password)
	p.mu.Lock()
	right := p.right[user]
	p.mu.Unlock()
	if known && subtle.ConstantTimeCompare(right[:], digest[:]) == 1 {
		return true
	}
	select {
	case p.slots <- struct{}{}:
		defer func() { <-p.slots }()
	case <-ctx.Done():
		return false
	}
	if !known {
		hash = p.decoy(hashes, user)
	}
	if bcrypt.CompareHashAndPassword(hash, []byte(password)) != nil || !known {
		return false
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.right[user] = digest
	return true
}

// decoy returns what is compared if there is no such user, so that it takes as
// long: the hash of another one, for the same name always the same.
func (p *passwords) decoy(hashes map[string][]byte, user string) []byte {
	users := slices.Sorted(maps.Keys(hashes))
	digest := p.digest(nil, user)
	return hashes[users[binary.BigEndian.Uint64(digest[:])%uint64(len(users))]]
}

func (p *passwords) digest(hash []byte, password string) (digest [sha256.Size]byte) {
	mac := hmac.New(sha256.New, p.key[:])
	mac.Write(hash)
	mac.Write([]byte{0})
	mac.Write([]byte(password))
	mac.Sum(digest[:0])
	return digest
}
