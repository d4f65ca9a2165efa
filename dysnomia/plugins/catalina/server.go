// Package catalina looks at a Tomcat server from outside, as far as the plugins
// for what runs in it need: where it listens, what it answers, and what it
// writes to its log.
package catalina

import (
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/disnix-go/disnix/dysnomia"
	"github.com/disnix-go/disnix/dysnomia/plugins/await"
)

// defaultBase is where Dysnomia looks for a server that no property names.
const defaultBase = "/var/tomcat"

// requestLimit is how long one answer may take.
const requestLimit = 5 * time.Second

// RequestInterval is the time between two requests while something is awaited:
// the server writes each of them to its log.
const RequestInterval = 200 * time.Millisecond

// Server is one instance of Tomcat.
type Server struct {
	// Base is its directory, CATALINA_BASE, free of symbolic links if it
	// exists: so the server itself calls it.
	Base string
	// URL is where it answers HTTP, without a path; empty if that is unknown.
	URL string
}

// Find returns the server that the properties of a container describe:
//
//	catalinaBaseDir  its directory (default /var/tomcat)
//	tomcatPort       the port of an HTTP connector (default: that of the first
//	                 plain HTTP connector in conf/server.xml)
func Find(r *dysnomia.Request) (*Server, error) {
	base, err := r.Directory("catalinaBaseDir", defaultBase)
	if err != nil {
		return nil, err
	}
	if resolved, err := filepath.EvalSymlinks(base); err == nil {
		base = resolved
	}
	connectors, err := readConnectors(filepath.Join(base, "conf", "server.xml"))
	if err != nil {
		fmt.Fprintf(r.Stderr, "The ports of Tomcat are not known: %v\n", err)
	}
	port := r.Properties["tomcatPort"]
	if port != "" {
		if number, err := strconv.ParseUint(port, 10, 16); err != nil || number == 0 {
			return nil, fmt.Errorf("read property tomcatPort of container %q: %q is not a port", r.Container, port)
		}
	}
	return &Server{Base: base, URL: urlOf(connectors, port)}, nil
}

// connector is a place where a server listens.
type connector struct {
	Port     string `xml:"port,attr"`
	Address  string `xml:"address,attr"`
	Protocol string `xml:"protocol,attr"`
	Scheme   string `xml:"scheme,attr"`
	SSL      string `xml:"SSLEnabled,attr"`
}

func (c connector) isPlainHTTP() bool {
	number, err := strconv.ParseUint(c.Port, 10, 16)
	return err == nil && number > 0 && !strings.Contains(strings.ToUpper(c.Protocol), "AJP") &&
		!strings.EqualFold(c.Scheme, "https") && !strings.EqualFold(c.SSL, "true")
}

// readConnectors returns the plain HTTP connectors of a server. Without a file
// there are none.
func readConnectors(file string) ([]connector, error) {
	content, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var document struct {
		Services []struct {
			Connectors []connector `xml:"Connector"`
		} `xml:"Service"`
	}
	if err := xml.Unmarshal(content, &document); err != nil {
		return nil, fmt.Errorf("read %s: %w", file, err)
	}
	var plain []connector
	for _, service := range document.Services {
		for _, c := range service.Connectors {
			if c.isPlainHTTP() {
				plain = append(plain, c)
			}
		}
	}
	return plain, nil
}

// urlOf returns the address of a port, or of the first connector.
func urlOf(connectors []connector, port string) string {
	for _, c := range connectors {
		if port == "" || c.Port == port {
			host := c.Address
			if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
				host = "localhost"
			}
			return "http://" + net.JoinHostPort(host, c.Port)
		}
	}
	if port == "" {
		return ""
	}
	return "http://" + net.JoinHostPort("localhost", port)
}

// Answer is what the server says to a request.
type Answer struct {
	Status   int
	Location string // where a redirection leads to
}

// Get asks for a path. Redirections are not followed.
func (s *Server) Get(ctx context.Context, path string) (Answer, error) {
	ctx, cancel := context.WithTimeout(ctx, requestLimit)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, s.URL+path, nil)
	if err != nil {
		return Answer{}, err
	}
	response, err := client.Do(request)
	if err != nil {
		return Answer{}, err
	}
	defer response.Body.Close()
	_, _ = io.CopyN(io.Discard, response.Body, 1<<16)
	return Answer{response.StatusCode, response.Header.Get("Location")}, nil
}

// client speaks to the server itself, whatever proxies there are.
var client = &http.Client{
	Transport:     &http.Transport{DisableKeepAlives: true},
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
}

// RedirectsTo reports whether the answer leads to the path, on whatever host.
func (a Answer) RedirectsTo(path string) bool {
	location, err := url.Parse(a.Location)
	return err == nil && a.Status >= 300 && a.Status < 400 && location.Path == path
}

// IsDown reports whether an error of Get or Connect says that nothing listens
// there.
func IsDown(err error) bool { return errors.Is(err, syscall.ECONNREFUSED) }

// Ended is the error when the server was there before and is down now.
func (s *Server) Ended() error {
	return fmt.Errorf("the Tomcat at %s has ended meanwhile: see %s/logs for the reason, start it, and activate again", s.URL, s.Base)
}

// Await waits until a directory of the server is there and, if it is known
// where, the server answers.
func (s *Server) Await(ctx context.Context, dir string, limit time.Duration) error {
	err := await.Until(ctx, "the directory "+dir, limit, func(context.Context) (bool, string, error) {
		info, err := os.Stat(dir)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return false, "it does not exist: start Tomcat, or correct the properties of the container", nil
		case err == nil && !info.IsDir():
			err = errors.New("it is not a directory")
		}
		return err == nil, "", err
	})
	if err != nil || s.URL == "" {
		return err
	}
	return await.Until(ctx, "Tomcat at "+s.URL, limit, func(ctx context.Context) (bool, string, error) {
		if err := s.Connect(ctx); err != nil {
			return false, fmt.Sprintf("%v: start the Tomcat of %s, or correct the properties of the container", err, s.Base), nil
		}
		return true, "", nil
	})
}

// Connect reports why the server cannot be reached. It leaves no trace in the
// log of accesses.
func (s *Server) Connect(ctx context.Context) error {
	address := strings.TrimPrefix(s.URL, "http://")
	connection, err := (&net.Dialer{Timeout: requestLimit}).DialContext(ctx, "tcp", address)
	if err != nil {
		return err
	}
	return connection.Close()
}
