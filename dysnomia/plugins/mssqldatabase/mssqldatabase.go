// Package mssqldatabase is the plugin for databases of Microsoft SQL Server
// (modules page, section 24), through its own client.
package mssqldatabase

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"unicode/utf8"

	"github.com/disnix-go/disnix/dysnomia"
	"github.com/disnix-go/disnix/dysnomia/plugins/tool"
)

// Plugin creates databases. The container properties are:
//
//	msSqlUsername  who logs in (default: the account that the client runs as)
//	msSqlPassword  with which password
//	msSqlServer    the server (default .\SQLEXPRESS)
//	sqlcmd         the client, sqlcmd or osql (default: sqlcmd as PATH says)
//
// The database has the name of the component, which may have its initial
// schema and content in mssql-databases/*.sql. The plugin moves no state and
// never deletes a database.
type Plugin struct{}

var _ dysnomia.ShellGuide = Plugin{}

// Activate creates the database unless it exists. If a script fails, the
// database is dropped again: the next activation would take it for complete.
func (Plugin) Activate(ctx context.Context, r *dysnomia.Request) error {
	c, err := newClient(r)
	if err != nil {
		return err
	}
	scripts, err := scriptsOf(r.Component)
	if err != nil {
		return err
	}
	exists, err := c.exists(ctx)
	if err != nil {
		return err
	}
	if !exists {
		if err := c.create(ctx, scripts); err != nil {
			return err
		}
	}
	return r.State.MarkActive(r.Container, r.ComponentName, r.Component)
}

// Deactivate only records that the component is not active. Its database
// stays.
func (Plugin) Deactivate(_ context.Context, r *dysnomia.Request) error {
	return r.State.UnmarkActive(r.Container, r.ComponentName)
}

// client runs the server's client.
type client struct {
	r        *dysnomia.Request // with the password in its environment
	program  string
	server   string
	database string
}

// maxName is how many characters the name of a database may have.
const maxName = 123

func newClient(r *dysnomia.Request) (*client, error) {
	c := &client{program: r.Property("sqlcmd", "sqlcmd"), server: r.Property("msSqlServer", `.\SQLEXPRESS`), database: r.ComponentName}
	if utf8.RuneCountInString(c.database) > maxName {
		return nil, fmt.Errorf("create database %q: its name is longer than %d characters", c.database, maxName)
	}
	// Everybody can read arguments, but not the environment.
	inner := *r
	inner.Environment = append([]string{}, r.Environment...)
	if password := r.Properties["msSqlPassword"]; password != "" {
		inner.Environment = append(inner.Environment, "SQLCMDPASSWORD="+password, "OSQLPASSWORD="+password)
	}
	c.r = &inner
	return c, nil
}

// run runs the client, which ends with a failure after the first mistake.
func (c *client) run(ctx context.Context, args ...string) (string, error) {
	all := []string{"-S", c.server, "-b"}
	if user := c.r.Properties["msSqlUsername"]; user != "" {
		all = append(all, "-U", user)
	} else {
		all = append(all, "-E")
	}
	return tool.Run(ctx, c.r, c.program, append(all, args...)...)
}

func (c *client) exists(ctx context.Context) (bool, error) {
	// The answer is one of two words, however the client prints it.
	out, err := c.run(ctx, "-Q", "SET NOCOUNT ON; SELECT CASE WHEN EXISTS (SELECT * FROM sys.databases WHERE name = "+
		literal(c.database)+") THEN 'present' ELSE 'absent' END")
	if err != nil {
		return false, fmt.Errorf("look for database %q: %w", c.database, err)
	}
	words := strings.Fields(out)
	for _, word := range words {
		if word == "present" || word == "absent" {
			return word == "present", nil
		}
	}
	return false, fmt.Errorf("look for database %q: the answer of %s is unknown: %.200q", c.database, c.program, out)
}

func (c *client) create(ctx context.Context, scripts []string) error {
	if _, err := c.run(ctx, "-Q", "CREATE DATABASE "+identifier(c.database)); err != nil {
		return fmt.Errorf("create database %q: %w", c.database, err)
	}
	for _, script := range scripts {
		if _, err := c.run(ctx, "-d", c.database, "-i", script); err != nil {
			err = fmt.Errorf("run %s on database %q: %w", script, c.database, err)
			if _, undo := c.run(context.WithoutCancel(ctx), "-Q", "DROP DATABASE "+identifier(c.database)); undo != nil {
				err = errors.Join(err, fmt.Errorf("drop the incomplete database %q: %w: drop it before the next try", c.database, undo))
			}
			return err
		}
	}
	return nil
}

// identifier quotes a name for SQL.
func identifier(name string) string { return "[" + strings.ReplaceAll(name, "]", "]]") + "]" }

// literal quotes text for SQL.
func literal(text string) string { return "N'" + strings.ReplaceAll(text, "'", "''") + "'" }

// scriptsOf returns the SQL files of a component in the order of names.
func scriptsOf(component string) ([]string, error) {
	dir := filepath.Join(component, "mssql-databases")
	entries, err := os.ReadDir(dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("find the schema of component %s: %w", component, err)
	}
	var scripts []string
	for _, entry := range entries {
		if strings.HasSuffix(entry.Name(), ".sql") {
			scripts = append(scripts, filepath.Join(dir, entry.Name()))
		}
	}
	return scripts, nil
}

// ShellHelp says how to look into the database by hand.
func (Plugin) ShellHelp(r *dysnomia.Request) string {
	c, err := newClient(r)
	if err != nil {
		return err.Error() + "\n"
	}
	login := "-E"
	if user := r.Properties["msSqlUsername"]; user != "" {
		login = "-U '" + user + "'"
	}
	return fmt.Sprintf("This is a shell session for the database %s\n\n  SQLCMDPASSWORD=$msSqlPassword %s -S '%s' %s -d '%[1]s'\n", c.database, c.program, c.server, login)
}
