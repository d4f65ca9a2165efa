// Package soap deploys examples/hello to hosts of the lab of which one is
// reached through HTTPS, another through SSH, and one is the coordinator's own.
package soap

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/disnix-go/disnix/test/lab"
)

// system is a coordinator and the two other machines of the model.
type system struct {
	*lab.Lab
	t                  *testing.T
	desk, office, shop *lab.Host
}

func newSystem(t *testing.T) *system {
	t.Helper()
	l := lab.New(t)
	s := &system{Lab: l, t: t, desk: l.Host("desk"), office: l.Host("office"), shop: l.Host("shop")}
	s.desk.CopyDir(t, "../../examples/hello", "/root/hello")
	for _, h := range []*lab.Host{s.desk, s.office, s.shop} {
		h.WriteFile(t, "/etc/dysnomia/properties", "hostname="+h.Name()+"\n", 0o644)
		h.WriteFile(t, "/etc/dysnomia/containers/process", "runtimeDir=/run\nlistenAddress=0.0.0.0\ntimeout=30\n", 0o644)
	}
	s.serve()
	return s
}

// password is that of the user admin of the shop's web server.
const password = "a long password"

// serve makes the shop reachable as docs/soap.md says: nginx does TLS and asks
// for a password, disnix-webservice belongs to a user with few rights, and
// disnix-service carries out what it is asked for.
func (s *system) serve() {
	t := s.t
	t.Helper()
	s.shop.Run(t, "sh", "-c", `set -e; mkdir -p /etc/tls /var/lib/nginx /var/log/nginx; cd /etc/tls
		openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj "/CN=Authority" -keyout ca.key -out ca.pem
		openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj "/CN=shop" -keyout key.pem -out request.pem
		printf "subjectAltName=DNS:shop\n" > extensions
		openssl x509 -req -in request.pem -CA ca.pem -CAkey ca.key -CAcreateserial -days 1 -extfile extensions -out cert.pem`)
	s.shop.WriteFile(t, "/root/password", password+"\n", 0o600)
	s.shop.Run(t, "sh", "-c", "htpasswd -iBc /etc/nginx/disnix-users admin < /root/password")
	s.shop.WriteFile(t, "/etc/nginx/nginx.conf", nginxConfiguration, 0o644)
	s.daemon("disnix-service", "disnix-service")
	s.await("dbus-send", "--system", "--print-reply", "--dest=org.nixos.disnix.Disnix", "/org/nixos/disnix/Disnix", "org.nixos.disnix.Disnix.get_logdir")
	s.daemon("nginx", "nginx", "-g", "daemon off;")
	s.webservice()

	// The coordinator knows the authority and the password, from files.
	s.desk.WriteFile(t, "/root/shop-ca.pem", s.shop.Run(t, "cat", "/etc/tls/ca.pem"), 0o644)
	s.desk.WriteFile(t, "/root/shop-password", password+"\n", 0o600)
}

// webservice starts disnix-webservice and waits until nginx passes requests on
// to it.
func (s *system) webservice() {
	s.t.Helper()
	s.daemon("disnix-webservice", lab.As("operator", "disnix-webservice", "--trusted-proxy", "127.0.0.1")...)
	s.await("curl", "--silent", "--fail", "--cacert", "/etc/tls/ca.pem", "https://shop/health")
}

const nginxConfiguration = `user root;
events {}
http {
    access_log /var/log/nginx/access.log;
    server {
        listen 443 ssl;
        server_name shop;
        ssl_certificate /etc/tls/cert.pem;
        ssl_certificate_key /etc/tls/key.pem;
        location /health { proxy_pass http://127.0.0.1:8080; }
        location /DisnixWebService/ {
            auth_basic "DisnixWebService";
            auth_basic_user_file /etc/nginx/disnix-users;
            proxy_pass http://127.0.0.1:8080;
            proxy_http_version 1.1;
            proxy_set_header Host $http_host;
            proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
            proxy_set_header X-Forwarded-Proto $scheme;
            client_max_body_size 0;
            proxy_request_buffering off;
            proxy_buffering off;
            proxy_read_timeout 24h;
            proxy_send_timeout 1h;
        }
    }
}
`

// daemon starts a program of the shop. What it says goes to a file.
func (s *system) daemon(name string, command ...string) {
	s.t.Helper()
	s.shop.Run(s.t, append([]string{"sh", "-c", `name=$1; log=/var/log/$1.log; shift; setsid "$@" < /dev/null >> "$log" 2>&1 &
		echo $! > "/run/$name.pid"`, "sh", name}, command...)...)
}

// await waits until a command succeeds on the shop.
func (s *system) await(command ...string) {
	s.t.Helper()
	var stdout, stderr string
	var err error
	for deadline := time.Now().Add(5 * time.Minute); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		if stdout, stderr, err = s.shop.Try(s.t, command...); err == nil {
			return
		}
	}
	logs, _, _ := s.shop.Try(s.t, "sh", "-c", "tail /var/log/*.log /var/log/nginx/*.log")
	s.t.Fatalf("%s: %v\n%s%s\n%s", strings.Join(command, " "), err, stdout, stderr, logs)
}

// environment is what the coordinator has to know about the shop.
var environment = []string{"env", "--chdir=/root/hello",
	"DISNIX_SOAP_CLIENT_USERNAME=admin", "DISNIX_SOAP_CLIENT_PASSWORD_FILE=/root/shop-password",
	"DISNIX_SOAP_CLIENT_CA_FILE=/root/shop-ca.pem"}

// ask returns a command of the coordinator.
func ask(command ...string) []string {
	return append(append([]string{}, environment...), command...)
}

func deployment(greeting string) []string {
	return ask("disnix-env", "-s", "services.nix", "-i", "soap/infrastructure.nix", "-d", "soap/distribution.nix",
		"--extra-params", fmt.Sprintf("{ greeting = %q; }", greeting))
}

// show runs a command of the coordinator and shows it with its output: `make
// demo-soap` is this test.
func (s *system) show(command ...string) string {
	s.t.Helper()
	stdout, stderr, err := s.desk.Try(s.t, command...)
	shown := strings.ReplaceAll(strings.Join(command, " "), strings.Join(environment, " ")+" ", "")
	fmt.Fprintf(s.t.Output(), "\ndesk$ %s\n%s%s", shown, stdout, stderr)
	if err != nil {
		logs, _, _ := s.shop.Try(s.t, "sh", "-c", "tail /var/log/*.log /var/log/nginx/*.log")
		s.t.Fatalf("%s: %v\n%s", shown, err, logs)
	}
	return stdout
}

// requireGreeting asks the client on the coordinator, which asks the gateway in
// the office, which asks the server in the shop.
func (s *system) requireGreeting(greeting string) {
	s.t.Helper()
	if got := s.show("/nix/var/nix/profiles/disnix/default/bin/hello"); !strings.HasPrefix(got, greeting+" from the server") {
		s.t.Errorf("the client says %q instead of %q", got, greeting)
	}
}

// requireClearFailures deploys an upgrade that the shop does not let happen. It
// is named, with what to do, and nothing has changed.
func (s *system) requireClearFailures() {
	s.t.Helper()
	fails := func(want string, command ...string) {
		s.t.Helper()
		_, stderr, err := s.desk.Try(s.t, command...)
		if err == nil || !strings.Contains(stderr, `target "shop"`) || !strings.Contains(stderr, want) || strings.Contains(stderr, password) {
			s.t.Errorf("%v, want %q:\n%s", err, want, stderr)
		}
	}
	upgrade := deployment("Good evening")
	with := func(setting string) []string {
		return append(append(append([]string{}, environment...), setting), upgrade[len(environment):]...)
	}
	s.desk.WriteFile(s.t, "/root/other-password", "something else\n", 0o600)
	fails(`does not accept the password of user "admin"`, with("DISNIX_SOAP_CLIENT_PASSWORD_FILE=/root/other-password")...)
	fails("DISNIX_SOAP_CLIENT_CA_FILE", with("DISNIX_SOAP_CLIENT_CA_FILE=")...)
	s.shop.Run(s.t, "sh", "-c", "kill $(cat /run/disnix-webservice.pid)")
	s.await("sh", "-c", "! curl --silent --fail --cacert /etc/tls/ca.pem https://shop/health")
	fails(`"502 Bad Gateway" instead of a SOAP message`, upgrade...)
	s.webservice()
	for _, h := range []*lab.Host{s.desk, s.office, s.shop} {
		if _, _, err := h.Try(s.t, "test", "-e", "/tmp/disnix-default.lock"); err == nil {
			s.t.Errorf("%s is still locked", h.Name())
		}
	}
	s.requireGreeting("Hello")
}

func TestDeployThroughHTTPSAndSSHAndHere(t *testing.T) {
	s := newSystem(t)
	captured := s.show(ask("disnix-capture-infra", "soap/bootstrap.nix")...)
	s.desk.WriteFile(t, "/root/hello/soap/captured.nix", captured, 0o644)
	if strings.Count(captured, "runtimeDir") != 3 {
		t.Errorf("not all machines were captured:\n%s", captured)
	}

	s.show(deployment("Hello")...)
	s.requireGreeting("Hello")
	s.show(ask("disnix-query", "soap/infrastructure.nix")...)

	s.show(deployment("Good morning")...)
	s.requireGreeting("Good morning")

	s.show(ask("disnix-env", "--rollback")...)
	s.requireGreeting("Hello")

	s.requireClearFailures()

	s.show(ask("disnix-env", "--undeploy", "-i", "soap/infrastructure.nix")...)
	for _, h := range []*lab.Host{s.office, s.shop} {
		if _, _, err := h.Try(t, "pgrep", "-f", "bin/hello-"); err == nil {
			t.Errorf("a service still runs on %s", h.Name())
		}
	}
	log := s.shop.Run(t, "cat", "/var/log/disnix-webservice.log", "/var/log/nginx/access.log")
	if strings.Contains(log, password) || strings.Contains(log, "timeout=30") {
		t.Errorf("the log tells secrets:\n%s", log)
	}
	for _, part := range []string{"operation=captureConfig", "operation=importLocalFile", "operation=lock", "operation=activate", "operation=set"} {
		if !strings.Contains(log, part) {
			t.Errorf("%s is not in the log:\n%s", part, log)
		}
	}
}
