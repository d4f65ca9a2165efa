package webserver

import (
	"crypto/x509"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/bcrypt"
)

func TestWhoMayListenWhere(t *testing.T) {
	files := inDir(t, "cert", "key", "users", "ca")
	ca := newAuthority(t, "ca")
	ca.server(t, "server", files[0], files[1])
	htpasswd(t, files[2], "admin:secret")
	replace(t, files[3], ca.pem())
	withTLS := Config{CertFile: files[0], KeyFile: files[1]}
	for name, test := range map[string]struct {
		address string
		config  Config
		want    string // part of the error, or nothing
	}{
		"this machine":                    {"127.0.0.1:0", Config{}, ""},
		"this machine, IPv6":              {"[::1]:0", Config{}, ""},
		"this machine, by name":           {"localhost:0", Config{}, ""},
		"all machines":                    {":0", Config{}, "without authentication"},
		"all machines, by address":        {"0.0.0.0:0", Config{}, "without authentication"},
		"all machines, IPv6":              {"[::]:0", Config{}, "without authentication"},
		"TLS alone":                       {":0", withTLS, "without authentication"},
		"allowed":                         {":0", Config{AllowUnauthenticated: true}, ""},
		"passwords":                       {":0", Config{PasswordFile: files[2]}, "plain text"},
		"passwords, allowed":              {":0", Config{PasswordFile: files[2], AllowPlaintext: true}, ""},
		"passwords and TLS":               {":0", Config{PasswordFile: files[2], CertFile: files[0], KeyFile: files[1]}, ""},
		"certificates and TLS":            {":0", Config{ClientCAFile: files[3], CertFile: files[0], KeyFile: files[1]}, ""},
		"certificates without TLS":        {":0", Config{ClientCAFile: files[3]}, "client certificates need TLS"},
		"a certificate without its key":   {"127.0.0.1:0", Config{CertFile: files[0]}, "both"},
		"a key that is no certificate":    {"127.0.0.1:0", Config{CertFile: files[1], KeyFile: files[1]}, files[1]},
		"a missing certificate":           {"127.0.0.1:0", Config{CertFile: files[0] + "x", KeyFile: files[1]}, files[0] + "x"},
		"authorities that are none":       {"127.0.0.1:0", Config{ClientCAFile: files[2], CertFile: files[0], KeyFile: files[1]}, "no certificate in PEM"},
		"a missing file of passwords":     {"127.0.0.1:0", Config{PasswordFile: files[2] + "x"}, files[2] + "x"},
		"no address":                      {"here", Config{}, "listen on here"},
		"the address of another machine":  {"192.0.2.1:0", Config{AllowUnauthenticated: true}, "192.0.2.1"},
		"an address of somebody, unasked": {"192.0.2.1:0", Config{}, "without authentication"},
	} {
		t.Run(name, func(t *testing.T) {
			test.config.Addresses = []string{test.address}
			test.config.Log = slog.New(slog.DiscardHandler)
			server, err := Listen(test.config)
			if err == nil {
				defer server.closeListeners()
			}
			if (test.want == "") != (err == nil) || err != nil && !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want %q", err, test.want)
			}
		})
	}
	if _, err := Listen(Config{Log: slog.New(slog.DiscardHandler)}); err == nil {
		t.Error("no address was accepted")
	}
}

func TestFilesOfPasswords(t *testing.T) {
	good, err := bcrypt.GenerateFromPassword([]byte("secret"), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct{ content, want string }{
		"bcrypt":          {"admin:" + string(good) + "\n", ""},
		"MD5":             {"# c\nadmin:$apr1$KGhEFPDS$vrCCP3BqyDKh0iyfLP6y2.\n", ":2: the password of \"admin\" is not a bcrypt hash but MD5: set it again with htpasswd -B"},
		"SHA-1":           {"admin:{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=", "SHA-1"},
		"SHA-512 crypt":   {"admin:$6$salt$hash", "SHA-2 crypt"},
		"crypt":           {"admin:rl.3StKT.4T8M", "not a bcrypt hash"},
		"plain text":      {"admin:hunter2", "not a bcrypt hash"},
		"a broken hash":   {"admin:$2y$10$short", "not a bcrypt hash"},
		"no hash":         {"admin", ":1: the line is not USER:HASH"},
		"no user":         {":" + string(good), "the line is not USER:HASH"},
		"nobody":          {"# nobody\n\n", "has no user"},
		"one good, a bad": {"a:" + string(good) + "\nb:x\n", ":2:"},
	} {
		t.Run(name, func(t *testing.T) {
			path := inDir(t, "users")[0]
			replace(t, path, test.content)
			_, err := newPasswords(path, slog.New(slog.DiscardHandler))
			if (test.want == "") != (err == nil) || err != nil && !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v", err)
			}
			if err != nil && (strings.Contains(err.Error(), "hunter2") || strings.Contains(err.Error(), "vrCCP3")) {
				t.Errorf("the error tells the password: %v", err)
			}
		})
	}
}

func TestPasswords(t *testing.T) {
	path := inDir(t, "users")[0]
	htpasswd(t, path, "admin:secret", "bob:pass:word ü")
	r := run(t, Config{PasswordFile: path})
	client := http.DefaultClient
	for name, test := range map[string]struct {
		change []func(*http.Request)
		status int
		want   string
	}{
		"right":              {[]func(*http.Request){user("admin", "secret")}, 200, "user=admin"},
		"right again":        {[]func(*http.Request){user("admin", "secret")}, 200, "user=admin"},
		"with a colon":       {[]func(*http.Request){user("bob", "pass:word ü")}, 200, "user=bob"},
		"none":               {nil, 401, "required"},
		"wrong":              {[]func(*http.Request){user("admin", "Secret")}, 401, "wrong"},
		"of somebody else":   {[]func(*http.Request){user("bob", "secret")}, 401, "wrong"},
		"of nobody":          {[]func(*http.Request){user("eve", "secret")}, 401, "wrong"},
		"empty":              {[]func(*http.Request){user("admin", "")}, 401, "wrong"},
		"very long":          {[]func(*http.Request){user("admin", "secret"+strings.Repeat("x", 1000))}, 401, "wrong"},
		"another scheme":     {[]func(*http.Request){header("Authorization", "Bearer secret")}, 401, "required"},
		"garbage":            {[]func(*http.Request){header("Authorization", "Basic ???")}, 401, "required"},
		"a trusted header":   {[]func(*http.Request){header("X-Forwarded-User", "admin")}, 401, "required"},
		"the decoy's itself": {[]func(*http.Request){user("", "")}, 401, "wrong"},
	} {
		t.Run(name, func(t *testing.T) {
			status, body := get(t, client, r.url+"/x", test.change...)
			if status != test.status || !strings.Contains(body, test.want) {
				t.Errorf("%d: %s", status, body)
			}
		})
	}
	response, err := client.Get(r.url)
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	if got := response.Header.Get("WWW-Authenticate"); got != `Basic realm="test", charset="UTF-8"` {
		t.Errorf("asked with %s", got)
	}
	if status, body := get(t, client, r.url+HealthPath); status != 200 || body != "ok\n" {
		t.Errorf("health: %d %s", status, body)
	}
	if !strings.Contains(r.log.String(), `error="the user name or the password is wrong" tried=eve`) {
		t.Errorf("it is not in the log who was tried: %s", r.log)
	}
	if strings.Contains(r.log.String(), "ecret") {
		t.Errorf("a password is in the log: %s", r.log)
	}
}

// TestHtpasswd reads a file that the program of that name has made.
func TestHtpasswd(t *testing.T) {
	path := inDir(t, "users")[0]
	for _, args := range [][]string{{"-c", "-B", "-b", path, "admin", "secret"}, {"-B", "-b", path, "bob", "other"}} {
		if out, err := exec.Command("htpasswd", args...).CombinedOutput(); err != nil {
			t.Fatalf("htpasswd: %v: %s", err, out)
		}
	}
	p, err := newPasswords(path, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	if !p.check(t.Context(), "admin", "secret") || !p.check(t.Context(), "bob", "other") || p.check(t.Context(), "bob", "secret") {
		t.Error("the passwords are not those of the file")
	}
	if out, err := exec.Command("htpasswd", "-m", "-b", path, "eve", "md5").CombinedOutput(); err != nil {
		t.Fatalf("htpasswd: %v: %s", err, out)
	}
	if err := p.file.reload(); err == nil || !strings.Contains(err.Error(), `"eve" is not a bcrypt hash but MD5`) {
		t.Errorf("error %v", err)
	}
	if !p.check(t.Context(), "admin", "secret") {
		t.Error("a broken file has locked everybody out")
	}
}

func TestChangedPasswords(t *testing.T) {
	path := inDir(t, "users")[0]
	htpasswd(t, path, "admin:old")
	r := run(t, Config{PasswordFile: path})
	if status, _ := get(t, http.DefaultClient, r.url, user("admin", "old")); status != 200 {
		t.Fatalf("status %d", status)
	}
	htpasswd(t, path, "admin:new")
	// The old password was right before; the new one was not used yet.
	eventually(t, "the file is read again by itself", func() bool {
		status, _ := get(t, http.DefaultClient, r.url, user("admin", "old"))
		return status == 401
	})
	if status, _ := get(t, http.DefaultClient, r.url, user("admin", "new")); status != 200 {
		t.Errorf("the new password: %d", status)
	}
	htpasswd(t, path, "bob:other")
	eventually(t, "a user who was removed is refused", func() bool {
		status, _ := get(t, http.DefaultClient, r.url, user("admin", "new"))
		return status == 401
	})
	htpasswd(t, path, "admin:new")
	eventually(t, "the user is back", func() bool {
		status, _ := get(t, http.DefaultClient, r.url, user("admin", "new"))
		return status == 200
	})
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := r.Reload(); err == nil {
		t.Error("a missing file was read")
	}
	if status, _ := get(t, http.DefaultClient, r.url, user("admin", "new")); status != 200 {
		t.Errorf("without the file: %d", status)
	}
}

func TestClientCertificates(t *testing.T) {
	files := inDir(t, "cert", "key", "ca", "users")
	serverCA, clientCA, otherCA := newAuthority(t, "servers"), newAuthority(t, "clients"), newAuthority(t, "others")
	serverCA.server(t, "server", files[0], files[1])
	replace(t, files[2], clientCA.pem())
	htpasswd(t, files[3], "admin:secret")
	r := run(t, Config{CertFile: files[0], KeyFile: files[1], ClientCAFile: files[2]})
	both := run(t, Config{CertFile: files[0], KeyFile: files[1], ClientCAFile: files[2], PasswordFile: files[3]})
	yesterday, today, tomorrow := time.Now().Add(-25*time.Hour), time.Now().Add(-time.Hour), time.Now().Add(24*time.Hour)
	good := serverCA.trusting(clientCA.client(t, "alice", today, x509.ExtKeyUsageClientAuth))
	for name, test := range map[string]struct {
		client *http.Client
		status int
		want   string
	}{
		"good":            {good, 200, "user=alice"},
		"expired":         {serverCA.trusting(clientCA.client(t, "alice", yesterday, x509.ExtKeyUsageClientAuth)), 403, "expired"},
		"of tomorrow":     {serverCA.trusting(clientCA.client(t, "alice", tomorrow, x509.ExtKeyUsageClientAuth)), 403, "not yet valid"},
		"for a server":    {serverCA.trusting(clientCA.client(t, "alice", today, x509.ExtKeyUsageServerAuth)), 403, "not accepted"},
		"none":            {serverCA.trusting(), 403, "a client certificate is required"},
		"signed by other": {serverCA.trusting(otherCA.client(t, "alice", today, x509.ExtKeyUsageClientAuth)), 403, ""},
	} {
		t.Run(name, func(t *testing.T) {
			status, body := get(t, test.client, r.url)
			if status != test.status || !strings.Contains(body, test.want) {
				t.Errorf("%d: %s", status, body)
			}
		})
	}
	if status, _ := get(t, good, both.url); status != 401 {
		t.Errorf("a certificate without a password: %d", status)
	}
	if status, _ := get(t, serverCA.trusting(), both.url, user("admin", "secret")); status != 403 {
		t.Errorf("a password without a certificate: %d", status)
	}
	if status, body := get(t, good, both.url, user("admin", "secret")); status != 200 || !strings.Contains(body, "user=admin") {
		t.Errorf("both: %d: %s", status, body)
	}
	replace(t, files[2], otherCA.pem())
	eventually(t, "the authorities are read again", func() bool {
		status, _ := get(t, good, r.url)
		return status == 403
	})
}

func TestChangedServerCertificate(t *testing.T) {
	files := inDir(t, "cert", "key")
	first, second := newAuthority(t, "first"), newAuthority(t, "second")
	first.server(t, "server", files[0], files[1])
	r := run(t, Config{CertFile: files[0], KeyFile: files[1]})
	if status, body := get(t, first.trusting(), r.url); status != 200 || !strings.Contains(body, "base=https://127.0.0.1") {
		t.Fatalf("%d: %s", status, body)
	}
	trusts := func(a *authority) bool {
		response, err := a.trusting().Get(r.url)
		if err == nil {
			_ = response.Body.Close()
		}
		return err == nil
	}
	replace(t, files[1], "garbage")
	if err := r.Reload(); err == nil || !strings.Contains(err.Error(), files[1]) {
		t.Errorf("reload: %v", err)
	}
	if !trusts(first) {
		t.Error("a broken key has stopped the service")
	}
	second.server(t, "server", files[0], files[1])
	eventually(t, "the new certificate is served", func() bool { return trusts(second) })
	if trusts(first) {
		t.Error("the old certificate is served, too")
	}
	if response, err := http.Get("http://" + strings.TrimPrefix(r.url, "https://")); err == nil {
		_ = response.Body.Close()
		if response.StatusCode != http.StatusBadRequest {
			t.Errorf("plain HTTP: %d", response.StatusCode)
		}
	} else if !errors.Is(err, net.ErrClosed) {
		t.Logf("plain HTTP: %v", err)
	}
}
