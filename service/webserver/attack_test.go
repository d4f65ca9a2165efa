package webserver

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"
)

// TestBodiesThatNobodyReads announces bodies that never come, to what is
// answered without reading them. The connections must end all the same: who has
// no password could use up all of them otherwise.
func TestBodiesThatNobodyReads(t *testing.T) {
	paths := inDir(t, "users")
	htpasswd(t, paths[0], "admin:secret")
	r := run(t, Config{PasswordFile: paths[0], Limits: Limits{StallTime: time.Second}})
	for _, path := range []string{HealthPath, "/"} {
		for _, rest := range []string{
			"Content-Length: 1000\r\n\r\n", "Transfer-Encoding: chunked\r\n\r\n", "Transfer-Encoding: chunked\r\n\r\n5\r\nab",
			"Expect: 100-continue\r\nContent-Length: 1000\r\n\r\n", "Expect: 100-continue\r\nTransfer-Encoding: chunked\r\n\r\n",
		} {
			t.Run(path+" "+rest, func(t *testing.T) {
				t.Parallel()
				conn, err := net.Dial("tcp", r.Addresses()[0].String())
				if err != nil {
					t.Fatal(err)
				}
				defer conn.Close()
				fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: x\r\n%s", path, rest)
				_ = conn.SetReadDeadline(time.Now().Add(2 * time.Minute))
				answer, err := io.ReadAll(conn)
				if err != nil || !strings.HasPrefix(string(answer), "HTTP/1.1 ") {
					t.Errorf("%q, %v", answer, err)
				}
			})
		}
	}
}

// TestHandshakesThatNeverCome opens connections for TLS and says nothing.
func TestHandshakesThatNeverCome(t *testing.T) {
	paths := inDir(t, "cert", "key")
	newAuthority(t, "ours").server(t, "server", paths[0], paths[1])
	r := run(t, Config{CertFile: paths[0], KeyFile: paths[1], Limits: Limits{HeaderTime: 50 * time.Millisecond}})
	for _, begin := range []string{"", "\x16\x03\x01"} {
		conn, err := net.Dial("tcp", r.Addresses()[0].String())
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.WriteString(conn, begin)
		_ = conn.SetReadDeadline(time.Now().Add(2 * time.Minute))
		if _, err := io.ReadAll(conn); errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("after %q the connection stays open", begin)
		}
		_ = conn.Close()
	}
}

// TestPagesInBrowsers sends what a page in a browser could: one whose name was
// made to mean this machine is not asked for a password here.
func TestPagesInBrowsers(t *testing.T) {
	r := run(t, Config{})
	for origin, want := range map[string]int{"": 200, "http://evil.example": 403, "null": 403, r.url: 403} {
		for _, method := range []string{http.MethodPost, http.MethodDelete} {
			status, body := get(t, http.DefaultClient, r.url, func(request *http.Request) {
				request.Method = method
				if origin != "" {
					request.Header.Set("Origin", origin)
				}
			})
			if status != want {
				t.Errorf("%s from %q: %d: %s", method, origin, status, body)
			}
		}
	}
	if status, _ := get(t, http.DefaultClient, r.url, header("Origin", "http://evil.example")); status != 200 {
		t.Errorf("the description cannot be read: %d", status)
	}
}

// TestSmugglingIsRefused sends requests whose end a proxy could see elsewhere.
func TestSmugglingIsRefused(t *testing.T) {
	r := run(t, Config{})
	for _, head := range []string{
		"Content-Length: 5\r\nContent-Length: 6\r\n",
		"Content-Length: 5\r\nTransfer-Encoding: chunked, identity\r\n",
		"Transfer-Encoding: xchunked\r\n",
		"Transfer-Encoding : chunked\r\n",
		"Content-Length: +5\r\n",
	} {
		conn, err := net.Dial("tcp", r.Addresses()[0].String())
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(conn, "POST / HTTP/1.1\r\nHost: x\r\n%s\r\n0\r\n\r\n", head)
		line, err := bufio.NewReader(conn).ReadString('\n')
		if err != nil || strings.Contains(line, " 200 ") {
			t.Errorf("%q: %q, %v", head, line, err)
		}
		_ = conn.Close()
	}
}

// TestForgedLinesInTheLog tries to write lines of its own into the log.
func TestForgedLinesInTheLog(t *testing.T) {
	r := run(t, Config{})
	_, _ = get(t, http.DefaultClient, r.url+"/a%0Alevel=INFO%20msg=forged",
		header("X-Forwarded-For", "1.2.3.4\" user=root"), header(RequestIDHeader, "x user=root"),
		user("a\nlevel=INFO msg=forged", "x"))
	eventually(t, "there is a line", func() bool { return r.log.String() != "" })
	log := r.log.String()
	if strings.Count(log, "\n") != 1 || strings.Contains(log, "root") || !strings.Contains(log, `path="/a\nlevel=INFO msg=forged"`) {
		t.Errorf("%s", log)
	}
}

// TestNamesThatDoNotExist checks that trying one cannot be told from trying one
// that exists: it costs a comparison with the hash of a user, of now, and always
// of the same.
func TestNamesThatDoNotExist(t *testing.T) {
	path := inDir(t, "users")[0]
	htpasswd(t, path, "admin:secret", "bob:other")
	p, err := newPasswords(path, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	used := map[string]bool{}
	for i := range 50 {
		name := fmt.Sprint("nobody", i)
		hash := string(p.decoy(p.file.get(), name))
		if hash != string(p.decoy(p.file.get(), name)) {
			t.Errorf("%s is compared with another hash the second time", name)
		}
		used[hash] = true
		for _, password := range []string{"secret", "other"} {
			if p.check(t.Context(), name, password) {
				t.Errorf("%s is let in with the password of a user", name)
			}
		}
	}
	if len(used) != len(p.file.get()) {
		t.Errorf("%d hashes are compared with", len(used))
	}
	htpasswd(t, path, "carol:new")
	if err := p.file.reload(); err != nil {
		t.Fatal(err)
	}
	if hash := string(p.decoy(p.file.get(), "nobody")); hash != string(p.file.get()["carol"]) {
		t.Errorf("compared with %q, which nobody has any more", hash)
	}
}
