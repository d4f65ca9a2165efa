package postgresqldatabase

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/disnix-go/disnix/dysnomia"
	"github.com/disnix-go/disnix/dysnomia/plugins/await"
	"github.com/disnix-go/disnix/dysnomia/plugins/dump"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// settings say which server is meant and how to log in.
type settings struct {
	runtimeDir         string
	port               uint16
	username, password string
	timeout            time.Duration
}

func readSettings(r *dysnomia.Request) (settings, error) {
	timeout, err := dump.Timeout(r)
	if err != nil {
		return settings{}, err
	}
	s := settings{runtimeDir: "/var/run/postgresql", port: 5432, username: "postgres", password: r.Properties["postgresqlPassword"], timeout: timeout}
	if name := r.Properties["postgresqlUsername"]; name != "" {
		s.username = name
	}
	if dir := r.Properties["postgresqlRuntimeDir"]; dir != "" {
		if !filepath.IsAbs(dir) {
			return settings{}, fmt.Errorf("read property postgresqlRuntimeDir of container %q: %q is not an absolute path", r.Container, dir)
		}
		s.runtimeDir = dir
	}
	if port := r.Properties["postgresqlPort"]; port != "" {
		number, err := strconv.ParseUint(port, 10, 16)
		if err != nil || number == 0 {
			return settings{}, fmt.Errorf("read property postgresqlPort of container %q: %q is not a port", r.Container, port)
		}
		s.port = uint16(number)
	}
	return s, nil
}

func (s settings) socket() string {
	return filepath.Join(s.runtimeDir, ".s.PGSQL."+strconv.Itoa(int(s.port)))
}

// account returns the account of the operating system that the server knows,
// or nil if it is that of this process, or this process may not take another.
func (s settings) account() (*syscall.Credential, error) {
	if os.Geteuid() != 0 || s.username == "root" {
		return nil, nil
	}
	account, err := user.Lookup(s.username)
	if errors.As(err, new(user.UnknownUserError)) {
		return nil, nil // only the server knows it
	}
	if err != nil {
		return nil, fmt.Errorf("find account %q: %w", s.username, err)
	}
	uid, err := strconv.ParseUint(account.Uid, 10, 32)
	if err != nil {
		return nil, fmt.Errorf("find account %q: its id is %q", s.username, account.Uid)
	}
	gid, err := strconv.ParseUint(account.Gid, 10, 32)
	if err != nil {
		return nil, fmt.Errorf("find account %q: its group is %q", s.username, account.Gid)
	}
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
}

// database is the database of a component and a session on its server.
type database struct {
	name string
	// restored and former are the names of databases that exist during a
	// restore: what will become the database, and what it was before.
	restored, former string

	session  *pgx.Conn
	clients  dump.Clients
	settings settings
	account  *syscall.Credential
}

// with calls do with a session on the server, for which it waits. The session
// has the database's lock: no other plugin changes the same database.
func with(ctx context.Context, r *dysnomia.Request, do func(*database) error) error {
	s, err := readSettings(r)
	if err != nil {
		return err
	}
	account, err := s.account()
	if err != nil {
		return err
	}
	session, err := s.connect(ctx, account)
	if err != nil {
		return err
	}
	defer session.Close(context.WithoutCancel(ctx))
	sum := sha256.Sum256([]byte(r.ComponentName))
	id := hex.EncodeToString(sum[:8])
	d := &database{
		name: r.ComponentName, restored: "dysnomia-restored-" + id, former: "dysnomia-former-" + id,
		session: session, settings: s, account: account,
		clients: dump.Clients{Search: r.Environment, Account: account, Variables: s.variables()},
	}
	if err := d.lock(ctx, "dysnomia "+r.ComponentName); err != nil {
		return err
	}
	return do(d)
}

// variables tell client programs how to log in.
func (s settings) variables() []string {
	variables := []string{
		"PGHOST=" + s.runtimeDir, "PGPORT=" + strconv.Itoa(int(s.port)), "PGUSER=" + s.username,
		"PGCONNECT_TIMEOUT=" + strconv.Itoa(max(2, int(s.timeout/time.Second))), "PGCLIENTENCODING=UTF8",
	}
	if s.password != "" {
		variables = append(variables, "PGPASSWORD="+s.password)
	}
	return variables
}

// connect opens a session in the database that every server has. It waits for
// a server that does not listen yet.
func (s settings) connect(ctx context.Context, account *syscall.Credential) (session *pgx.Conn, err error) {
	config, err := s.config(account)
	if err != nil {
		return nil, err
	}
	err = await.Until(ctx, "the database server at "+s.socket(), s.timeout, func(ctx context.Context) (bool, string, error) {
		ctx, cancel := context.WithTimeout(ctx, max(s.timeout, time.Second))
		defer cancel()
		var err error
		session, err = pgx.ConnectConfig(ctx, config)
		if err != nil && isAbsent(err) {
			return false, err.Error(), nil
		}
		return err == nil, "", err
	})
	return session, err
}

// config does not look at the environment of this process.
func (s settings) config(account *syscall.Credential) (*pgx.ConnConfig, error) {
	config, err := pgx.ParseConfig("host=/ sslmode=disable passfile=/dev/null user=x password=x dbname=postgres")
	if err != nil {
		return nil, fmt.Errorf("prepare a session: %w", err)
	}
	config.Host, config.Port, config.User, config.Password = s.runtimeDir, s.port, s.username, s.password
	config.DefaultQueryExecMode = pgx.QueryExecModeSimpleProtocol
	config.DialFunc = func(ctx context.Context, _, _ string) (net.Conn, error) { return dialAs(ctx, account, s.socket()) }
	config.RuntimeParams = map[string]string{
		"application_name": "dysnomia", "lock_timeout": strconv.FormatInt(max(1000, s.timeout.Milliseconds()), 10),
		"client_encoding": "UTF8",
	}
	config.OnNotice = func(*pgconn.PgConn, *pgconn.Notice) {}
	return config, nil
}

// isAbsent reports whether a server may only need some time to come.
func isAbsent(err error) bool {
	var refused *pgconn.PgError
	if errors.As(err, &refused) {
		const cannotConnectNow, tooManyConnections, adminShutdown = "57P03", "53300", "57P01"
		return refused.Code == cannotConnectNow || refused.Code == tooManyConnections || refused.Code == adminShutdown
	}
	return errors.Is(err, os.ErrNotExist) || errors.Is(err, syscall.ECONNREFUSED) ||
		errors.Is(err, syscall.ECONNRESET) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
}

// lock waits until no other session has the lock. It ends with the session.
func (d *database) lock(ctx context.Context, name string) error {
	err := d.exec(ctx, "SELECT pg_advisory_lock(hashtext("+literal(name)+"))")
	if err != nil {
		return fmt.Errorf("lock the database: another operation on it may be running: %w", err)
	}
	return nil
}

func (d *database) exec(ctx context.Context, statement string) error {
	if _, err := d.session.Exec(ctx, statement); err != nil {
		return explained(err)
	}
	return nil
}

// explained adds the details of an error of the server.
func explained(err error) error {
	var refused *pgconn.PgError
	if errors.As(err, &refused) {
		for _, more := range []string{refused.Detail, refused.Hint} {
			if more != "" {
				err = fmt.Errorf("%w (%s)", err, more)
			}
		}
	}
	return err
}

// comment returns the comment of a database and whether there is one of
// exactly that name.
func (d *database) comment(ctx context.Context, name string) (comment string, exists bool, err error) {
	err = d.session.QueryRow(ctx, "SELECT coalesce(shobj_description(oid, 'pg_database'), '') FROM pg_database WHERE datname = $1", name).Scan(&comment)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return "", false, nil
	case err != nil:
		return "", false, fmt.Errorf("look for the database: %w", explained(err))
	}
	return comment, true, nil
}

// drop drops a database and ends the sessions in it.
func (d *database) drop(ctx context.Context, name string) error {
	return d.exec(ctx, "DROP DATABASE IF EXISTS "+quote(name)+" WITH (FORCE)")
}

// place is the place of the database's state. It names the server by its
// identifier: one server can have several sockets.
func (d *database) place(ctx context.Context) (string, error) {
	var id string
	if err := d.session.QueryRow(ctx, "SELECT system_identifier::text FROM pg_control_system()").Scan(&id); err != nil {
		return "", fmt.Errorf("ask which server it is: %w", explained(err))
	}
	return "postgresql:" + id + "/" + d.name, nil
}

// quote returns an identifier.
func quote(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

// literal returns a string.
func literal(text string) string { return "'" + strings.ReplaceAll(text, "'", "''") + "'" }
