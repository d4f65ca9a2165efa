package postgresqldatabase

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/disnix-go/disnix/dysnomia/plugins/dump"
)

// dumper prepares the program that prints the database.
func (d *database) dumper(ctx context.Context) (*exec.Cmd, error) {
	return d.clients.Command(ctx, []string{"pg_dump"}, "--no-password", "--lock-wait-timeout="+d.milliseconds(), "--dbname="+connection(d.name))
}

func (d *database) milliseconds() string {
	return fmt.Sprint(max(1000, d.settings.timeout.Milliseconds()))
}

// client prepares the program that executes statements from its standard
// input and stops at the first failure.
func (d *database) client(ctx context.Context, in string, args ...string) (*exec.Cmd, error) {
	args = append([]string{"--no-psqlrc", "--no-password", "--quiet", "--set=ON_ERROR_STOP=1",
		// Statements have data, which does not belong into messages.
		"--set=VERBOSITY=terse", "--output=/dev/null", "--file=-", "--dbname=" + connection(in)}, args...)
	return d.clients.Command(ctx, []string{"psql"}, args...)
}

// connection names a database so that its name is not taken for anything else.
func connection(database string) string {
	return "dbname='" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(database) + "'"
}

// runFile executes a file of statements in a database. The account of the
// client need not be able to read it.
func (d *database) runFile(ctx context.Context, in, name string) error {
	file, err := os.Open(name)
	if err != nil {
		return err
	}
	defer file.Close()
	program, err := d.client(ctx, in)
	if err != nil {
		return err
	}
	program.Stdin = file
	return dump.Run(ctx, program)
}

// restore makes the database that of a dump: a complete copy is loaded beside
// it, and then takes its name, in one transaction. Until then the database is
// as it was.
func (d *database) restore(ctx context.Context, file string) error {
	if _, err := os.Stat(file); err != nil {
		return fmt.Errorf("find the dump: %w", err)
	}
	// A restore that was killed may have left copies: of what is in the
	// snapshot, or of what was replaced.
	if err := d.dropCopies(ctx); err != nil {
		return err
	}
	_, exists, err := d.comment(ctx, d.name)
	if err != nil {
		return err
	}
	undo := context.WithoutCancel(ctx)
	err = d.createLike(ctx, exists)
	if err == nil {
		err = d.load(ctx, file)
	}
	if err == nil && exists {
		err = d.copySettings(ctx)
	}
	if err == nil {
		err = d.swap(ctx, exists)
	}
	if err != nil {
		err = fmt.Errorf("the database is as it was: %w", err)
	}
	return errors.Join(err, d.dropCopies(undo))
}

func (d *database) dropCopies(ctx context.Context) error {
	return errors.Join(d.drop(ctx, d.restored), d.drop(ctx, d.former))
}

// createLike creates the empty database that will be the restored one, with
// owner, encoding and locale of the present one, if there is one.
func (d *database) createLike(ctx context.Context, exists bool) error {
	statement := "CREATE DATABASE " + quote(d.restored) + " TEMPLATE template0 OWNER "
	if !exists {
		return d.exec(ctx, statement+quote(d.settings.username))
	}
	var owner, encoding, collate, ctype string
	var limit int
	err := d.session.QueryRow(ctx, `SELECT pg_get_userbyid(datdba), pg_encoding_to_char(encoding), datcollate, datctype, datconnlimit
		FROM pg_database WHERE datname = $1`, d.name).Scan(&owner, &encoding, &collate, &ctype, &limit)
	if err != nil {
		return fmt.Errorf("read the settings of the database: %w", explained(err))
	}
	return d.exec(ctx, fmt.Sprintf("%s%s ENCODING %s LC_COLLATE %s LC_CTYPE %s CONNECTION LIMIT %d",
		statement, quote(owner), literal(encoding), literal(collate), literal(ctype), limit))
}

func (d *database) load(ctx context.Context, file string) error {
	program, err := d.client(ctx, d.restored)
	if err != nil {
		return err
	}
	return d.clients.Load(ctx, file, program, nil)
}

// swap gives the restored database the name of the component. Sessions in the
// present database are ended; new ones wait until it is done.
func (d *database) swap(ctx context.Context, exists bool) error {
	statements := "ALTER DATABASE " + quote(d.restored) + " RENAME TO " + quote(d.name)
	if exists {
		statements = "BEGIN; ALTER DATABASE " + quote(d.name) + " RENAME TO " + quote(d.former) + "; " + statements + "; COMMIT"
	}
	ctx, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- d.endSessions(ctx) }()
	err := d.exec(ctx, statements)
	stop()
	if problem := <-ended; err != nil && problem != nil {
		err = errors.Join(err, problem)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("exchange the databases: %w", err), d.exec(context.WithoutCancel(ctx), "ROLLBACK"))
	}
	return nil
}

// endSessions ends sessions in the database until it is told to stop. It needs
// a session of its own, as the other one is busy with the exchange.
func (d *database) endSessions(ctx context.Context) error {
	session, err := d.settings.connect(ctx, d.account)
	if err != nil {
		return ignoreStopped(ctx, err)
	}
	defer session.Close(context.WithoutCancel(ctx))
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		_, err := session.Exec(ctx, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1", d.name)
		if err != nil {
			return ignoreStopped(ctx, fmt.Errorf("end the sessions in the database: %w", explained(err)))
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}

func ignoreStopped(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}
