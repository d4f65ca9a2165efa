package axis2

import (
	"archive/zip"
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/disnix-go/disnix/dysnomia"
	"github.com/disnix-go/disnix/dysnomia/plugins/await"
	"github.com/disnix-go/disnix/dysnomia/plugins/catalina"
	"github.com/disnix-go/disnix/dysnomia/plugins/linkdir"
)

// files returns what a component has to be copied to the server.
func (s settings) files(component string) ([]linkdir.Entry, error) {
	all, err := linkdir.Entries(filepath.Join(component, "webapps/axis2/WEB-INF/services"), s.dir)
	if err != nil {
		return nil, err
	}
	var list []linkdir.Entry
	for _, e := range all {
		if filepath.Ext(e.Path) == ".aar" {
			list = append(list, e)
		}
	}
	if len(list) == 0 {
		return nil, fmt.Errorf("find the service archives (*.aar) of component %s: there are none in webapps/axis2/WEB-INF/services", component)
	}
	conf := filepath.Join(component, "conf/Catalina")
	if _, err := os.Stat(conf); err == nil {
		contexts, err := linkdir.Entries(conf, filepath.Join(s.server.Base, "conf/Catalina/localhost"))
		if err != nil {
			return nil, err
		}
		list = append(contexts, list...)
	} else if !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	for i := range list {
		list[i].Copy = true
	}
	return list, nil
}

// servicesOf returns the names of the services in archives.
func servicesOf(list []linkdir.Entry) ([]string, error) {
	var names []string
	for _, e := range list {
		if filepath.Ext(e.Path) != ".aar" {
			continue
		}
		file := e.Source
		if _, err := os.Stat(file); errors.Is(err, fs.ErrNotExist) {
			file = e.Path // the component is gone, its copy is not
		}
		found, err := servicesIn(file)
		if err != nil {
			return nil, fmt.Errorf("read the service archive %s: %w", file, err)
		}
		names = append(names, found...)
	}
	return names, nil
}

// maxDescriptor is the size up to which a descriptor is read.
const maxDescriptor = 1 << 20

// servicesIn returns the names of the services in an archive: those in its
// descriptor, META-INF/services.xml, which is one service or a group. One
// without a name is called like the archive.
func servicesIn(file string) ([]string, error) {
	archive, err := zip.OpenReader(file)
	if err != nil {
		return nil, err
	}
	defer archive.Close()
	descriptor, err := archive.Open("META-INF/services.xml")
	if err != nil {
		return nil, err
	}
	defer descriptor.Close()
	type service struct {
		Name string `xml:"name,attr"`
	}
	var document struct {
		XMLName  xml.Name
		Name     string    `xml:"name,attr"`
		Services []service `xml:"service"`
	}
	if err := xml.NewDecoder(io.LimitReader(descriptor, maxDescriptor)).Decode(&document); err != nil {
		return nil, fmt.Errorf("META-INF/services.xml: %w", err)
	}
	if document.XMLName.Local == "service" {
		document.Services = []service{{document.Name}}
	}
	if len(document.Services) == 0 {
		return nil, errors.New("META-INF/services.xml: it describes no service")
	}
	var names []string
	for _, s := range document.Services {
		if s.Name == "" {
			s.Name = strings.TrimSuffix(filepath.Base(file), ".aar")
		}
		names = append(names, s.Name)
	}
	return names, nil
}

// await waits until the services are offered, or not offered any more.
func (s settings) await(ctx context.Context, r *dysnomia.Request, services []string, offered bool) error {
	if len(services) == 0 {
		return nil
	}
	if s.server.URL == "" {
		fmt.Fprintln(r.Stderr, "Whether Axis2 offers the services is not known: set tomcatPort.")
		return nil
	}
	what := "Axis2 to offer " + strings.Join(services, ", ")
	if !offered {
		what = "Axis2 to let go of " + strings.Join(services, ", ")
	}
	var asked time.Time
	status := ""
	return await.Until(ctx, what, s.deployTimeout, func(ctx context.Context) (bool, string, error) {
		if time.Since(asked) < catalina.RequestInterval {
			return false, status, nil
		}
		asked = time.Now()
		var done bool
		var err error
		done, status, err = s.look(ctx, services, offered)
		return done, status, err
	})
}

// look reports whether all services are offered, or none of them is, and
// otherwise what is seen. A server that has ended will offer nothing.
func (s settings) look(ctx context.Context, services []string, offered bool) (done bool, status string, err error) {
	for _, name := range services {
		path := s.application + "/services/" + url.PathEscape(name) + "?wsdl"
		answer, err := s.server.Get(ctx, path)
		switch {
		case catalina.IsDown(err) && !offered:
			return true, "", nil
		case catalina.IsDown(err):
			return false, "", s.server.Ended()
		case err != nil:
			return false, err.Error(), nil
		case (answer.Status == 200) != offered:
			return false, fmt.Sprintf("%s%s answers %d: see the log of Axis2 in %s/logs", s.server.URL, path, answer.Status, s.server.Base), nil
		}
	}
	return true, "", nil
}
