package supervisordprogram

import (
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"github.com/disnix-go/disnix/dysnomia"
)

func TestEndpointOf(t *testing.T) {
	for name, test := range map[string]struct {
		conf string
		want *endpoint
	}{
		"supervisorctl":   {"[supervisorctl]\nserverurl = unix://%(here)s/x.sock ; where\nusername: me\npassword=p;w\n", &endpoint{"unix", "HERE/x.sock", "me", "p;w"}},
		"port in the URL": {"[supervisorctl]\nserverurl=http://localhost:9001\n", &endpoint{network: "tcp", address: "localhost:9001"}},
		"unix server":     {"[unix_http_server]\nfile=%(ENV_RUN)s/x.sock\nusername=me\npassword=secret\n", &endpoint{"unix", "/run/x.sock", "me", "secret"}},
		"every interface": {"[inet_http_server]\nport=*:9001\n", &endpoint{network: "tcp", address: "127.0.0.1:9001"}},
		"only a port":     {"[inet_http_server]\nport=9001\n", &endpoint{network: "tcp", address: "127.0.0.1:9001"}},
		"no server":       {"[supervisord]\nnodaemon=true\n", nil},
	} {
		dir := t.TempDir()
		conf := filepath.Join(dir, "supervisord.conf")
		if err := os.WriteFile(conf, []byte(test.conf), 0o644); err != nil {
			t.Fatal(err)
		}
		if test.want != nil && test.want.address == "HERE/x.sock" {
			test.want.address = dir + "/x.sock"
		}
		got, err := endpointOf(conf, []string{"RUN=/run"})
		if err != nil || !reflect.DeepEqual(got, test.want) {
			t.Errorf("%s: %+v, %v, want %+v", name, got, err, test.want)
		}
	}
}

func TestBadEndpoints(t *testing.T) {
	for _, url := range []string{"/run/supervisor.sock", "unix://relative", "https://host", "http://", ":"} {
		r := &dysnomia.Request{Container: "box", Properties: map[string]string{"supervisordServerUrl": url}}
		if e, err := findEndpoint(r); err == nil {
			t.Errorf("%s: %v", url, e)
		}
	}
	r := &dysnomia.Request{Properties: map[string]string{"supervisordConfigFile": "/nonexistent/supervisord.conf"}}
	if e, err := findEndpoint(r); err == nil {
		t.Errorf("%v", e)
	}
}

func TestGroupsOf(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.conf")
	content := "# text\nkey=before\n[program:b]\ncommand=x\n  y ; z\n[program:a]\n[group:g]\nprograms=\n  b,\n  c\n[fcgi-program:f]\n[unrelated]\n"
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
	got, err := groupsOf([]string{path})
	if want := []string{"a", "f", "g"}; err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%v, %v, want %v", got, err, want)
	}
}

func FuzzParseConf(f *testing.F) {
	f.Add("[program:x]\ncommand=a\n b\n;c\n")
	f.Fuzz(func(_ *testing.T, content string) { parseConf(content) })
}
