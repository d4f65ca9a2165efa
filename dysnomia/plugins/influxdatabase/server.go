package influxdatabase

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
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

// settings say which server is meant.
type settings struct {
	httpPort, backupPort string
	timeout              time.Duration
}

func readSettings(r *dysnomia.Request) (settings, error) {
	timeout, err := dump.Timeout(r)
	if err != nil {
		return settings{}, err
	}
	s := settings{httpPort: "8086", backupPort: "8088", timeout: timeout}
	for name, place := range map[string]*string{"influxdbHttpPort": &s.httpPort, "influxdbBackupPort": &s.backupPort} {
		value := r.Properties[name]
		if value == "" {
			continue
		}
		if number, err := strconv.ParseUint(value, 10, 16); err != nil || number == 0 {
			return settings{}, fmt.Errorf("read property %s of container %q: %q is not a port", name, r.Container, value)
		}
		*place = value
	}
	return s, nil
}

// database is the database of a component.
type database struct {
	name string
	// unfinished is the name of an empty database that exists as long as the
	// database is being created, restored that of a copy during a restore.
	unfinished, restored string

	settings settings
	clients  dump.Clients
	http     *http.Client
}

// place is the place of the database's state.
func (d *database) place() string { return "influxdb:" + d.settings.httpPort + "/" + d.name }

// with calls do when the server is there.
func with(ctx context.Context, r *dysnomia.Request, do func(*database) error) error {
	s, err := readSettings(r)
	if err != nil {
		return err
	}
	sum := sha256.Sum256([]byte(r.ComponentName))
	id := hex.EncodeToString(sum[:8])
	d := &database{
		name: r.ComponentName, unfinished: "dysnomia-unfinished-" + id, restored: "dysnomia-restored-" + id,
		settings: s, clients: dump.Clients{Search: r.Environment},
		// Neither proxies nor connections that outlive the operation.
		http: &http.Client{Transport: &http.Transport{DisableKeepAlives: true}},
	}
	if err := d.await(ctx); err != nil {
		return err
	}
	return do(d)
}

func (d *database) await(ctx context.Context) error {
	address := net.JoinHostPort(host, d.settings.httpPort)
	return await.Until(ctx, "the database server at "+address, d.settings.timeout, func(ctx context.Context) (bool, string, error) {
		_, err := d.query(ctx, "SHOW DATABASES")
		if errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, io.EOF) {
			return false, err.Error(), nil
		}
		return err == nil, "", err
	})
}

// series is a part of an answer of the server.
type series struct {
	Name    string
	Columns []string
	Values  [][]any
}

// queryLimit is how long the server may need for an answer.
const queryLimit = 5 * time.Minute

func (d *database) query(ctx context.Context, statement string) ([]series, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, queryLimit, fmt.Errorf("no answer within %s", queryLimit))
	defer cancel()
	form := url.Values{"q": {statement}}.Encode()
	target := "http://" + net.JoinHostPort(host, d.settings.httpPort) + "/query"
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, target, strings.NewReader(form))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	response, err := d.http.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	var answer struct {
		Error   string
		Results []struct {
			Error  string
			Series []series
		}
	}
	const longest = 16 << 20
	if err := json.NewDecoder(io.LimitReader(response.Body, longest)).Decode(&answer); err != nil {
		return nil, fmt.Errorf("query the server at %s: %s: %w", target, response.Status, err)
	}
	var all []series
	for _, result := range answer.Results {
		if result.Error != "" {
			return nil, fmt.Errorf("query the server at %s: %s", target, result.Error)
		}
		all = append(all, result.Series...)
	}
	if answer.Error != "" {
		return nil, fmt.Errorf("query the server at %s: %s", target, answer.Error)
	}
	return all, nil
}

func (d *database) exists(ctx context.Context, name string) (bool, error) {
	answer, err := d.query(ctx, "SHOW DATABASES")
	if err != nil {
		return false, err
	}
	return slices.ContainsFunc(answer, func(s series) bool {
		return slices.ContainsFunc(s.Values, func(row []any) bool { return len(row) > 0 && row[0] == name })
	}), nil
}

func (d *database) create(ctx context.Context, name string) error {
	_, err := d.query(ctx, "CREATE DATABASE "+quote(name))
	return err
}

// drop drops a database. It is no error if there is none.
func (d *database) drop(ctx context.Context, name string) error {
	_, err := d.query(ctx, "DROP DATABASE "+quote(name))
	return err
}

// quote returns an identifier.
func quote(name string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`).Replace(name) + `"`
}
