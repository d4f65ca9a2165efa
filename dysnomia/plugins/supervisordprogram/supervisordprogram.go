// Package supervisordprogram is the plugin for programs under supervisord
// (modules page, section 6).
package supervisordprogram

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/disnix-go/disnix/dysnomia"
	"github.com/disnix-go/disnix/dysnomia/plugins/lifecycle"
	"github.com/disnix-go/disnix/dysnomia/plugins/linkdir"
)

// Plugin makes supervisord run the programs of a component, whose
// configuration is in conf.d/*.conf. The container properties are:
//
//	supervisordTargetDir   directory of configuration files that supervisord
//	                       includes (default /var/lib/supervisord/conf.d)
//	supervisordServerUrl   where supervisord listens: unix:///path/of/socket or
//	                       http://host:port (default: as its configuration says)
//	supervisordConfigFile  its configuration (default: /etc/supervisord.conf or
//	                       /etc/supervisor/supervisord.conf)
//	supervisordUsername, supervisordPassword
//	                       (default: as its configuration says)
//	supervisorctl          a program to use instead of XML-RPC
//	timeout                seconds that the programs may take to run (default 60)
//	stopTimeout            seconds that they may take to stop (default 60)
type Plugin struct{}

var _ dysnomia.ShellGuide = Plugin{}

const defaultTimeout = time.Minute

// supervision is what the plugin works with in one operation.
type supervision struct {
	r           *dysnomia.Request
	control     control
	entries     []linkdir.Entry
	timeout     time.Duration
	stopTimeout time.Duration
}

func open(r *dysnomia.Request) (*supervision, error) {
	dir, err := r.Directory("supervisordTargetDir", "/var/lib/supervisord/conf.d")
	if err != nil {
		return nil, err
	}
	s := &supervision{r: r}
	var timeoutErr, stopErr error
	s.timeout, timeoutErr = r.Seconds("timeout", defaultTimeout)
	s.stopTimeout, stopErr = r.Seconds("stopTimeout", defaultTimeout)
	if err := errors.Join(timeoutErr, stopErr); err != nil {
		return nil, err
	}
	entries, err := linkdir.Entries(filepath.Join(r.Component, "conf.d"), dir)
	if err != nil && !errors.Is(err, linkdir.ErrNone) {
		return nil, err
	}
	s.entries = slices.DeleteFunc(entries, func(e linkdir.Entry) bool { return filepath.Ext(e.Name()) != ".conf" })
	s.control, err = connect(r)
	return s, err
}

// Activate links the configuration files and waits until supervisord runs what
// they define. Other pending changes of the configuration are left for
// whoever made them.
func (Plugin) Activate(ctx context.Context, r *dysnomia.Request) error {
	s, err := open(r)
	if err == nil && len(s.entries) == 0 {
		err = fmt.Errorf("find the programs of component %s: there is no file *.conf in conf.d", r.Component)
	}
	if err != nil {
		return err
	}
	return lifecycle.Activate(ctx, r, s.start, s.undo)
}

// Deactivate stops the programs, waits for their end and removes the
// configuration files. If the component is gone, these are known from the
// record.
func (Plugin) Deactivate(ctx context.Context, r *dysnomia.Request) error {
	s, err := open(r)
	if err != nil {
		return err
	}
	return lifecycle.Deactivate(ctx, r, s.stop)
}

func (s *supervision) start(ctx context.Context) error {
	groups, err := groupsOf(sources(s.entries))
	if err != nil {
		return err
	}
	if len(groups) == 0 {
		return fmt.Errorf("find the programs of component %s: conf.d has no section [program:…]", s.r.Component)
	}
	before, err := s.control.processes(ctx)
	if err != nil {
		return err
	}
	if err := s.checkNames(before, groups); err != nil {
		return err
	}
	if err := linkdir.Install(s.r, s.entries); err != nil {
		return err
	}
	if err := s.update(ctx, groups); err != nil {
		return err
	}
	manual, err := s.control.manual(ctx)
	if err != nil {
		return err
	}
	if err := s.wake(ctx, before, groups, manual); err != nil {
		return err
	}
	return s.awaitRunning(ctx, groups, manual)
}

// checkNames refuses programs that supervisord has already from elsewhere.
func (s *supervision) checkNames(existing []process, groups []string) error {
	for _, entry := range s.entries {
		if _, err := os.Lstat(entry.Path); err == nil {
			return nil // ours, of another version, or refused when it is linked
		}
	}
	for _, group := range groups {
		if slices.ContainsFunc(existing, func(p process) bool { return p.group == group }) {
			return fmt.Errorf("add %s to supervisord: it has such a program already, which is not of this component: give it another name", group)
		}
	}
	return nil
}

// update makes supervisord know the groups as they are configured now.
func (s *supervision) update(ctx context.Context, groups []string) error {
	changed, err := s.control.reread(ctx)
	if err != nil {
		return err
	}
	for _, group := range groups {
		if slices.Contains(changed, group) {
			if err := s.stopGroups(ctx, []string{group}); err != nil {
				return err
			}
		}
		if err := s.control.add(ctx, group); err != nil {
			return fmt.Errorf("add %s to supervisord: %w: does it include the files in %s?", group, err, filepath.Dir(s.entries[0].Path))
		}
		fmt.Fprintf(s.r.Stdout, "%s: added process group\n", group)
	}
	return nil
}

// stop stops and removes the groups of the files that are linked. If none is,
// supervisord need not even run.
func (s *supervision) stop(ctx context.Context) error {
	placed, err := linkdir.Installed(s.r, s.entries)
	if err != nil {
		return err
	}
	if len(placed) == 0 {
		return linkdir.Remove(s.r, s.entries)
	}
	groups, err := groupsOfInstalled(placed)
	if err != nil {
		return err
	}
	if err := s.stopGroups(ctx, groups); err != nil {
		return err
	}
	if err := linkdir.Remove(s.r, s.entries); err != nil {
		return err
	}
	_, err = s.control.reread(ctx)
	return err
}

// undo stops what a failed activation has started. The links are removed also
// if supervisord does not answer any more.
func (s *supervision) undo(ctx context.Context) error {
	if err := s.stop(ctx); err != nil {
		return errors.Join(err, linkdir.Remove(s.r, s.entries))
	}
	return nil
}

// groupsOfInstalled copes with files that the component does not have any more:
// by convention, they have the name of their program.
func groupsOfInstalled(placed []linkdir.Entry) ([]string, error) {
	var there []linkdir.Entry
	var groups []string
	for _, entry := range placed {
		if _, err := os.Stat(entry.Source); errors.Is(err, fs.ErrNotExist) {
			groups = append(groups, strings.TrimSuffix(entry.Name(), ".conf"))
		} else {
			there = append(there, entry)
		}
	}
	defined, err := groupsOf(sources(there))
	return append(groups, defined...), err
}

func sources(entries []linkdir.Entry) []string {
	var paths []string
	for _, entry := range entries {
		paths = append(paths, entry.Source)
	}
	return paths
}

// ShellHelp says how to look after the programs by hand.
func (Plugin) ShellHelp(r *dysnomia.Request) string {
	s, err := open(r)
	if err != nil {
		return err.Error() + "\n"
	}
	groups, err := groupsOf(sources(s.entries))
	if err != nil {
		return err.Error() + "\n"
	}
	command := "supervisorctl"
	if conf := r.Properties["supervisordConfigFile"]; conf != "" {
		command += " -c " + conf
	}
	help := fmt.Sprintf("This is a shell session for the programs of %s under supervisord\n\n", r.ComponentName)
	for _, group := range groups {
		for _, action := range []string{"status", "start", "stop", "tail -f"} {
			help += fmt.Sprintf("  %s %s %s\n", command, action, group)
		}
	}
	return help
}
