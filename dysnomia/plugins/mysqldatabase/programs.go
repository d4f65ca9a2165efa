package mysqldatabase

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/disnix-go/disnix/dysnomia/plugins/dump"
)

// clientOptions is the content of an option file for the client programs.
func (s settings) clientOptions() string {
	var file strings.Builder
	file.WriteString("[client]\n")
	option := func(name, value string) {
		if value != "" {
			file.WriteString(name + `="` + optionEscapes.Replace(value) + "\"\n")
		}
	}
	option("user", s.username)
	option("password", s.password)
	if s.network == "unix" {
		option("protocol", "socket")
		option("socket", s.address)
	} else {
		option("protocol", "tcp")
		option("host", localHost)
		option("port", s.port)
	}
	return file.String()
}

var optionEscapes = strings.NewReplacer(`\`, `\\`, `"`, `\"`, `'`, `\'`, "\n", `\n`, "\r", `\r`, "\t", `\t`, " ", `\s`)

// login returns the argument with which client programs log in.
func (d *database) login() (argument string, err error) {
	if d.options == "" {
		d.options, d.remove, err = dump.PrivateFile("client.cnf", d.settings.clientOptions())
		if err != nil {
			d.remove = func() error { return nil }
			return "", err
		}
	}
	return "--defaults-file=" + d.options, nil
}

// client prepares the program that executes statements from its standard
// input and stops at the first failure.
func (d *database) client(ctx context.Context, in string) (*exec.Cmd, error) {
	login, err := d.login()
	if err != nil {
		return nil, err
	}
	return d.clients.Command(ctx, []string{"mariadb", "mysql"}, login, "--batch", "--default-character-set=utf8mb4", "--database="+in,
		// Statements have data, which does not belong into messages.
		"--loose-skip-print-query-on-error")
}

// dumper prepares the program that prints a database, or only some tables or
// views of it. Equal content is printed equally: rows are sorted, and there
// are no comments. Everything comes from one moment.
func (d *database) dumper(ctx context.Context, name string, tables []string, args ...string) (*exec.Cmd, error) {
	login, err := d.login()
	if err != nil {
		return nil, err
	}
	options := append([]string{
		login, "--single-transaction", "--quick", "--order-by-primary",
		"--skip-comments", "--no-tablespaces", "--default-character-set=utf8mb4",
	}, args...)
	program, err := d.clients.Command(ctx, []string{"mariadb-dump", "mysqldump"})
	if err != nil {
		return nil, err
	}
	if filepath.Base(program.Path) == "mysqldump" {
		// Without these, dumps of MySQL are not fit for other servers.
		options = append(options, "--loose-set-gtid-purged=OFF", "--loose-column-statistics=0")
	}
	program.Args = append(append(append(program.Args, options...), "--", name), tables...)
	return program, nil
}

// runFile executes a file of statements in a database.
func (d *database) runFile(ctx context.Context, in, name string) error {
	file, err := os.Open(name)
	if err != nil {
		return err
	}
	defer file.Close()
	return d.run(ctx, in, file)
}

func (d *database) run(ctx context.Context, in string, statements io.Reader) error {
	program, err := d.client(ctx, in)
	if err != nil {
		return err
	}
	program.Stdin = statements
	return dump.Run(ctx, program)
}

// checkReadable waits for tables that others have locked. The dump program
// itself would wait for a day.
func (d *database) checkReadable(ctx context.Context) error {
	tables, err := d.names(ctx, "SELECT table_name FROM information_schema.tables WHERE table_schema = ? AND table_type <> 'SEQUENCE' ORDER BY 1", d.name)
	if err != nil {
		return err
	}
	var problems []error
	for _, table := range tables {
		rows, err := d.session.QueryContext(ctx, "SELECT 1 FROM "+quote(d.name)+"."+quote(table)+" LIMIT 0")
		if err == nil {
			err = errors.Join(rows.Err(), rows.Close())
		}
		if err != nil {
			problems = append(problems, explained(err))
			break
		}
	}
	return errors.Join(problems...)
}

// names runs a query whose result is a list of names.
func (d *database) names(ctx context.Context, query string, args ...any) (names []string, err error) {
	rows, err := d.session.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, explained(err)
	}
	defer rows.Close()
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			return nil, err
		}
		names = append(names, name)
	}
	return names, rows.Err()
}

// skipVersions recognises a line that only tells which program has made a
// dump.
func skipVersions(line []byte) bool {
	return bytes.HasPrefix(line, []byte(`/*M!999999\- `)) || bytes.HasPrefix(line, []byte(`/*!999999\- `))
}
