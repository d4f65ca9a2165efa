// Package sysvinitscript is the plugin for init scripts of System V (modules
// page, section 8).
package sysvinitscript

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"time"

	"github.com/disnix-go/disnix/dysnomia"
	"github.com/disnix-go/disnix/dysnomia/plugins/initscript"
	"github.com/disnix-go/disnix/dysnomia/plugins/lifecycle"
)

// Plugin runs the scripts in etc/rc.d/rc<runlevel>.d of a component whose names
// begin with S and a number, in the order of names. The container properties
// are:
//
//	runlevel     the directory of scripts (default 3)
//	timeout      seconds that a service may take to run after its script has
//	             ended, if it has an action status (default 10)
//	stopTimeout  seconds that it may take to stop (default 10)
type Plugin struct{}

var _ dysnomia.ShellGuide = Plugin{}

const defaultTimeout = 10 * time.Second

// Activate runs the scripts with start. If one fails, those that were started
// are stopped again.
func (Plugin) Activate(ctx context.Context, r *dysnomia.Request) error {
	runner, scripts, err := read(r)
	if err != nil {
		return err
	}
	return lifecycle.Activate(ctx, r,
		func(ctx context.Context) error { return runner.Start(ctx, scripts) },
		func(ctx context.Context) error { return runner.Stop(ctx, scripts) })
}

// Deactivate runs the scripts with stop, in the reverse order. All are tried.
func (Plugin) Deactivate(ctx context.Context, r *dysnomia.Request) error {
	runner, scripts, err := read(r)
	if err != nil {
		return err
	}
	return lifecycle.Deactivate(ctx, r, func(ctx context.Context) error { return runner.Stop(ctx, scripts) })
}

func read(r *dysnomia.Request) (initscript.Runner, []string, error) {
	runner := initscript.Runner{Request: r}
	var timeoutErr, stopErr error
	runner.Timeout, timeoutErr = r.Seconds("timeout", defaultTimeout)
	runner.StopTimeout, stopErr = r.Seconds("stopTimeout", defaultTimeout)
	scripts, err := startScripts(r)
	return runner, scripts, errors.Join(timeoutErr, stopErr, err)
}

var (
	runlevelName = regexp.MustCompile(`^[0-9A-Za-z]$`)
	startName    = regexp.MustCompile(`^S[0-9]+(.+)$`)
)

// startScripts returns the scripts to start. A runlevel in which nothing is to
// be started has no such scripts, but its directory.
func startScripts(r *dysnomia.Request) ([]string, error) {
	runlevel := r.Property("runlevel", "3")
	if !runlevelName.MatchString(runlevel) {
		return nil, fmt.Errorf("read property runlevel of container %q: %q is not a runlevel", r.Container, runlevel)
	}
	dir := filepath.Join(r.Component, "etc", "rc.d", "rc"+runlevel+".d")
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("find the scripts of component %s: there is no directory %s: set runlevel to one that the component has", r.Component, dir)
	}
	if err != nil {
		return nil, fmt.Errorf("find the scripts of component %s: %w", r.Component, err)
	}
	var scripts []string
	for _, entry := range entries {
		if startName.MatchString(entry.Name()) {
			scripts = append(scripts, filepath.Join(dir, entry.Name()))
		}
	}
	slices.Sort(scripts)
	if len(scripts) == 0 {
		fmt.Fprintf(r.Stderr, "Nothing is started in runlevel %s.\n", runlevel)
	}
	return scripts, nil
}

// ShellHelp says how to look after the services by hand.
func (Plugin) ShellHelp(r *dysnomia.Request) string {
	_, scripts, err := read(r)
	if err != nil {
		return err.Error() + "\n"
	}
	help := fmt.Sprintf("This is a shell session for the init scripts of %s\n\n", r.ComponentName)
	for _, script := range scripts {
		for _, action := range []string{"status", "start", "stop"} {
			help += fmt.Sprintf("  %s %s\n", script, action)
		}
	}
	return help
}
