package mysqldatabase

import (
	"context"
	"fmt"
	"strings"

	"github.com/disnix-go/disnix/dysnomia/plugins/dump"
)

// object is something of a database that is not a table.
type object struct{ kind, name string }

// objects returns the views, triggers, routines and events of a database.
func (d *database) objects(ctx context.Context, of string) ([]object, error) {
	rows, err := d.session.QueryContext(ctx, `
		SELECT 'VIEW', table_name FROM information_schema.tables WHERE table_schema = ? AND table_type LIKE '%VIEW'
		UNION ALL SELECT 'TRIGGER', trigger_name FROM information_schema.triggers WHERE trigger_schema = ?
		UNION ALL SELECT routine_type, routine_name FROM information_schema.routines WHERE routine_schema = ?
		UNION ALL SELECT 'EVENT', event_name FROM information_schema.events WHERE event_schema = ?`, of, of, of, of)
	if err != nil {
		return nil, fmt.Errorf("list views, triggers, routines and events of %q: %w", of, explained(err))
	}
	defer rows.Close()
	var found []object
	for rows.Next() {
		var o object
		if err := rows.Scan(&o.kind, &o.name); err != nil {
			return nil, err
		}
		found = append(found, o)
	}
	return found, rows.Err()
}

// programsOf returns the statements that create the views, triggers, routines
// and events of a database. Views that are broken are an error unless they may
// be left out.
func (d *database) programsOf(ctx context.Context, name string, without bool) (string, error) {
	found, err := d.objects(ctx, name)
	if err != nil || len(found) == 0 {
		return "", err
	}
	var views []string
	for _, o := range found {
		if o.kind == "VIEW" {
			views = append(views, o.name)
		}
	}
	program, err := d.dumper(ctx, name, nil, "--no-data", "--no-create-info", "--routines", "--events", "--triggers")
	if err != nil {
		return "", err
	}
	statements, err := dump.Output(ctx, program)
	if err != nil || len(views) == 0 {
		return statements, err
	}
	options := []string{"--no-data", "--skip-triggers"}
	if without {
		options = append(options, "--force")
	}
	program, err = d.dumper(ctx, name, views, options...)
	if err != nil {
		return "", err
	}
	more, err := dump.Output(ctx, program)
	if err != nil && !without {
		return "", err
	}
	return statements + more, nil
}

// dropPrograms drops the views, triggers, routines and events of a database.
func (d *database) dropPrograms(ctx context.Context, name string) error {
	found, err := d.objects(ctx, name)
	if err != nil {
		return err
	}
	for _, o := range found {
		if err := d.exec(ctx, "DROP "+o.kind+" IF EXISTS "+quote(name)+"."+quote(o.name)); err != nil {
			return fmt.Errorf("drop %s %s of %q: %w", strings.ToLower(o.kind), o.name, name, err)
		}
	}
	return nil
}

// createPrograms creates views, triggers, routines and events in the database.
func (d *database) createPrograms(ctx context.Context, statements string) error {
	if statements == "" {
		return nil
	}
	if err := d.run(ctx, d.name, strings.NewReader(statements)); err != nil {
		return fmt.Errorf("create views, triggers, routines and events: %w", err)
	}
	return nil
}
