package mongodatabase

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/disnix-go/disnix/dysnomia"
	"github.com/disnix-go/disnix/dysnomia/plugins/await"
	"github.com/disnix-go/disnix/dysnomia/plugins/dump"
)

// host is where servers are: on this machine.
const host = "127.0.0.1"

type settings struct {
	port                  string
	dumpArgs, restoreArgs []string
	timeout               time.Duration
}

func readSettings(r *dysnomia.Request) (settings, error) {
	timeout, err := dump.Timeout(r)
	if err != nil {
		return settings{}, err
	}
	s := settings{
		port: "27017", timeout: timeout,
		dumpArgs: strings.Fields(r.Properties["mongoDumpArgs"]), restoreArgs: strings.Fields(r.Properties["mongoRestoreArgs"]),
	}
	if port := r.Properties["mongoPort"]; port != "" {
		if number, err := strconv.ParseUint(port, 10, 16); err != nil || number == 0 {
			return settings{}, fmt.Errorf("read property mongoPort of container %q: %q is not a port", r.Container, port)
		}
		s.port = port
	}
	return s, nil
}

// address names a database on the server.
func (s settings) address(name string) string {
	return "mongodb://" + net.JoinHostPort(host, s.port) + "/" + strings.ReplaceAll(url.PathEscape(name), "'", "%27")
}

// database is the database of a component.
type database struct {
	name string
	// restored is the name of a copy that exists during a restore.
	restored string
	settings settings
	clients  dump.Clients
}

// place is the place of the database's state.
func (d *database) place() string { return "mongodb:" + d.settings.port + "/" + d.name }

// with calls do when the server is there.
func with(ctx context.Context, r *dysnomia.Request, do func(*database) error) error {
	s, err := readSettings(r)
	if err != nil {
		return err
	}
	sum := sha256.Sum256([]byte(r.ComponentName))
	d := &database{
		name: r.ComponentName, restored: "dysnomia-restored-" + hex.EncodeToString(sum[:8]),
		settings: s, clients: dump.Clients{Search: r.Environment},
	}
	address := net.JoinHostPort(host, s.port)
	err = await.Until(ctx, "the database server at "+address, s.timeout, func(ctx context.Context) (bool, string, error) {
		conn, err := new(net.Dialer).DialContext(ctx, "tcp", address)
		if errors.Is(err, syscall.ECONNREFUSED) {
			return false, err.Error(), nil
		}
		if err != nil {
			return false, "", err
		}
		return true, "", conn.Close()
	})
	if err != nil {
		return err
	}
	return do(d)
}

// shells are the names of the server's shell, the present one first.
var shells = []string{"mongosh", "mongo"}

// eval evaluates an expression in a database and returns what it printed.
func (d *database) eval(ctx context.Context, name, expression string) (string, error) {
	program, err := d.clients.Command(ctx, shells, "--quiet", "--norc", "--eval", expression, d.settings.address(name))
	if err != nil {
		return "", err
	}
	return dump.Output(ctx, program)
}

// collections returns the names of the collections. A database without any
// does not exist.
func (d *database) collections(ctx context.Context) ([]string, error) {
	out, err := d.eval(ctx, d.name, "print(JSON.stringify(db.getCollectionNames()))")
	if err != nil {
		return nil, fmt.Errorf("list the collections: %w", err)
	}
	var names []string
	if err := json.Unmarshal([]byte(strings.TrimSpace(out)), &names); err != nil {
		return nil, fmt.Errorf("list the collections: the shell printed %.200q: %w", out, err)
	}
	return names, nil
}

// runScript runs a script of a component. The shell fails if the script does.
func (d *database) runScript(ctx context.Context, script string) error {
	program, err := d.clients.Command(ctx, shells, "--quiet", "--norc", d.settings.address(d.name), script)
	if err != nil {
		return err
	}
	out, err := dump.Output(ctx, program)
	if err != nil {
		return fmt.Errorf("run %s: %w: %s", script, err, strings.TrimSpace(out[max(0, len(out)-1000):]))
	}
	return nil
}

func (d *database) drop(ctx context.Context, name string) error {
	_, err := d.eval(ctx, name, "db.dropDatabase()")
	return err
}
