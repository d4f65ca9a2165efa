// Package systemdunit is the plugin for units of systemd (modules page,
// section 7).
package systemdunit

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/disnix-go/disnix/dysnomia"
	"github.com/disnix-go/disnix/dysnomia/plugins/lifecycle"
	"github.com/disnix-go/disnix/dysnomia/plugins/linkdir"
)

// Plugin makes systemd run the units in etc/systemd/system of a component. The
// container properties are:
//
//	systemdUserServices  1 for the manager of the calling user
//	systemdTargetDir     a directory in systemd's search path of units
//	                     (default /etc/systemd-mutable/system, for a user
//	                     ~/.config/systemd/user)
//	systemdRootTarget    directory, in there, of links to what is started at
//	                     boot (default dysnomia.target.wants)
//	timeout              seconds that all units may take to start (default 300)
//	stopTimeout          seconds that all units may take to stop (default 300)
//	settleTime           seconds that a service must have run that does not tell
//	                     when it is ready (default: a tenth of one)
//
// Of units with the same base name, the socket is started, else the timer, the
// path, or the service.
type Plugin struct{}

var _ dysnomia.ShellGuide = Plugin{}

const (
	defaultTimeout = 5 * time.Minute
	defaultSettle  = 100 * time.Millisecond
)

// deployment is what the plugin works with in one operation.
type deployment struct {
	r           *dysnomia.Request
	units       units
	timeout     time.Duration
	stopTimeout time.Duration
	settle      time.Duration
}

func read(r *dysnomia.Request) (*deployment, error) {
	d := &deployment{r: r}
	var errs [3]error
	d.timeout, errs[0] = r.Seconds("timeout", defaultTimeout)
	d.stopTimeout, errs[1] = r.Seconds("stopTimeout", defaultTimeout)
	d.settle, errs[2] = r.Seconds("settleTime", defaultSettle)
	if err := errors.Join(errs[:]...); err != nil {
		return nil, err
	}
	var err error
	d.units, err = findUnits(r)
	return d, err
}

// Activate links the units, starts them and waits until they run. If it fails,
// they are stopped and the links are removed again.
func (Plugin) Activate(ctx context.Context, r *dysnomia.Request) error {
	d, err := read(r)
	if err == nil && len(d.units.links) == 0 {
		err = fmt.Errorf("find the units of component %s: %w in etc/systemd/system", r.Component, linkdir.ErrNone)
	}
	if err != nil {
		return err
	}
	return lifecycle.Activate(ctx, r, d.start, d.undo)
}

// Deactivate stops the units, waits until they have ended and removes the
// links. If the component is gone, these are known from the record.
func (Plugin) Deactivate(ctx context.Context, r *dysnomia.Request) error {
	d, err := read(r)
	if err != nil {
		return err
	}
	return lifecycle.Deactivate(ctx, r, d.stop)
}

func (d *deployment) start(ctx context.Context) error {
	m, err := connect(ctx, d.r)
	if err != nil {
		return err
	}
	defer m.close()
	if err := linkdir.Install(d.r, d.units.entries()); err != nil {
		return err
	}
	if err := m.reload(ctx); err != nil {
		return err
	}
	for _, unit := range d.units.started() {
		if err := m.checkLoaded(ctx, unit, d.units.dir); err != nil {
			return err
		}
	}
	if err := m.startAll(ctx, d.units.started(), d.timeout); err != nil {
		return err
	}
	return m.awaitSettled(ctx, d.units.started(), d.settle, d.timeout)
}

// stop stops the units whose links are in place. If there are none, there need
// not even be a systemd.
func (d *deployment) stop(ctx context.Context) error {
	placed, err := linkdir.Installed(d.r, d.units.removable())
	if err != nil {
		return err
	}
	if len(placed) == 0 {
		return linkdir.Remove(d.r, d.units.removable())
	}
	m, err := connect(ctx, d.r)
	if err != nil {
		return err
	}
	defer m.close()
	for _, group := range stopOrder(placed) {
		if err := m.stopAll(ctx, group, d.stopTimeout); err != nil {
			return err
		}
	}
	if err := linkdir.Remove(d.r, d.units.removable()); err != nil {
		return err
	}
	return m.reload(ctx)
}

// undo removes the links also if systemd does not answer any more.
func (d *deployment) undo(ctx context.Context) error {
	if err := d.stop(ctx); err != nil {
		return errors.Join(err, linkdir.Remove(d.r, d.units.removable()))
	}
	return nil
}

// ShellHelp says how to look after the units by hand.
func (Plugin) ShellHelp(r *dysnomia.Request) string {
	d, err := read(r)
	if err != nil {
		return err.Error() + "\n"
	}
	option := ""
	if isUser(r) {
		option = " --user"
	}
	help := fmt.Sprintf("This is a shell session for the systemd units of %s\n\n", r.ComponentName)
	for _, unit := range d.units.started() {
		for _, action := range []string{"status", "start", "stop"} {
			help += fmt.Sprintf("  systemctl%s %s %s\n", option, action, unit)
		}
		help += fmt.Sprintf("  journalctl%s -u %s\n", option, unit)
	}
	return help
}
