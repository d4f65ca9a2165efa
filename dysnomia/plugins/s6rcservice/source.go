package s6rcservice

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/disnix-go/disnix/dysnomia/plugins/await"
)

// lock keeps other operations out that would change the database.
func (d *deployment) lock(ctx context.Context) (unlock func(), err error) {
	if err := errors.Join(os.MkdirAll(d.compileDir, 0o755), os.MkdirAll(d.serviceDir, 0o755)); err != nil {
		return nil, fmt.Errorf("make the directories of s6-rc: %w", err)
	}
	file, err := os.OpenFile(filepath.Join(d.compileDir, ".dysnomia-lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock the databases of s6-rc: %w", err)
	}
	const most = 10 * time.Minute
	if err := await.Lock(ctx, file, d.compileDir, most); err != nil {
		file.Close()
		return nil, err
	}
	return func() { file.Close() }, nil
}

func (d *deployment) contentsFile() string {
	return filepath.Join(d.serviceDir, d.bundle, "contents")
}

// addToBundle adds services to the bundle, which is made if needed.
func (d *deployment) addToBundle(names []string) error {
	members, err := d.members()
	if err != nil {
		return err
	}
	for _, name := range names {
		if !slices.Contains(members, name) {
			members = append(members, name)
		}
	}
	return d.setMembers(members)
}

// removeFromBundle removes services from the bundle, and the bundle itself when
// it is empty: s6-rc refuses empty ones.
func (d *deployment) removeFromBundle(names []string) error {
	members, err := d.members()
	if err != nil {
		return err
	}
	rest := slices.DeleteFunc(slices.Clone(members), func(member string) bool { return slices.Contains(names, member) })
	if len(rest) == 0 {
		if err := os.RemoveAll(filepath.Dir(d.contentsFile())); err != nil {
			return fmt.Errorf("remove the empty bundle: %w", err)
		}
		return nil
	}
	return d.setMembers(rest)
}

func (d *deployment) members() ([]string, error) {
	content, err := os.ReadFile(d.contentsFile())
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("read the bundle %s: %w", d.bundle, err)
	}
	return strings.Fields(string(content)), nil
}

func (d *deployment) setMembers(members []string) error {
	dir := filepath.Dir(d.contentsFile())
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("make the bundle %s: %w", d.bundle, err)
	}
	for name, content := range map[string]string{"type": "bundle\n", "contents": strings.Join(members, "\n") + "\n"} {
		path := filepath.Join(dir, name)
		if old, err := os.ReadFile(path); err == nil && string(old) == content {
			continue
		}
		// A crash must not leave half a list.
		temporary := filepath.Join(d.serviceDir, ".dysnomia-"+name)
		if err := os.WriteFile(temporary, []byte(content), 0o644); err != nil {
			return fmt.Errorf("change the bundle %s: %w", d.bundle, err)
		}
		if err := os.Rename(temporary, path); err != nil {
			return fmt.Errorf("change the bundle %s: %w", d.bundle, err)
		}
	}
	return nil
}
