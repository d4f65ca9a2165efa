// Package ejabberddump is the plugin for the database of ejabberd, an XMPP
// server (modules page, section 22).
package ejabberddump

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/disnix-go/disnix/dysnomia"
	"github.com/disnix-go/disnix/dysnomia/plugins/dump"
	"github.com/disnix-go/disnix/dysnomia/plugins/lifecycle"
)

// Plugin loads and dumps the database of a server. The container properties
// are:
//
//	ejabberdUser      the account of the server, which runs ejabberdctl
//	                  (default: who runs the plugin)
//	ejabberdSpoolDir  the directory of its database (default
//	                  /var/lib/ejabberd)
//	timeout           seconds to wait for the server (default 10)
//
// A component is a dump, or a directory with dumps in ejabberd-dump/.
//
// Snapshots are a file dump, made by ejabberdctl dump.
type Plugin struct{}

var (
	_ dysnomia.Snapshotter      = Plugin{}
	_ dysnomia.GarbageCollector = Plugin{}
	_ dysnomia.ShellGuide       = Plugin{}
)

const dumpFile = "dump"

// Activate loads the dumps of the component, unless it was activated before:
// then the server has newer state.
func (Plugin) Activate(ctx context.Context, r *dysnomia.Request) error {
	dir, err := spoolDir(r)
	if err != nil {
		return err
	}
	loaded, err := isLoaded(r)
	if err != nil {
		return err
	}
	if !loaded {
		err = with(ctx, r, func(s *server) error { return s.loadAll(ctx, r.Component) })
		if err != nil {
			return fmt.Errorf("load the dump of component %q: %w", r.ComponentName, err)
		}
	}
	return lifecycle.MarkStateful(r, dir)
}

// isLoaded reports whether the component has state: it is active or garbage.
func isLoaded(r *dysnomia.Request) (bool, error) {
	active, err := r.State.IsActive(r.Container, r.ComponentName)
	if err != nil || active {
		return active, err
	}
	return r.State.IsGarbage(r.Container, r.ComponentName)
}

func (s *server) loadAll(ctx context.Context, component string) error {
	info, err := os.Stat(component)
	if err != nil {
		return err
	}
	if !info.IsDir() {
		return s.load(ctx, component)
	}
	dir := filepath.Join(component, "ejabberd-dump")
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	for _, entry := range entries {
		if strings.HasPrefix(entry.Name(), ".") {
			continue
		}
		if err := s.load(ctx, filepath.Join(dir, entry.Name())); err != nil {
			return err
		}
	}
	return nil
}

// Deactivate marks the state as garbage. It stays as it is.
func (Plugin) Deactivate(_ context.Context, r *dysnomia.Request) error {
	return r.State.MarkGarbage(r.Container, r.ComponentName)
}

// CollectGarbage deletes the database of the server if the component is
// garbage and no other one is active that has its state there. It refuses to do
// so under a server that runs.
func (Plugin) CollectGarbage(ctx context.Context, r *dysnomia.Request) error {
	return lifecycle.Collect(ctx, r, func(ctx context.Context) error {
		if err := deleteDatabase(ctx, r); err != nil {
			return fmt.Errorf("delete the database of ejabberd: %w", err)
		}
		return nil
	})
}

// Snapshot stores a dump of the server's database.
func (Plugin) Snapshot(ctx context.Context, r *dysnomia.Request) error {
	err := with(ctx, r, func(s *server) error {
		return dump.Take(r, func(dir string) (string, error) {
			file := filepath.Join(dir, dumpFile)
			if err := s.dump(ctx, file); err != nil {
				return "", err
			}
			return dysnomia.ContentID(file)
		})
	})
	if err != nil {
		return fmt.Errorf("take a snapshot of the database of ejabberd: %w", err)
	}
	return nil
}

// Restore loads the latest snapshot, if there is one.
func (Plugin) Restore(ctx context.Context, r *dysnomia.Request) error {
	latest, err := r.State.LatestSnapshot(r.Container, r.ComponentName)
	if err != nil || latest == "" {
		return err
	}
	err = with(ctx, r, func(s *server) error { return s.load(ctx, filepath.Join(latest, dumpFile)) })
	if err != nil {
		return fmt.Errorf("restore the database of ejabberd from %s: %w", latest, err)
	}
	return nil
}

// ShellHelp says how to look at the server by hand.
func (Plugin) ShellHelp(r *dysnomia.Request) string {
	return fmt.Sprintf(`This is a shell session for the ejabberd database %s

  ejabberdctl status
                show whether the server runs
  ejabberdctl registered_users localhost
                list the accounts of a host
`, r.ComponentName)
}
