package dysnomia

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// Generation is one entry in the history of a component's state.
type Generation struct {
	Container string
	Component string
	// Number is 1 or more; the highest is the newest.
	Number int
	// ID names the snapshot. Several generations may have the same.
	ID string
}

// Snapshot returns the relative path of the snapshot, container/component/id.
func (g Generation) Snapshot() string {
	return g.Container + "/" + g.Component + "/" + g.ID
}

// QueryAll returns the generations of a component, oldest first; those of all
// containers or components if container or component is empty. They are
// sorted by container and component. What does not exist has none.
func (s *State) QueryAll(container, component string) ([]Generation, error) {
	var all []Generation
	err := s.eachHistory(container, component, func(history []Generation) {
		all = append(all, history...)
	})
	if err != nil {
		return nil, fmt.Errorf("query snapshots: %w", err)
	}
	return all, nil
}

// QueryLatest returns the newest generation of each component, in the manner
// of [State.QueryAll].
func (s *State) QueryLatest(container, component string) ([]Generation, error) {
	var latest []Generation
	err := s.eachHistory(container, component, func(history []Generation) {
		if len(history) > 0 {
			latest = append(latest, history[len(history)-1])
		}
	})
	if err != nil {
		return nil, fmt.Errorf("query latest snapshots: %w", err)
	}
	return latest, nil
}

// LatestSnapshot returns the absolute path of the newest snapshot of a
// component, or nothing if it has none. A snapshot that is registered but
// gone is an error.
func (s *State) LatestSnapshot(container, component string) (string, error) {
	if err := checkStateNames(container, component); err != nil {
		return "", fmt.Errorf("query latest snapshot: %w", err)
	}
	latest, err := s.QueryLatest(container, component)
	if err != nil || len(latest) == 0 {
		return "", err
	}
	path := s.snapshotPath(latest[0])
	if _, err := os.Lstat(path); err != nil {
		return "", fmt.Errorf("find latest snapshot %s: %w", latest[0].Snapshot(), err)
	}
	return path, nil
}

// PrintMissing returns those snapshots (container/component/id) that are not
// in the repository. A directory that was never completed is missing: neither
// a generation nor a checksum belongs to it.
func (s *State) PrintMissing(snapshots []string) ([]string, error) {
	var missing []string
	for _, snapshot := range snapshots {
		g, err := parseSnapshot(snapshot)
		if err != nil {
			return nil, fmt.Errorf("look for snapshots: %w", err)
		}
		stored, err := s.isStored(g)
		if err != nil {
			return nil, fmt.Errorf("look for snapshot %s: %w", snapshot, err)
		}
		if !stored {
			missing = append(missing, snapshot)
		}
	}
	return missing, nil
}

// Resolve returns the absolute paths of snapshots (container/component/id),
// whether they exist or not.
func (s *State) Resolve(snapshots []string) ([]string, error) {
	paths := make([]string, len(snapshots))
	for i, snapshot := range snapshots {
		g, err := parseSnapshot(snapshot)
		if err != nil {
			return nil, fmt.Errorf("resolve snapshots: %w", err)
		}
		paths[i] = s.snapshotPath(g)
	}
	return paths, nil
}

// parseSnapshot splits container/component/id.
func parseSnapshot(snapshot string) (Generation, error) {
	parts := strings.Split(snapshot, "/")
	if len(parts) != 3 {
		return Generation{}, fmt.Errorf("%q is not of the form container/component/id", snapshot)
	}
	g := Generation{Container: parts[0], Component: parts[1], ID: parts[2]}
	return g, g.check()
}

func (g Generation) check() error {
	return errors.Join(checkStateNames(g.Container, g.Component), checkStateName("snapshot", g.ID))
}

func (s *State) snapshotPath(g Generation) string {
	return s.path(snapshotsDir, g.Container, g.Component, g.ID)
}

func (s *State) checksumPath(g Generation) string {
	return s.path(checksumsDir, g.Container, g.Component, g.ID)
}

func (s *State) generationPath(g Generation) string {
	return s.path(generationsDir, g.Container, g.Component, strconv.Itoa(g.Number))
}

// isStored reports whether a complete snapshot is in the repository.
func (s *State) isStored(g Generation) (bool, error) {
	_, err := os.Lstat(s.snapshotPath(g))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if _, err := os.Lstat(s.checksumPath(g)); err == nil {
		return true, nil
	}
	history, err := s.history(g.Container, g.Component)
	return slices.ContainsFunc(history, func(known Generation) bool { return known.ID == g.ID }), err
}

// eachHistory calls visit with the history of each selected component.
func (s *State) eachHistory(container, component string, visit func([]Generation)) error {
	return s.eachComponent(container, component, []string{generationsDir}, func(container, component string) error {
		history, err := s.history(container, component)
		if err == nil {
			visit(history)
		}
		return err
	})
}

// eachComponent calls visit with the names of all components that a part of
// the repository has; an empty container or component selects all.
func (s *State) eachComponent(container, component string, parts []string, visit func(container, component string) error) error {
	containers, err := s.selected("container", container, parts)
	if err != nil {
		return err
	}
	for _, container := range containers {
		components, err := s.selected("component", component, parts, container)
		if err != nil {
			return err
		}
		for _, component := range components {
			if err := visit(container, component); err != nil {
				return err
			}
		}
	}
	return nil
}

// selected returns the one name if it is given, and otherwise the directories
// below parts of the repository.
func (s *State) selected(kind, name string, parts []string, below ...string) ([]string, error) {
	if name != "" {
		return []string{name}, checkStateName(kind, name)
	}
	var names []string
	for _, part := range parts {
		found, err := s.entries(isDirEntry, append([]string{part}, below...)...)
		if err != nil {
			return nil, err
		}
		names = append(names, found...)
	}
	slices.Sort(names)
	return slices.Compact(names), nil
}

// history returns the generations of one component, oldest first. Links whose
// names are no numbers, or whose targets cannot name a snapshot, are ignored.
func (s *State) history(container, component string) ([]Generation, error) {
	isLink := func(entry fs.DirEntry) bool { return entry.Type() == fs.ModeSymlink }
	names, err := s.entries(isLink, generationsDir, container, component)
	if err != nil {
		return nil, err
	}
	var history []Generation
	for _, name := range names {
		number, err := strconv.Atoi(name)
		if err != nil || number < 1 || strconv.Itoa(number) != name {
			continue
		}
		g := Generation{Container: container, Component: component, Number: number}
		target, err := os.Readlink(s.generationPath(g))
		if errors.Is(err, fs.ErrNotExist) {
			continue // removed meanwhile
		}
		if err != nil {
			return nil, err
		}
		g.ID = filepath.Base(target)
		if g.check() == nil {
			history = append(history, g)
		}
	}
	slices.SortFunc(history, func(a, b Generation) int { return cmp.Compare(a.Number, b.Number) })
	return history, nil
}
