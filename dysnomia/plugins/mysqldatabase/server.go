package mysqldatabase

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log"
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
	"github.com/go-sql-driver/mysql"
)

// settings say which server is meant and how to log in.
type settings struct {
	network, address   string // "unix" and a socket, or "tcp" and host:port
	port               string
	username, password string
	timeout            time.Duration
}

const (
	defaultSocket = "/run/mysqld/mysqld.sock"
	localHost     = "127.0.0.1"
)

func readSettings(r *dysnomia.Request) (settings, error) {
	timeout, err := dump.Timeout(r)
	if err != nil {
		return settings{}, err
	}
	s := settings{
		network: "unix", address: r.Properties["mysqlSocket"],
		username: r.Properties["mysqlUsername"], password: r.Properties["mysqlPassword"],
		timeout: timeout,
	}
	port := r.Properties["mysqlPort"]
	switch {
	case s.address != "":
	case port == "":
		s.address = defaultSocket
	default:
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
			return settings{}, fmt.Errorf("read property mysqlPort of container %q: %q is not a port", r.Container, port)
		}
		s.network, s.port, s.address = "tcp", port, localHost+":"+port
	}
	return s, nil
}

// database is the database of a component and a session on its server.
type database struct {
	name string
	// unfinished is the name of an empty database that exists as long as the
	// database is being created.
	unfinished string
	// restored and former are the names of databases that exist during a
	// restore: what will become the database, and what it was before.
	restored, former string

	session  *sql.Conn
	clients  dump.Clients
	settings settings
	// options is the file with which client programs log in, once there is
	// one, and remove removes it.
	options string
	remove  func() error
}

// with calls do with a session on the server, for which it waits. The session
// has the database's lock: no other plugin changes the same database.
func with(ctx context.Context, r *dysnomia.Request, do func(*database) error) (err error) {
	s, err := readSettings(r)
	if err != nil {
		return err
	}
	pool, err := s.pool()
	if err != nil {
		return err
	}
	defer pool.Close()
	session, err := s.connect(ctx, pool)
	if err != nil {
		return err
	}
	defer session.Close()
	sum := sha256.Sum256([]byte(r.ComponentName))
	id := hex.EncodeToString(sum[:8])
	d := &database{
		name: r.ComponentName, unfinished: "dysnomia-unfinished-" + id,
		restored: "dysnomia-restored-" + id, former: "dysnomia-former-" + id,
		session: session, clients: dump.Clients{Search: r.Environment}, settings: s,
		remove: func() error { return nil },
	}
	defer func() { err = errors.Join(err, d.remove()) }()
	if err := d.lock(ctx, "dysnomia-"+id); err != nil {
		return err
	}
	return do(d)
}

func (s settings) pool() (*sql.DB, error) {
	config := mysql.NewConfig()
	config.Net, config.Addr, config.User, config.Passwd = s.network, s.address, s.username, s.password
	if s.username == "" {
		account, err := user.Current()
		if err != nil {
			return nil, fmt.Errorf("find the account of this process: %w: set mysqlUsername", err)
		}
		config.User = account.Username
	}
	config.Logger = log.New(io.Discard, "", 0) // errors are returned, too
	connector, err := mysql.NewConnector(config)
	if err != nil {
		return nil, fmt.Errorf("prepare a session on the server at %s: %w", s.address, err)
	}
	return sql.OpenDB(connector), nil
}

// connect opens a session. It waits for a server that does not listen yet.
func (s settings) connect(ctx context.Context, pool *sql.DB) (session *sql.Conn, err error) {
	what := "the database server at " + s.address
	err = await.Until(ctx, what, s.timeout, func(ctx context.Context) (bool, string, error) {
		ctx, cancel := context.WithTimeout(ctx, max(s.timeout, time.Second))
		defer cancel()
		var err error
		session, err = pool.Conn(ctx)
		if err != nil && isAbsent(err) {
			return false, err.Error(), nil
		}
		return err == nil, "", err
	})
	if err != nil {
		return nil, err
	}
	seconds := max(1, int(s.timeout/time.Second))
	if _, err := session.ExecContext(ctx, "SET SESSION lock_wait_timeout = "+strconv.Itoa(seconds)); err != nil {
		return nil, errors.Join(fmt.Errorf("prepare the session on the server at %s: %w", s.address, err), session.Close())
	}
	return session, nil
}

// isAbsent reports whether a server may only need some time to come.
func isAbsent(err error) bool {
	const startingUp, shuttingDown, tooMany = 3169, 1053, 1040
	var refused *mysql.MySQLError
	if errors.As(err, &refused) {
		return refused.Number == shuttingDown || refused.Number == startingUp || refused.Number == tooMany
	}
	return errors.Is(err, os.ErrNotExist) || errors.Is(err, syscall.ECONNREFUSED) ||
		errors.Is(err, syscall.ECONNRESET) || errors.Is(err, io.EOF) || errors.Is(err, mysql.ErrInvalidConn)
}

// lock waits until no other session has the lock. It ends with the session.
func (d *database) lock(ctx context.Context, name string) error {
	var got sql.NullInt64
	err := d.session.QueryRowContext(ctx, "SELECT GET_LOCK(?, ?)", name, max(1, int(d.settings.timeout/time.Second))).Scan(&got)
	if err != nil {
		return fmt.Errorf("lock the database: %w", err)
	}
	if got.Int64 != 1 {
		return fmt.Errorf("lock the database: another operation on it did not end within %s", d.settings.timeout)
	}
	return nil
}

func (d *database) exec(ctx context.Context, statement string) error {
	if _, err := d.session.ExecContext(ctx, statement); err != nil {
		return explained(err)
	}
	return nil
}

// explained adds what can be done about an error of the server.
func explained(err error) error {
	const accessDenied, lockWaitTimeout = 1044, 1205
	var refused *mysql.MySQLError
	if !errors.As(err, &refused) {
		return err
	}
	switch refused.Number {
	case accessDenied:
		return fmt.Errorf("%w (the account needs the privileges to create and drop databases)", err)
	case lockWaitTimeout:
		return fmt.Errorf("%w (another session uses a table: SHOW PROCESSLIST shows it)", err)
	}
	return err
}

// exists asks the server itself: it knows which names are the same.
func (d *database) exists(ctx context.Context, name string) (bool, error) {
	const unknownDatabase = 1049
	_, err := d.session.ExecContext(ctx, "SHOW CREATE DATABASE "+quote(name))
	var refused *mysql.MySQLError
	if errors.As(err, &refused) && refused.Number == unknownDatabase {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("look for the database: %w", err)
	}
	return true, nil
}

func (d *database) create(ctx context.Context, name string) error {
	return d.exec(ctx, "CREATE DATABASE IF NOT EXISTS "+quote(name))
}

func (d *database) drop(ctx context.Context, name string) error {
	return d.exec(ctx, "DROP DATABASE IF EXISTS "+quote(name))
}

// place is the place of the database's state. It names the server by what it
// says of itself: one server can have several sockets and ports.
func (d *database) place(ctx context.Context) (string, error) {
	var hostname, dir string
	if err := d.session.QueryRowContext(ctx, "SELECT @@hostname, @@datadir").Scan(&hostname, &dir); err != nil {
		return "", fmt.Errorf("ask which server it is: %w", explained(err))
	}
	return "mysql:" + hostname + ":" + filepath.Join(dir, d.name), nil
}

// quote returns an identifier.
func quote(name string) string { return "`" + strings.ReplaceAll(name, "`", "``") + "`" }
