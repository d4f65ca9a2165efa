package dysnomia

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// isPath reports whether a container, component or type was given as a path;
// everything else is a name (host page, 3.3).
func isPath(s string) bool {
	return strings.HasPrefix(s, "/") || strings.HasPrefix(s, "./")
}

// resolveContainer returns the container file of a name or path.
func (h *Host) resolveContainer(container string) (string, error) {
	notFound := &NotFoundError{Message: "No container configuration found for: NAME", Name: container}
	if isPath(container) {
		file, err := filepath.EvalSymlinks(container)
		if err != nil {
			notFound.Hint = reason(err)
			return "", notFound
		}
		if !isRegular(file) {
			notFound.Hint = "it is not a regular file"
			return "", notFound
		}
		return absolute(file)
	}
	for _, dir := range h.ContainersPath {
		file := filepath.Join(dir, container)
		if filepath.IsLocal(container) && isRegular(file) {
			return absolute(file)
		}
	}
	notFound.Hint = searched(h.ContainersPath, "DYSNOMIA_CONTAINERS_PATH")
	return "", notFound
}

// resolveComponent returns the absolute path, free of symbolic links, of a
// component given by name or path. The last element of a path need not exist:
// what to do then is the module's decision.
func (h *Host) resolveComponent(component, container string) (string, error) {
	notFound := &NotFoundError{Message: "No component configuration found for: NAME", Name: component}
	if isPath(component) {
		path, err := canonical(component)
		if err != nil {
			notFound.Hint = reason(err)
			return "", notFound
		}
		return path, nil
	}
	if isPath(container) {
		container = h.ComponentName(container)
	}
	if filepath.IsLocal(container) && filepath.IsLocal(component) {
		for _, dir := range h.ComponentsPath {
			path := filepath.Join(dir, container, component)
			if _, err := os.Lstat(path); err == nil {
				return canonical(path)
			}
		}
	}
	notFound.Hint = fmt.Sprintf("container %s, %s", container, searched(h.ComponentsPath, "DYSNOMIA_COMPONENTS_PATH"))
	return "", notFound
}

// module is a resolved type: a native plugin or an executable.
type module struct {
	// identifier is the type identifier.
	identifier string
	// plugin is nil if the module is an executable.
	plugin Plugin
	// path is the executable's path.
	path string
}

// resolveModule returns the module of a type, by the lookup order: a path,
// DYSNOMIA_MODULES_PATH, built in (host page, 3.3).
func (h *Host) resolveModule(name string) (module, error) {
	if isPath(name) {
		return h.moduleAt(name)
	}
	for _, dir := range h.ModulesPath {
		path := filepath.Join(dir, name)
		if filepath.IsLocal(name) && isExecutable(path) {
			path, err := absolute(path)
			return module{identifier: filepath.Base(path), path: path}, err
		}
	}
	if plugin, ok := h.Plugins[name]; ok {
		return module{identifier: name, plugin: plugin}, nil
	}
	hint := "it is not built in"
	if len(h.ModulesPath) > 0 {
		hint += " and no executable of that name, " + searched(h.ModulesPath, "DYSNOMIA_MODULES_PATH")
	}
	return module{}, moduleNotFound(name, hint)
}

func moduleNotFound(name, hint string) error {
	return &NotFoundError{Message: "Module: NAME cannot be found!", Name: name, Hint: hint}
}

// moduleAt returns the module that is the file at path, or the only
// executable in the libexec/dysnomia of the package at path. A package without
// executables may name a built-in plugin there, by an empty file.
func (h *Host) moduleAt(path string) (module, error) {
	given := path
	path, err := absolute(path)
	if err != nil {
		return module{}, err
	}
	info, err := os.Stat(path)
	if err != nil {
		return module{}, moduleNotFound(given, reason(err))
	}
	if info.IsDir() {
		dir := filepath.Join(path, "libexec", "dysnomia")
		names, empty, err := modulesIn(dir)
		switch {
		case err != nil:
			return module{}, moduleNotFound(given, "the package has no modules: "+reason(err))
		case len(names) == 0 && len(empty) == 1 && h.Plugins[empty[0]] != nil:
			return module{identifier: empty[0], plugin: h.Plugins[empty[0]]}, nil
		case len(names) == 0:
			return module{}, moduleNotFound(given, "there is no executable in "+dir+", nor one empty file that is named like a built-in plugin")
		case len(names) > 1:
			return module{}, moduleNotFound(given, fmt.Sprintf(
				"there is more than one executable in %s: %s; give the path of one of them", dir, strings.Join(names, ", ")))
		}
		path = filepath.Join(dir, names[0])
	}
	if !isExecutable(path) {
		return module{}, moduleNotFound(given, path+" is not an executable file")
	}
	return module{identifier: filepath.Base(path), path: path}, nil
}

// modulesIn returns the names of the executables in a directory, and those of
// the empty files.
func modulesIn(dir string) (executables, empty []string, err error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, nil, err
	}
	for _, entry := range entries {
		switch path := filepath.Join(dir, entry.Name()); {
		case isExecutable(path):
			executables = append(executables, entry.Name())
		case isEmpty(path):
			empty = append(empty, entry.Name())
		}
	}
	return executables, empty, nil
}

func isRegular(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}

func isEmpty(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular() && info.Size() == 0
}

func isExecutable(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular() && info.Mode().Perm()&0o111 != 0
}

// maxLinks is the number of symbolic links after which a path is given up.
const maxLinks = 40

// canonical resolves all symbolic links of a path whose last element may be
// missing, also behind a link, as readlink -f does.
func canonical(path string) (string, error) {
	path, err := absolute(path)
	if err != nil {
		return "", err
	}
	for range maxLinks {
		resolved, err := filepath.EvalSymlinks(path)
		if !errors.Is(err, fs.ErrNotExist) {
			return resolved, err
		}
		dir, err := filepath.EvalSymlinks(filepath.Dir(path))
		if err != nil {
			return "", err
		}
		path = filepath.Join(dir, filepath.Base(path))
		target, err := os.Readlink(path)
		if err != nil {
			return path, nil
		}
		if !filepath.IsAbs(target) {
			target = filepath.Join(dir, target)
		}
		path = target
	}
	return "", &fs.PathError{Op: "resolve", Path: path, Err: errors.New("too many symbolic links")}
}

func absolute(path string) (string, error) {
	absolute, err := filepath.Abs(path)
	if err != nil {
		return "", fmt.Errorf("determine the absolute path of %s: %w", path, err)
	}
	return absolute, nil
}

// reason is the text of an error without the name of the system call.
func reason(err error) string {
	var pathError *fs.PathError
	if errors.As(err, &pathError) {
		return pathError.Path + ": " + pathError.Err.Error()
	}
	return err.Error()
}

func searched(dirs []string, variable string) string {
	if len(dirs) == 0 {
		return variable + " is empty"
	}
	return "searched in " + strings.Join(dirs, ", ")
}
