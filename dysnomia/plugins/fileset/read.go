package fileset

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/disnix-go/disnix/dysnomia"
)

// fileset is what a component wants to have in a directory. Names are relative
// to it, clean and local.
type fileset struct {
	targetDir string
	owner     string
	dirs      []string // sorted, none below another
	links     []link
}

type link struct{ target, name string }

func (f fileset) isMutable(dir string) bool { return slices.Contains(f.dirs, dir) }

func read(r *dysnomia.Request) (fileset, error) {
	f, err := parse(r)
	if err != nil {
		return f, fmt.Errorf("read fileset %s: %w", r.Component, err)
	}
	return f, nil
}

func parse(r *dysnomia.Request) (fileset, error) {
	text, err := os.ReadFile(filepath.Join(r.Component, ".dysnomia-fileset"))
	if err != nil {
		return fileset{}, err
	}
	f, err := parseList(string(text))
	if err != nil {
		return f, err
	}
	if f.targetDir, err = setting(r, "targetDir", ".dysnomia-targetdir"); err != nil {
		return f, err
	}
	if !filepath.IsAbs(f.targetDir) {
		return f, fmt.Errorf("the target directory %q is not an absolute path: set the property targetDir, or write it to .dysnomia-targetdir", f.targetDir)
	}
	f.owner, err = setting(r, "filesetOwner", ".dysnomia-filesetowner")
	return f, err
}

// setting returns a property, or the content of a file in the component.
func setting(r *dysnomia.Request, property, file string) (string, error) {
	if value := r.Properties[property]; value != "" {
		return value, nil
	}
	content, err := os.ReadFile(filepath.Join(r.Component, file))
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	return strings.TrimRight(string(content), "\r\n"), err
}

// parseList reads a .dysnomia-fileset and reports all its mistakes.
func parseList(text string) (fileset, error) {
	var f fileset
	var errs []error
	source, used := "", true
	for i, line := range strings.Split(text, "\n") {
		line = strings.TrimSuffix(line, "\r")
		if strings.TrimSpace(line) == "" || strings.HasPrefix(line, "#") {
			continue
		}
		action, argument, _ := strings.Cut(line, " ")
		var err error
		switch action {
		case "mkdir":
			var dir string
			if dir, err = local(argument); err == nil && dir == "." {
				err = errors.New("the target directory itself cannot be mutable")
			}
			f.dirs = append(f.dirs, dir)
		case "symlink":
			if !path.IsAbs(argument) || path.Clean(argument) == "/" {
				err = fmt.Errorf("%q is not an absolute path of a file", argument)
			} else if !used {
				err = errors.New("the symlink before it has no target")
			}
			source, used = argument, false
		case "target":
			var dir string
			if dir, err = local(argument); err == nil && source == "" {
				err = errors.New("there is no symlink before it")
			}
			f.links = append(f.links, link{target: source, name: path.Join(dir, path.Base(source))})
			used = true
		default:
			err = fmt.Errorf("unknown action %q: use mkdir, symlink or target", action)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf(".dysnomia-fileset:%d: %w", i+1, err))
		}
	}
	if !used {
		errs = append(errs, fmt.Errorf(".dysnomia-fileset: the symlink %s has no target", source))
	}
	f.dirs = outermost(f.dirs)
	return f, errors.Join(errs...)
}

// local returns a clean path that does not leave the target directory.
func local(name string) (string, error) {
	if !filepath.IsLocal(name) || strings.ContainsRune(name, 0) {
		return "", fmt.Errorf("%q is not a path inside of the target directory", name)
	}
	return path.Clean(name), nil
}

// outermost sorts directories and drops those that are below another.
func outermost(dirs []string) []string {
	slices.Sort(dirs)
	dirs = slices.Compact(dirs)
	return slices.DeleteFunc(slices.Clone(dirs), func(dir string) bool {
		return slices.ContainsFunc(dirs, func(above string) bool { return strings.HasPrefix(dir, above+"/") })
	})
}
