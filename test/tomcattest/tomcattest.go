// Package tomcattest gives tests Tomcat servers of their own, from Debian's
// packages tomcat10-common and default-jre-headless, and web applications made
// without any tools.
package tomcattest

import (
	"archive/zip"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/disnix-go/disnix/test/porttest"
)

// home is where Debian installs the server.
const home = "/usr/share/tomcat10"

// Server is a server with a directory and a port of its own. It looks for new
// applications every second.
type Server struct {
	// Base is its directory, CATALINA_BASE.
	Base string
	// Port is the port of its HTTP connector on 127.0.0.1.
	Port int

	process *exec.Cmd
	ended   chan struct{}
}

// configuration is everything that a server needs. Applications are not
// searched for tag libraries, which would take most of the time.
var configuration = map[string]string{
	"conf/server.xml": `<Server port="-1"><Service name="Catalina">
  <Connector port="PORT" address="127.0.0.1" protocol="HTTP/1.1"/>
  <Engine name="Catalina" defaultHost="localhost" backgroundProcessorDelay="1">
    <Host name="localhost" appBase="webapps" unpackWARs="true" autoDeploy="true"/>
  </Engine>
</Service></Server>`,
	"conf/context.xml": `<Context containerSciFilter="JasperInitializer"><JarScanner scanClassPath="false" scanBootstrapClassPath="false"/></Context>`,
	"conf/web.xml": `<web-app xmlns="https://jakarta.ee/xml/ns/jakartaee" version="6.0">
  <servlet><servlet-name>default</servlet-name><servlet-class>org.apache.catalina.servlets.DefaultServlet</servlet-class></servlet>
  <servlet-mapping><servlet-name>default</servlet-name><url-pattern>/</url-pattern></servlet-mapping>
  <welcome-file-list><welcome-file>index.html</welcome-file></welcome-file-list>
</web-app>`,
	"conf/logging.properties": `handlers = 1server.org.apache.juli.AsyncFileHandler, 2host.org.apache.juli.AsyncFileHandler
.handlers = 1server.org.apache.juli.AsyncFileHandler
1server.org.apache.juli.AsyncFileHandler.directory = ${catalina.base}/logs
1server.org.apache.juli.AsyncFileHandler.prefix = catalina.
2host.org.apache.juli.AsyncFileHandler.directory = ${catalina.base}/logs
2host.org.apache.juli.AsyncFileHandler.prefix = localhost.
org.apache.catalina.core.ContainerBase.[Catalina].[localhost].handlers = 2host.org.apache.juli.AsyncFileHandler
`,
}

// Prepare makes the directory of a server in dir, and chooses its port.
func Prepare(dir string) (*Server, error) {
	port, err := porttest.Reserve()
	if err != nil {
		return nil, err
	}
	s := &Server{Base: dir, Port: port}
	for _, name := range []string{"conf", "logs", "temp", "webapps", "work"} {
		if err := os.MkdirAll(filepath.Join(dir, name), 0o755); err != nil {
			return nil, err
		}
	}
	for name, content := range configuration {
		content = strings.ReplaceAll(content, "PORT", strconv.Itoa(port))
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// Command returns the program and arguments that run the server in the
// foreground.
func (s *Server) Command() []string {
	return []string{"java", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xmx128m",
		"-Djava.util.logging.manager=org.apache.juli.ClassLoaderLogManager",
		"-Djava.util.logging.config.file=" + filepath.Join(s.Base, "conf/logging.properties"),
		"-Dcatalina.home=" + home, "-Dcatalina.base=" + s.Base, "-Djava.io.tmpdir=" + filepath.Join(s.Base, "temp"),
		"-cp", home + "/bin/bootstrap.jar:" + home + "/bin/tomcat-juli.jar",
		"org.apache.catalina.startup.Bootstrap", "start"}
}

// Start starts the server and waits until it answers.
func (s *Server) Start() error {
	command := s.Command()
	s.process = exec.Command(command[0], command[1:]...)
	output, err := os.Create(filepath.Join(s.Base, "temp", "output"))
	if err != nil {
		return err
	}
	defer output.Close()
	s.process.Stdout, s.process.Stderr = output, output
	if err := s.process.Start(); err != nil {
		return err
	}
	s.ended = make(chan struct{})
	go func() {
		_ = s.process.Wait()
		close(s.ended)
	}()
	deadline := time.Now().Add(5 * time.Minute)
	for {
		if _, _, err = s.Get("/"); err == nil {
			return nil
		}
		select {
		case <-s.ended:
			said, _ := os.ReadFile(output.Name())
			return fmt.Errorf("Tomcat has ended: %s", said)
		case <-time.After(20 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			s.Stop()
			return fmt.Errorf("Tomcat does not answer: %w", err)
		}
	}
}

// Stop ends the server, if it runs.
func (s *Server) Stop() {
	if s.process == nil {
		return
	}
	_ = s.process.Process.Signal(syscall.SIGKILL)
	<-s.ended
	s.process = nil
}

// Start starts a server that ends with the test.
func Start(t testing.TB) *Server {
	t.Helper()
	s, err := Prepare(t.TempDir())
	if err == nil {
		err = s.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Stop)
	return s
}

// URL is where the server answers.
func (s *Server) URL() string { return fmt.Sprintf("http://127.0.0.1:%d", s.Port) }

// Get returns the status and the content of a page.
func (s *Server) Get(path string) (int, string, error) {
	response, err := http.Get(s.URL() + path)
	if err != nil {
		return 0, "", err
	}
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	return response.StatusCode, string(content), err
}

// WAR returns a web application with these files.
func WAR(t testing.TB, files map[string]string) string {
	t.Helper()
	var archive bytes.Buffer
	w := zip.NewWriter(&archive)
	var errs []error
	for name, content := range files {
		file, err := w.Create(name)
		if err == nil {
			_, err = io.WriteString(file, content)
		}
		errs = append(errs, err)
	}
	if err := errors.Join(append(errs, w.Close())...); err != nil {
		t.Fatal(err)
	}
	return archive.String()
}
