package soapservice_test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/disnix-go/disnix/service/soapservice"
	"github.com/disnix-go/disnix/service/soapwire"
	"github.com/disnix-go/disnix/service/webserver"
	"github.com/disnix-go/disnix/test/nixtest"
	"github.com/disnix-go/disnix/test/porttest"
	"golang.org/x/crypto/bcrypt"
)

const nginxConfiguration = `
user root;
daemon off;
pid DIR/pid;
error_log stderr;
events {}
http {
    access_log off;
    client_body_temp_path DIR/body;
    proxy_temp_path DIR/proxy;
    fastcgi_temp_path DIR/fastcgi;
    uwsgi_temp_path DIR/uwsgi;
    scgi_temp_path DIR/scgi;
    server {
        listen 127.0.0.1:PORT;
        EXAMPLE
    }
}
`

const apacheConfiguration = `
ServerRoot DIR
ServerName localhost
PidFile DIR/pid
DefaultRuntimeDir DIR
Mutex file:DIR default
ErrorLog /dev/stderr
Listen 127.0.0.1:PORT
LoadModule mpm_event_module /usr/lib/apache2/modules/mod_mpm_event.so
LoadModule authn_core_module /usr/lib/apache2/modules/mod_authn_core.so
LoadModule authn_file_module /usr/lib/apache2/modules/mod_authn_file.so
LoadModule authz_core_module /usr/lib/apache2/modules/mod_authz_core.so
LoadModule authz_user_module /usr/lib/apache2/modules/mod_authz_user.so
LoadModule auth_basic_module /usr/lib/apache2/modules/mod_auth_basic.so
LoadModule headers_module /usr/lib/apache2/modules/mod_headers.so
LoadModule proxy_module /usr/lib/apache2/modules/mod_proxy.so
LoadModule proxy_http_module /usr/lib/apache2/modules/mod_proxy_http.so
EXAMPLE
`

// TestReverseProxies puts the examples of docs/soap.md in front of the service.
func TestReverseProxies(t *testing.T) {
	for name, test := range map[string]struct {
		configuration string
		command       func(file string) *exec.Cmd
	}{
		"nginx":  {nginxConfiguration, func(file string) *exec.Cmd { return exec.Command("/usr/sbin/nginx", "-e", "stderr", "-c", file) }},
		"apache": {apacheConfiguration, func(file string) *exec.Cmd { return exec.Command("/usr/sbin/apache2", "-DFOREGROUND", "-f", file) }},
	} {
		t.Run(name, func(t *testing.T) {
			target := new(sink)
			target.size = 8 << 20
			s := serve(t, target, func(_ *soapservice.Config, c *webserver.Config) {
				c.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}
			})
			proxy := *s
			proxy.url = startProxy(t, name, test.configuration, s, test.command)
			_, err := proxy.ask(t.Context(), &soapwire.CaptureConfig{}, new(soapwire.CaptureConfigResponse), nil)
			if err == nil || strings.Contains(s.log.String(), "operation=captureConfig") {
				t.Errorf("without a password: %v", err)
			}
			proxy.user, proxy.password = "admin", "secret"
			proxy.must(&soapwire.CaptureConfig{}, new(soapwire.CaptureConfigResponse))
			contains(t, s.log.String(), "user=admin", "remote=127.0.0.1")
			_, err = proxy.ask(t.Context(), &soapwire.ImportLocalFile{}, new(soapwire.ImportLocalFileResponse), nil)
			var fault *soapwire.Fault
			if !errors.As(err, &fault) || !strings.Contains(fault.Text, "no closure") {
				t.Errorf("a fault: %v", err)
			}
			proxy.must(&soapwire.ImportLocalFile{DataHandler: soapwire.NewContent("", func(w io.Writer) error { return writeLarge(w, target.size) })}, new(soapwire.ImportLocalFileResponse))
			if target.got.Load() != target.size {
				t.Errorf("%d bytes arrived", target.got.Load())
			}
			var response soapwire.ExportRemoteFileResponse
			reply := proxy.must(&soapwire.ExportRemoteFile{Derivation: texts("/p")}, &response)
			if got := read(t, response.Return_); int64(len(got)) != target.size {
				t.Errorf("%d bytes came back", len(got))
			}
			_ = reply.Close()
			wsdl, err := proxy.client.Do(proxy.get("?wsdl"))
			if err != nil {
				t.Fatal(err)
			}
			defer wsdl.Body.Close()
			description, err := io.ReadAll(wsdl.Body)
			if err != nil {
				t.Fatal(err)
			}
			contains(t, string(description), `location="`+proxy.url+`.`)
			_, unknown := proxy.post(plainHeader(), strings.NewReader(envelope(`<bogus `+namespace+`/>`)))
			contains(t, unknown, "the Operation not found is "+proxy.url+" and")
		})
	}
}

// startProxy starts a proxy with the example of the documentation, and returns
// the URL of the service behind it.
func startProxy(t *testing.T, language, configuration string, s *server, command func(string) *exec.Cmd) string {
	t.Helper()
	dir := t.TempDir()
	hash, err := bcrypt.GenerateFromPassword([]byte("secret"), 5)
	if err != nil {
		t.Fatal(err)
	}
	users := nixtest.File(t, dir, "users", "admin:"+strings.Replace(string(hash), "$2a$", "$2y$", 1)+"\n")
	documentation, err := os.ReadFile("../../docs/soap.md")
	if err != nil {
		t.Fatal(err)
	}
	example := regexp.MustCompile("(?s)```" + language + "\n(.*?)```").FindStringSubmatch(string(documentation))
	if example == nil {
		t.Fatalf("docs/soap.md has no example for %s", language)
	}
	port := porttest.Port(t)
	behind := strings.TrimSuffix(strings.TrimPrefix(s.url, "http://"), soapwire.ServicePath)
	text := strings.NewReplacer("EXAMPLE", example[1], "DIR", dir, "PORT", fmt.Sprint(port)).Replace(configuration)
	text = strings.NewReplacer("127.0.0.1:8080", behind, "/etc/nginx/disnix-users", users, "/etc/apache2/disnix-users", users).Replace(text)
	cmd := command(nixtest.File(t, dir, "proxy.conf", text))
	log := new(lockedBuffer)
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(os.Interrupt)
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("%s: %s", filepath.Base(cmd.Path), log)
		}
	})
	eventually(t, "the proxy listens", func() bool {
		conn, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err == nil {
			_ = conn.Close()
		}
		return err == nil
	})
	return fmt.Sprintf("http://localhost:%d%s", port, soapwire.ServicePath)
}
