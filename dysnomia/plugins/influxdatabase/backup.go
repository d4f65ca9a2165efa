package influxdatabase

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"net"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/disnix-go/disnix/dysnomia"
	"github.com/disnix-go/disnix/dysnomia/plugins/await"
	"github.com/disnix-go/disnix/dysnomia/plugins/dump"
)

// run runs a program of the server. What it prints is part of its error: it
// also complains on standard output. One that fails repeatedly is stopped: it
// would go on for minutes, also if the disk is full.
func (d *database) run(ctx context.Context, name string, args ...string) error {
	ctx, giveUp := context.WithCancelCause(ctx)
	defer giveUp(nil)
	program, err := d.clients.Command(ctx, []string{name}, args...)
	if err != nil {
		return err
	}
	program.Stderr = &attempts{left: 3, giveUp: giveUp}
	out, err := dump.Output(ctx, program)
	if text := strings.TrimSpace(out); err != nil && text != "" {
		err = fmt.Errorf("%w: %s", err, text[max(0, len(text)-1000):])
	}
	return err
}

// attempts counts how often a program says that it tries again what has failed,
// one message a write.
type attempts struct {
	left   int
	giveUp context.CancelCauseFunc
}

func (a *attempts) Write(message []byte) (int, error) {
	if bytes.Contains(message, []byte("and retrying (")) {
		if a.left--; a.left == 0 {
			a.giveUp(errors.New("stopped, because it has failed repeatedly"))
		}
	}
	return len(message), nil
}

func (d *database) runImport(ctx context.Context, file string) error {
	return d.run(ctx, "influx", "-import", "-path="+file, "-host="+host, "-port="+d.settings.httpPort)
}

func (d *database) backupAddress() string { return net.JoinHostPort(host, d.settings.backupPort) }

// awaitBackups waits until the server accepts connections for backups. The
// program itself would try for minutes.
func (d *database) awaitBackups(ctx context.Context) error {
	what := "the backup service of the database server at " + d.backupAddress()
	return await.Until(ctx, what, d.settings.timeout, func(ctx context.Context) (bool, string, error) {
		conn, err := new(net.Dialer).DialContext(ctx, "tcp", d.backupAddress())
		if errors.Is(err, syscall.ECONNREFUSED) {
			return false, err.Error(), nil
		}
		if err != nil {
			return false, "", err
		}
		return true, "", conn.Close()
	})
}

// manifest is the table of contents of a backup.
type manifest struct {
	Files []struct {
		Database, Policy, FileName string
	}
}

func readManifest(dir string) (manifest, error) {
	found, err := dysnomia.FilesIn(dir, "*.manifest")
	if err != nil {
		return manifest{}, err
	}
	if len(found) != 1 {
		return manifest{}, fmt.Errorf("read backup %s: it has %d manifests instead of one", dir, len(found))
	}
	content, err := os.ReadFile(found[0])
	if err != nil {
		return manifest{}, fmt.Errorf("read backup: %w", err)
	}
	var m manifest
	if err := json.Unmarshal(content, &m); err != nil {
		return manifest{}, fmt.Errorf("read backup %s: %w", found[0], err)
	}
	return m, nil
}

// backup makes a backup of the database in a new directory. Its id comes from
// what the database has: not from times, nor from the numbers of shards.
func (d *database) backup(ctx context.Context, dir string) (id string, err error) {
	if err := d.awaitBackups(ctx); err != nil {
		return "", err
	}
	if err := d.run(ctx, "influxd", "backup", "-portable", "-host="+d.backupAddress(), "-database="+d.name, dir); err != nil {
		return "", err
	}
	m, err := readManifest(dir)
	if err != nil {
		return "", err
	}
	var parts []string
	for _, file := range m.Files {
		sum, err := hashShard(filepath.Join(dir, filepath.Base(file.FileName)))
		if err != nil {
			return "", fmt.Errorf("read backup %s: %w", dir, err)
		}
		parts = append(parts, fmt.Sprintf("%q %s", file.Policy, sum))
	}
	slices.Sort(parts)
	definitions, err := d.definitions(ctx)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256([]byte(strings.Join(append(parts, definitions), "\n")))
	return hex.EncodeToString(sum[:]), nil
}

// definitions are the retention policies and continuous queries.
func (d *database) definitions(ctx context.Context) (string, error) {
	policies, err := d.query(ctx, "SHOW RETENTION POLICIES ON "+quote(d.name))
	if err != nil {
		return "", err
	}
	queries, err := d.query(ctx, "SHOW CONTINUOUS QUERIES")
	if err != nil {
		return "", err
	}
	queries = slices.DeleteFunc(queries, func(s series) bool { return s.Name != d.name })
	return fmt.Sprint(policies, queries), nil
}

// hashShard hashes the files in a compressed archive, without their folders,
// which have the number of the shard.
func hashShard(name string) (string, error) {
	file, err := os.Open(name)
	if err != nil {
		return "", err
	}
	defer file.Close()
	unpacked, err := gzip.NewReader(file)
	if err != nil {
		return "", fmt.Errorf("%s: %w", name, err)
	}
	sum := sha256.New()
	tape := tar.NewReader(unpacked)
	for {
		header, err := tape.Next()
		if err == io.EOF {
			return hex.EncodeToString(sum.Sum(nil)), nil
		}
		if err == nil {
			err = hashEntry(sum, header, tape)
		}
		if err != nil {
			return "", fmt.Errorf("%s: %w", name, err)
		}
	}
}

func hashEntry(sum hash.Hash, header *tar.Header, content io.Reader) error {
	fmt.Fprintf(sum, "%q %d\n", path.Base(header.Name), header.Size)
	_, err := io.Copy(sum, content)
	return err
}

// restore replaces the database by that of a backup. As the server cannot
// rename databases, the backup is restored twice: first beside the database,
// which shows that it is complete. Should the second time fail, the first copy
// stays.
func (d *database) restore(ctx context.Context, dir string) error {
	m, err := readManifest(dir)
	if err != nil {
		return err
	}
	if err := d.awaitBackups(ctx); err != nil {
		return err
	}
	source := d.name
	if len(m.Files) > 0 {
		source = m.Files[0].Database
	}
	undo := context.WithoutCancel(ctx)
	if err := d.drop(ctx, d.restored); err != nil {
		return err
	}
	if err := d.restoreAs(ctx, source, d.restored, dir); err != nil {
		return errors.Join(fmt.Errorf("the database is as it was: %w", err), d.drop(undo, d.restored))
	}
	err = d.drop(undo, d.name)
	if err == nil {
		err = d.restoreAs(undo, source, d.name, dir)
	}
	if err != nil {
		return fmt.Errorf("replace the database: %w: the content of the snapshot is in database %q: restore again", err, d.restored)
	}
	return d.drop(undo, d.restored)
}

// restoreAs restores a backup of a database as another one, and waits until it
// can be read.
func (d *database) restoreAs(ctx context.Context, source, name, dir string) error {
	args := []string{"restore", "-portable", "-host=" + d.backupAddress(), "-db=" + source, "-newdb=" + name, dir}
	if err := d.run(ctx, "influxd", args...); err != nil {
		return err
	}
	return await.Until(ctx, fmt.Sprintf("restored database %q", name), max(d.settings.timeout, queryLimit), func(ctx context.Context) (bool, string, error) {
		_, err := d.query(ctx, "SELECT * FROM "+quote(name)+"../.*/ LIMIT 1")
		if err != nil && (strings.Contains(err.Error(), "shard is disabled") || strings.Contains(err.Error(), "engine is closed")) {
			return false, err.Error(), nil
		}
		return err == nil, "", err
	})
}
