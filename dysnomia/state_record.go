package dysnomia

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// recordsDir has what plugins remember about components, by kind of record and
// container.
const recordsDir = ".records"

// Remember keeps what a plugin must know to deactivate a component, whatever
// becomes of the component and of its container's properties meanwhile. The
// record is stored as JSON and replaces an older one of its kind, which is a
// word. It is not for secrets.
//
// It survives a crash of this process, but is not flushed to the disk, which
// would take longer than most activations: when the machine has lost power,
// plugins have to do with what the component itself says.
func (s *State) Remember(kind, container, component string, record any) error {
	content, err := json.Marshal(record)
	if err == nil {
		err = s.changeRecord(kind, container, component, func(path string) error {
			return s.replaceFile(path, append(content, '\n'), 0o644, unflushed)
		})
	}
	if err != nil {
		return fmt.Errorf("remember component %q in container %q: %w", component, container, err)
	}
	return nil
}

// Recall reads what is remembered about a component into record. It reports
// false if that is nothing.
func (s *State) Recall(kind, container, component string, record any) (bool, error) {
	if err := checkStateNames(container, component); err != nil {
		return false, err
	}
	path := s.path(recordsDir, kind, container, component)
	content, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) || err == nil && len(content) == 0 {
		return false, nil // an empty file is one whose content was lost
	}
	if err == nil {
		err = json.Unmarshal(content, record)
	}
	if err != nil {
		return false, fmt.Errorf("read the record %s: %w", path, err)
	}
	return true, nil
}

// Forget removes what is remembered about a component, if anything.
func (s *State) Forget(kind, container, component string) error {
	err := s.changeRecord(kind, container, component, os.Remove)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("forget component %q in container %q: %w", component, container, err)
	}
	return nil
}

func (s *State) changeRecord(kind, container, component string, change func(path string) error) error {
	if err := checkStateNames(container, component); err != nil {
		return err
	}
	unlock, err := s.lock()
	if err != nil {
		return err
	}
	defer unlock()
	return change(s.path(recordsDir, kind, container, component))
}

func unflushed(*os.File) error { return nil }
