package bsdrcscript

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/disnix-go/disnix/dysnomia/plugins/await"
)

// assignment enables a script in rc.conf(5), by the variable that scripts of
// the process management framework ask for (process management page, 2).
func assignment(script string) string {
	variable := strings.Map(func(r rune) rune {
		if r == '-' || r == '.' {
			return '_'
		}
		return r
	}, script)
	return variable + "_enabled=YES"
}

// checkNames refuses scripts whose names are not those of variables: rc.conf is
// run by a shell.
func checkNames(scripts []string) error {
	for _, script := range scripts {
		if !variable.MatchString(strings.TrimSuffix(assignment(script), "_enabled=YES")) {
			return fmt.Errorf("enable %q at boot: its name has characters that rc.conf cannot have in names of variables: rename the script", script)
		}
	}
	return nil
}

var variable = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// enable adds lines for scripts that are not enabled yet.
func enable(ctx context.Context, conf string, scripts []string) error {
	return rewrite(ctx, conf, func(lines []string) []string {
		for _, script := range scripts {
			if !slices.Contains(lines, assignment(script)) {
				lines = append(lines, assignment(script))
			}
		}
		return lines
	})
}

// disable removes exactly the lines that enable adds, also if they are there
// more than once.
func disable(ctx context.Context, conf string, scripts []string) error {
	return rewrite(ctx, conf, func(lines []string) []string {
		return slices.DeleteFunc(lines, func(line string) bool {
			return slices.ContainsFunc(scripts, func(script string) bool { return assignment(script) == line })
		})
	})
}

// rewrite changes the lines of a file. It is replaced at once and keeps its
// permissions; others that change it in this way are kept out meanwhile.
func rewrite(ctx context.Context, path string, change func([]string) []string) error {
	err := locked(ctx, filepath.Dir(path), func() error {
		content, err := os.ReadFile(path)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		mode := fs.FileMode(0o644)
		if info, err := os.Stat(path); err == nil {
			mode = info.Mode().Perm()
		}
		text := string(content)
		if text != "" && !strings.HasSuffix(text, "\n") {
			text += "\n"
		}
		lines := strings.Split(text, "\n")
		changed := strings.Join(append(change(lines[:len(lines)-1]), ""), "\n")
		if changed == string(content) {
			return nil
		}
		return replace(path, changed, mode)
	})
	if err != nil {
		return fmt.Errorf("change %s: %w", path, err)
	}
	return nil
}

func replace(path, content string, mode fs.FileMode) error {
	file, err := os.CreateTemp(filepath.Dir(path), ".dysnomia-")
	if err != nil {
		return err
	}
	_, err = file.WriteString(content)
	err = errors.Join(err, file.Chmod(mode), file.Sync(), file.Close())
	if err == nil {
		err = os.Rename(file.Name(), path)
	}
	if err != nil {
		os.Remove(file.Name())
	}
	return err
}

// lockLimit is how long others may have locked the directory: everybody can.
const lockLimit = time.Minute

// locked calls do while no other process has locked the directory.
func locked(ctx context.Context, dir string, do func() error) error {
	file, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer file.Close()
	if err := await.Lock(ctx, file, dir, lockLimit); err != nil {
		return err
	}
	return do()
}
