package axis2

import (
	"archive/zip"
	"bytes"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/disnix-go/disnix/dysnomia"
	"github.com/disnix-go/disnix/dysnomia/plugintest"
)

// standIn is a server that offers services as Axis2 does: those in its
// directory of archives, except for faulty ones. Axis2 is not in Debian.
type standIn struct {
	base string
	http *httptest.Server
}

func newStandIn(t *testing.T) *standIn {
	t.Helper()
	s := &standIn{base: t.TempDir()}
	if err := os.MkdirAll(s.services(), 0o755); err != nil {
		t.Fatal(err)
	}
	s.http = httptest.NewServer(s)
	t.Cleanup(s.http.Close)
	return s
}

func (s *standIn) services() string { return filepath.Join(s.base, "webapps/axis2/WEB-INF/services") }

func (s *standIn) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	name, found := strings.CutPrefix(r.URL.Path, "/axis2/services/")
	archives, err := filepath.Glob(filepath.Join(s.services(), "*.aar"))
	if err != nil || !found || r.URL.RawQuery != "wsdl" {
		http.NotFound(w, r)
		return
	}
	for _, archive := range archives {
		offered, err := servicesIn(archive)
		if err == nil && strings.Contains(strings.Join(offered, " ")+" ", name+" ") && !strings.HasPrefix(name, "Faulty") {
			return
		}
	}
	if strings.HasSuffix(name, "Fatal") {
		s.http.Listener.Close()
	}
	http.NotFound(w, r)
}

func archive(t testing.TB, descriptor string) string {
	t.Helper()
	var content bytes.Buffer
	w := zip.NewWriter(&content)
	file, err := w.Create("META-INF/services.xml")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := file.Write([]byte(descriptor)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return content.String()
}

const place = "webapps/axis2/WEB-INF/services/"

func component(t *testing.T, s *standIn, files map[string]string) plugintest.Component {
	t.Helper()
	at, err := url.Parse(s.http.URL)
	if err != nil {
		t.Fatal(err)
	}
	return plugintest.NewComponent(t, "axis2", map[string]string{
		"catalinaBaseDir": s.base, "tomcatPort": at.Port(), "timeout": "1", "deployTimeout": "1",
	}, files)
}

var config = plugintest.Config{
	Type:   "axis2-webservice",
	Plugin: Plugin{},
	New: func(t *testing.T) plugintest.Component {
		return component(t, newStandIn(t), map[string]string{place + "hello.aar": archive(t, `<service name="HelloService"/>`)})
	},
	Broken: func(t *testing.T) plugintest.Component {
		return component(t, newStandIn(t), map[string]string{place + "faulty.aar": archive(t, `<service name="Faulty"/>`)})
	},
	Running: func(_ *testing.T, c plugintest.Component) bool {
		archives, _ := filepath.Glob(filepath.Join(c.Properties["catalinaBaseDir"], place, "*.aar"))
		return len(archives) > 0
	},
}

func TestConformance(t *testing.T) {
	config := config
	config.Remembers = true
	plugintest.Run(t, config)
}

func TestServicesIn(t *testing.T) {
	for descriptor, want := range map[string]string{
		`<service name="A"/>`: "A",
		`<service/>`:          "x",
		`<serviceGroup><service name="A"/><service name="B"/></serviceGroup>`: "A B",
		`<serviceGroup/>`: "error: no service",
		`<service`:        "error: META-INF/services.xml",
	} {
		file := filepath.Join(t.TempDir(), "x.aar")
		if err := os.WriteFile(file, []byte(archive(t, descriptor)), 0o644); err != nil {
			t.Fatal(err)
		}
		got, err := servicesIn(file)
		problem, wanted := strings.CutPrefix(want, "error: ")
		if wanted && (err == nil || !strings.Contains(err.Error(), problem)) || !wanted && (err != nil || strings.Join(got, " ") != want) {
			t.Errorf("%s: %v, %v, want %s", descriptor, got, err, want)
		}
	}
}

func activate(t *testing.T, c plugintest.Component) error {
	t.Helper()
	f := plugintest.NewFixture(t, config, c)
	return f.Run(t.Context(), dysnomia.Activate)
}

func TestFaults(t *testing.T) {
	good := map[string]string{place + "hello.aar": archive(t, `<service name="HelloService"/>`)}
	for name, test := range map[string]struct {
		files      map[string]string
		properties map[string]string
		want       string
	}{
		"a service that is faulty":    {map[string]string{place + "f.aar": archive(t, `<service name="Faulty"/>`)}, nil, "services/Faulty?wsdl answers 404"},
		"an archive that is none":     {map[string]string{place + "f.aar": "nonsense"}, nil, "f.aar"},
		"no archives":                 {map[string]string{place + "readme": ""}, nil, "*.aar"},
		"no directory of archives":    {map[string]string{"other": ""}, nil, "webapps/axis2"},
		"no Axis2":                    {good, map[string]string{"axis2BaseDir": "/nonexistent/axis2", "timeout": "0"}, "/nonexistent/axis2"},
		"no server":                   {good, map[string]string{"tomcatPort": "1", "timeout": "0"}, "connection refused"},
		"a directory that is strange": {good, map[string]string{"axis2BaseDir": "here"}, "axis2BaseDir"},
		"a time that is strange":      {good, map[string]string{"deployTimeout": "soon"}, "deployTimeout"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStandIn(t)
			c := component(t, s, test.files)
			for property, value := range test.properties {
				c.Properties[property] = value
			}
			if err := activate(t, c); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error: %v, want %q in it", err, test.want)
			}
			if left, err := os.ReadDir(s.services()); err != nil || len(left) != 0 {
				t.Errorf("left: %v, %v", left, err)
			}
		})
	}
	t.Run("a server that ends while it deploys", func(t *testing.T) {
		s := newStandIn(t)
		c := component(t, s, map[string]string{place + "f.aar": archive(t, `<service name="FaultyAndFatal"/>`)})
		c.Properties["deployTimeout"] = "600"
		err := activate(t, c)
		if err == nil || !strings.Contains(err.Error(), s.http.URL[len("http://127.0.0.1"):]) || !strings.Contains(err.Error(), "has ended") {
			t.Errorf("error: %v", err)
		}
		if left, err := os.ReadDir(s.services()); err != nil || len(left) != 0 {
			t.Errorf("left: %v, %v", left, err)
		}
	})
	t.Run("a server that was stopped", func(t *testing.T) {
		s := newStandIn(t)
		f := plugintest.NewFixture(t, config, component(t, s, good))
		f.Do(dysnomia.Activate)
		s.http.Close()
		f.Do(dysnomia.Deactivate)
		f.Expect("")
	})
}

func TestContextFilesAndAnotherDirectory(t *testing.T) {
	s := newStandIn(t)
	c := component(t, s, map[string]string{
		place + "hello.aar":       archive(t, `<service name="HelloService"/>`),
		"conf/Catalina/axis2.xml": "<Context/>",
	})
	c.Properties["axis2BaseDir"] = s.services()
	f := plugintest.NewFixture(t, config, c)
	f.Do(dysnomia.Activate)
	context := filepath.Join(s.base, "conf/Catalina/localhost/axis2.xml")
	if _, err := os.Stat(context); err != nil {
		t.Error(err)
	}
	f.Do(dysnomia.Deactivate)
	if _, err := os.Stat(context); err == nil {
		t.Error("the context file is still there")
	}
}

func TestRoughEdge_modules17(t *testing.T) {
	t.Run("modules 17: the directory of archives is that of the server", func(t *testing.T) {
		s := newStandIn(t)
		f := plugintest.NewFixture(t, config, component(t, s, map[string]string{place + "hello.aar": archive(t, `<service name="HelloService"/>`)}))
		f.Do(dysnomia.Activate)
		if _, err := os.Stat(filepath.Join(s.services(), "hello.aar")); err != nil {
			t.Error(err)
		}
	})
}

func BenchmarkActivation(b *testing.B) {
	s := &standIn{base: b.TempDir()}
	if err := os.MkdirAll(s.services(), 0o755); err != nil {
		b.Fatal(err)
	}
	s.http = httptest.NewServer(s)
	defer s.http.Close()
	at, err := url.Parse(s.http.URL)
	if err != nil {
		b.Fatal(err)
	}
	component := b.TempDir()
	if err := os.MkdirAll(filepath.Join(component, place), 0o755); err != nil {
		b.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(component, place, "x.aar"), []byte(archive(b, `<service name="X"/>`)), 0o644); err != nil {
		b.Fatal(err)
	}
	r := &dysnomia.Request{Component: component, ComponentName: "x", Container: "box", State: &dysnomia.State{Dir: b.TempDir()},
		Properties: map[string]string{"catalinaBaseDir": s.base, "tomcatPort": at.Port()}}
	for b.Loop() {
		if err := (Plugin{}).Activate(b.Context(), r); err != nil {
			b.Fatal(err)
		}
		b.StopTimer()
		if err := (Plugin{}).Deactivate(b.Context(), r); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
	}
}
