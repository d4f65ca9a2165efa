// Package influxdatabase is the plugin for databases of InfluxDB 1.x (modules
// page, section 21).
package influxdatabase

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

// Plugin manages databases, each called as its component. The container
// properties are:
//
//	influxdbHttpPort    the port of the server's HTTP interface (default 8086)
//	influxdbBackupPort  the port for backups (default 8088)
//	timeout             seconds to wait for the server (default 10)
//
// A component may have influx-databases/*: files for influx -import.
//
// Snapshots are directories dump, made by influxd backup -portable.
type Plugin struct{}

var (
	_ dysnomia.Snapshotter      = Plugin{}
	_ dysnomia.GarbageCollector = Plugin{}
	_ dysnomia.ShellGuide       = Plugin{}
)

const dumpDir = "dump"

// Activate creates the database and imports its initial content if there is no
// such database. If that fails it is dropped again.
func (Plugin) Activate(ctx context.Context, r *dysnomia.Request) error {
	if err := checkName(r.ComponentName); err != nil {
		return err
	}
	var place string
	err := with(ctx, r, func(d *database) error {
		place = d.place()
		exists, err := d.existsComplete(ctx)
		if err != nil || exists {
			return err
		}
		return d.initialise(ctx, r)
	})
	if err != nil {
		return fmt.Errorf("create database %q: %w", r.ComponentName, err)
	}
	return lifecycle.MarkStateful(r, place)
}

// checkName refuses names that the server itself cannot cope with: it makes
// names of files of them and later takes these for patterns, so that it does
// not find its data any more.
func checkName(name string) error {
	if strings.ContainsAny(name, `[*?\`) {
		return fmt.Errorf("create database %q: InfluxDB loses the data of databases with [, *, ? or \\ in their names: rename the component", name)
	}
	return nil
}

// existsComplete reports whether the database exists. One whose initialisation
// was interrupted by a crash is dropped.
func (d *database) existsComplete(ctx context.Context) (bool, error) {
	exists, err := d.exists(ctx, d.name)
	if err != nil || !exists {
		return false, err
	}
	halfDone, err := d.exists(ctx, d.unfinished)
	if err != nil || !halfDone {
		return true, err
	}
	return false, d.drop(ctx, d.name)
}

// initialise creates the database. As long as it is not complete, another
// empty database says so.
func (d *database) initialise(ctx context.Context, r *dysnomia.Request) (err error) {
	dir := filepath.Join(r.Component, "influx-databases")
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if err := d.create(ctx, d.unfinished); err != nil {
		return err
	}
	defer func() {
		undo := context.WithoutCancel(ctx)
		if err != nil {
			err = errors.Join(err, d.drop(undo, d.name))
		}
		err = errors.Join(err, d.drop(undo, d.unfinished))
	}()
	if err := d.create(ctx, d.name); err != nil {
		return err
	}
	for _, entry := range entries {
		if strings.HasPrefix(entry.Name(), ".") {
			continue
		}
		file := filepath.Join(dir, entry.Name())
		if err := d.runImport(ctx, file); err != nil {
			return fmt.Errorf("import %s: %w", file, err)
		}
	}
	return nil
}

// Deactivate marks the database as garbage. It stays as it is.
func (Plugin) Deactivate(_ context.Context, r *dysnomia.Request) error {
	return r.State.MarkGarbage(r.Container, r.ComponentName)
}

// CollectGarbage drops the database of a component that is garbage.
func (Plugin) CollectGarbage(ctx context.Context, r *dysnomia.Request) error {
	return lifecycle.Collect(ctx, r, func(ctx context.Context) error {
		err := with(ctx, r, func(d *database) error {
			if shared, err := lifecycle.Shared(r, d.place()); err != nil || shared {
				return err
			}
			return errors.Join(d.drop(ctx, d.name), d.drop(ctx, d.unfinished), d.drop(ctx, d.restored))
		})
		if err != nil {
			return fmt.Errorf("drop database %q: %w", r.ComponentName, err)
		}
		return nil
	})
}

// Snapshot stores a backup of the database.
func (Plugin) Snapshot(ctx context.Context, r *dysnomia.Request) error {
	err := with(ctx, r, func(d *database) error {
		exists, err := d.exists(ctx, d.name)
		if err != nil {
			return err
		}
		if !exists {
			return errors.New("there is no such database: activate the component first")
		}
		return dump.Take(r, func(dir string) (string, error) { return d.backup(ctx, filepath.Join(dir, dumpDir)) })
	})
	if err != nil {
		return fmt.Errorf("take a snapshot of database %q: %w", r.ComponentName, err)
	}
	return nil
}

// Restore makes the database that of the latest snapshot, if there is one.
func (Plugin) Restore(ctx context.Context, r *dysnomia.Request) error {
	latest, err := r.State.LatestSnapshot(r.Container, r.ComponentName)
	if err != nil || latest == "" {
		return err
	}
	err = with(ctx, r, func(d *database) error { return d.restore(ctx, filepath.Join(latest, dumpDir)) })
	if err != nil {
		return fmt.Errorf("restore database %q from %s: %w", r.ComponentName, latest, err)
	}
	return nil
}

// ShellHelp says how to look at the database by hand.
func (Plugin) ShellHelp(r *dysnomia.Request) string {
	s, err := readSettings(r)
	if err != nil {
		return err.Error() + "\n"
	}
	return fmt.Sprintf(`This is a shell session for the database %s

  influx -host 127.0.0.1 -port %s -database=%s
                open a session of the database's client
`, r.ComponentName, s.httpPort, dysnomia.ShellQuote(r.ComponentName))
}
