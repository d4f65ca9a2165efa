package postgresqldatabase

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
)

// lists are the settings whose values are stored as quoted lists.
var lists = []string{
	"local_preload_libraries", "search_path", "session_preload_libraries",
	"shared_preload_libraries", "temp_tablespaces", "unix_socket_directories",
}

// copySettings gives the restored database what belongs to the present one but
// not to its content: settings, privileges and the comment.
func (d *database) copySettings(ctx context.Context) error {
	statements, err := d.settingStatements(ctx)
	if err != nil {
		return fmt.Errorf("read the settings of the database: %w", explained(err))
	}
	for _, statement := range statements {
		if err := d.exec(ctx, statement); err != nil {
			return fmt.Errorf("copy the settings of the database: %w", err)
		}
	}
	return nil
}

func (d *database) settingStatements(ctx context.Context) (statements []string, err error) {
	comment, _, err := d.comment(ctx, d.name)
	if err != nil {
		return nil, err
	}
	if comment != "" {
		statements = append(statements, "COMMENT ON DATABASE "+quote(d.restored)+" IS "+literal(comment))
	}
	rows, err := d.session.Query(ctx, `SELECT coalesce(pg_get_userbyid(nullif(setrole, 0)), ''), unnest(setconfig) FROM pg_db_role_setting
		WHERE setdatabase = (SELECT oid FROM pg_database WHERE datname = $1)`, d.name)
	if err != nil {
		return nil, err
	}
	var role, setting string
	_, err = pgx.ForEachRow(rows, []any{&role, &setting}, func() error {
		statements = append(statements, settingStatement(d.restored, role, setting))
		return nil
	})
	if err != nil {
		return nil, err
	}
	privileges, err := d.privilegeStatements(ctx)
	return append(statements, privileges...), err
}

func settingStatement(database, role, setting string) string {
	name, value, _ := strings.Cut(setting, "=")
	if !slices.Contains(lists, name) {
		value = literal(value)
	}
	if value == "" {
		value = "''"
	}
	subject := "DATABASE " + quote(database)
	if role != "" {
		subject = "ROLE " + quote(role) + " IN " + subject
	}
	var quoted []string
	for part := range strings.SplitSeq(name, ".") {
		quoted = append(quoted, quote(part))
	}
	return "ALTER " + subject + " SET " + strings.Join(quoted, ".") + " TO " + value
}

// privilegeStatements returns nothing if the database has the privileges that
// every new one has.
func (d *database) privilegeStatements(ctx context.Context) ([]string, error) {
	rows, err := d.session.Query(ctx, `SELECT CASE grantee WHEN 0 THEN '' ELSE pg_get_userbyid(grantee) END, privilege_type, is_grantable
		FROM pg_database, aclexplode(datacl) WHERE datname = $1 ORDER BY grantee = datdba DESC`, d.name)
	if err != nil {
		return nil, err
	}
	var grants []string
	var grantee, privilege string
	var option bool
	_, err = pgx.ForEachRow(rows, []any{&grantee, &privilege, &option}, func() error {
		to := "PUBLIC"
		if grantee != "" {
			to = quote(grantee)
		}
		grant := "GRANT " + privilege + " ON DATABASE " + quote(d.restored) + " TO " + to
		if option {
			grant += " WITH GRANT OPTION"
		}
		grants = append(grants, grant)
		return nil
	})
	if err != nil || len(grants) == 0 {
		return nil, err
	}
	return append([]string{"REVOKE ALL ON DATABASE " + quote(d.restored) + " FROM PUBLIC"}, grants...), nil
}
