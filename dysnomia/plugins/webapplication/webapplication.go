// Package webapplication is the plugin for applications that a web server
// serves from a directory: those of PHP, and plain pages (modules page,
// section 14). The server itself is not asked for anything.
package webapplication

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/disnix-go/disnix/dysnomia"
	"github.com/disnix-go/disnix/dysnomia/plugins/fileset"
	"github.com/disnix-go/disnix/dysnomia/plugins/linkdir"
)

// Plugin lets applications appear in the document root of a web server. The
// container properties are:
//
//	documentRoot  the directory that is served (default /var/www)
//	filesetOwner  owner of mutable directories (default: see package fileset)
//
// A component has files and directories in webapps/, each of which is linked
// into the document root, or is a fileset, which is installed there and may
// have directories that change: these are its state.
//
// The original files that state under the name of the module, whatever the
// container is called. What it has left there is taken over.
type Plugin struct {
	// Module is the type: that of a server or generic-webapplication.
	Module string
}

var (
	_ dysnomia.Snapshotter      = Plugin{}
	_ dysnomia.GarbageCollector = Plugin{}
	_ dysnomia.ShellGuide       = Plugin{}
)

func documentRoot(r *dysnomia.Request) (string, error) {
	return r.Directory("documentRoot", "/var/www")
}

// isFileset reports whether the component is a fileset.
func isFileset(r *dysnomia.Request) (bool, error) {
	_, err := os.Stat(filepath.Join(r.Component, ".dysnomia-fileset"))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

// pages returns what has to be linked into the document root.
func pages(r *dysnomia.Request) ([]linkdir.Entry, error) {
	root, err := documentRoot(r)
	if err != nil {
		return nil, err
	}
	dir := filepath.Join(r.Component, "webapps")
	if list, err := os.ReadDir(dir); err == nil && len(list) == 0 {
		fmt.Fprintf(r.Stderr, "There is nothing in %s.\n", dir)
		return nil, nil
	}
	return linkdir.Entries(dir, root)
}

// Activate lets the application appear.
func (p Plugin) Activate(ctx context.Context, r *dysnomia.Request) error {
	is, err := isFileset(r)
	if err != nil {
		return err
	}
	if is {
		return p.activateFileset(ctx, r)
	}
	list, err := pages(r)
	if err != nil {
		return err
	}
	if err := linkdir.Install(r, list); err != nil {
		return err
	}
	return r.State.MarkActive(r.Container, r.ComponentName, r.Component)
}

// Deactivate lets the application disappear. Directories of a fileset that
// change stay.
func (p Plugin) Deactivate(ctx context.Context, r *dysnomia.Request) error {
	is, err := isFileset(r)
	if err != nil {
		return err
	}
	if is {
		return p.withFileset(r, func(r *dysnomia.Request) error { return fileset.Plugin{}.Deactivate(ctx, r) })
	}
	// A component that is gone is known from the record.
	list, err := pages(r)
	if err != nil {
		if list, err = linkdir.Installed(r, nil); err != nil {
			return err
		}
	}
	if err := linkdir.Remove(r, list); err != nil {
		return err
	}
	return r.State.UnmarkActive(r.Container, r.ComponentName)
}

// ShellHelp says where the application is.
func (p Plugin) ShellHelp(r *dysnomia.Request) string {
	root, err := documentRoot(r)
	if err != nil {
		return err.Error() + "\n"
	}
	return fmt.Sprintf("This is a shell session for the web application %s\n\nDocument root: %s\n", r.ComponentName, root)
}
