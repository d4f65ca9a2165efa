// Package launchddaemon is the plugin for daemons of launchd (modules page,
// section 11).
package launchddaemon

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/disnix-go/disnix/dysnomia"
	"github.com/disnix-go/disnix/dysnomia/plugins/await"
	"github.com/disnix-go/disnix/dysnomia/plugins/lifecycle"
	"github.com/disnix-go/disnix/dysnomia/plugins/linkdir"
	"github.com/disnix-go/disnix/dysnomia/plugins/tool"
	"howett.net/plist"
)

// Plugin makes launchd run the daemons in Library/LaunchDaemons of a component.
// The container properties are:
//
//	launchdTargetDir  where the property lists are copied to (default
//	                  /Library/LaunchDaemons)
//	launchctl         the program (default /bin/launchctl)
//	timeout           seconds that a daemon may take to run (default 10)
//	stopTimeout       seconds that it may take to stop (default 30)
type Plugin struct{}

var _ dysnomia.ShellGuide = Plugin{}

// deployment is what the plugin works with in one operation.
type deployment struct {
	r           *dysnomia.Request
	launchctl   string
	entries     []linkdir.Entry
	timeout     time.Duration
	stopTimeout time.Duration
}

func read(r *dysnomia.Request) (*deployment, error) {
	d := &deployment{r: r, launchctl: r.Property("launchctl", "/bin/launchctl")}
	dir, dirErr := r.Directory("launchdTargetDir", "/Library/LaunchDaemons")
	var timeoutErr, stopErr error
	d.timeout, timeoutErr = r.Seconds("timeout", 10*time.Second)
	d.stopTimeout, stopErr = r.Seconds("stopTimeout", 30*time.Second)
	if err := errors.Join(dirErr, timeoutErr, stopErr); err != nil {
		return nil, err
	}
	entries, err := linkdir.Entries(filepath.Join(r.Component, "Library", "LaunchDaemons"), dir)
	if err != nil && !errors.Is(err, linkdir.ErrNone) {
		return nil, err
	}
	d.entries = slices.DeleteFunc(entries, func(e linkdir.Entry) bool { return filepath.Ext(e.Name()) != ".plist" })
	for i := range d.entries {
		// Launchd refuses property lists that somebody else could change.
		d.entries[i].Copy = true
	}
	return d, nil
}

// Activate copies the property lists, loads the daemons, starts them and waits
// until they run. If one does not, everything is undone.
func (Plugin) Activate(ctx context.Context, r *dysnomia.Request) error {
	d, err := read(r)
	if err == nil && len(d.entries) == 0 {
		err = fmt.Errorf("find the daemons of component %s: there is no file *.plist in Library/LaunchDaemons", r.Component)
	}
	if err != nil {
		return err
	}
	return lifecycle.Activate(ctx, r, d.start, d.undo)
}

// Deactivate unloads the daemons, which stops them, and removes the property
// lists.
func (Plugin) Deactivate(ctx context.Context, r *dysnomia.Request) error {
	d, err := read(r)
	if err != nil {
		return err
	}
	return lifecycle.Deactivate(ctx, r, d.stop)
}

func (d *deployment) start(ctx context.Context) error {
	var daemons []daemon
	for _, entry := range d.entries {
		daemon, err := readDaemon(entry.Source)
		if err != nil {
			return err
		}
		daemons = append(daemons, daemon)
	}
	if err := linkdir.Install(d.r, d.entries); err != nil {
		return err
	}
	for i, daemon := range daemons {
		if err := d.load(ctx, daemon, d.entries[i].Path); err != nil {
			return fmt.Errorf("load daemon %s: %w", daemon.Label, err)
		}
	}
	for _, daemon := range daemons {
		if err := d.await(ctx, daemon); err != nil {
			return err
		}
	}
	return nil
}

// load makes launchd know a daemon, unless it does, and starts it if it does
// not run.
func (d *deployment) load(ctx context.Context, daemon daemon, path string) error {
	known, err := d.status(ctx, daemon.Label)
	if err != nil {
		return err
	}
	if !known.loaded {
		if _, err := d.run(ctx, "enable", target(daemon.Label)); err != nil {
			return err
		}
		if _, err := d.run(ctx, "bootstrap", "system", path); err != nil {
			return err
		}
	}
	if known.state == "running" {
		return nil
	}
	_, err = d.run(ctx, "kickstart", target(daemon.Label))
	return err
}

func (d *deployment) await(ctx context.Context, daemon daemon) error {
	return await.Until(ctx, "daemon "+daemon.Label+" to run", d.timeout, func(ctx context.Context) (bool, string, error) {
		now, err := d.status(ctx, daemon.Label)
		switch {
		case err != nil:
			return false, "", err
		case now.state == "running" || now.exit == "0" && !daemon.staysAlive():
			return true, "", nil
		case now.exit != "" && now.exit != "0" && !strings.HasPrefix(now.exit, "("):
			return false, "", fmt.Errorf("it has ended with exit code %s", now.exit)
		}
		return false, "it is " + now.String(), nil
	})
}

// stop unloads the daemons whose property lists are in place.
func (d *deployment) stop(ctx context.Context) error {
	placed, err := linkdir.Installed(d.r, d.entries)
	if err != nil {
		return err
	}
	for _, entry := range placed {
		daemon, err := readDaemon(entry.Path)
		if err != nil {
			return err
		}
		if err := d.unload(ctx, daemon.Label); err != nil {
			return fmt.Errorf("unload daemon %s: %w", daemon.Label, err)
		}
	}
	return linkdir.Remove(d.r, d.entries)
}

func (d *deployment) unload(ctx context.Context, label string) error {
	known, err := d.status(ctx, label)
	if err != nil || !known.loaded {
		return err
	}
	if _, err := d.run(ctx, "bootout", target(label)); err != nil {
		// It may be on its way out, which takes the time of its process.
		if now, again := d.status(ctx, label); again != nil || now.loaded && now.state == known.state {
			return err
		}
	}
	return await.Until(ctx, "launchd to forget it", d.stopTimeout, func(ctx context.Context) (bool, string, error) {
		now, err := d.status(ctx, label)
		return !now.loaded, "it is " + now.String(), err
	})
}

// undo removes the property lists also if launchd refuses to unload them.
func (d *deployment) undo(ctx context.Context) error {
	if err := d.stop(ctx); err != nil {
		return errors.Join(err, linkdir.Remove(d.r, d.entries))
	}
	return nil
}

func (d *deployment) run(ctx context.Context, args ...string) (string, error) {
	return tool.Run(ctx, d.r, d.launchctl, args...)
}

func target(label string) string { return "system/" + label }

// daemon is what the plugin must know of a property list (launchd.plist(5)).
type daemon struct {
	Label     string
	KeepAlive any
}

// staysAlive reports whether launchd starts the daemon again when it has ended.
func (d daemon) staysAlive() bool {
	always, ok := d.KeepAlive.(bool)
	return d.KeepAlive != nil && (!ok || always)
}

func readDaemon(path string) (daemon, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return daemon{}, fmt.Errorf("read property list: %w", err)
	}
	var d daemon
	if _, err := plist.Unmarshal(content, &d); err != nil {
		return daemon{}, fmt.Errorf("read property list %s: %w", path, err)
	}
	if d.Label == "" || strings.ContainsAny(d.Label, "/\n") {
		return daemon{}, fmt.Errorf("read property list %s: Label %q is not a name", path, d.Label)
	}
	return d, nil
}

// ShellHelp says how to look after the daemons by hand.
func (Plugin) ShellHelp(r *dysnomia.Request) string {
	d, err := read(r)
	if err != nil {
		return err.Error() + "\n"
	}
	help := fmt.Sprintf("This is a shell session for the daemons of %s under launchd\n\n", r.ComponentName)
	for _, entry := range d.entries {
		if daemon, err := readDaemon(entry.Source); err == nil {
			for _, action := range []string{"print", "kickstart", "kill SIGTERM"} {
				help += fmt.Sprintf("  %s %s %s\n", d.launchctl, action, target(daemon.Label))
			}
		}
	}
	return help
}
