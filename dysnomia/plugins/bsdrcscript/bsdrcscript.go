// Package bsdrcscript is the plugin for rc(8) scripts of BSD systems (modules
// page, section 10).
package bsdrcscript

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/disnix-go/disnix/dysnomia"
	"github.com/disnix-go/disnix/dysnomia/plugins/initscript"
	"github.com/disnix-go/disnix/dysnomia/plugins/lifecycle"
	"github.com/disnix-go/disnix/dysnomia/plugins/linkdir"
)

// Plugin runs the scripts in etc/rc.d of a component, in the order that their
// PROVIDE, REQUIRE and BEFORE lines ask for. The container properties are:
//
//	enableAtBoot  1 if the system shall start the scripts when it boots
//	rcDir         where they are linked for that (default /usr/local/etc/rc.d)
//	rcConf        where they are enabled for that (default /etc/rc.conf)
//	timeout       seconds that a service may take to run after its script has
//	              ended, if it has an action status (default 10)
//	stopTimeout   seconds that it may take to stop (default 10)
type Plugin struct{}

var _ dysnomia.ShellGuide = Plugin{}

const defaultTimeout = 10 * time.Second

// deployment is what the plugin works with in one operation.
type deployment struct {
	runner  initscript.Runner
	scripts []linkdir.Entry // where they are linked, in the order of starting
	boot    bool
	conf    string
}

func read(r *dysnomia.Request) (*deployment, error) {
	d := &deployment{runner: initscript.Runner{Request: r, BSD: true}, boot: r.Properties["enableAtBoot"] == "1"}
	dir, dirErr := r.Directory("rcDir", "/usr/local/etc/rc.d")
	var confErr, timeoutErr, stopErr error
	d.conf, confErr = r.Directory("rcConf", "/etc/rc.conf")
	d.runner.Timeout, timeoutErr = r.Seconds("timeout", defaultTimeout)
	d.runner.StopTimeout, stopErr = r.Seconds("stopTimeout", defaultTimeout)
	if err := errors.Join(dirErr, confErr, timeoutErr, stopErr); err != nil {
		return nil, err
	}
	if !d.boot {
		// A script refuses what is not enabled, unless it is asked for it once.
		d.runner.Prefix = "one"
	}
	entries, err := linkdir.Entries(filepath.Join(r.Component, "etc", "rc.d"), dir)
	if err != nil {
		return nil, err
	}
	d.scripts, err = inOrder(entries)
	return d, err
}

// Activate starts the scripts, after it has enabled them if that was asked
// for. If one fails, everything is undone.
func (Plugin) Activate(ctx context.Context, r *dysnomia.Request) error {
	d, err := read(r)
	if err != nil {
		return err
	}
	return lifecycle.Activate(ctx, r, d.start, d.stop)
}

// Deactivate stops the scripts in the reverse order and disables them. All are
// tried.
func (Plugin) Deactivate(ctx context.Context, r *dysnomia.Request) error {
	d, err := read(r)
	if err != nil {
		return err
	}
	return lifecycle.Deactivate(ctx, r, d.stop)
}

func (d *deployment) start(ctx context.Context) error {
	if d.boot {
		if err := checkNames(d.names()); err != nil {
			return err
		}
		if err := linkdir.Install(d.runner.Request, d.scripts); err != nil {
			return err
		}
		if err := enable(ctx, d.conf, d.names()); err != nil {
			return err
		}
	}
	return d.runner.Start(ctx, d.sources())
}

// stop asks scripts that are enabled as well as others: whether they are may
// have changed.
func (d *deployment) stop(ctx context.Context) error {
	d.runner.Prefix = "one"
	if err := d.runner.Stop(ctx, d.sources()); err != nil {
		return err
	}
	placed, err := linkdir.Installed(d.runner.Request, d.scripts)
	if err != nil {
		return err
	}
	if len(placed) > 0 {
		var names []string
		for _, script := range placed {
			names = append(names, script.Name())
		}
		if err := disable(ctx, d.conf, names); err != nil {
			return err
		}
	}
	return linkdir.Remove(d.runner.Request, d.scripts)
}

func (d *deployment) sources() []string {
	var paths []string
	for _, script := range d.scripts {
		paths = append(paths, script.Source)
	}
	return paths
}

func (d *deployment) names() []string {
	var names []string
	for _, script := range d.scripts {
		names = append(names, script.Name())
	}
	return names
}

// ShellHelp says how to look after the services by hand.
func (Plugin) ShellHelp(r *dysnomia.Request) string {
	d, err := read(r)
	if err != nil {
		return err.Error() + "\n"
	}
	help := fmt.Sprintf("This is a shell session for the rc scripts of %s\n\n", r.ComponentName)
	for _, script := range d.sources() {
		for _, action := range []string{"onestatus", "onestart", "onestop"} {
			help += fmt.Sprintf("  %s %s\n", script, action)
		}
	}
	return help
}
