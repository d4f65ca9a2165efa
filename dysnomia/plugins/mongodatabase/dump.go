package mongodatabase

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// dump stores the database in a directory, below its name. The id comes from
// the files without the numbers that a server gives to its collections. A
// database without collections has an empty directory.
func (d *database) dump(ctx context.Context, dir string) (id string, err error) {
	if err := d.run(ctx, "mongodump", d.settings.dumpArgs, "--db="+d.name, "--out="+dir); err != nil {
		return "", err
	}
	content := filepath.Join(dir, d.name)
	if err := os.MkdirAll(content, 0o755); err != nil {
		return "", err
	}
	files, err := os.ReadDir(content)
	if err != nil {
		return "", err
	}
	sum := sha256.New()
	for _, file := range files {
		fmt.Fprintf(sum, "%s/%s\n", d.name, file.Name())
		if err := hashFile(sum, filepath.Join(content, file.Name())); err != nil {
			return "", fmt.Errorf("read the dump: %w", err)
		}
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}

func hashFile(sum io.Writer, name string) error {
	file, err := os.Open(name)
	if err != nil {
		return err
	}
	defer file.Close()
	if !strings.HasSuffix(name, ".metadata.json") {
		_, err := io.Copy(sum, file)
		return err
	}
	var description map[string]any
	if err := json.NewDecoder(file).Decode(&description); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	delete(description, "uuid")
	return json.NewEncoder(sum).Encode(description)
}

// restore replaces the database by that of a snapshot. As the server cannot
// rename databases, the snapshot is restored twice: first beside the database,
// which shows that it is complete. Should the second time fail, the first copy
// stays.
func (d *database) restore(ctx context.Context, snapshot string) error {
	dir, err := contentOf(snapshot)
	if err != nil {
		return err
	}
	undo := context.WithoutCancel(ctx)
	if err := d.restoreAs(ctx, d.restored, dir); err != nil {
		return errors.Join(fmt.Errorf("the database is as it was: %w", err), d.drop(undo, d.restored))
	}
	err = d.drop(undo, d.name)
	if err == nil {
		err = d.restoreAs(undo, d.name, dir)
	}
	if err != nil {
		return fmt.Errorf("replace the database: %w: the content of the snapshot is in database %q: restore again", err, d.restored)
	}
	return d.drop(undo, d.restored)
}

// contentOf returns the one directory of a snapshot, which has the name of the
// component that it was made of.
func contentOf(snapshot string) (string, error) {
	entries, err := os.ReadDir(snapshot)
	if err != nil {
		return "", fmt.Errorf("read the snapshot: %w", err)
	}
	if len(entries) != 1 || !entries[0].IsDir() {
		return "", errors.New("read the snapshot: it has not exactly one directory")
	}
	return filepath.Join(snapshot, entries[0].Name()), nil
}

func (d *database) restoreAs(ctx context.Context, name, dir string) error {
	return d.run(ctx, "mongorestore", d.settings.restoreArgs, "--stopOnError", "--drop", "--db="+name, dir)
}
