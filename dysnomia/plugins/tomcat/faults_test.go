package tomcat

import (
	"context"
	"errors"
	"maps"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/disnix-go/disnix/dysnomia"
	"github.com/disnix-go/disnix/dysnomia/plugintest"
	"github.com/disnix-go/disnix/test/tomcattest"
	"golang.org/x/sys/unix"
)

// with returns a component with other properties.
func with(c plugintest.Component, changes map[string]string) plugintest.Component {
	c.Properties = maps.Clone(c.Properties)
	maps.Copy(c.Properties, changes)
	return c
}

func TestServerDown(t *testing.T) {
	t.Parallel()
	s := tomcattest.Start(t)
	f := fixture(t, with(component(t, s, "app", "hello"), map[string]string{"timeout": "1"}))
	f.Do(dysnomia.Activate)
	s.Stop()
	t.Run("undeployment deletes what would come back", func(t *testing.T) {
		f.Do(dysnomia.Deactivate)
		left, err := os.ReadDir(filepath.Join(s.Base, "webapps"))
		if err != nil || len(left) != 0 {
			t.Errorf("left: %v, %v", left, err)
		}
	})
	t.Run("activation says so", func(t *testing.T) {
		fail(t, f, s.URL(), "connection refused", "start the Tomcat")
		f.Properties["tomcatPort"] = "1"
		fail(t, f, "localhost:1")
	})
	t.Run("it comes back without the application", func(t *testing.T) {
		if err := s.Start(); err != nil {
			t.Fatal(err)
		}
		expectNothing(t, s, "/app/")
	})
}

func TestServerDirectoryMissing(t *testing.T) {
	t.Parallel()
	missing := filepath.Join(t.TempDir(), "missing")
	f := fixture(t, with(component(t, server(t), "app", ""), map[string]string{"catalinaBaseDir": missing, "timeout": "0"}))
	fail(t, f, missing+"/webapps", "start Tomcat")
	f.Do(dysnomia.Deactivate)
	if _, err := os.Stat(missing); err == nil {
		t.Error("the directory was made")
	}
}

// TestPortTaken: Tomcat runs, but another program has its port.
func TestPortTaken(t *testing.T) {
	t.Parallel()
	other, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	go func() { _ = http.Serve(other, http.NotFoundHandler()) }()
	port := strconv.Itoa(other.Addr().(*net.TCPAddr).Port)
	f := fixture(t, with(component(t, server(t), unique("app"), ""), map[string]string{"tomcatPort": port}))
	fail(t, f, "does another program listen there?", port)
	f.Expect("")
}

// TestNeverDeployed: the server runs, but does not look for applications.
func TestNeverDeployed(t *testing.T) {
	t.Parallel()
	running, idle := server(t), t.TempDir()
	s, err := tomcattest.Prepare(idle)
	if err != nil {
		t.Fatal(err)
	}
	c := component(t, s, unique("app"), "")
	f := fixture(t, with(c, map[string]string{"tomcatPort": strconv.Itoa(running.Port), "deployTimeout": "0"}))
	fail(t, f, "wait for Tomcat to deploy", "within 0s", "answers 404")
	if left, _ := os.ReadDir(filepath.Join(idle, "webapps")); len(left) != 0 {
		t.Errorf("left: %v", left)
	}
}

// TestServerEndsWhileDeploying: it ends when the file is there. That is noticed
// at once, not when it has had all the time to deploy it. So that it cannot be
// too quick, the server does not look for applications.
func TestServerEndsWhileDeploying(t *testing.T) {
	t.Parallel()
	s, err := tomcattest.Prepare(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	conf := filepath.Join(s.Base, "conf/server.xml")
	text, err := os.ReadFile(conf)
	if err != nil {
		t.Fatal(err)
	}
	plugintest.WriteFile(t, conf, strings.Replace(string(text), `autoDeploy="true"`, `autoDeploy="false"`, 1))
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Stop)
	f := fixture(t, with(component(t, s, "app", ""), map[string]string{"deployTimeout": "600"}))
	ended := make(chan struct{})
	go func() {
		awaitFile(filepath.Join(s.Base, "webapps/app.war"))
		s.Stop()
		close(ended)
	}()
	fail(t, f, "wait for Tomcat to deploy app.war", s.URL(), "has ended", "logs")
	<-ended
	if left, err := os.ReadDir(filepath.Join(s.Base, "webapps")); err != nil || len(left) != 0 {
		t.Errorf("left: %v, %v", left, err)
	}
}

// awaitFile waits until a file is there, or for a minute.
func awaitFile(path string) {
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		if _, err := os.Stat(path); err == nil {
			return
		}
	}
}

func TestCancelledDeployment(t *testing.T) {
	t.Parallel()
	s, err := tomcattest.Prepare(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	f := fixture(t, with(component(t, s, "app", ""), map[string]string{"tomcatPort": strconv.Itoa(server(t).Port)}))
	stop := errors.New("stop")
	ctx, cancel := context.WithCancelCause(t.Context())
	go func() {
		awaitFile(filepath.Join(s.Base, "webapps/app.war"))
		cancel(stop)
	}()
	if err := f.Run(ctx, dysnomia.Activate); !errors.Is(err, stop) {
		t.Errorf("error: %v", err)
	}
	if _, err := os.Stat(filepath.Join(s.Base, "webapps/app.war")); err == nil {
		t.Error("the WAR file is still there")
	}
}

// TestDiskFull: the server's directory is on a file system that is too small
// for the application.
func TestDiskFull(t *testing.T) {
	t.Parallel()
	s, err := tomcattest.Prepare(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	webapps := filepath.Join(s.Base, "webapps")
	if err := unix.Mount("tmpfs", webapps, "tmpfs", 0, "size=64k"); err != nil {
		t.Fatalf("mount a small file system, as root: %v", err)
	}
	t.Cleanup(func() { _ = unix.Unmount(webapps, unix.MNT_DETACH) })
	f := fixture(t, componentOf(t, s, map[string]string{
		"webapps/small.war":  tomcattest.WAR(t, map[string]string{"x": ""}),
		"webapps/zlarge.war": string(make([]byte, 1<<20)),
	}))
	f.Properties["tomcatPort"] = strconv.Itoa(server(t).Port)
	fail(t, f, "zlarge.war", "no space left on device")
	left, err := os.ReadDir(webapps)
	if err != nil || len(left) != 0 {
		t.Errorf("left: %v, %v", left, err)
	}
}
