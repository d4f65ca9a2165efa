package dump

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// PrivateFile writes a file that only this account (and root) can read, in a
// new directory of its own, such as one with a password. The caller calls
// remove when no program needs it any more.
func PrivateFile(name, content string) (path string, remove func() error, err error) {
	dir, err := os.MkdirTemp("", "dysnomia-") // 0700
	if err != nil {
		return "", nil, fmt.Errorf("write a private file: %w", err)
	}
	remove = func() error { return os.RemoveAll(dir) }
	path = filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		return "", nil, errors.Join(fmt.Errorf("write a private file: %w", err), remove())
	}
	return path, remove, nil
}
