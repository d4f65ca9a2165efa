package dysnomia

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Marker says that a component is active in a container, or that it was
// deactivated but still has state.
type Marker struct {
	Container string
	Component string
	// Path is the component that was activated. It is empty in markers that
	// the original made.
	Path string
}

// String returns container/component.
func (m Marker) String() string { return m.Container + "/" + m.Component }

// MarkedAs returns the state directory for a plugin that works on a component
// for another one, from which it was generated: whichever component that
// plugin marks, or asks for the marker of, is the other one.
func (s *State) MarkedAs(component, path string) *State {
	return &State{Dir: s.Dir, point: s.point, markedAs: &Marker{Component: component, Path: path}}
}

// marked returns the name and path of the component that is meant.
func (s *State) marked(component, path string) (name, recorded string) {
	if s.markedAs == nil {
		return component, path
	}
	return s.markedAs.Component, s.markedAs.Path
}

// MarkActive records that the component with this path is active. It is no
// longer garbage. Repeating it changes nothing, except that a new path
// replaces the recorded one. An empty path keeps what is recorded.
func (s *State) MarkActive(container, component, path string) error {
	component, path = s.marked(component, path)
	err := s.change(container, component, func(active, garbage string) error {
		if isMarker(garbage) {
			// Renamed before it is rewritten: at no moment is an active
			// component also garbage, whose state could be deleted.
			if err := renameMarker(garbage, active); err != nil {
				return err
			}
		}
		switch recorded, err := readMarker(active); {
		case err == nil && (path == "" || recorded == path):
			return nil
		case path == "":
			return s.writeFile(active, nil, 0o644)
		default:
			return s.writeFile(active, []byte(path+"\n"), 0o644)
		}
	})
	return markerError("mark", container, component, "active", err)
}

// UnmarkActive records that the component is not active. It is not an error
// if it was not.
func (s *State) UnmarkActive(container, component string) error {
	err := s.change(container, component, func(active, _ string) error {
		return removeIfPresent(active)
	})
	return markerError("unmark", container, component, "active", err)
}

// MarkGarbage records that an active component is deactivated and that its
// state may be deleted. A component that was never activated has no state: it
// is not an error, and nothing is recorded.
func (s *State) MarkGarbage(container, component string) error {
	err := s.change(container, component, func(active, garbage string) error {
		if !isMarker(active) {
			return nil
		}
		return renameMarker(active, garbage)
	})
	return markerError("mark", container, component, "garbage", err)
}

// UnmarkGarbage records that the component has no state to delete any more.
func (s *State) UnmarkGarbage(container, component string) error {
	err := s.change(container, component, func(_, garbage string) error {
		return removeIfPresent(garbage)
	})
	return markerError("unmark", container, component, "garbage", err)
}

// IsActive reports whether the component is marked as active.
func (s *State) IsActive(container, component string) (bool, error) {
	return s.isMarked(activatedDir, container, component)
}

// IsGarbage reports whether the component is marked as garbage.
func (s *State) IsGarbage(container, component string) (bool, error) {
	return s.isMarked(garbageDir, container, component)
}

// Activated returns the active components of a container, or of all
// containers if it is empty, sorted by container and component.
func (s *State) Activated(container string) ([]Marker, error) {
	return s.markers(activatedDir, container)
}

// ContainersOf returns the containers in which a component of this name is
// active, sorted.
func (s *State) ContainersOf(component string) ([]string, error) {
	containers, err := s.entries(isDirEntry, activatedDir)
	if err != nil {
		return nil, fmt.Errorf("list markers: %w", err)
	}
	var found []string
	for _, container := range containers {
		active, err := s.IsActive(container, component)
		if err != nil {
			return nil, err
		}
		if active {
			found = append(found, container)
		}
	}
	return found, nil
}

// Garbage returns the deactivated components that still have state, in the
// manner of [State.Activated].
func (s *State) Garbage(container string) ([]Marker, error) {
	return s.markers(garbageDir, container)
}

// change calls mark with the places of both markers while no other process
// changes the state directory.
func (s *State) change(container, component string, mark func(active, garbage string) error) error {
	component, _ = s.marked(component, "")
	if err := checkStateNames(container, component); err != nil {
		return err
	}
	unlock, err := s.lock()
	if err != nil {
		return err
	}
	defer unlock()
	return around(s.point, "marker", func() error {
		return mark(s.path(activatedDir, container, component), s.path(garbageDir, container, component))
	})
}

func (s *State) isMarked(dir, container, component string) (bool, error) {
	component, _ = s.marked(component, "")
	if err := checkStateNames(container, component); err != nil {
		return false, err
	}
	info, err := os.Lstat(s.path(dir, container, component))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("query markers: %w", err)
	}
	return info.Mode().IsRegular(), nil
}

func (s *State) markers(dir, container string) ([]Marker, error) {
	containers := []string{container}
	if container == "" {
		var err error
		if containers, err = s.entries(isDirEntry, dir); err != nil {
			return nil, fmt.Errorf("list markers: %w", err)
		}
	} else if err := checkStateName("container", container); err != nil {
		return nil, fmt.Errorf("list markers: %w", err)
	}
	var markers []Marker
	for _, container := range containers {
		components, err := s.entries(isFileEntry, dir, container)
		if err != nil {
			return nil, fmt.Errorf("list markers of container %q: %w", container, err)
		}
		for _, component := range components {
			path, err := readMarker(s.path(dir, container, component))
			if errors.Is(err, fs.ErrNotExist) {
				continue // removed meanwhile
			}
			if err != nil {
				return nil, fmt.Errorf("read marker: %w", err)
			}
			markers = append(markers, Marker{Container: container, Component: component, Path: path})
		}
	}
	return markers, nil
}

func readMarker(path string) (string, error) {
	content, err := os.ReadFile(path)
	return strings.TrimSuffix(string(content), "\n"), err
}

func isMarker(path string) bool {
	info, err := os.Lstat(path)
	return err == nil && info.Mode().IsRegular()
}

func renameMarker(from, to string) error {
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	if err := os.Rename(from, to); err != nil {
		return err
	}
	return errors.Join(syncPath(filepath.Dir(to)), syncPath(filepath.Dir(from)))
}

func markerError(verb, container, component, as string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s component %q in container %q as %s: %w", verb, component, container, as, err)
}
