// Package s6rcservice is the plugin for services of s6-rc (modules page,
// section 9).
package s6rcservice

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"time"

	"github.com/disnix-go/disnix/dysnomia"
	"github.com/disnix-go/disnix/dysnomia/plugins/lifecycle"
	"github.com/disnix-go/disnix/dysnomia/plugins/linkdir"
)

// Plugin makes s6-rc run the services in etc/s6/sv of a component. The
// container properties are:
//
//	scanDir     the directory that s6-svscan looks at (default
//	            /var/run/service)
//	serviceDir  the definitions of all services (default /var/lib/s6/sv)
//	compileDir  compiled databases (default /var/etc/s6/rc)
//	liveDir     the state of s6-rc (default /var/run/s6-rc)
//	bundleName  bundle of the services that components have brought (default
//	            default)
//	timeout     seconds that services may take to start or stop (default 60)
//
// The programs of s6 and s6-rc are found in PATH.
type Plugin struct{}

var _ dysnomia.ShellGuide = Plugin{}

// deployment is what the plugin works with in one operation.
type deployment struct {
	r                                        *dysnomia.Request
	scanDir, serviceDir, compileDir, liveDir string
	bundle                                   string
	timeout                                  time.Duration
	entries                                  []linkdir.Entry
}

func read(r *dysnomia.Request) (*deployment, error) {
	d := &deployment{r: r, bundle: r.Property("bundleName", "default")}
	var errs [6]error
	d.scanDir, errs[0] = r.Directory("scanDir", "/var/run/service")
	d.serviceDir, errs[1] = r.Directory("serviceDir", "/var/lib/s6/sv")
	d.compileDir, errs[2] = r.Directory("compileDir", "/var/etc/s6/rc")
	d.liveDir, errs[3] = r.Directory("liveDir", "/var/run/s6-rc")
	d.timeout, errs[4] = r.Seconds("timeout", time.Minute)
	if d.bundle != filepath.Base(d.bundle) || d.bundle[0] == '.' {
		errs[5] = fmt.Errorf("read property bundleName of container %q: %q is not a name", r.Container, d.bundle)
	}
	if err := errors.Join(errs[:]...); err != nil {
		return nil, err
	}
	var err error
	d.entries, err = linkdir.Entries(filepath.Join(r.Component, "etc", "s6", "sv"), d.serviceDir)
	return d, err
}

// Activate links the definitions, lets s6-rc know them, and starts them. If
// that fails, everything is undone.
func (Plugin) Activate(ctx context.Context, r *dysnomia.Request) error {
	d, err := read(r)
	if err != nil {
		return err
	}
	return lifecycle.Activate(ctx, r, d.start, d.stop)
}

// Deactivate stops the services, removes their definitions, and lets s6-rc
// forget them.
func (Plugin) Deactivate(ctx context.Context, r *dysnomia.Request) error {
	d, err := read(r)
	if err != nil {
		return err
	}
	return lifecycle.Deactivate(ctx, r, d.stop)
}

func (d *deployment) start(ctx context.Context) error {
	unlock, err := d.lock(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	names := namesOf(d.entries)
	if slices.Contains(names, d.bundle) {
		return fmt.Errorf("install the services of %s: one has the name of the bundle %q: set bundleName to another", d.r.ComponentName, d.bundle)
	}
	if err := linkdir.Install(d.r, d.entries); err != nil {
		return err
	}
	if err := d.addToBundle(names); err != nil {
		return err
	}
	if err := d.apply(ctx); err != nil {
		return err
	}
	if err := d.change(ctx, "-u", names); err != nil {
		return err
	}
	return d.checkRunning(ctx, names)
}

// stop copes with services of which s6-rc does not know.
func (d *deployment) stop(ctx context.Context) error {
	placed, err := linkdir.Installed(d.r, d.entries)
	if err != nil {
		return err
	}
	if len(placed) == 0 {
		return linkdir.Remove(d.r, d.entries)
	}
	unlock, err := d.lock(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	names := namesOf(placed)
	active, err := d.active(ctx)
	if err != nil {
		return err
	}
	if running := slices.DeleteFunc(slices.Clone(names), func(name string) bool { return !slices.Contains(active, name) }); len(running) > 0 {
		if err := d.change(ctx, "-d", running); err != nil {
			return err
		}
	}
	if err := d.removeFromBundle(names); err != nil {
		return err
	}
	if err := linkdir.Remove(d.r, d.entries); err != nil {
		return err
	}
	if !d.isLive() {
		return nil
	}
	return d.apply(ctx)
}

func namesOf(entries []linkdir.Entry) []string {
	var names []string
	for _, entry := range entries {
		names = append(names, entry.Name())
	}
	return names
}

// ShellHelp says how to look after the services by hand.
func (Plugin) ShellHelp(r *dysnomia.Request) string {
	d, err := read(r)
	if err != nil {
		return err.Error() + "\n"
	}
	help := fmt.Sprintf("This is a shell session for the s6-rc services of %s\n\n", r.ComponentName)
	for _, name := range namesOf(d.entries) {
		help += fmt.Sprintf("  s6-rc -l %[1]s -u change %[2]s\n  s6-rc -l %[1]s -d change %[2]s\n  s6-svstat %[3]s\n", d.liveDir, name, filepath.Join(d.liveDir, "servicedirs", name))
	}
	return help
}
