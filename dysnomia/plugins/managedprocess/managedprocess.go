// Package managedprocess is the plugin for processes that are described
// without a process manager in mind (modules page, section 4). It translates
// the description for the process manager of the machine, without Nix, and
// leaves the result to the plugin of that process manager.
package managedprocess

import (
	"context"
	"errors"
	"fmt"

	"github.com/disnix-go/disnix/dysnomia"
	"github.com/disnix-go/disnix/dysnomia/processmanagement"
)

// Plugin manages processes. The container properties are:
//
//	processManager          bsdrc, cygrunsrv, disnix (no process manager at
//	                        all), docker, launchd, s6-rc, supervisord, systemd
//	                        or sysvinit; it must be given
//	stateDir, runtimeDir, logDir, tmpDir, cacheDir, spoolDir, lockDir, libDir
//	                        directories of processes, with the defaults of
//	                        nixproc-generate-config
//	forceDisableUserChange  1: processes run as whoever starts them
//
// and those of the plugin that does the work. Where a directory is not given,
// NIXPROC_STATE_DIR and so on of the environment count in environment mode.
//
// What was generated is kept below the state directory as long as the
// component is active, and used to deactivate it: whatever becomes of the
// component, the properties and this program meanwhile, what was started is
// stopped.
type Plugin struct {
	// Plugins are those of the process managers, by type.
	Plugins map[string]dysnomia.Plugin
}

var (
	_ dysnomia.GarbageCollector = Plugin{}
	_ dysnomia.ShellGuide       = Plugin{}
)

// Activate generates the component of the process manager and activates it.
// Repeating it changes nothing, unless the properties have changed: then the
// process is stopped the old way and started the new way.
func (p Plugin) Activate(ctx context.Context, r *dysnomia.Request) error {
	wanted, err := read(r)
	if err != nil {
		return err
	}
	active, err := r.State.IsActive(r.Container, r.ComponentName)
	if err != nil {
		return err
	}
	g, err := find(r)
	if err != nil {
		return err
	}
	if g != nil && (!active || !g.suits(wanted) || !g.intact()) {
		if err := p.deactivate(ctx, r, g); err != nil {
			return fmt.Errorf("stop what was generated before: %w", err)
		}
		g = nil
	}
	if g == nil {
		if g, err = generate(ctx, r, wanted); err != nil {
			return err
		}
	}
	sibling, err := p.sibling(g)
	if err != nil {
		return err
	}
	err = sibling.Activate(ctx, g.request(r))
	if err != nil && !active {
		return errors.Join(err, g.remove())
	}
	return err
}

// Deactivate deactivates what was generated. If that is lost, it is generated
// again.
func (p Plugin) Deactivate(ctx context.Context, r *dysnomia.Request) error {
	g, err := findOrGenerate(ctx, r)
	if err != nil {
		return err
	}
	return p.deactivate(ctx, r, g)
}

func (p Plugin) deactivate(ctx context.Context, r *dysnomia.Request, g *generated) error {
	sibling, err := p.sibling(g)
	if err != nil {
		return err
	}
	if err := sibling.Deactivate(ctx, g.request(r)); err != nil {
		return err
	}
	garbage, err := r.State.IsGarbage(r.Container, r.ComponentName)
	if err != nil || garbage {
		return err // what was generated tells how to delete the state
	}
	return g.remove()
}

// CollectGarbage deletes the state of a deactivated component, if the plugin
// of its process manager keeps any, and what was generated for it.
func (p Plugin) CollectGarbage(ctx context.Context, r *dysnomia.Request) error {
	garbage, err := r.State.IsGarbage(r.Container, r.ComponentName)
	if err != nil || !garbage {
		return err
	}
	g, err := findOrGenerate(ctx, r)
	if err != nil {
		return err
	}
	sibling, err := p.sibling(g)
	if err != nil {
		return err
	}
	collector, ok := sibling.(dysnomia.GarbageCollector)
	if !ok { // the properties have changed since it was deactivated
		return errors.Join(r.State.UnmarkGarbage(r.Container, r.ComponentName), g.remove())
	}
	if err := collector.CollectGarbage(ctx, g.request(r)); err != nil {
		return err
	}
	return g.remove()
}

// ShellHelp says what the plugin of the process manager says.
func (p Plugin) ShellHelp(r *dysnomia.Request) string {
	g, err := findOrGenerate(context.Background(), r)
	if err != nil {
		return err.Error() + "\n"
	}
	sibling, err := p.sibling(g)
	if err != nil {
		return err.Error() + "\n"
	}
	help := fmt.Sprintf("The files for %s are in %s\n", g.record.Manager, g.component())
	if guide, ok := sibling.(dysnomia.ShellGuide); ok {
		help += guide.ShellHelp(g.request(r))
	}
	return help
}

// sibling returns the plugin of the process manager.
func (p Plugin) sibling(g *generated) (dysnomia.Plugin, error) {
	manager, err := processmanagement.ParseManager(g.record.Manager)
	if err != nil {
		return nil, err
	}
	plugin, ok := p.Plugins[manager.Type()]
	if !ok {
		return nil, fmt.Errorf("find the plugin of process manager %s: there is no plugin %s in this program", manager, manager.Type())
	}
	return plugin, nil
}
