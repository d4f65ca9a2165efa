package tomcat

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/disnix-go/disnix/dysnomia"
	"github.com/disnix-go/disnix/dysnomia/plugintest"
	"github.com/disnix-go/disnix/test/tomcattest"
)

// shared is one server for all tests that do not stop theirs.
var shared struct {
	sync.Once
	dir string
	*tomcattest.Server
	err error
}

func TestMain(m *testing.M) {
	// The tests wait for the server, not for the processor.
	flag.Parse()
	if err := flag.Set("test.parallel", "8"); err != nil {
		panic(err)
	}
	code := m.Run()
	if shared.Server != nil {
		shared.Stop()
	}
	os.RemoveAll(shared.dir)
	os.Exit(code)
}

func server(t testing.TB) *tomcattest.Server {
	t.Helper()
	shared.Do(func() {
		if shared.dir, shared.err = os.MkdirTemp("", "tomcat."); shared.err != nil {
			return
		}
		if shared.Server, shared.err = tomcattest.Prepare(shared.dir); shared.err == nil {
			shared.err = shared.Server.Start()
		}
	})
	if shared.err != nil {
		t.Fatal(shared.err)
	}
	return shared.Server
}

func properties(s *tomcattest.Server) map[string]string {
	return map[string]string{"catalinaBaseDir": s.Base, "deployTimeout": "300", "timeout": "120"}
}

var number atomic.Int32

// unique returns a name that no other test uses.
func unique(name string) string { return fmt.Sprintf("%s%d", name, number.Add(1)) }

// component has one application with one page.
func component(t *testing.T, s *tomcattest.Server, name, text string) plugintest.Component {
	t.Helper()
	return componentOf(t, s, map[string]string{
		"webapps/" + name + ".war": tomcattest.WAR(t, map[string]string{"index.html": text}),
	})
}

func componentOf(t *testing.T, s *tomcattest.Server, files map[string]string) plugintest.Component {
	t.Helper()
	return plugintest.NewComponent(t, "tomcat-webapplication", properties(s), files)
}

const (
	brokenFilter    = `<web-app xmlns="https://jakarta.ee/xml/ns/jakartaee" version="6.0"><filter><filter-name>f</filter-name><filter-class>org.apache.catalina.filters.ExpiresFilter</filter-class><init-param><param-name>ExpiresDefault</param-name><param-value>nonsense</param-value></init-param></filter><filter-mapping><filter-name>f</filter-name><url-pattern>/*</url-pattern></filter-mapping></web-app>`
	missingListener = `<web-app xmlns="https://jakarta.ee/xml/ns/jakartaee" version="6.0"><listener><listener-class>demo.Missing</listener-class></listener></web-app>`
	missingFilter   = `<web-app xmlns="https://jakarta.ee/xml/ns/jakartaee" version="6.0"><filter><filter-name>f</filter-name><filter-class>demo.Filter</filter-class></filter><filter-mapping><filter-name>f</filter-name><url-pattern>/*</url-pattern></filter-mapping></web-app>`
)

func broken(t *testing.T, name, descriptor string) plugintest.Component {
	return componentOf(t, server(t), map[string]string{
		"webapps/" + name + ".war": tomcattest.WAR(t, map[string]string{"index.html": "x", "WEB-INF/web.xml": descriptor}),
	})
}

var config = plugintest.Config{
	Type:   "tomcat-webapplication",
	Plugin: Plugin{},
	New: func(t *testing.T) plugintest.Component {
		return component(t, server(t), unique("app"), "hello")
	},
	Broken: func(t *testing.T) plugintest.Component { return broken(t, unique("broken"), missingListener) },
	Running: func(t *testing.T, c plugintest.Component) bool {
		wars, err := filepath.Glob(filepath.Join(c.Path, "webapps/*.war"))
		if err != nil || len(wars) != 1 {
			t.Fatal(wars, err)
		}
		status, _ := get(t, server(t), "/"+strings.TrimSuffix(filepath.Base(wars[0]), ".war")+"/")
		return status == 200
	},
}

func get(t testing.TB, s *tomcattest.Server, path string) (int, string) {
	t.Helper()
	status, text, err := s.Get(path)
	if err != nil {
		t.Fatal(err)
	}
	return status, text
}

func expectPage(t testing.TB, s *tomcattest.Server, path, want string) {
	t.Helper()
	if status, text := get(t, s, path); status != 200 || text != want {
		t.Errorf("%s: %d %q, want %q", path, status, text, want)
	}
}

func expectNothing(t testing.TB, s *tomcattest.Server, path string) {
	t.Helper()
	if status, text := get(t, s, path); status != 404 {
		t.Errorf("%s: %d %q", path, status, text)
	}
}

func fixture(t *testing.T, c plugintest.Component) *plugintest.Fixture {
	return plugintest.NewFixture(t, config, c)
}

// fail activates a component and returns why that failed.
func fail(t *testing.T, f *plugintest.Fixture, want ...string) {
	t.Helper()
	err := f.Run(t.Context(), dysnomia.Activate)
	if err == nil {
		t.Fatal("it was activated")
	}
	for _, text := range want {
		if !strings.Contains(err.Error(), text) {
			t.Errorf("error: %v, want %q in it", err, text)
		}
	}
}

func TestConformance(t *testing.T) {
	t.Parallel()
	plugintest.Run(t, config)
}

func TestNewVersion(t *testing.T) {
	t.Parallel()
	s, name := server(t), unique("app")
	old, next := fixture(t, component(t, s, name, "one")), fixture(t, component(t, s, name, "two"))
	next.State = old.State
	// In the Nix store, all files are equally old.
	for _, f := range []*plugintest.Fixture{old, next} {
		if err := os.Chtimes(filepath.Join(f.Path, "webapps", name+".war"), time.Unix(1, 0), time.Unix(1, 0)); err != nil {
			t.Fatal(err)
		}
	}
	old.Do(dysnomia.Activate)
	expectPage(t, s, "/"+name+"/", "one")
	t.Run("after the old one", func(t *testing.T) {
		old.Do(dysnomia.Deactivate)
		expectNothing(t, s, "/"+name+"/")
		next.Do(dysnomia.Activate)
		expectPage(t, s, "/"+name+"/", "two")
	})
	t.Run("in place of the old one", func(t *testing.T) {
		next.Do(dysnomia.Activate)
		old.Do(dysnomia.Activate)
		expectPage(t, s, "/"+name+"/", "one")
	})
	next.Do(dysnomia.Deactivate)
	old.Do(dysnomia.Deactivate)
	expectNothing(t, s, "/"+name+"/")
}

func TestSeveralApplicationsAndContextFiles(t *testing.T) {
	t.Parallel()
	s, name := server(t), unique("app")
	war := func(text string) string { return tomcattest.WAR(t, map[string]string{"page": text}) }
	f := fixture(t, componentOf(t, s, map[string]string{
		"webapps/" + name + ".war":             war("top"),
		"webapps/deep/er/" + name + "#sub.war": war("below"),
		"webapps/" + name + "v##1.war":         war("versioned"),
		"webapps/" + name + " 100%.war":        war("strange"),
		"conf/Catalina/" + name + ".xml":       `<Context><Resources><PreResources className="org.apache.catalina.webresources.FileResourceSet" base="` + s.Base + `/conf/web.xml" webAppMount="/extra"/></Resources></Context>`,
	}))
	f.Do(dysnomia.Activate)
	expectPage(t, s, "/"+name+"/page", "top")
	expectPage(t, s, "/"+name+"/sub/page", "below")
	expectPage(t, s, "/"+name+"v/page", "versioned")
	expectPage(t, s, "/"+name+"%20100%25/page", "strange")
	if status, _ := get(t, s, "/"+name+"/extra"); status != 200 {
		t.Errorf("the context file is not used: status %d", status)
	}
	f.Do(dysnomia.Activate, dysnomia.Deactivate)
	for _, path := range []string{"/page", "/sub/page", "v/page", "%20100%25/page"} {
		expectNothing(t, s, "/"+name+path)
	}
	if left, _ := filepath.Glob(filepath.Join(s.Base, "conf/Catalina/localhost", name+"*")); len(left) != 0 {
		t.Errorf("left: %v", left)
	}
}

func TestRootApplication(t *testing.T) {
	t.Parallel()
	s := tomcattest.Start(t)
	f := fixture(t, componentOf(t, s, map[string]string{
		"webapps/ROOT.war": tomcattest.WAR(t, map[string]string{"page": "root"}),
	}))
	f.Do(dysnomia.Activate)
	expectPage(t, s, "/page", "root")
	f.Do(dysnomia.Activate, dysnomia.Deactivate)
	expectNothing(t, s, "/page")
}

func TestBrokenApplications(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ descriptor, want string }{
		"a listener is missing":        {missingListener, "java.lang.ClassNotFoundException: demo.Missing"},
		"a filter is missing":          {missingFilter, "java.lang.ClassNotFoundException: demo.Filter"},
		"its descriptor is not closed": {"<web-app><listener>", "SAXParseException"},
	} {
		t.Run(name, func(t *testing.T) {
			s, app := server(t), unique("broken")
			f := fixture(t, broken(t, app, test.descriptor))
			fail(t, f, app+".war", test.want)
			f.Expect("")
			if left, _ := filepath.Glob(filepath.Join(s.Base, "webapps", app+"*")); len(left) != 0 {
				t.Errorf("left: %v", left)
			}
		})
	}
	t.Run("it is not a WAR file", func(t *testing.T) {
		app := unique("broken")
		fail(t, fixture(t, componentOf(t, server(t), map[string]string{"webapps/" + app + ".war": "PK nonsense"})), app+".war", "ZipException")
	})
	t.Run("with a context file", func(t *testing.T) {
		s, app := server(t), unique("broken")
		f := fixture(t, componentOf(t, s, map[string]string{
			"webapps/" + app + ".war":       tomcattest.WAR(t, map[string]string{"WEB-INF/web.xml": missingListener}),
			"conf/Catalina/" + app + ".xml": "<Context/>",
		}))
		fail(t, f, app+".war", "java.lang.ClassNotFoundException: demo.Missing")
		f = fixture(t, componentOf(t, s, map[string]string{
			"webapps/" + app + ".war":       tomcattest.WAR(t, map[string]string{"x": ""}),
			"conf/Catalina/" + app + ".xml": "<Context><Nonsense",
		}))
		fail(t, f, app+".war", "SAXParseException")
	})
	t.Run("the application itself fails", func(t *testing.T) {
		// What it throws is in the log of the host alone.
		app := unique("broken")
		fail(t, fixture(t, broken(t, app, brokenFilter)), app+".war", "IllegalStateException: Invalid starting point")
	})
	t.Run("it can be mended", func(t *testing.T) {
		s, app := server(t), unique("broken")
		f := fixture(t, broken(t, app, missingListener))
		fail(t, f)
		mended := fixture(t, component(t, s, app, "fine"))
		mended.State = f.State
		mended.Do(dysnomia.Activate)
		expectPage(t, s, "/"+app+"/", "fine")
		mended.Do(dysnomia.Deactivate)
	})
}

// TestLogElsewhere: the server's answers alone must do.
func TestLogElsewhere(t *testing.T) {
	t.Parallel()
	s, name := tomcattest.Start(t), unique("app")
	if err := os.Rename(filepath.Join(s.Base, "logs"), filepath.Join(s.Base, "elsewhere")); err != nil {
		t.Fatal(err)
	}
	old, next := fixture(t, component(t, s, name, "one")), fixture(t, component(t, s, name, "two"))
	next.State = old.State
	old.Do(dysnomia.Activate)
	next.Do(dysnomia.Activate)
	expectPage(t, s, "/"+name+"/", "two")
	next.Do(dysnomia.Deactivate)
	expectNothing(t, s, "/"+name+"/")
}

func TestBadProperties(t *testing.T) {
	t.Parallel()
	for name, value := range map[string]string{"tomcatPort": "http", "timeout": "soon", "deployTimeout": "-1", "catalinaBaseDir": "relative"} {
		f := fixture(t, component(t, server(t), "unused", ""))
		f.Properties = maps.Clone(f.Properties)
		f.Properties[name] = value
		fail(t, f, name, value)
	}
}

func TestComponentsWithoutApplications(t *testing.T) {
	t.Parallel()
	t.Run("no webapps", func(t *testing.T) {
		fail(t, fixture(t, componentOf(t, server(t), map[string]string{"conf/Catalina/x.xml": ""})), "webapps")
	})
	t.Run("no WAR files", func(t *testing.T) {
		f := fixture(t, componentOf(t, server(t), map[string]string{"webapps/readme": ""}))
		f.Do(dysnomia.Activate, dysnomia.Deactivate)
	})
	t.Run("two of one name", func(t *testing.T) {
		war := tomcattest.WAR(t, map[string]string{"x": ""})
		fail(t, fixture(t, componentOf(t, server(t), map[string]string{"webapps/a/x.war": war, "webapps/b/x.war": war})), "a/x.war", "b/x.war")
	})
}

func TestInstances(t *testing.T) {
	t.Parallel()
	first, second, name := server(t), tomcattest.Start(t), unique("app")
	a, b := component(t, first, name, "primary"), component(t, second, name, "secondary")
	a.Container, b.Container = "tomcat-webapplication-primary", "tomcat-webapplication-secondary"
	b.Properties["tomcatPort"] = strconv.Itoa(second.Port)
	one, two := fixture(t, a), fixture(t, b)
	two.State = one.State
	one.Do(dysnomia.Activate)
	two.Do(dysnomia.Activate)
	expectPage(t, first, "/"+name+"/", "primary")
	expectPage(t, second, "/"+name+"/", "secondary")
	one.Do(dysnomia.Deactivate)
	expectNothing(t, first, "/"+name+"/")
	expectPage(t, second, "/"+name+"/", "secondary")
	two.Do(dysnomia.Deactivate)
	expectNothing(t, second, "/"+name+"/")
}
