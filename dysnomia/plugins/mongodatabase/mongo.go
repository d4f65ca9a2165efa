// Package mongodatabase is the plugin for databases of MongoDB (modules page,
// section 20).
package mongodatabase

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/disnix-go/disnix/dysnomia"
	"github.com/disnix-go/disnix/dysnomia/plugins/dump"
	"github.com/disnix-go/disnix/dysnomia/plugins/lifecycle"
)

// Plugin manages databases, each called as its component. The container
// properties are:
//
//	mongoPort         the port of the server (default 27017)
//	mongoDumpArgs     further arguments of mongodump, separated by blanks
//	mongoRestoreArgs  further arguments of mongorestore
//	timeout           seconds to wait for the server (default 10)
//
// A component may have mongo-databases/*: scripts for the server's shell.
//
// Snapshots are directories with the name of the component, made by mongodump.
type Plugin struct{}

var (
	_ dysnomia.Snapshotter      = Plugin{}
	_ dysnomia.GarbageCollector = Plugin{}
	_ dysnomia.ShellGuide       = Plugin{}
)

// unfinished is the name of a collection that exists as long as the database
// is being created.
const unfinished = "dysnomia_unfinished"

// Activate runs the scripts if the database has no collections. If that fails
// the database is dropped again. The server creates a database with its first
// collection.
func (Plugin) Activate(ctx context.Context, r *dysnomia.Request) error {
	var place string
	err := with(ctx, r, func(d *database) error {
		place = d.place()
		return d.initialise(ctx, r)
	})
	if err != nil {
		return fmt.Errorf("create database %q: %w", r.ComponentName, err)
	}
	return lifecycle.MarkStateful(r, place)
}

func (d *database) initialise(ctx context.Context, r *dysnomia.Request) error {
	dir := filepath.Join(r.Component, "mongo-databases")
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	var scripts []string
	for _, entry := range entries {
		if !strings.HasPrefix(entry.Name(), ".") {
			scripts = append(scripts, filepath.Join(dir, entry.Name()))
		}
	}
	collections, err := d.collections(ctx)
	if err != nil || len(scripts) == 0 {
		return err
	}
	if slices.Contains(collections, unfinished) {
		if err := d.drop(ctx, d.name); err != nil {
			return err
		}
	} else if len(collections) > 0 {
		return nil
	}
	_, err = d.eval(ctx, d.name, fmt.Sprintf("db.createCollection(%q)", unfinished))
	for _, script := range scripts {
		if err == nil {
			err = d.runScript(ctx, script)
		}
	}
	if err == nil {
		_, err = d.eval(ctx, d.name, "db."+unfinished+".drop()")
	}
	if err != nil {
		return errors.Join(err, d.drop(context.WithoutCancel(ctx), d.name))
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
			return errors.Join(d.drop(ctx, d.name), d.drop(ctx, d.restored))
		})
		if err != nil {
			return fmt.Errorf("drop database %q: %w", r.ComponentName, err)
		}
		return nil
	})
}

// Snapshot stores a dump of the database.
func (Plugin) Snapshot(ctx context.Context, r *dysnomia.Request) error {
	err := with(ctx, r, func(d *database) error {
		return dump.Take(r, func(dir string) (string, error) { return d.dump(ctx, dir) })
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
	err = with(ctx, r, func(d *database) error { return d.restore(ctx, latest) })
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

  mongosh '%s'
                open a session of the database's client
`, r.ComponentName, s.address(r.ComponentName))
}
