package catalina

import (
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/disnix-go/disnix/dysnomia"
)

func find(t *testing.T, serverXML, port string) (*Server, string, error) {
	t.Helper()
	base := t.TempDir()
	if serverXML != "" {
		if err := os.Mkdir(filepath.Join(base, "conf"), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(base, "conf/server.xml"), []byte(serverXML), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	var stderr strings.Builder
	s, err := Find(&dysnomia.Request{Container: "tomcat", Stderr: &stderr, Properties: map[string]string{"catalinaBaseDir": base, "tomcatPort": port}})
	return s, stderr.String(), err
}

func TestFind(t *testing.T) {
	const connectors = `<Server><Service name="Catalina">
		<Connector port="8009" protocol="AJP/1.3"/>
		<Connector port="8443" SSLEnabled="true" scheme="https"/>
		<Connector port="${port.http}"/>
		<Connector port="8080" address="10.0.0.1"/>
		<Connector port="8081" address="0.0.0.0" protocol="org.apache.coyote.http11.Http11NioProtocol"/>
		</Service></Server>`
	for name, test := range map[string]struct{ xml, port, want string }{
		"the first plain connector":      {connectors, "", "http://10.0.0.1:8080"},
		"the connector of the property":  {connectors, "8081", "http://localhost:8081"},
		"a port that no connector has":   {connectors, "1234", "http://localhost:1234"},
		"no configuration":               {"", "8080", "http://localhost:8080"},
		"no configuration and no port":   {"", "", ""},
		"no plain connector":             {"<Server><Service/></Server>", "", ""},
		"an address of the newer kind":   {`<Server><Service><Connector port="80" address="::1"/></Service></Server>`, "", "http://[::1]:80"},
		"a configuration that is broken": {"<Server><Service>", "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			s, messages, err := find(t, test.xml, test.port)
			if err != nil || s.URL != test.want {
				t.Errorf("got %+v, %v, want %s", s, err, test.want)
			}
			if said := strings.Contains(messages, "server.xml"); said != strings.HasPrefix(name, "a configuration") {
				t.Errorf("messages: %q", messages)
			}
		})
	}
	for _, port := range []string{"http", "0", "70000", "-1"} {
		if _, _, err := find(t, "", port); err == nil || !strings.Contains(err.Error(), "tomcatPort") {
			t.Errorf("port %s: %v", port, err)
		}
	}
}

func TestGet(t *testing.T) {
	at := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "/app/", http.StatusFound)
	}))
	defer at.Close()
	t.Setenv("http_proxy", "http://127.0.0.1:1")
	answer, err := (&Server{URL: at.URL}).Get(t.Context(), "/app")
	if err != nil || answer.Status != 302 || !answer.RedirectsTo("/app/") || answer.RedirectsTo("/app") {
		t.Errorf("answer: %+v, %v", answer, err)
	}
	at.Close()
	if _, err := (&Server{URL: at.URL}).Get(t.Context(), "/app"); !IsDown(err) {
		t.Errorf("error: %v", err)
	}
}

func TestAwait(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &Server{Base: t.TempDir(), URL: "http://" + listener.Addr().String()}
	go func() { _ = http.Serve(listener, http.NotFoundHandler()) }()
	if err := s.Await(t.Context(), s.Base, 0); err != nil {
		t.Errorf("error: %v", err)
	}
	listener.Close()
	for dir, want := range map[string]string{s.Base: "start the Tomcat", "/nonexistent/dir": "start Tomcat"} {
		if err := s.Await(t.Context(), dir, 50*time.Millisecond); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error: %v", err)
		}
	}
}
