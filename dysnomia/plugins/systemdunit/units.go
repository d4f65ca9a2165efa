package systemdunit

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/disnix-go/disnix/dysnomia"
	"github.com/disnix-go/disnix/dysnomia/plugins/linkdir"
)

// units are those of a component.
type units struct {
	links []linkdir.Entry // of units and of directories such as x.service.wants
	dir   string          // the target directory
	wants string          // the directory of links to what is started at boot
}

func isUser(r *dysnomia.Request) bool { return r.Properties["systemdUserServices"] == "1" }

func findUnits(r *dysnomia.Request) (units, error) {
	fallback := "/etc/systemd-mutable/system"
	if isUser(r) {
		home, err := userConfigDir(r)
		if err != nil {
			return units{}, err
		}
		fallback = filepath.Join(home, "systemd", "user")
	}
	dir, err := r.Directory("systemdTargetDir", fallback)
	if err != nil {
		return units{}, err
	}
	root := r.Property("systemdRootTarget", "dysnomia.target.wants")
	if root != filepath.Base(root) || strings.HasPrefix(root, ".") {
		return units{}, fmt.Errorf("read property systemdRootTarget of container %q: %q is not the name of a directory", r.Container, root)
	}
	links, err := linkdir.Entries(filepath.Join(r.Component, "etc", "systemd", "system"), dir)
	if errors.Is(err, linkdir.ErrNone) {
		err = nil
	}
	return units{links: links, dir: dir, wants: filepath.Join(dir, root)}, err
}

func userConfigDir(r *dysnomia.Request) (string, error) {
	if dir := variable(r, "XDG_CONFIG_HOME"); filepath.IsAbs(dir) {
		return dir, nil
	}
	home := variable(r, "HOME")
	if !filepath.IsAbs(home) {
		return "", fmt.Errorf("find the units of the user: HOME is not set: set systemdTargetDir")
	}
	return filepath.Join(home, ".config"), nil
}

// variable returns a property of the container or a variable of this process:
// without the environment mode, requests have only the properties.
func variable(r *dysnomia.Request, name string) string {
	return r.Property(name, os.Getenv(name))
}

// entries are all links: of the units, and of what is started at boot.
func (u units) entries() []linkdir.Entry {
	all := slices.Clone(u.links)
	for _, link := range u.links {
		if slices.Contains(u.started(), link.Name()) {
			all = append(all, linkdir.Entry{Path: filepath.Join(u.wants, link.Name()), Source: link.Source})
		}
	}
	return all
}

// removable are all links that may be there: links to links, too.
func (u units) removable() []linkdir.Entry {
	all := u.entries()
	for _, link := range u.links {
		all = append(all, linkdir.Entry{Path: filepath.Join(u.wants, link.Name()), Source: link.Path})
	}
	return all
}

// triggers are units that start the service of their name when it is needed,
// in the order of preference.
var triggers = []string{".socket", ".timer", ".path"}

// startable are other units that can be started.
var startable = []string{".service", ".target", ".mount", ".automount", ".swap"}

// started returns the units that are started, in the order of names.
func (u units) started() []string {
	var names []string
	for _, link := range u.links {
		name := link.Name()
		kind := filepath.Ext(name)
		if strings.HasSuffix(strings.TrimSuffix(name, kind), "@") {
			continue // a template
		}
		i := slices.Index(triggers, kind)
		if i < 0 && !slices.Contains(startable, kind) {
			continue
		}
		preferred := triggers
		if i >= 0 {
			preferred = triggers[:i]
		} else if kind != ".service" {
			preferred = nil
		}
		if !u.hasAny(strings.TrimSuffix(name, kind), preferred) {
			names = append(names, name)
		}
	}
	return names
}

func (u units) hasAny(base string, kinds []string) bool {
	return slices.ContainsFunc(u.links, func(e linkdir.Entry) bool {
		name, kind := strings.TrimSuffix(e.Name(), filepath.Ext(e.Name())), filepath.Ext(e.Name())
		return name == base && slices.Contains(kinds, kind)
	})
}

// stopOrder returns the names of the units that are linked: first those that
// would start others again, then the others. Templates are patterns of their
// instances.
func stopOrder(placed []linkdir.Entry) [][]string {
	groups := make([][]string, 2)
	for _, entry := range placed {
		name := entry.Name()
		kind := filepath.Ext(name)
		if base := strings.TrimSuffix(name, kind); strings.HasSuffix(base, "@") {
			name = base + "*" + kind
		}
		switch {
		case slices.Contains(groups[0], name) || slices.Contains(groups[1], name):
		case slices.Contains(triggers, kind):
			groups[0] = append(groups[0], name)
		case slices.Contains(startable, kind):
			groups[1] = append(groups[1], name)
		}
	}
	return groups
}
