package nixosconfiguration

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/disnix-go/disnix/dysnomia"
)

// Snapshot takes snapshots of all components in the configuration, and makes
// one of the latest of each: container/component/id. If they have none, there
// is nothing to keep.
func (p Plugin) Snapshot(ctx context.Context, r *dysnomia.Request) (err error) {
	m, err := p.machine(r)
	if err != nil {
		return err
	}
	if err := m.inner.RunOperation(ctx, dysnomia.Snapshot, m.batch()); err != nil {
		return fmt.Errorf("take snapshots of the components of the configuration: %w", err)
	}
	latest, err := m.inner.State().QueryLatest("", "")
	if err != nil || len(latest) == 0 {
		return err
	}
	names := make([]string, len(latest))
	for i, g := range latest {
		names[i] = g.Snapshot()
	}
	paths, err := m.inner.State().Resolve(names)
	if err != nil {
		return err
	}
	snapshot, err := r.State.NewSnapshot(r.Container, r.ComponentName)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, snapshot.Discard()) }()
	for i, path := range paths {
		if err := copyTree(ctx, path, filepath.Join(snapshot.Path, names[i]), r.Properties["noHardlink"] == ""); err != nil {
			return fmt.Errorf("copy snapshot %s: %w", names[i], err)
		}
	}
	if err := snapshot.Restrict(); err != nil {
		return err
	}
	sum := sha256.Sum256([]byte(strings.Join(names, " ") + "\n"))
	return snapshot.Commit(hex.EncodeToString(sum[:]))
}

// Restore brings back the latest snapshots of all components in the
// configuration.
func (p Plugin) Restore(ctx context.Context, r *dysnomia.Request) error {
	m, err := p.machine(r)
	if err != nil {
		return err
	}
	latest, err := r.State.LatestSnapshot(r.Container, r.ComponentName)
	if err != nil || latest == "" {
		return err
	}
	paths, err := filepath.Glob(filepath.Join(escapeGlob.Replace(latest), "*", "*", "*"))
	if err != nil {
		return err
	}
	for _, path := range paths {
		component := filepath.Dir(path)
		if err := m.inner.State().Import(ctx, filepath.Base(filepath.Dir(component)), filepath.Base(component), path); err != nil {
			return err
		}
	}
	if err := m.inner.RunOperation(ctx, dysnomia.Restore, m.batch()); err != nil {
		return fmt.Errorf("restore the components of the configuration: %w", err)
	}
	return nil
}

var escapeGlob = strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`)

// copyTree copies a file or directory, with hard links for files if these are
// asked for and possible.
func copyTree(ctx context.Context, source, target string, link bool) error {
	if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil {
		return err
	}
	return filepath.WalkDir(source, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		if err != nil {
			return err
		}
		relative, err := filepath.Rel(source, path)
		if err != nil {
			return err
		}
		place := filepath.Join(target, relative)
		switch entry.Type() {
		case fs.ModeDir:
			info, err := entry.Info()
			if err != nil {
				return err
			}
			return os.Mkdir(place, info.Mode().Perm()|0o700)
		case fs.ModeSymlink:
			to, err := os.Readlink(path)
			if err != nil {
				return err
			}
			return os.Symlink(to, place)
		}
		if link && os.Link(path, place) == nil {
			return nil
		}
		return copyFile(path, place)
	})
}

func copyFile(source, target string) error {
	info, err := os.Stat(source)
	if err != nil {
		return err
	}
	content, err := os.Open(source)
	if err != nil {
		return err
	}
	defer content.Close()
	file, err := os.OpenFile(target, os.O_CREATE|os.O_EXCL|os.O_WRONLY, info.Mode().Perm())
	if err != nil {
		return err
	}
	_, err = file.ReadFrom(content)
	return errors.Join(err, file.Close())
}
