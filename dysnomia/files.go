package dysnomia

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// FilesIn returns the paths of what is in a directory with a name that matches
// a pattern (as for [filepath.Match]), sorted. As in a shell, names that begin
// with a dot are matched only by patterns that do; unlike there, the directory
// itself is no pattern, whatever characters it has. One that does not exist has
// nothing in it.
func FilesIn(dir, pattern string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var paths []string
	for _, entry := range entries {
		name := entry.Name()
		matches, err := filepath.Match(pattern, name)
		if err != nil {
			return nil, err
		}
		if matches && (name[0] != '.' || strings.HasPrefix(pattern, ".")) {
			paths = append(paths, filepath.Join(dir, name))
		}
	}
	return paths, nil
}
