package tomcat

import (
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/disnix-go/disnix/dysnomia/plugins/linkdir"
)

// application is what the server makes of one WAR file.
type application struct {
	war string // the file in the server's webapps/
	// dir is where the server unpacks it, if it does.
	dir string
	// context is the path of its URL, / for the root application excluded:
	// that has an empty one.
	context string
	// descriptor is its context file, which need not exist.
	descriptor string
}

// applications returns those of the entries that are WAR files.
func applications(list []linkdir.Entry) []application {
	var apps []application
	seen := make(map[string]bool)
	for _, e := range list {
		if filepath.Ext(e.Path) == ".war" && !seen[e.Path] {
			seen[e.Path] = true
			apps = append(apps, newApplication(e.Path))
		}
	}
	return apps
}

// newApplication derives everything from the name, as Tomcat does: a # is a
// slash, what follows ## is a version, and ROOT has no name.
func newApplication(war string) application {
	dir := strings.TrimSuffix(war, ".war")
	base := filepath.Base(dir)
	name, _, _ := strings.Cut(base, "##")
	context := "/" + strings.ReplaceAll(name, "#", "/")
	if name == "ROOT" {
		context = ""
	}
	server := filepath.Dir(filepath.Dir(war))
	return application{war: war, dir: dir, context: context,
		descriptor: filepath.Join(server, "conf", "Catalina", "localhost", base+".xml")}
}

func (a application) name() string { return filepath.Base(a.war) }

// location is the path of its URL, escaped.
func (a application) location() string {
	if a.context == "" {
		return "/"
	}
	return (&url.URL{Path: a.context}).EscapedPath()
}

// logName is what Tomcat calls the context in its log.
func (a application) logName() string {
	_, version, versioned := strings.Cut(filepath.Base(a.dir), "##")
	if versioned {
		return a.context + "##" + version
	}
	return a.context
}

// isUnpacked reports whether the server has unpacked exactly the WAR file that
// is there now: it gives its mark the age of the file.
func (a application) isUnpacked() bool {
	file, err := os.Stat(a.war)
	if err != nil {
		return false
	}
	mark, err := os.Stat(a.tracker())
	// Java counts milliseconds, older versions seconds.
	return err == nil && (mark.ModTime().Equal(file.ModTime().Truncate(time.Millisecond)) ||
		mark.ModTime().Equal(file.ModTime().Truncate(time.Second)))
}

// hasTracker reports whether the server has unpacked some WAR file there.
func (a application) hasTracker() bool {
	_, err := os.Lstat(a.tracker())
	return err == nil
}

func (a application) tracker() string { return filepath.Join(a.dir, "META-INF", "war-tracker") }

// files returns what a component has to be copied to the server: context files
// first, so that a WAR file finds them.
func (s settings) files(component string) ([]linkdir.Entry, error) {
	wars, err := s.wars(component)
	if err != nil || len(wars) == 0 {
		return nil, err
	}
	conf := filepath.Join(component, "conf", "Catalina")
	if _, err := os.Stat(conf); errors.Is(err, fs.ErrNotExist) {
		return wars, nil
	}
	list, err := linkdir.Entries(conf, filepath.Join(s.server.Base, "conf", "Catalina", "localhost"))
	if err != nil {
		return nil, err
	}
	for i := range list {
		list[i].Copy = true
	}
	return append(list, wars...), nil
}

// wars finds the WAR files, at any depth. Two with the same name cannot both
// be deployed.
func (s settings) wars(component string) ([]linkdir.Entry, error) {
	top, err := filepath.EvalSymlinks(filepath.Join(component, "webapps"))
	if err != nil {
		return nil, fmt.Errorf("find the WAR files of component %s: %w", component, err)
	}
	var list []linkdir.Entry
	sources := make(map[string]string)
	err = filepath.WalkDir(top, func(path string, _ fs.DirEntry, err error) error {
		if err != nil || filepath.Ext(path) != ".war" {
			return err
		}
		if info, err := os.Stat(path); err != nil || !info.Mode().IsRegular() {
			return err
		}
		name := filepath.Base(path)
		if other := sources[name]; other != "" {
			return fmt.Errorf("%s and %s have the same name, so only one of them could be deployed", other, path)
		}
		sources[name] = path
		list = append(list, linkdir.Entry{Path: filepath.Join(s.webapps(), name), Source: path, Copy: true})
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("find the WAR files of component %s: %w", component, err)
	}
	return list, nil
}
