package dysnomia

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Component is an entry of a components directory.
type Component struct {
	// Container is the name of the container it is meant for.
	Container string
	// Entry is the name of the directory entry.
	Entry string
	// Path is the absolute path that the entry leads to.
	Path string
	// Name is the component's name, which markers carry: that of Path.
	Name string
}

// String returns container/entry.
func (c Component) String() string { return c.Container + "/" + c.Entry }

// QueryContainers returns the names of the containers, sorted; only the given
// one, if it exists, unless container is empty.
func (h *Host) QueryContainers(container string) ([]string, error) {
	files, err := h.containerFiles(container)
	if err != nil {
		return nil, err
	}
	names := make([]string, 0, len(files))
	for _, file := range files {
		names = append(names, filepath.Base(file))
	}
	slices.Sort(names)
	return names, nil
}

// containerFiles returns the container files in the order of the search path
// and their names; a name that an earlier directory has is hidden.
func (h *Host) containerFiles(container string) ([]string, error) {
	var files []string
	seen := map[string]bool{}
	for _, dir := range h.ContainersPath {
		names, err := visibleEntries(dir)
		if err != nil {
			return nil, fmt.Errorf("list containers: %w", err)
		}
		for _, name := range names {
			file := filepath.Join(dir, name)
			if seen[name] || container != "" && name != container || !isRegular(file) {
				continue
			}
			seen[name] = true
			files = append(files, file)
		}
	}
	return files, nil
}

// QueryAvailableComponents returns the components of the components
// directories, sorted by container and entry; only those of one container
// unless it is empty.
func (h *Host) QueryAvailableComponents(container string) ([]Component, error) {
	var components []Component
	seen := map[string]bool{}
	for _, dir := range h.ComponentsPath {
		found, err := h.componentsIn(dir, container)
		if err != nil {
			return nil, fmt.Errorf("list available components: %w", err)
		}
		for _, c := range found {
			if !seen[c.String()] {
				seen[c.String()] = true
				components = append(components, c)
			}
		}
	}
	slices.SortFunc(components, func(a, b Component) int {
		return orElse(strings.Compare(a.Container, b.Container), strings.Compare(a.Entry, b.Entry))
	})
	return components, nil
}

func orElse(order, next int) int {
	if order != 0 {
		return order
	}
	return next
}

func (h *Host) componentsIn(dir, container string) ([]Component, error) {
	containers, err := visibleEntries(dir)
	if err != nil {
		return nil, err
	}
	var components []Component
	for _, name := range containers {
		if container != "" && name != container || !isDirectory(filepath.Join(dir, name)) {
			continue
		}
		entries, err := visibleEntries(filepath.Join(dir, name))
		if err != nil {
			return nil, err
		}
		for _, entry := range entries {
			path, err := entryPath(filepath.Join(dir, name, entry))
			if err != nil {
				return nil, err
			}
			components = append(components, Component{Container: name, Entry: entry, Path: path, Name: h.ComponentName(path)})
		}
	}
	return components, nil
}

// entryPath returns where an entry leads to. That of a package which was
// removed must not hinder the others: its link is then taken literally.
func entryPath(entry string) (string, error) {
	path, err := canonical(entry)
	if !errors.Is(err, fs.ErrNotExist) {
		return path, err
	}
	target, err := os.Readlink(entry)
	if err != nil {
		return "", err
	}
	if !filepath.IsAbs(target) {
		target = filepath.Join(filepath.Dir(entry), target)
	}
	return absolute(target)
}

// QueryActivatedComponents returns the components that are active, sorted;
// only those of one container unless it is empty.
func (h *Host) QueryActivatedComponents(container string) ([]Marker, error) {
	return h.State().Activated(container)
}

// visibleEntries returns the names in a directory, sorted by bytes, without
// hidden ones. A directory that does not exist is empty.
func visibleEntries(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var names []string
	for _, entry := range entries {
		if !strings.HasPrefix(entry.Name(), ".") {
			names = append(names, entry.Name())
		}
	}
	return names, nil
}

func isDirectory(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}
