// Package postgresqldatabase is the plugin for databases of PostgreSQL
// (modules page, section 19).
package postgresqldatabase

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
//	postgresqlUsername    the account, which the server knows by the operating
//	                      system's account of the same name (default postgres)
//	postgresqlPassword    its password, where the server wants one
//	postgresqlRuntimeDir  the directory of the server's socket
//	                      (default /var/run/postgresql)
//	postgresqlPort        the port, which is part of the socket's name
//	                      (default 5432)
//	timeout               seconds to wait for the server and for locks
//	                      (default 10)
//
// A component may have postgresql-databases/*.sql: the initial schema.
//
// Snapshots are dump.pgsql.xz, made by pg_dump. Restoring replaces the database
// by a complete copy of the snapshot, or leaves it as it was.
type Plugin struct{}

var (
	_ dysnomia.Snapshotter      = Plugin{}
	_ dysnomia.GarbageCollector = Plugin{}
	_ dysnomia.ShellGuide       = Plugin{}
)

const dumpFile = "dump.pgsql.xz"

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

// unfinished is the comment of a database that is being created.
const unfinished = "dysnomia: the initial schema is not complete"

// existsComplete reports whether the database exists. One whose initialisation
// was interrupted by a crash is dropped.
func (d *database) existsComplete(ctx context.Context) (bool, error) {
	comment, exists, err := d.comment(ctx, d.name)
	if err != nil || !exists || comment != unfinished {
		return exists, err
	}
	return false, d.drop(ctx, d.name)
}

// initialise creates the database. As long as it is not complete, its comment
// says so: it has it before it has its name.
func (d *database) initialise(ctx context.Context, r *dysnomia.Request) (err error) {
	files, err := dysnomia.FilesIn(filepath.Join(r.Component, "postgresql-databases"), "*.sql")
	if err != nil {
		return err
	}
	if err := d.drop(ctx, d.restored); err != nil {
		return err
	}
	undo := context.WithoutCancel(ctx)
	created := d.restored
	defer func() {
		if err != nil {
			err = errors.Join(err, d.drop(undo, created))
		}
	}()
	for _, statement := range []string{
		"CREATE DATABASE " + quote(d.restored) + " OWNER " + quote(d.settings.username),
		"COMMENT ON DATABASE " + quote(d.restored) + " IS " + literal(unfinished),
		"ALTER DATABASE " + quote(d.restored) + " RENAME TO " + quote(d.name),
	} {
		if err := d.exec(ctx, statement); err != nil {
			return err
		}
	}
	created = d.name
	for _, file := range files {
		if err := d.runFile(ctx, d.name, file); err != nil {
			return fmt.Errorf("run %s: %w", file, err)
		}
	}
	return d.exec(ctx, "COMMENT ON DATABASE "+quote(d.name)+" IS NULL")
}

// Deactivate marks the database as garbage. It stays as it is.
func (Plugin) Deactivate(_ context.Context, r *dysnomia.Request) error {
	return r.State.MarkGarbage(r.Container, r.ComponentName)
}

// CollectGarbage drops the database of a component that is garbage. Sessions
// in it are ended.
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
			return errors.Join(d.drop(ctx, d.name), d.drop(ctx, d.restored), d.drop(ctx, d.former))
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
		_, exists, err := d.comment(ctx, d.name)
		if err != nil {
			return err
		}
		if !exists {
			return errors.New("there is no such database: activate the component first")
		}
		// The module of the original reads it as the account of the server, and
		// restores an empty database if it cannot.
		return dump.TakeReadable(r, func(dir string) (string, error) {
			program, err := d.dumper(ctx)
			if err != nil {
				return "", err
			}
			versions := &versionLines{}
			return d.clients.Write(ctx, filepath.Join(dir, dumpFile), program, versions.skip, dump.Thorough)
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
	command := fmt.Sprintf("psql --host=%s --port=%d --username=%s --dbname=%s",
		dysnomia.ShellQuote(s.runtimeDir), s.port, dysnomia.ShellQuote(s.username), dysnomia.ShellQuote(connection(r.ComponentName)))
	if s.password != "" {
		command = `PGPASSWORD="$postgresqlPassword" ` + command
	}
	return fmt.Sprintf(`This is a shell session for the database %s

  %s
                open a session of the database's client; you may have to be %s
`, r.ComponentName, command, s.username)
}
