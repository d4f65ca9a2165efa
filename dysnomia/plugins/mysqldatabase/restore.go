package mysqldatabase

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
)

// restore makes the database that of a dump: a complete copy is loaded beside
// it, and then takes its place. Until then the database is as it was.
//
// All tables change places in one statement. Views, triggers, routines and
// events, which the server cannot move, are created before and after it; if
// that fails, the former ones come back.
func (d *database) restore(ctx context.Context, file string) (err error) {
	if _, err := os.Stat(file); err != nil {
		return fmt.Errorf("find the dump: %w", err)
	}
	if err := d.checkUnreferenced(ctx); err != nil {
		return err
	}
	exists, err := d.exists(ctx, d.name)
	if err != nil {
		return err
	}
	if !exists {
		if err := d.create(ctx, d.name); err != nil {
			return err
		}
	}
	undo := context.WithoutCancel(ctx)
	defer func() {
		if err != nil && !exists {
			err = errors.Join(err, d.drop(undo, d.name))
		}
	}()
	// A restore that was killed may have left copies: of what is in the
	// database, or of what is in the snapshot.
	if err := d.dropCopies(ctx); err != nil {
		return err
	}
	for _, copied := range []string{d.restored, d.former} {
		if err := d.createLike(ctx, copied); err != nil {
			return err
		}
	}
	if err := d.load(ctx, file); err != nil {
		return errors.Join(fmt.Errorf("the database is as it was: %w", err), d.dropCopies(undo))
	}
	if err := d.swap(ctx); err != nil {
		return err
	}
	return d.dropCopies(undo)
}

func (d *database) dropCopies(ctx context.Context) error {
	if err := d.exec(ctx, "SET SESSION foreign_key_checks = 0"); err != nil {
		return err
	}
	return errors.Join(d.drop(ctx, d.restored), d.drop(ctx, d.former))
}

// createLike creates a database with the character set of that of the
// component.
func (d *database) createLike(ctx context.Context, name string) error {
	var charset, collation string
	err := d.session.QueryRowContext(ctx, "SELECT default_character_set_name, default_collation_name FROM information_schema.schemata WHERE schema_name = ?", d.name).Scan(&charset, &collation)
	if err != nil {
		return fmt.Errorf("read the character set of the database: %w", err)
	}
	return d.exec(ctx, "CREATE DATABASE "+quote(name)+" CHARACTER SET "+quote(charset)+" COLLATE "+quote(collation))
}

func (d *database) load(ctx context.Context, file string) error {
	program, err := d.client(ctx, d.restored)
	if err != nil {
		return err
	}
	program.Args = append(program.Args, "--unbuffered")
	var reached lastLine
	program.Stdout = &reached
	err = d.clients.Load(ctx, file, program, newLoading().pass)
	if table := reached.String(); err != nil && table != "" {
		return fmt.Errorf("add the keys of table %s: %w", table, err)
	}
	return err
}

// checkUnreferenced refuses a database whose tables cannot be replaced.
func (d *database) checkUnreferenced(ctx context.Context) error {
	tables, err := d.names(ctx, `SELECT DISTINCT CONCAT(table_schema, '.', table_name) FROM information_schema.key_column_usage
		WHERE referenced_table_schema = ? AND table_schema NOT IN (?, ?, ?) ORDER BY 1`, d.name, d.name, d.restored, d.former)
	if err != nil {
		return fmt.Errorf("look for foreign keys of other databases: %w", err)
	}
	if len(tables) > 0 {
		return fmt.Errorf("foreign keys of %s refer to the database: drop them first", strings.Join(tables, ", "))
	}
	return nil
}

// swap puts what was restored into the place of the database. If that fails,
// the database is as it was, or the error says where its parts are.
func (d *database) swap(ctx context.Context) error {
	fresh, err := d.programsOf(ctx, d.restored, false)
	var old string
	if err == nil {
		// Views that are broken could not be brought back in any case.
		old, err = d.programsOf(ctx, d.name, true)
	}
	if err != nil {
		return errors.Join(err, d.dropCopies(context.WithoutCancel(ctx)))
	}
	// From here on, only a failure stops it.
	ctx = context.WithoutCancel(ctx)
	var undo []func() error
	err = func() error {
		if err := d.dropPrograms(ctx, d.restored); err != nil {
			return err
		}
		undo = append(undo, func() error { return errors.Join(d.dropPrograms(ctx, d.name), d.createPrograms(ctx, old)) })
		if err := d.dropPrograms(ctx, d.name); err != nil {
			return err
		}
		moved, err := d.move(ctx)
		if err != nil {
			return err
		}
		undo = append(undo, func() error { return errors.Join(d.dropPrograms(ctx, d.name), moved()) })
		return d.createPrograms(ctx, fresh)
	}()
	if err == nil {
		return nil
	}
	for i := len(undo) - 1; i >= 0; i-- {
		if failed := undo[i](); failed != nil {
			return errors.Join(err, fmt.Errorf("bring back the former database: %w: its tables are in database %q, those of the snapshot in %q: repair the server and restore again",
				failed, d.former, d.restored))
		}
	}
	return errors.Join(fmt.Errorf("replace the database, which is as it was: %w", err), d.dropCopies(ctx))
}

// move lets the tables change places, in one statement. It returns the
// function that moves them back.
func (d *database) move(ctx context.Context) (back func() error, err error) {
	former, err := d.tables(ctx, d.name)
	if err != nil {
		return nil, err
	}
	fresh, err := d.tables(ctx, d.restored)
	if err != nil {
		return nil, err
	}
	away := append(renames(former, d.name, d.former), renames(fresh, d.restored, d.name)...)
	if err := d.rename(ctx, away); err != nil {
		return nil, err
	}
	return func() error {
		return d.rename(ctx, append(renames(fresh, d.name, d.restored), renames(former, d.former, d.name)...))
	}, nil
}

func (d *database) tables(ctx context.Context, of string) ([]string, error) {
	return d.names(ctx, "SELECT table_name FROM information_schema.tables WHERE table_schema = ? AND table_type NOT LIKE '%VIEW' ORDER BY 1", of)
}

func renames(tables []string, from, to string) []string {
	list := make([]string, len(tables))
	for i, table := range tables {
		list[i] = quote(from) + "." + quote(table) + " TO " + quote(to) + "." + quote(table)
	}
	return list
}

func (d *database) rename(ctx context.Context, list []string) error {
	if len(list) == 0 {
		return nil
	}
	err := d.exec(ctx, "RENAME TABLE "+strings.Join(list, ", "))
	if err != nil {
		return fmt.Errorf("exchange the tables: %w", err)
	}
	return nil
}
