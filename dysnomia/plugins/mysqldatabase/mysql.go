// Package mysqldatabase is the plugin for databases of MySQL and MariaDB
// (modules page, section 18).
package mysqldatabase

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/disnix-go/disnix/dysnomia"
	"github.com/disnix-go/disnix/dysnomia/plugins/dump"
	"github.com/disnix-go/disnix/dysnomia/plugins/lifecycle"
)

// Plugin manages databases, each called as its component. The container
// properties are:
//
//	mysqlUsername  the account (default: that of the operating system)
//	mysqlPassword  its password
//	mysqlSocket    the socket of the server (default /run/mysqld/mysqld.sock)
//	mysqlPort      the port of a server on this machine, instead of a socket
//	timeout        seconds to wait for the server and for locks (default 10)
//
// A component may have mysql-databases/*.sql: the initial schema.
//
// Snapshots are dump.sql.xz, made by mysqldump, with routines, events,
// triggers and views. Restoring replaces the database by a complete copy of
// the snapshot, or leaves it as it was.
type Plugin struct{}

var (
	_ dysnomia.Snapshotter      = Plugin{}
	_ dysnomia.GarbageCollector = Plugin{}
	_ dysnomia.ShellGuide       = Plugin{}
)

const dumpFile = "dump.sql.xz"

// Activate creates the database, with its schema, if there is none. If that
// fails the database is dropped again; one that existed before is not touched.
func (Plugin) Activate(ctx context.Context, r *dysnomia.Request) error {
	var place string
	err := with(ctx, r, func(d *database) error {
		exists, err := d.existsComplete(ctx)
		if err == nil && !exists {
			err = d.initialise(ctx, r)
		}
		if err == nil {
			place, err = d.place(ctx)
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("create database %q: %w", r.ComponentName, err)
	}
	return lifecycle.MarkStateful(r, place)
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
	files, err := dysnomia.FilesIn(filepath.Join(r.Component, "mysql-databases"), "*.sql")
	if err != nil {
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
	if err := d.exec(ctx, "CREATE DATABASE "+quote(d.name)); err != nil {
		return err
	}
	for _, file := range files {
		if err := d.runFile(ctx, d.name, file); err != nil {
			return fmt.Errorf("run %s: %w", file, err)
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
			place, err := d.place(ctx)
			if err != nil {
				return err
			}
			if shared, err := lifecycle.Shared(r, place); err != nil || shared {
				return err
			}
			return errors.Join(d.drop(ctx, d.name), d.drop(ctx, d.unfinished), d.dropCopies(ctx))
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
		exists, err := d.exists(ctx, d.name)
		if err != nil {
			return err
		}
		if !exists {
			return errors.New("there is no such database: activate the component first")
		}
		if err := d.checkReadable(ctx); err != nil {
			return err
		}
		return dump.Take(r, func(dir string) (string, error) {
			program, err := d.dumper(ctx, d.name, nil, "--routines", "--events", "--triggers")
			if err != nil {
				return "", err
			}
			return d.clients.Write(ctx, filepath.Join(dir, dumpFile), program, skipVersions, dump.Brisk)
		})
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
	err = with(ctx, r, func(d *database) error { return d.restore(ctx, filepath.Join(latest, dumpFile)) })
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
	command := "mysql"
	if s.username != "" {
		command += ` --user="$mysqlUsername"`
	}
	if s.network == "unix" {
		command += " --socket=" + dysnomia.ShellQuote(s.address)
	} else {
		command += ` --protocol=tcp --host=127.0.0.1 --port="$mysqlPort"`
	}
	if s.password != "" {
		command = `MYSQL_PWD="$mysqlPassword" ` + command
	}
	return fmt.Sprintf(`This is a shell session for the database %s

  %s --database=%s
                open a session of the database's client
`, r.ComponentName, command, dysnomia.ShellQuote(r.ComponentName))
}
