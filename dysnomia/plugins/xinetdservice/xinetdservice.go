// Package xinetdservice is the plugin for services that xinetd starts when
// somebody connects to them (modules page, section 25).
package xinetdservice

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/disnix-go/disnix/dysnomia"
	"github.com/disnix-go/disnix/dysnomia/plugins/await"
	"github.com/disnix-go/disnix/dysnomia/plugins/lifecycle"
	"github.com/disnix-go/disnix/dysnomia/plugins/linkdir"
)

// Plugin makes xinetd offer the services in etc/xinetd.d of a component. The
// container properties are:
//
//	xinetdTargetDir  a directory that xinetd includes (default
//	                 /var/lib/xinetd/xinetd.d)
//	xinetdPidFile    file with the process id of xinetd (default: the only
//	                 process of that name)
//	timeout          seconds that xinetd may take to listen, or to stop that
//	                 (default 10)
type Plugin struct{}

var _ dysnomia.ShellGuide = Plugin{}

// deployment is what the plugin works with in one operation.
type deployment struct {
	r       *dysnomia.Request
	entries []linkdir.Entry
	timeout time.Duration
}

func read(r *dysnomia.Request) (*deployment, error) {
	d := &deployment{r: r}
	dir, dirErr := r.Directory("xinetdTargetDir", "/var/lib/xinetd/xinetd.d")
	var err error
	d.timeout, err = r.Seconds("timeout", 10*time.Second)
	if err := errors.Join(dirErr, err); err != nil {
		return nil, err
	}
	d.entries, err = linkdir.Entries(filepath.Join(r.Component, "etc", "xinetd.d"), dir)
	return d, err
}

// Activate links the files, lets xinetd read them and waits until it listens.
// If it does not, everything is undone.
func (Plugin) Activate(ctx context.Context, r *dysnomia.Request) error {
	d, err := read(r)
	if err != nil {
		return err
	}
	return lifecycle.Activate(ctx, r, d.start, d.undo)
}

// Deactivate removes the links, lets xinetd forget the services and waits until
// it does not listen any more. If xinetd does not run, there is nothing to
// forget.
func (Plugin) Deactivate(ctx context.Context, r *dysnomia.Request) error {
	d, err := read(r)
	if err != nil {
		return err
	}
	return lifecycle.Deactivate(ctx, r, d.stop)
}

func (d *deployment) start(ctx context.Context) error {
	services, err := d.services(d.entries)
	if err != nil {
		return err
	}
	pid, err := findServer(d.r)
	if err != nil {
		return err
	}
	watch, err := newWatch(pid, services, d.timeout)
	if err != nil {
		return err
	}
	if err := linkdir.Install(d.r, d.entries); err != nil {
		return err
	}
	if err := reload(pid); err != nil {
		return err
	}
	return await.Until(ctx, "xinetd to listen", d.timeout, func(context.Context) (bool, string, error) {
		sockets, err := watch.look()
		if err != nil {
			return false, "", err
		}
		missing := slices.DeleteFunc(slices.Clone(services), sockets.hasOwn)
		var texts []string
		for _, s := range missing {
			text := s.String() + " is not there"
			if sockets.hasForeign(s) {
				text = s.String() + " is used by another process"
			}
			texts = append(texts, text)
		}
		return len(missing) == 0, strings.Join(texts, ", ") + ": see the log of xinetd", nil
	})
}

func (d *deployment) stop(ctx context.Context) error {
	placed, err := linkdir.Installed(d.r, d.entries)
	if err != nil {
		return err
	}
	if len(placed) == 0 {
		return linkdir.Remove(d.r, d.entries)
	}
	// What the component does not have any more cannot be waited for.
	there := slices.DeleteFunc(placed, func(e linkdir.Entry) bool {
		_, err := os.Stat(e.Source)
		return err != nil
	})
	services, err := d.services(there)
	if err != nil {
		return err
	}
	pid, err := findServer(d.r)
	if err != nil {
		// Without xinetd, none of its services can be reached.
		fmt.Fprintf(d.r.Stderr, "%v: assuming that the services were stopped already!\n", err)
		return linkdir.Remove(d.r, d.entries)
	}
	watch, err := newWatch(pid, services, d.timeout)
	if errors.Is(err, errEnded) {
		return linkdir.Remove(d.r, d.entries)
	}
	if err != nil {
		return err
	}
	if err := linkdir.Remove(d.r, d.entries); err != nil {
		return err
	}
	if err := reload(pid); err != nil {
		return err
	}
	return await.Until(ctx, "xinetd not to listen any more", d.timeout, func(context.Context) (bool, string, error) {
		sockets, err := watch.look()
		if errors.Is(err, errEnded) {
			return true, "", nil
		}
		left := slices.DeleteFunc(slices.Clone(services), func(s service) bool { return sockets != nil && !sockets.hasOwn(s) })
		return len(left) == 0, fmt.Sprint(left), err
	})
}

// undo removes the links also if xinetd does not go on.
func (d *deployment) undo(ctx context.Context) error {
	if err := d.stop(ctx); err != nil {
		return errors.Join(err, linkdir.Remove(d.r, d.entries))
	}
	return nil
}

// reload tells xinetd to read its configuration again.
func reload(pid int) error {
	process, err := os.FindProcess(pid) // which stays the same, whoever gets the id
	if err == nil {
		defer process.Release()
		err = errNotServer
		if isServer(pid) {
			err = process.Signal(syscall.SIGHUP)
		}
	}
	if err != nil {
		return fmt.Errorf("tell xinetd, process %d, to read its configuration: %w", pid, err)
	}
	return nil
}

// ShellHelp says how to look after the services by hand.
func (Plugin) ShellHelp(r *dysnomia.Request) string {
	d, err := read(r)
	if err != nil {
		return err.Error() + "\n"
	}
	services, err := d.services(d.entries)
	if err != nil {
		return err.Error() + "\n"
	}
	help := fmt.Sprintf("This is a shell session for the xinetd services of %s\n\n", r.ComponentName)
	for _, s := range services {
		help += "  " + s.String() + "\n"
	}
	return help + "\n  kill -HUP $(pgrep -x xinetd)   let xinetd read its configuration\n"
}
